package bench

import (
	"fmt"
	"strings"
)

// Presets are the names that [Preset] knows.
func Presets() []string { return []string{"full", "quick"} }

// Preset returns the three studies of a preset: batch size, sequence length, request count.
//
//   - "full": batch size 1, 2, 4, 8, 16, 32 with 128 input and 64 output tokens, max_num_batched_tokens 2048;
//     sequence length 32, 64, 128, 256, 512, input and output equal, 64 requests, 4096; request count 10,
//     50, 100, 200, 500 with 128 input and 64 output tokens, 4096. max_num_seqs is 256 throughout.
//   - "quick": the same swept values with less of what a sweep holds fixed, for a run of minutes on a
//     two-core CPU. Each study's Scaled says what.
//
// Another name is an error.
func Preset(name string) ([]Study, error) {
	switch name {
	case "full":
		return []Study{
			batchSizeStudy(64, ""),
			sequenceLengthStudy(64, ""),
			requestCountStudy(128, 64, ""),
		}, nil
	case "quick":
		return []Study{
			batchSizeStudy(32, "32 output tokens a request instead of 64"),
			sequenceLengthStudy(4, "4 requests instead of 64"),
			requestCountStudy(32, 8, "32 input and 8 output tokens a request instead of 128 and 64"),
		}, nil
	}
	return nil, fmt.Errorf("bench: no preset %q; there are %s", name, strings.Join(Presets(), " and "))
}

const maxNumSeqs = 256

func batchSizeStudy(outputLen int, scaled string) Study {
	s := Study{
		Name: BatchSize, Parameter: "batch size", Unit: "requests submitted at once",
		MaxNumBatchedTokens: 2048, MaxNumSeqs: maxNumSeqs, Scaled: scaled,
	}
	for _, n := range []int{1, 2, 4, 8, 16, 32} {
		s.Points = append(s.Points, Point{Study: s.Name, Value: n, Requests: n, InputLen: 128, OutputLen: outputLen})
	}
	return s
}

func sequenceLengthStudy(requests int, scaled string) Study {
	s := Study{
		Name: SequenceLength, Parameter: "sequence length", Unit: "input tokens a request, and as many output tokens",
		MaxNumBatchedTokens: 4096, MaxNumSeqs: maxNumSeqs, Scaled: scaled,
	}
	for _, n := range []int{32, 64, 128, 256, 512} {
		s.Points = append(s.Points, Point{Study: s.Name, Value: n, Requests: requests, InputLen: n, OutputLen: n})
	}
	return s
}

func requestCountStudy(inputLen, outputLen int, scaled string) Study {
	s := Study{
		Name: RequestCount, Parameter: "request count", Unit: "requests submitted at once",
		MaxNumBatchedTokens: 4096, MaxNumSeqs: maxNumSeqs, Scaled: scaled,
	}
	for _, n := range []int{10, 50, 100, 200, 500} {
		s.Points = append(s.Points, Point{Study: s.Name, Value: n, Requests: n, InputLen: inputLen, OutputLen: outputLen})
	}
	return s
}
