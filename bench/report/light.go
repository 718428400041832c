package report

import (
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// devices is the number of devices that share the engine's work. On a CPU the ranks share one.
func devices(e journal.Engine) int {
	if e.Info.Device == "cpu" {
		return 1
	}
	return max(1, e.Args.TensorParallelSize) * max(1, e.Args.PipelineParallelSize)
}

// Light is the speed of light of a point: the time that its memory traffic and its arithmetic need at least, on the
// device as it was measured, whatever the engine. This is the roofline model (S. Williams, A. Waterman and D. Patterson,
// CACM 52, 2009) with the counts of R. Pope et al., Efficiently Scaling Transformer Inference (MLSys 2023); see
// docs/benchmarking.md for the formulas.
type Light struct {
	// Memory is the time for reading the weights once in each step, and the KV cache of each running sequence.
	Memory time.Duration `json:"memory_ns"`
	// Arithmetic is the time for the matrix multiplications and the attention.
	Arithmetic time.Duration `json:"arithmetic_ns"`
	// Share is the greater of the two over the median of the trials: 1 is the speed of light.
	Share float64 `json:"share"`
}

// lightTolerance is the share above which a point's speed of light cannot be right: the limits are measurements too.
const lightTolerance = 1.05

// bound is what limits it: "memory" or "arithmetic".
func (l Light) bound() string {
	if l.Memory >= l.Arithmetic {
		return "memory"
	}
	return "arithmetic"
}

// newLight computes a point's speed of light on an engine whose work devices share.
func newLight(p workload.Point, args vllmgo.EngineArgs, model vllmgo.ModelConfig, size journal.ModelSize, limits journal.Limits, devices int) Light {
	var input, output, longest, context, prefill float64
	n := float64(p.Completions())
	for _, l := range p.EachLength() {
		in, out := float64(l.Input), float64(l.Output)
		input += in
		output += n * out
		longest = max(longest, out)
		prefill += in * (in + 1) / 2
		context += n * (out - 1) * (in + out/2) // Σ in+t for t = 1 … out−1
	}
	passed := input + output - n*float64(p.Requests) // the last token of each completion passes no layer

	// A request needs a step for each of its tokens; a step gives each running sequence a token, and takes no more
	// tokens than max_num_batched_tokens.
	steps := max(longest, output/float64(args.MaxNumSeqs), passed/float64(args.MaxNumBatchedTokens))
	bytes := steps*float64(size.Layers+size.Head)*float64(model.DtypeBytes) + context*float64(model.KVBytesPerToken())
	operations := 2*float64(size.Layers)*passed + 2*float64(size.Head)*output +
		4*float64(model.NumLayers*model.NumAttentionHeads*model.HeadDim)*(prefill+context)

	seconds := func(work, rate float64) time.Duration {
		return time.Duration(work / (rate * float64(devices)) * float64(time.Second))
	}
	return Light{Memory: seconds(bytes, limits.Bandwidth), Arithmetic: seconds(operations, limits.FLOPS)}
}

// lightOf is a measured row's speed of light; the zero value when the journal has not what it takes.
func lightOf(j *journal.Journal, row Row) Light {
	h := j.Header
	if j.Limits == nil || h.ModelSize == nil {
		return Light{}
	}
	for _, e := range j.Engines {
		if e.Number == row.Engine {
			l := newLight(row.Point, e.Args, h.ModelConfig.WithDtype(e.Info.Dtype), *h.ModelSize, *j.Limits, devices(e))
			l.Share = max(l.Memory, l.Arithmetic).Seconds() / row.Elapsed.Value.Seconds()
			return l
		}
	}
	return Light{}
}
