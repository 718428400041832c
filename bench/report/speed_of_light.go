package report

import (
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Light is the speed of light of a point: the least time that its memory traffic and its arithmetic
// need on the device as it was measured, whatever the engine.
//
// This is the roofline model (S. Williams, A. Waterman and D. Patterson, CACM 52, 2009) with the
// counts of R. Pope et al., Efficiently Scaling Transformer Inference (MLSys 2023).
// docs/benchmarking.md has the formulas.
type Light struct {
	// Memory is the time for reading, in each step, all weights and the KV cache of each running
	// sequence.
	Memory time.Duration `json:"memory_ns"`
	// Arithmetic is the time for the matrix multiplications and the attention.
	Arithmetic time.Duration `json:"arithmetic_ns"`
	// Share is the greater of the two divided by the median of the trials: 1 is the speed of light.
	Share float64 `json:"share"`
}

// lightTolerance is the share above which a point's speed of light cannot be right, because the
// limits of the device are measurements too.
const lightTolerance = 1.05

// newLight returns the speed of light of a measured row; the zero value when the limits of the
// device or the size of the model are not known.
func newLight(j *journal.Journal, row Row) Light {
	h := j.Header
	if j.Limits == nil || h.ModelSize == nil {
		return Light{}
	}
	for _, e := range j.Engines {
		if e.Number == row.Engine {
			w := workOf(row.Point, e.Args, h.ModelConfig.WithDtype(e.Info.Dtype), *h.ModelSize)
			l := w.light(*j.Limits, devices(e))
			if l.time() == 0 { // less than a nanosecond: the limits are wrong
				return Light{}
			}
			l.Share = l.time().Seconds() / row.Elapsed.Value.Seconds()
			return l
		}
	}
	return Light{}
}

// known reports whether the speed of light is known.
func (l Light) known() bool { return l != Light{} }

// time returns the least time.
func (l Light) time() time.Duration { return max(l.Memory, l.Arithmetic) }

// bound returns what limits the point: "memory" or "arithmetic".
func (l Light) bound() string {
	if l.Memory >= l.Arithmetic {
		return "memory"
	}
	return "arithmetic"
}

// work is the least work of a pass.
type work struct {
	bytes      float64 // that are read from memory
	operations float64 // with floating-point numbers
}

// workOf returns the work of a point with an engine's settings.
func workOf(p workload.Point, args vllmgo.EngineArgs, model vllmgo.ModelConfig, size journal.ModelSize) work {
	var input, output, longest float64
	// The tokens that the attention looks at: for all input tokens, and for all others.
	var prefill, context float64
	n := float64(p.Completions())
	for _, l := range p.EachLength() {
		in, out := float64(l.Input), float64(l.Output)
		input += in
		output += n * out
		longest = max(longest, out)
		prefill += in * (in + 1) / 2
		context += n * (out - 1) * (in + out/2) // Σ in+t for t = 1 … out−1
	}
	// The last token of each completion passes no layer.
	passed := input + output - n*float64(p.Requests)

	// A request needs a step for each of its tokens. A step gives each running sequence a token,
	// and takes at most max_num_batched_tokens tokens.
	steps := max(longest, output/float64(args.MaxNumSeqs), passed/float64(args.MaxNumBatchedTokens))
	return work{
		bytes: steps*float64(size.Layers+size.Head)*float64(model.DtypeBytes) + context*float64(model.KVBytesPerToken()),
		operations: 2*float64(size.Layers)*passed + 2*float64(size.Head)*output +
			4*float64(model.NumLayers*model.NumAttentionHeads*model.HeadDim)*(prefill+context),
	}
}

// light returns the time of the work on devices that share it.
func (w work) light(limits journal.Limits, devices int) Light {
	seconds := func(work, rate float64) time.Duration {
		const most = 1 << 62 // nanoseconds, which a time can have
		return time.Duration(min(most, work/(rate*float64(devices))*float64(time.Second)))
	}
	return Light{Memory: seconds(w.bytes, limits.Bandwidth), Arithmetic: seconds(w.operations, limits.FLOPS)}
}

// devices returns the number of devices that share an engine's work. On a CPU the ranks share one.
// Replicas may share devices, too.
func devices(e journal.Engine) int {
	if e.Info.Device == "cpu" {
		return 1
	}
	places := slices.Compact(slices.Sorted(slices.Values(e.Info.Placement)))
	return max(1, e.Args.TensorParallelSize) * max(1, e.Args.PipelineParallelSize) * max(1, len(places))
}
