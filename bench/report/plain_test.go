package report

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// No text of a journal reaches a terminal with its control characters, whatever is made of it.
func TestControlCharacters(t *testing.T) {
	const escape = "\x1b[2J\u009b\u202e\x07"
	studies := preset(t, workload.PresetFull)
	rates := make([][]float64, len(studies))
	for i, s := range studies {
		rates[i] = make([]float64, len(s.Points))
		rates[i][0] = 100 // the others fail
	}
	j := journalOf(studies, rates...)
	for i := range j.Failures {
		j.Failures[i].Reason = "it broke" + escape
	}
	j.Failures = append(j.Failures, journal.Failure{Engine: 1, Reason: "no end" + escape})
	h := &j.Header
	h.Model, h.Preset, h.Command, h.Device = "a/model"+escape, "p"+escape, []string{"run" + escape}, "cpu"+escape
	h.Machine = journal.Machine{CPU: "cpu" + escape, OS: "os" + escape, Go: "go" + escape}
	j.Engines[0].Notice, j.Engines[0].Info.DeviceName, j.Engines[0].Info.VLLMVersion = "n"+escape, "d"+escape, "v"+escape
	h.Studies[0].Parameter, h.Studies[0].Unit, h.Studies[0].Scaled = "p"+escape, "u"+escape, "s"+escape
	h.Studies[0].Points[0].Coordinates = []workload.Coordinate{{Axis: "dtype" + escape, Value: "v" + escape}}
	r := New(j)

	texts := map[string]string{}
	for _, f := range r.files() {
		if filepath.Ext(f.Name) == ".txt" || filepath.Ext(f.Name) == ".csv" {
			var b bytes.Buffer
			require.NoError(t, f.Write(&b))
			texts[f.Name] = b.String()
		}
	}
	other := New(journalOf(preset(t, workload.PresetFull), rates...))
	var compared, soaked bytes.Buffer
	require.NoError(t, Compare(r, other).Write(&compared, "first"+escape, "second", 80))
	soak := &journal.Soak{
		Header:  journal.SoakHeader{Model: "m" + escape, Command: []string{"c" + escape}},
		Windows: []journal.SoakWindow{{Requests: 1, Elapsed: time.Second}},
	}
	require.NoError(t, WriteSoak(&soaked, soak))
	texts["comparison"], texts["soak"] = compared.String(), soaked.String()
	require.Len(t, texts, 1+len(studies)+2)
	for name, text := range texts {
		assert.Contains(t, text, `\x1b[2J`, name)
		bad := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) || r == 0x202e })
		assert.Negative(t, bad, "%s: %.80q", name, text[max(0, bad):])
	}
}
