package vllmgo

import (
	"context"
	"iter"
	"sync"
)

// Delta is a new piece of a completion.
type Delta struct {
	// CompletionOutput holds only the new Text, TokenIDs and Logprobs. FinishReason and StopReason
	// are set in a completion's last delta.
	CompletionOutput
	// Request holds the request's other results. It is set in the stream's last delta, and its
	// Outputs are empty.
	Request *RequestOutput
}

// Stream completes one prompt and yields each piece of the completion when it is ready. With
// SamplingParams.N above 1 it yields the pieces of all completions; Index is the number of a
// piece's completion. A loop that is slower than the engine gets larger pieces.
//
//	for delta, err := range llm.Stream(ctx, vllmgo.Prompt{Text: "Once upon a time"}, params) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(delta.Text)
//	}
//
// Streams and other calls share the engine; see the package's documentation. The stream ends with
// an error when ctx ends, the LLM is closed, or the engine fails. Leaving the loop removes the
// request from the engine. Each range over the sequence makes a new request.
func (l *LLM) Stream(ctx context.Context, prompt Prompt, params SamplingParams) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		b, err := l.newBatch(ctx, []Prompt{prompt}, 0, params)
		if err == nil {
			b.stream = &stream{ready: make(chan struct{}, 1)}
			err = l.start(b)
		}
		if err != nil {
			yield(Delta{}, err)
			return
		}
		waited := make(chan error, 1)
		go func() { waited <- l.wait(b) }()
		var end error
		for ended := false; !ended; {
			select {
			case <-b.stream.ready:
			case end = <-waited:
				ended = true
			}
			for _, delta := range b.stream.take() {
				if !yield(delta, nil) {
					stop()
					<-waited //nolint:errcheck // the loop was left, and nobody asks
					return
				}
			}
		}
		if end != nil {
			yield(Delta{}, end)
		}
	}
}

// stream holds the deltas that the consumer has not taken. They leave Python in [stepLoop.step],
// which pushes them.
type stream struct {
	mu      sync.Mutex
	waiting []Delta
	any     bool // whether something was pushed
	// promptLogprobs are those of the request, once they have come.
	promptLogprobs [][]Logprob
	// ready has an element when something is waiting.
	ready chan struct{}
}

// push adds an output of the engine. It joins a delta to the one of the same completion that still
// waits, so that no more than a whole output waits for a slow consumer.
func (s *stream) push(output RequestOutput, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	completions := output.Outputs
	s.any = true
	for _, completion := range completions {
		if !s.join(completion) {
			s.waiting = append(s.waiting, Delta{CompletionOutput: completion})
		}
	}
	if output.PromptLogprobs != nil { // with the first output
		s.promptLogprobs = output.PromptLogprobs
	}
	if last {
		output.Outputs, output.PromptLogprobs = nil, s.promptLogprobs
		if len(completions) == 0 {
			s.waiting = append(s.waiting, Delta{})
		}
		s.waiting[len(s.waiting)-1].Request = &output
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

func (s *stream) join(next CompletionOutput) bool {
	for i := range s.waiting {
		if d := &s.waiting[i].CompletionOutput; d.Index == next.Index {
			next.Text = d.Text + next.Text
			next.TokenIDs = append(d.TokenIDs, next.TokenIDs...)
			next.Logprobs = append(d.Logprobs, next.Logprobs...)
			*d = next
			return true
		}
	}
	return false
}

// pushed reports whether the engine has given anything.
func (s *stream) pushed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.any
}

func (s *stream) take() []Delta {
	s.mu.Lock()
	defer s.mu.Unlock()
	deltas := s.waiting
	s.waiting = nil
	return deltas
}
