package benchtest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

// Settings are a run of the preset quick on a fake engine, in a new directory.
func Settings(t *testing.T, lab *fake.Lab) bench.Settings {
	t.Helper()
	studies, err := workload.Preset("quick")
	require.NoError(t, err)
	machine.Stub(func() journal.Usage { return journal.Usage{Cores: 1} })
	return bench.Settings{
		Dir:         filepath.Join(t.TempDir(), "results"),
		Open:        fake.Opener[bench.Engine](lab),
		EngineArgs:  vllmgo.EngineArgs{Model: "/tmp/model"},
		ModelConfig: fake.OPT125M(),
		Device:      "cpu",
		Requests:    workload.Requests{Vocabulary: Vocabulary(t, 50272, 1, 2)},
		Studies:     studies,
		ModelName:   "facebook/opt-125m",
		Preset:      "quick",
		Command:     []string{"all"},
	}
}

// Tiny cuts studies down to a few points of a few tokens.
func Tiny(sweeps ...workload.Sweep) []workload.Study {
	var all []workload.Study
	for i, sweep := range sweeps {
		name := string(sweep)
		s := workload.Study{Name: name, Sweep: sweep, Parameter: strings.ReplaceAll(name, "-", " "), Unit: "requests", MaxNumBatchedTokens: 1024 << i, MaxNumSeqs: 8}
		for _, n := range []int{1, 2, 4} {
			s.Points = append(s.Points, workload.Point{Study: name, Value: n, Requests: n, InputLen: 8, OutputLen: 4})
		}
		all = append(all, s)
	}
	return all
}

// Point returns a point of the study batch-size.
func Point(requests, inputLen, outputLen int) workload.Point {
	return workload.Point{Study: string(workload.BatchSize), Value: requests, Requests: requests, InputLen: inputLen, OutputLen: outputLen}
}

// Vocabulary returns a vocabulary without special tokens.
func Vocabulary(t *testing.T, size int, special ...int32) workload.Vocabulary {
	t.Helper()
	v, err := workload.NewVocabulary(size, special)
	require.NoError(t, err)
	return v
}
