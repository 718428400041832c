package bench

import (
	"time"

	"vllmgo/vllmgo"
)

// ModelSize is the number of a model's parameters that tokens are multiplied with. Embeddings that are looked up do not
// count.
type ModelSize struct {
	// Layers are those of all layers, which every token passes.
	Layers int64 `json:"layers"`
	// Head are those of the output projection, hidden size times vocabulary, which every generated token passes.
	Head int64 `json:"head"`
}

// Limits are what one device was measured to be capable of.
type Limits struct {
	// Bandwidth is the memory's, in bytes a second.
	Bandwidth float64 `json:"bandwidth"`
	// FLOPS is the rate of matrix multiplication in the model's type, in floating-point operations a second.
	FLOPS float64 `json:"flops"`
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
func newLight(p Point, args vllmgo.EngineArgs, model vllmgo.ModelConfig, size ModelSize, limits Limits, devices int) Light {
	var input, output, longest, context, prefill float64
	n := float64(p.completions())
	for _, l := range p.requestLengths() {
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
func lightOf(j *Journal, row Row) Light {
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
