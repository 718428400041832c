package workload

import (
	"fmt"

	"vllmgo/internal/format"
)

// Presets are the names that [Preset] knows.
func Presets() []string { return []string{"notebook", "full", "quick", "throughput", "latency"} }

// Preset returns the studies of a preset.
//
//   - "notebook": the notebook's three sweeps, which the programs then measure as it does: each point once, after
//     [journal.WarmUpNotebook].
//   - "full": the same sweeps. Batch size 1, 2, 4, 8, 16, 32 with 128 input and 64 output tokens,
//     max_num_batched_tokens 2048; sequence length 32, 64, 128, 256, 512, input and output equal, 64 requests, 4096;
//     request count 10, 50, 100, 200, 500 with 128 input and 64 output tokens, 4096. max_num_seqs is 256 throughout.
//   - "quick": the same swept values with less of what a sweep holds fixed, for a run of minutes on a
//     two-core CPU. Each study's Scaled says what.
//   - "throughput": what `vllm bench throughput` measures by default, 1000 requests of 1024 input and 128 output tokens,
//     sampled at temperature 1. max_num_batched_tokens is 8192 and max_num_seqs 256, vLLM's defaults for LLM on most
//     devices (vllm/engine/arg_utils.py).
//   - "latency": what `vllm bench latency` measures by default, 8 requests of 32 input and 128 output tokens at once,
//     sampled at temperature 1.
//
// Another name is an error.
func Preset(name string) ([]Study, error) {
	switch name {
	case "notebook", "full":
		return []Study{
			batchSizeStudy(64, ""),
			sequenceLengthStudy(64, ""),
			requestCountStudy(128, 64, ""),
		}, nil
	case "quick":
		return []Study{
			batchSizeStudy(16, "16 output tokens a request instead of 64"),
			sequenceLengthStudy(4, "4 requests instead of 64"),
			requestCountStudy(16, 4, "16 input and 4 output tokens a request instead of 128 and 64"),
		}, nil
	case "throughput":
		return vllmBench(name, Point{Requests: 1000, InputLen: 1024, OutputLen: 128})
	case "latency":
		return vllmBench(name, Point{Requests: 8, InputLen: 32, OutputLen: 128})
	}
	return nil, fmt.Errorf("bench: no preset %q; there are %s", name, format.List(Presets()))
}

// vllmBench is a study of the one point that a benchmark of vLLM's own measures.
func vllmBench(name string, p Point) ([]Study, error) {
	p.Set.Sampling = map[string]any{"temperature": 1.0}
	study, err := NewStudy(name, p)
	return []Study{study}, err
}

const maxNumSeqs = 256

func batchSizeStudy(outputLen int, scaled string) Study {
	s := Study{
		Name: string(BatchSize), Sweep: BatchSize, Parameter: "batch size", Unit: "requests submitted at once",
		MaxNumBatchedTokens: 2048, MaxNumSeqs: maxNumSeqs, Scaled: scaled,
	}
	for _, n := range []int{1, 2, 4, 8, 16, 32} {
		s.Points = append(s.Points, Point{Study: s.Name, Value: n, Requests: n, InputLen: 128, OutputLen: outputLen})
	}
	return s
}

func sequenceLengthStudy(requests int, scaled string) Study {
	s := Study{
		Name: string(SequenceLength), Sweep: SequenceLength, Parameter: "sequence length", Unit: "input tokens a request, and as many output tokens",
		MaxNumBatchedTokens: 4096, MaxNumSeqs: maxNumSeqs, Scaled: scaled,
	}
	for _, n := range []int{32, 64, 128, 256, 512} {
		s.Points = append(s.Points, Point{Study: s.Name, Value: n, Requests: requests, InputLen: n, OutputLen: n})
	}
	return s
}

func requestCountStudy(inputLen, outputLen int, scaled string) Study {
	s := Study{
		Name: string(RequestCount), Sweep: RequestCount, Parameter: "request count", Unit: "requests submitted at once",
		MaxNumBatchedTokens: 4096, MaxNumSeqs: maxNumSeqs, Scaled: scaled,
	}
	for _, n := range []int{10, 50, 100, 200, 500} {
		s.Points = append(s.Points, Point{Study: s.Name, Value: n, Requests: n, InputLen: inputLen, OutputLen: outputLen})
	}
	return s
}
