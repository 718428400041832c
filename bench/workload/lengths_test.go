package workload

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func distribution(t *testing.T, text string) Distribution {
	t.Helper()
	d, err := ParseDistribution(text)
	require.NoError(t, err)
	assert.Equal(t, text, d.String())
	return d
}

// Mean and standard deviation, of the logarithms for lognormal, are those that were asked for.
func TestDistributions(t *testing.T) {
	const n = 20000
	for text, want := range map[string]struct{ mean, sd, low, high float64 }{
		"128":               {128, 0, 128, 128},
		"uniform:64,256":    {160, 55.71, 64, 256}, // √((193²−1)/12)
		"normal:128,16":     {128, 16, 1, 1000},
		"lognormal:128,0.5": {math.Log(128), 0.5, 0, 10},
	} {
		lengths := DrawLengths(n, distribution(t, text), distribution(t, "7"), 1)
		assert.Equal(t, lengths, DrawLengths(n, distribution(t, text), distribution(t, "7"), 1))
		var sum, squares float64
		for _, l := range lengths {
			x := float64(l.Input)
			if strings.HasPrefix(text, "log") {
				x = math.Log(x)
			}
			require.True(t, x >= want.low && x <= want.high, "%s gave %v", text, x)
			require.Equal(t, 7, l.Output)
			sum += x
			squares += x * x
		}
		mean := sum / n
		assert.InEpsilon(t, want.mean, mean, 0.01, text)
		assert.InDelta(t, want.sd, math.Sqrt(max(0, squares/n-mean*mean)), 0.02*want.sd+1e-3, text)
	}
	for _, l := range DrawLengths(1000, distribution(t, "normal:2,5"), distribution(t, "lognormal:1,2"), 0) {
		assert.True(t, l.Input >= 1 && l.Output >= 1)
	}
}

func TestBadDistributions(t *testing.T) {
	for _, text := range []string{"", "x", "0", "-4", "uniform:5", "uniform:9,5", "uniform:1.5,3", "normal:128", "normal:0,1", "normal:8,-1", "normal:NaN,1", "lognormal:8,6", "zipf:1,2", "128,3"} {
		_, err := ParseDistribution(text)
		assert.ErrorContains(t, err, "no length distribution", text)
	}
}

func TestPointLengths(t *testing.T) {
	p := Point{Study: "lengths", Value: 1, Requests: 3, Lengths: []RequestLength{{10, 2}, {20, 6}, {4, 9}}}
	assert.Equal(t, 34, p.InputTokens())
	assert.Equal(t, 17, p.OutputTokens())
	sequence, output := p.Longest()
	assert.Equal(t, 26, sequence)
	assert.Equal(t, 9, output)
	assert.Equal(t, 32+16, p.PeakKVTokens(2, 16), "the two longest")
	assert.Equal(t, "3 requests of 34 input and 17 output tokens in all", p.Shape())
	text, err := json.Marshal(p)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"lengths":[[10,2],[20,6],[4,9]]`)
	var again Point
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, p, again)
}
