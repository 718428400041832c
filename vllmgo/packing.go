package vllmgo

import (
	"math"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// packedInput is what packing.py's unpack takes. Byte slices are int32 in the machine's byte order.
type packedInput struct {
	// Lengths are the prompts' numbers of token IDs; 0 stands for the next of Texts, -1 for a chat
	// or embeddings.
	Lengths, TokenIDs []byte
	// Embeddings are all prompts' values, as float32.
	Embeddings []byte
	Texts      []string
	// Params are parameters in JSON: one for all prompts, or one for each.
	Params []string
	// Options is a JSON list with an element for each prompt, or empty; see promptOptions.
	Options string
}

// pack packs prompts that were checked, with their parameters and options, for one crossing.
// options is nil or has an element for each prompt.
func pack(prompts []Prompt, params, options []string) packedInput {
	lengths := make([]int32, len(prompts))
	total := 0
	for _, prompt := range prompts {
		total += len(prompt.TokenIDs)
	}
	tokenIDs := make([]int32, 0, total)
	texts, embeddings := []string{}, []byte{}
	for i, prompt := range prompts {
		switch n := len(prompt.TokenIDs); {
		case n > 0:
			lengths[i] = int32(n)
			tokenIDs = append(tokenIDs, prompt.TokenIDs...)
		case prompt.Chat != nil:
			lengths[i] = -1
		case prompt.Embeddings != nil:
			lengths[i] = -1
			embeddings = append(embeddings, bytesOf(prompt.Embeddings.Values)...)
		default:
			texts = append(texts, prompt.Text)
		}
	}
	return packedInput{bytesOf(lengths), bytesOf(tokenIDs), embeddings, texts, params, joinJSON(options)}
}

// joinJSON joins JSON values to a list. An empty text becomes null, and no values become an empty
// text.
func joinJSON(values []string) string {
	if !slices.ContainsFunc(values, func(value string) bool { return value != "" }) {
		return ""
	}
	var b strings.Builder
	for i, value := range values {
		b.WriteByte("[,"[min(i, 1)])
		if value == "" {
			value = "null"
		}
		b.WriteString(value)
	}
	b.WriteByte(']')
	return b.String()
}

// packedOutput is what packing.py's pack returns. Byte slices are int32 in the machine's byte
// order, unless said otherwise.
type packedOutput struct {
	PromptLengths, PromptIDs []byte
	Cached                   []byte
	Completions              []byte
	CompletionIndices        []byte
	Lengths, IDs             []byte
	Cumulative               []byte   // float64
	Reasons                  string   // one for each completion, with \n between them
	Texts, Stops             []string // none when all are empty
	Logprobs                 *packedLogprobs
	Metrics                  *packedMetrics
	ElapsedNs                int64

	// Of the step loop: what each output belongs to, and whether it is the request's last.
	Batches  []byte // int64
	Indices  []byte
	Finished []byte // bool
}

// packedLogprobs have for each prompt, and then each completion, of each output its number of
// positions, and then the candidates of each position.
type packedLogprobs struct {
	PromptPositions, Positions []byte
	Counts, IDs                []byte
	Values                     []byte // float64
	Ranks                      []byte
	Tokens                     []string
}

type packedMetrics struct {
	Times       []byte // float64: numTimes for each output that has them
	TokenCounts []byte // for each output; -1 for one without times
	TokenTimes  []byte // float64
}

// unpack makes the outputs. They share the memory of p and, when their prompt is the one that was
// sent, of sent.
func (p *packedOutput) unpack(sent packedInput) []RequestOutput {
	promptLengths, promptIDs := valuesOf[int32](p.PromptLengths), valuesOf[int32](p.PromptIDs)
	lengths, ids := valuesOf[int32](p.Lengths), valuesOf[int32](p.IDs)
	cached, completions := valuesOf[int32](p.Cached), valuesOf[int32](p.Completions)
	indices, cumulative := valuesOf[int32](p.CompletionIndices), valuesOf[float64](p.Cumulative)
	sentLengths, sentIDs := valuesOf[int32](sent.Lengths), valuesOf[int32](sent.TokenIDs)
	reasons, all := strings.Split(p.Reasons, "\n"), make([]CompletionOutput, len(lengths))
	for i := range all {
		completion := &all[i]
		completion.Index, completion.CumulativeLogprob, completion.FinishReason = int(indices[i]), cumulative[i], reasons[i]
		if len(p.Texts) > 0 {
			completion.Text = p.Texts[i]
		}
		if len(p.Stops) > 0 {
			completion.StopReason = p.Stops[i]
		}
		completion.TokenIDs, ids = split(ids, lengths[i])
	}
	outputs := make([]RequestOutput, len(promptLengths))
	for i := range outputs {
		output := &outputs[i]
		var own []int32
		if i < len(sentLengths) {
			own, sentIDs = split(sentIDs, max(sentLengths[i], 0))
		}
		if promptLengths[i] < 0 {
			output.PromptTokenIDs = own
		} else {
			output.PromptTokenIDs, promptIDs = split(promptIDs, promptLengths[i])
		}
		output.NumCachedTokens = int(cached[i])
		output.Outputs, all = split(all, completions[i])
	}
	if p.Logprobs != nil {
		p.Logprobs.unpack(outputs)
	}
	if p.Metrics != nil {
		p.Metrics.unpack(outputs)
	}
	return outputs
}

// unpack gives the logprobs to the outputs.
func (p *packedLogprobs) unpack(outputs []RequestOutput) {
	all, next := p.positions(), 0
	promptPositions, positions := valuesOf[int32](p.PromptPositions), valuesOf[int32](p.Positions)
	for i := range outputs {
		outputs[i].PromptLogprobs, all = split(all, promptPositions[i])
		for j := range outputs[i].Outputs {
			outputs[i].Outputs[j].Logprobs, all = split(all, positions[next])
			next++
		}
	}
}

// unpack gives the times to the outputs.
func (p *packedMetrics) unpack(outputs []RequestOutput) {
	times, tokenTimes := valuesOf[float64](p.Times), valuesOf[float64](p.TokenTimes)
	for i, count := range valuesOf[int32](p.TokenCounts) {
		if count >= 0 {
			var t, own []float64
			t, times = split(times, int32(numTimes))
			own, tokenTimes = split(tokenTimes, count)
			outputs[i].Metrics = newRequestMetrics(t, own)
		}
	}
}

// positions are the candidates of each position.
func (p *packedLogprobs) positions() [][]Logprob {
	counts, ids, ranks := valuesOf[int32](p.Counts), valuesOf[int32](p.IDs), valuesOf[int32](p.Ranks)
	values := valuesOf[float64](p.Values)
	positions, next := make([][]Logprob, len(counts)), 0
	for i, count := range counts {
		if count == 0 {
			continue // the first token of a prompt
		}
		positions[i] = make([]Logprob, count)
		for j := range positions[i] {
			positions[i][j] = Logprob{TokenID: ids[next], Logprob: values[next], Rank: int(ranks[next]), Token: p.Tokens[next]}
			next++
		}
	}
	return positions
}

// numTimes is the number of packing.py's TIMES.
const numTimes = 6

func newRequestMetrics(times, tokenTimes []float64) *RequestMetrics {
	arrival, queued, scheduled, first, last, firstLatency := times[0], times[1], times[2], times[3], times[4], times[5]
	seconds, fraction := math.Modf(arrival)
	m := &RequestMetrics{
		ArrivalTime: time.Unix(int64(seconds), int64(fraction*1e9)),
		QueueTime:   duration(scheduled - queued),
		PrefillTime: duration(first - scheduled),
		DecodeTime:  duration(last - first),
		TTFT:        duration(firstLatency),
	}
	m.E2ELatency = m.TTFT + m.DecodeTime
	if len(tokenTimes) > 1 {
		m.ITL = make([]time.Duration, len(tokenTimes)-1)
		for i := range m.ITL {
			m.ITL[i] = duration(tokenTimes[i+1] - tokenTimes[i])
		}
	}
	return m
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// split cuts the first n values off. No values are nil.
func split[T any](values []T, n int32) (head, tail []T) {
	if n == 0 {
		return nil, values
	}
	return values[:n:n], values[n:]
}

func bytesOf[T int32 | int64 | float32](values []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(zero)))
}

// valuesOf is b as a slice of numbers. b comes from Python by way of an allocation of its own, and
// is aligned.
func valuesOf[T int32 | int64 | float32 | float64](b []byte) []T {
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}
