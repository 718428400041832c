package workload

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPresetFull(t *testing.T) {
	studies, err := Preset("full")
	require.NoError(t, err)
	require.Len(t, studies, 3)
	points := func(s Study) (values, shapes [][3]int) {
		for _, p := range s.Points {
			assert.Equal(t, s.Name, p.Study)
			values = append(values, [3]int{p.Value})
			shapes = append(shapes, [3]int{p.Requests, p.InputLen, p.OutputLen})
		}
		return values, shapes
	}
	values, shapes := points(studies[0])
	assert.Equal(t, [][3]int{{1}, {2}, {4}, {8}, {16}, {32}}, values)
	assert.Equal(t, [][3]int{{1, 128, 64}, {2, 128, 64}, {4, 128, 64}, {8, 128, 64}, {16, 128, 64}, {32, 128, 64}}, shapes)
	_, shapes = points(studies[1])
	assert.Equal(t, [][3]int{{64, 32, 32}, {64, 64, 64}, {64, 128, 128}, {64, 256, 256}, {64, 512, 512}}, shapes)
	_, shapes = points(studies[2])
	assert.Equal(t, [][3]int{{10, 128, 64}, {50, 128, 64}, {100, 128, 64}, {200, 128, 64}, {500, 128, 64}}, shapes)
	for i, batched := range []int{2048, 4096, 4096} {
		assert.Equal(t, batched, studies[i].MaxNumBatchedTokens)
		assert.Equal(t, 256, studies[i].MaxNumSeqs)
		assert.Empty(t, studies[i].Scaled)
	}
}

func TestPresetQuickKeepsWhatIsSwept(t *testing.T) {
	full, err := Preset("full")
	require.NoError(t, err)
	quick, err := Preset("quick")
	require.NoError(t, err)
	require.Len(t, quick, len(full))
	for i := range full {
		assert.NotEmpty(t, quick[i].Scaled)
		require.Len(t, quick[i].Points, len(full[i].Points))
		for j, p := range full[i].Points {
			q := quick[i].Points[j]
			assert.Equal(t, p.Value, q.Value)
			switch p.Study {
			case string(SequenceLength):
				assert.Equal(t, p.InputLen, q.InputLen)
				assert.Equal(t, p.OutputLen, q.OutputLen)
			default:
				assert.Equal(t, p.Requests, q.Requests)
			}
		}
		scaled := quick[i]
		scaled.Scaled, scaled.Points = "", full[i].Points
		assert.Equal(t, full[i], scaled, "nothing else differs")
	}
}

func TestPresetNotebook(t *testing.T) {
	assert.Equal(t, presetOf(t, "full"), presetOf(t, "notebook"))
}

func TestPresetUnknown(t *testing.T) {
	_, err := Preset("fast")
	assert.EqualError(t, err, `bench: no preset "fast"; there are notebook, full, quick, throughput and latency`)
}

func TestPresetsOfVLLM(t *testing.T) {
	for name, shape := range map[string]string{
		"throughput": "1000 requests of 1024 input and 128 output tokens",
		"latency":    "8 requests of 32 input and 128 output tokens",
	} {
		studies, err := Preset(name)
		require.NoError(t, err)
		require.Len(t, studies, 1)
		require.Len(t, studies[0].Points, 1)
		assert.Equal(t, shape, studies[0].Points[0].Shape())
		assert.Equal(t, map[string]any{"temperature": 1.0}, studies[0].Points[0].Set.Sampling)
	}
}

// presetOf returns the studies of a preset.
func presetOf(t *testing.T, name string) []Study {
	t.Helper()
	studies, err := Preset(name)
	require.NoError(t, err)
	return studies
}
