package vllmgo

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeEngine answers each prompt with its token IDs in reverse, a token a step. It dies of a prompt
// that dies says.
type fakeEngine struct {
	maxNumSeqs int
	dies       func(prompt []int32) bool
	steps      *stepCount // of all engines of a test; nil if nobody counts

	mu      sync.Mutex
	dead    bool
	waiting []*fakeRequest
	// finished counts the requests that have ended, most is the most that were there at a time.
	finished, most int
}

// stepCount counts the requests that have ended.
type stepCount struct {
	mu       sync.Mutex
	finished int
}

type fakeRequest struct {
	batch  int64
	index  int32
	stream bool
	prompt []int32
	given  int // tokens so far
}

var errFakeDeath = &callError{"the fake engine has died", []error{ErrEngineDead}}

func (e *fakeEngine) hold(fn func(c caller) error) error { return fn(e) }
func (e *fakeEngine) meanwhile(result any, method string, args ...any) error {
	return e.call(result, method, args...)
}
func (e *fakeEngine) close() error { return nil }
func (e *fakeEngine) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dead = true
}

func (e *fakeEngine) call(result any, method string, args ...any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead {
		return errFakeDeath
	}
	switch method {
	case "attribute":
		*result.(*int) = map[string]int{"max_num_seqs": e.maxNumSeqs, "failed": -1}[args[0].(string)]
	case "mixes_adapters":
		*result.(*bool) = true
	case "metrics":
		*result.(*Metrics) = Metrics{Running: len(e.waiting)}
	case "generate":
		output, err := e.generate(args[1].(packedInput))
		*result.(**packedOutput) = output
		return err
	case "add":
		ids, indices, streams := valuesOf[int64](args[0].([]byte)), valuesOf[int32](args[1].([]byte)), args[2].([]byte)
		for i, prompt := range promptsOf(args[3].(packedInput)) {
			e.waiting = append(e.waiting, &fakeRequest{ids[i], indices[i], streams[i] != 0, prompt, 0})
		}
		e.most = max(e.most, len(e.waiting))
	case "step":
		output, err := e.step()
		*result.(**packedOutput) = output
		return err
	case "abort":
		e.waiting = slices.DeleteFunc(e.waiting, func(r *fakeRequest) bool { return r.batch == args[0].(int64) })
	case "abort_all":
		e.waiting = nil
	case "take_back", "tidy", "echo":
	default:
		return errors.New("the fake engine has no method " + method)
	}
	return nil
}

// generate answers all prompts of a call.
func (e *fakeEngine) generate(packed packedInput) (*packedOutput, error) {
	var done []*fakeRequest
	for i, prompt := range promptsOf(packed) {
		for range prompt { // a step for each token
			if e.dies != nil && e.dies(prompt) {
				e.dead = true
				return nil, errFakeDeath
			}
		}
		done = append(done, &fakeRequest{index: int32(i), prompt: prompt, given: len(prompt)})
	}
	e.count(len(done))
	return packFake(done), nil
}

func (e *fakeEngine) count(finished int) {
	e.finished += finished
	if e.steps == nil {
		return
	}
	e.steps.mu.Lock()
	defer e.steps.mu.Unlock()
	e.steps.finished += finished
}

// step gives each request that runs a token.
func (e *fakeEngine) step() (*packedOutput, error) {
	var out []*fakeRequest
	running := e.waiting[:min(len(e.waiting), e.maxNumSeqs)]
	for _, r := range running {
		if e.dies != nil && e.dies(r.prompt) {
			e.dead = true
			return nil, errFakeDeath
		}
		if r.given++; r.stream || r.given == len(r.prompt) {
			out = append(out, r)
		}
	}
	before := len(e.waiting)
	e.waiting = slices.DeleteFunc(e.waiting, func(r *fakeRequest) bool { return r.given == len(r.prompt) })
	if len(out) == 0 {
		return nil, nil
	}
	e.count(before - len(e.waiting))
	return packFake(out), nil
}

// promptsOf returns the token IDs of packed prompts.
func promptsOf(packed packedInput) [][]int32 {
	var prompts [][]int32
	ids := valuesOf[int32](packed.TokenIDs)
	for _, n := range valuesOf[int32](packed.Lengths) {
		var prompt []int32
		prompt, ids = split(ids, n)
		prompts = append(prompts, prompt)
	}
	return prompts
}

// packFake packs what requests have given: all of it, or the last token of a stream.
func packFake(requests []*fakeRequest) *packedOutput {
	var batches []int64
	var indices, promptLengths, promptIDs, cached, completions, completionIndices, lengths, ids []int32
	var finished []byte
	p := &packedOutput{}
	for i, r := range requests {
		answer := slices.Clone(r.prompt)
		slices.Reverse(answer)
		answer = answer[:r.given]
		if r.stream {
			answer = answer[r.given-1:]
		}
		reason, ended := "", byte(0)
		if r.given == len(r.prompt) {
			reason, ended = "length", 1
			promptLengths, promptIDs = append(promptLengths, int32(len(r.prompt))), append(promptIDs, r.prompt...)
		} else {
			promptLengths = append(promptLengths, 0)
		}
		if i > 0 {
			p.Reasons += "\n"
		}
		p.Reasons += reason
		batches, indices, finished = append(batches, r.batch), append(indices, r.index), append(finished, ended)
		cached, completions, completionIndices = append(cached, -1), append(completions, 1), append(completionIndices, 0)
		lengths, ids = append(lengths, int32(len(answer))), append(ids, answer...)
	}
	p.PromptLengths, p.PromptIDs, p.Cached = bytesOf(promptLengths), bytesOf(promptIDs), bytesOf(cached)
	p.Completions, p.CompletionIndices = bytesOf(completions), bytesOf(completionIndices)
	p.Lengths, p.IDs = bytesOf(lengths), bytesOf(ids)
	p.Cumulative = make([]byte, 8*len(requests))
	p.Batches, p.Indices, p.Finished = bytesOf(batches), bytesOf(indices), finished
	return p
}

// fakeLLM returns an LLM of n fake engines. makeEngine makes engine i, also after a death.
func fakeLLM(t *testing.T, n int, makeEngine func(i int) (*fakeEngine, error)) *LLM {
	t.Helper()
	SetLogger(slog.New(slog.DiscardHandler)) // what it says of deaths
	t.Cleanup(func() { SetLogger(nil) })
	l := &LLM{replicas: newReplicas(n), info: Info{MaxModelLen: 1000, VocabSize: 1 << 30}}
	l.open = func(_ context.Context, i int) error {
		e, err := makeEngine(i)
		if err != nil {
			return err
		}
		_, err = l.put(i, e, make([]int32, 1))
		return err
	}
	for i := range n {
		require.NoError(t, l.open(t.Context(), i))
	}
	l.maxInEngines = n * l.all[0].maxInEngine
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}
