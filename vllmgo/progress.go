package vllmgo

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress says how far a [LLM.Generate] is.
type Progress struct {
	// Requests is the number of prompts, FinishedRequests how many of them are done.
	Requests, FinishedRequests int
	// GeneratedTokens counts the tokens of all completions so far.
	GeneratedTokens int
	// MaxTokens is the most that GeneratedTokens can reach; 0 when SamplingParams do not say.
	MaxTokens int
	// Elapsed is the time since the call.
	Elapsed time.Duration
}

// TokensPerSecond is the rate of generated tokens since the call.
func (p Progress) TokensPerSecond() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.GeneratedTokens) / p.Elapsed.Seconds()
}

// Done is the share of the work that is done, in [0, 1]: of the tokens that there can be, or of the requests.
func (p Progress) Done() float64 {
	done := float64(p.FinishedRequests) / float64(max(p.Requests, 1))
	if p.MaxTokens > 0 {
		done = max(done, float64(p.GeneratedTokens)/float64(p.MaxTokens))
	}
	return done
}

// ETA is the time that is left at the rate so far; 0 while nothing is known. Completions that stop early make
// it an upper bound.
func (p Progress) ETA() time.Duration {
	done := p.Done()
	if done == 0 {
		return 0
	}
	return time.Duration(float64(p.Elapsed) * (1 - done) / done)
}

type progressKey struct{}

// WithProgress makes [LLM.Generate], given the context, call fn about ten times a second, and once more when all
// requests are done. fn runs on a goroutine of its own, never twice at a time; a slow one misses reports, and
// slows nothing down.
//
// GeneratedTokens moves with every step of the engine; vLLM's own progress bar moves when requests end. When
// other calls come to share the engine, that stays so.
func WithProgress(ctx context.Context, fn func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, fn)
}

// ProgressBar makes a function for [WithProgress] that draws a bar with generated tokens, tok/s and the time left.
// w is a terminal as a rule: os.Stderr.
func ProgressBar(w io.Writer) func(Progress) {
	var bar *progressbar.ProgressBar
	return func(p Progress) {
		most := p.MaxTokens
		if most == 0 {
			most = -1
		}
		if bar == nil {
			bar = progressbar.NewOptions(most, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("generating"),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("tok"),
				progressbar.OptionSetPredictTime(true))
		}
		if p.FinishedRequests == p.Requests && p.GeneratedTokens > 0 {
			bar.ChangeMax(p.GeneratedTokens) // some may have ended early
		}
		_ = bar.Set(p.GeneratedTokens) // drawing is all that can fail
		if p.FinishedRequests == p.Requests {
			_, _ = io.WriteString(w, "\n")
		}
	}
}

// reportInterval is the time between two reports.
const reportInterval = 100 * time.Millisecond

// reporter hands reports from the engine's thread to the caller's function.
type reporter struct {
	// Used by the engine's thread alone.
	last           time.Time
	finishedTokens int

	mu       sync.Mutex
	progress Progress
	ready    chan struct{}
	ended    chan struct{}
}

// newReporter returns nil when ctx asks for no reports.
func newReporter(ctx context.Context, prompts []Prompt, params []SamplingParams) *reporter {
	fn, _ := ctx.Value(progressKey{}).(func(Progress))
	if fn == nil {
		return nil
	}
	r := &reporter{ready: make(chan struct{}, 1), ended: make(chan struct{})}
	r.progress = Progress{Requests: len(prompts), MaxTokens: maxTokens(len(prompts), params)}
	started := time.Now()
	go func() {
		defer close(r.ended)
		for range r.ready {
			r.mu.Lock()
			progress := r.progress
			r.mu.Unlock()
			progress.Elapsed = time.Since(started)
			fn(progress)
		}
	}()
	return r
}

// set is called on the engine's thread.
func (r *reporter) set(finished, tokens int) {
	r.last = time.Now()
	r.mu.Lock()
	r.progress.FinishedRequests, r.progress.GeneratedTokens = finished, tokens
	r.mu.Unlock()
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// end makes the last report, of a generation that ended well, and waits for the caller's function.
func (r *reporter) end(generation *Generation) {
	if generation != nil {
		tokens := 0
		for _, output := range generation.Outputs {
			tokens += output.generatedTokens()
		}
		r.set(len(generation.Outputs), tokens)
	}
	close(r.ready)
	<-r.ended
}

// maxTokens is the most tokens that can be generated; 0 when that is the model's affair.
func maxTokens(prompts int, params []SamplingParams) int {
	if len(params) == 0 {
		return 0
	}
	sum := 0
	for i := range prompts {
		p := params[min(i, len(params)-1)]
		switch {
		case p.MaxTokens < 0:
			return 0
		case p.MaxTokens == 0:
			p.MaxTokens = 16 // vLLM's default
		}
		sum += p.MaxTokens * max(p.N, 1)
	}
	return sum
}
