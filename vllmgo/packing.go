package vllmgo

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// packedInput is what packing.py's unpack takes. Byte slices are int32 in the machine's byte order.
type packedInput struct {
	// Lengths are the prompts' numbers of token IDs; 0 stands for the next of Texts, -1 for the next chat.
	Lengths, TokenIDs []byte
	Texts             []string
	// Params are SamplingParams in JSON: one for all prompts, or one for each.
	Params []string
	// Rest is a JSON object of what few prompts have; empty when none has.
	Rest string
}

// packedRest is what few prompts have: each list is empty, or holds an element for each prompt (for each
// prompt that is a chat).
type packedRest struct {
	Chats      []*Chat    `json:"chats,omitzero"`
	Adapters   [][]string `json:"adapters,omitzero"`
	Priorities []int      `json:"priorities,omitzero"`
}

// checkInput returns an error for prompts that are wrong whatever the model.
func checkInput(prompts []Prompt, first, maxModelLen int) error {
	if len(prompts) == 0 {
		return errors.New("vllmgo: there are no prompts")
	}
	for i, prompt := range prompts {
		i += first
		given := 0
		for _, is := range []bool{prompt.Text != "", len(prompt.TokenIDs) > 0, prompt.Chat != nil} {
			if is {
				given++
			}
		}
		switch {
		case given == 0:
			return fmt.Errorf("vllmgo: prompt %d is empty", i)
		case given > 1:
			return fmt.Errorf("vllmgo: prompt %d has more than one of Text, TokenIDs and Chat", i)
		case len(prompt.TokenIDs) >= maxModelLen:
			return fmt.Errorf("vllmgo: prompt %d has %d tokens; the engine takes %d, prompt and output "+
				"together (max_model_len): shorten it or raise MaxModelLen", i, len(prompt.TokenIDs), maxModelLen)
		case prompt.Chat != nil && len(prompt.Chat.Messages) == 0:
			return fmt.Errorf("vllmgo: prompt %d is a chat without messages", i)
		}
	}
	return nil
}

// encodeParams checks the sampling parameters of prompts and returns what packedInput has as Params.
func encodeParams(prompts []Prompt, first int, params SamplingParams) ([]string, error) {
	encoded, common := []string(nil), ""
	for i, prompt := range prompts {
		if prompt.Params == nil && common != "" {
			encoded = append(encoded, common)
			continue
		}
		name := "SamplingParams"
		if prompt.Params != nil {
			name = fmt.Sprintf("prompt %d: Params", first+i)
		}
		p := prompt.params(params)
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("vllmgo: %s: %w", name, err)
		}
		text, err := encodeJSON(name, p)
		if err != nil {
			return nil, err
		}
		if prompt.Params == nil {
			common = text
		}
		encoded = append(encoded, text)
	}
	if !slices.ContainsFunc(encoded, func(text string) bool { return text != encoded[0] }) {
		encoded = encoded[:1]
	}
	return encoded, nil
}

// pack packs prompts that checkInput found right for one crossing.
func pack(prompts []Prompt, params []string) (packedInput, error) {
	lengths := make([]int32, len(prompts))
	total := 0
	for _, prompt := range prompts {
		total += len(prompt.TokenIDs)
	}
	tokenIDs := make([]int32, 0, total)
	texts := []string{}
	var rest packedRest
	for i, prompt := range prompts {
		switch n := len(prompt.TokenIDs); {
		case n > 0:
			lengths[i] = int32(n)
			tokenIDs = append(tokenIDs, prompt.TokenIDs...)
		case prompt.Chat != nil:
			lengths[i] = -1
			rest.Chats = append(rest.Chats, prompt.Chat)
		default:
			texts = append(texts, prompt.Text)
		}
		if prompt.LoRA != nil {
			if rest.Adapters == nil {
				rest.Adapters = make([][]string, len(prompts))
			}
			rest.Adapters[i] = []string{prompt.LoRA.Name, prompt.LoRA.Path}
		}
		if prompt.Priority != 0 {
			if rest.Priorities == nil {
				rest.Priorities = make([]int, len(prompts))
			}
			rest.Priorities[i] = prompt.Priority
		}
	}
	packed := packedInput{bytesOf(lengths), bytesOf(tokenIDs), texts, params, ""}
	if rest.Chats != nil || rest.Adapters != nil || rest.Priorities != nil {
		encoded, err := json.Marshal(rest)
		if err != nil {
			return packedInput{}, fmt.Errorf("vllmgo: Prompt.Chat: %w", err)
		}
		packed.Rest = string(encoded)
	}
	return packed, nil
}

// packedOutput is what packing.py's pack returns. Byte slices are int32 in the machine's byte order, unless
// said otherwise.
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

// packedLogprobs have for each prompt, and then each completion, of each output its number of positions, and then the
// candidates of each position.
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

// unpack makes the outputs. They share the memory of p and, when their prompt is the one that was sent, of sent.
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

// encodeJSON is v in JSON, for a parameter of bridge.py.
func encodeJSON(name string, v any) (string, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("vllmgo: %s: %w", name, err)
	}
	return string(encoded), nil
}

func bytesOf[T int32 | int64](values []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(zero)))
}

// valuesOf is b as a slice of numbers. b comes from Python by way of an allocation of its own, and is aligned.
func valuesOf[T int32 | int64 | float32 | float64](b []byte) []T {
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}
