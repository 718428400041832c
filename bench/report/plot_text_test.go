package report

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// A plot never leaves boxes for characters: those that its font lacks are question marks, and the
// report says so.
func TestPlotsOfOtherScripts(t *testing.T) {
	plots := func(parameter, name string) (pictures []string, r *Results) {
		study := preset(t, "full")[2]
		study.Parameter, study.Unit = parameter, name
		for i := range study.Points {
			study.Points[i].Coordinates = []workload.Coordinate{{Axis: "engine." + name, Value: name}}
		}
		j := journalOf([]workload.Study{study}, []float64{300, 800, 1000, 600, 900})
		j.Header.Model = name
		scheduled(j, study.Points[2], 1, journal.Counters{Running: 1})
		j.Trials[0].PeakKVTokens = 1 << 30 // which fails a check, so that the legend has a ring
		r = New(j)
		for _, f := range r.files()[3:] {
			var b bytes.Buffer
			require.NoError(t, f.Write(&b), f.Name)
			pictures = append(pictures, b.String())
		}
		require.Len(t, pictures, 3)
		return pictures, r
	}
	chinese, r := plots("批量大小", "模型é→")
	assert.Equal(t, []string{"plots show ? for each of these characters, which their font lacks: 模型批量大小"}, r.Problems)
	marks, r := plots("????", "??é→")
	assert.Empty(t, r.Problems)
	for i := range marks {
		assert.True(t, marks[i] == chinese[i], "plot %d", i)
	}
}

// The scaling plots say so too.
func TestScalingPlotOfOtherScripts(t *testing.T) {
	s := &Scaling{common: &Results{}, Studies: []ScalingStudy{{Points: []ScalingPoint{{Name: "点"}}}}}
	assert.Contains(t, lackingNote(s.plotTexts()...), "点")
}
