// Package benchtest is what tests of benchmarks share: settings, points, and machines with fake
// engines.
package benchtest

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/journal"
	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// Settings are a run of the preset quick on a fake engine, in a new directory.
func Settings(t *testing.T, lab *fake.Lab) bench.Settings {
	t.Helper()
	studies, err := workload.Preset(workload.PresetQuick)
	require.NoError(t, err)
	machine.Stub(func() journal.Usage { return journal.Usage{Cores: 1} })
	t.Setenv("VLLM_CPU_KVCACHE_SPACE", "") // which would change the KV cache of fake engines
	return bench.Settings{
		Dir:         filepath.Join(t.TempDir(), "results"),
		Open:        fake.Opener[bench.Engine](lab),
		EngineArgs:  vllmgo.EngineArgs{Model: "/tmp/model"},
		ModelConfig: fake.OPT125M(),
		Device:      "cpu",
		Requests:    workload.Requests{Vocabulary: Vocabulary(t, 50272, 1, 2)},
		Studies:     studies,
		ModelName:   "facebook/opt-125m",
		Preset:      workload.PresetQuick,
		Command:     []string{"all"},
	}
}

// Tiny cuts studies down to a few points of a few tokens.
func Tiny(sweeps ...workload.Sweep) []workload.Study {
	var all []workload.Study
	for i, sweep := range sweeps {
		name := string(sweep)
		s := workload.Study{
			Name:                name,
			Sweep:               sweep,
			Parameter:           strings.ReplaceAll(name, "-", " "),
			Unit:                "requests",
			MaxNumBatchedTokens: 1024 << i,
			MaxNumSeqs:          8,
		}
		for _, n := range []int{1, 2, 4} {
			s.Points = append(s.Points, workload.Point{Study: name, Value: n, Requests: n, InputLen: 8, OutputLen: 4})
		}
		all = append(all, s)
	}
	return all
}

// Point returns a point of the study batch-size.
func Point(requests, inputLen, outputLen int) workload.Point {
	return workload.Point{
		Study:     string(workload.BatchSize),
		Value:     requests,
		Requests:  requests,
		InputLen:  inputLen,
		OutputLen: outputLen,
	}
}

// Vocabulary returns a vocabulary without special tokens.
func Vocabulary(t *testing.T, size int, special ...int32) workload.Vocabulary {
	t.Helper()
	v, err := workload.NewVocabulary(size, special)
	require.NoError(t, err)
	return v
}

// Library is a machine with a device and a hub that has some models, and engines that do what they
// are asked in no time.
type Library struct {
	vllm.Library
	// Lab opens the engines, and Opened has their settings.
	Lab    *fake.Lab
	Opened []vllmgo.EngineArgs
	// OnGenerate is called in each generation; nil means nothing.
	OnGenerate func()
}

// NewLibrary returns a library of the given device and models. The models know 200 token IDs, of
// which 1 is special, and their tokenizers 100, of which 99 is special.
func NewLibrary(device string, models ...string) *Library {
	l := &Library{Lab: &fake.Lab{}}
	l.Lab.Tokenizer = fake.Letters{}
	l.Lab.Block = func(context.Context) bool {
		if l.OnGenerate != nil {
			l.OnGenerate()
		}
		return false
	}
	open := fake.Opener[bench.Engine](l.Lab)
	l.Library = vllm.Library{
		DetectDevice: func(context.Context) (string, error) { return device, nil },
		FindModel: func(_ context.Context, model string) error {
			if slices.Contains(models, model) {
				return nil
			}
			return vllmgo.ErrModelNotFound
		},
		LoadConfig: func(context.Context, vllmgo.EngineArgs) (vllmgo.ModelConfig, error) {
			return vllmgo.ModelConfig{VocabSize: 200, SpecialTokenIDs: []int32{1}, MaxModelLen: 2048,
				NumLayers: 1, NumKVHeads: 1, HeadDim: 1, NumAttentionHeads: 12, DtypeBytes: 2,
				ModelType: "llama", HiddenSize: 10, IntermediateSize: 20}, nil
		},
		LoadTokenizer: func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error) { return fake.Letters{}, nil },
		Open: func(ctx context.Context, args vllmgo.EngineArgs) (bench.Engine, error) {
			l.Opened = append(l.Opened, args)
			return open(ctx, args)
		},
		Limits: func(_ context.Context, device, dtype string) (journal.Limits, error) {
			return journal.Limits{Bandwidth: 1e9, FLOPS: 1e9}, nil
		},
		HasFloat16: func() bool { return false },
	}
	machine.Stub(func() journal.Usage { return journal.Usage{Cores: 1} })
	return l
}
