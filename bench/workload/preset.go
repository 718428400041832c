package workload

import (
	"fmt"
	"strings"

	"vllmgo/bench/internal/format"
)

// The names of presets; see [Preset].
const (
	PresetNotebook   = "notebook"
	PresetFull       = "full"
	PresetQuick      = "quick"
	PresetThroughput = "throughput"
	PresetLatency    = "latency"
)

// Presets returns the names of all presets.
func Presets() []string {
	return []string{PresetNotebook, PresetFull, PresetQuick, PresetThroughput, PresetLatency}
}

// Preset returns the studies of a preset.
//
//   - [PresetFull]: the three sweeps of the notebook. Batch size 1, 2, 4, 8, 16, 32 with 128 input
//     and 64 output tokens and max_num_batched_tokens 2048; sequence length 32, 64, 128, 256, 512,
//     the same for input and output, with 64 requests and 4096; request count 10, 50, 100, 200, 500
//     with 128 input and 64 output tokens and 4096. max_num_seqs is 256.
//   - [PresetNotebook]: the same points, which programs measure as the notebook does: once, after
//     one request.
//   - [PresetQuick]: the same values of what is swept, with less of what is fixed, for a run of
//     minutes on two cores. Study.Scaled describes how much less.
//   - [PresetThroughput]: what vllm bench throughput measures by default: 1000 requests of 1024
//     input and 128 output tokens, sampled at temperature 1. max_num_batched_tokens is 8192 and
//     max_num_seqs 256, which are vLLM's defaults on most devices (vllm/engine/arg_utils.py).
//   - [PresetLatency]: what vllm bench latency measures by default: 8 requests of 32 input and 128
//     output tokens, sampled at temperature 1.
//
// Any other name is an error.
func Preset(name string) ([]Study, error) {
	switch name {
	case PresetNotebook, PresetFull:
		return []Study{
			batchSizeStudy(64, ""),
			sequenceLengthStudy(64, ""),
			requestCountStudy(128, 64, ""),
		}, nil
	case PresetQuick:
		return []Study{
			batchSizeStudy(16, "16 output tokens a request instead of 64"),
			sequenceLengthStudy(4, "4 requests instead of 64"),
			requestCountStudy(16, 4, "16 input and 4 output tokens a request instead of 128 and 64"),
		}, nil
	case PresetThroughput:
		return vllmBench(name, Point{Requests: 1000, InputLen: 1024, OutputLen: 128})
	case PresetLatency:
		return vllmBench(name, Point{Requests: 8, InputLen: 32, OutputLen: 128})
	}
	return nil, fmt.Errorf("bench: no preset %q; there are %s", name, format.List(Presets()))
}

// vllmBench returns the study of the one point that a benchmark of vLLM measures.
func vllmBench(name string, p Point) ([]Study, error) {
	p.Set.Sampling = map[string]any{"temperature": 1.0}
	study, err := NewStudy(name, p)
	return []Study{study}, err
}

// batchSizeStudy returns the sweep over the batch size.
func batchSizeStudy(outputLen int, scaled string) Study {
	s := Study{Sweep: BatchSize, Unit: "requests submitted at once", MaxNumBatchedTokens: 2048, Scaled: scaled}
	return s.withPoints(
		[]int{1, 2, 4, 8, 16, 32},
		func(n int) Point { return Point{Requests: n, InputLen: 128, OutputLen: outputLen} },
	)
}

// sequenceLengthStudy returns the sweep over the sequence length.
func sequenceLengthStudy(requests int, scaled string) Study {
	s := Study{
		Sweep:               SequenceLength,
		Unit:                "input tokens a request, and as many output tokens",
		MaxNumBatchedTokens: 4096,
		Scaled:              scaled,
	}
	return s.withPoints(
		[]int{32, 64, 128, 256, 512},
		func(n int) Point { return Point{Requests: requests, InputLen: n, OutputLen: n} },
	)
}

// requestCountStudy returns the sweep over the request count.
func requestCountStudy(inputLen, outputLen int, scaled string) Study {
	s := Study{Sweep: RequestCount, Unit: "requests submitted at once", MaxNumBatchedTokens: 4096, Scaled: scaled}
	return s.withPoints(
		[]int{10, 50, 100, 200, 500},
		func(n int) Point { return Point{Requests: n, InputLen: inputLen, OutputLen: outputLen} },
	)
}

// withPoints returns the sweep with a point for each value.
func (s Study) withPoints(values []int, point func(value int) Point) Study {
	s.Name, s.Parameter, s.MaxNumSeqs = string(s.Sweep), strings.ReplaceAll(string(s.Sweep), "-", " "), 256
	for _, value := range values {
		p := point(value)
		p.Study, p.Value = s.Name, value
		s.Points = append(s.Points, p)
	}
	return s
}
