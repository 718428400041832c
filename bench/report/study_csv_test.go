package report

import (
	"bytes"
	"encoding/csv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCSV(t *testing.T) {
	studies := preset(t, "full")[:1]
	j := journalOf(studies, []float64{100, 0, 200, 400, 800, -1})
	j.Header.RandomWeights = true
	r := New(j)
	var b bytes.Buffer
	require.NoError(t, r.WriteCSV(&b, r.Studies[0]))
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 7)
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	cell := func(line int, name string) string { return lines[line][column[name]] }
	assert.Equal(t, "0.640000", cell(1, "elapsed_s"))
	assert.Equal(t, "0", cell(1, "confidence"), "of a single trial")
	assert.Equal(t, "100.000", cell(1, "generated_tokens_per_s"))
	assert.Equal(t, "300.000", cell(1, "total_tokens_per_s"))
	assert.Equal(t, "192", cell(1, "peak_kv_tokens"))
	assert.Equal(t, "9.000000", cell(1, "load_s"))
	assert.Equal(t, "1610612736", cell(1, "load_host_bytes"))
	assert.Equal(t, "5368709120", cell(1, "load_gpu_bytes"))
	assert.Equal(t, "true", cell(1, "random_weights"))
	assert.Equal(t, "own-process", cell(1, "engine_mode"))
	assert.Equal(t, "failed", cell(2, "status"))
	assert.Equal(t, "", cell(2, "elapsed_s"))
	assert.Equal(t, "it broke", cell(2, "notes"))
	assert.Equal(t, "not measured", cell(6, "status"))
}
