package vllmgo

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress is how far a call is.
type Progress struct {
	// Requests is the number of prompts; 0 while it is not known, since a sequence has not ended.
	Requests int
	// FinishedRequests is the number of prompts that are done.
	FinishedRequests int
	// GeneratedTokens is the number of tokens of all completions so far.
	GeneratedTokens int
	// MaxTokens is the highest possible value of GeneratedTokens; 0 while it is not known.
	MaxTokens int
	// Elapsed is the time since the call began.
	Elapsed time.Duration
}

// TokensPerSecond returns the mean rate of generated tokens.
func (p Progress) TokensPerSecond() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.GeneratedTokens) / p.Elapsed.Seconds()
}

// Done returns the share of the work that is done, in [0, 1]: the share of the tokens or of the
// requests, whichever is higher. It returns 0 while neither number is known.
func (p Progress) Done() float64 {
	done := 0.0
	if p.Requests > 0 {
		done = float64(p.FinishedRequests) / float64(p.Requests)
	}
	if p.MaxTokens > 0 {
		done = max(done, float64(p.GeneratedTokens)/float64(p.MaxTokens))
	}
	return done
}

// ETA returns an estimate of the remaining time; 0 while it is not known. Completions that stop
// early make it too high.
func (p Progress) ETA() time.Duration {
	done := p.Done()
	if done == 0 {
		return 0
	}
	return time.Duration(float64(p.Elapsed) * (1 - done) / done)
}

// OnProgress makes a call report its progress to fn: about ten times a second, and once more when
// all requests are done.
//
//	g, err := llm.Generate(ctx, prompts, params, vllmgo.OnProgress(vllmgo.ProgressBar(os.Stderr)))
//
// fn runs on its own goroutine, one report at a time. A slow fn misses reports, and delays only the
// end of its call. GeneratedTokens grows with every step of the engine.
func OnProgress(fn func(Progress)) CallOption {
	return func(o *callOptions) { o.onProgress = fn }
}

// ProgressBar returns a function for [OnProgress] that draws a bar on a terminal: generated tokens,
// tokens a second and the remaining time.
func ProgressBar(w io.Writer) func(Progress) {
	var bar *progressbar.ProgressBar
	return func(p Progress) {
		if bar == nil {
			bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("generating"),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("tok"),
				progressbar.OptionSetPredictTime(true))
		}
		ended := p.Requests > 0 && p.FinishedRequests == p.Requests
		switch {
		case ended && p.GeneratedTokens > 0:
			bar.ChangeMax(p.GeneratedTokens) // some completions may have ended early
		case p.MaxTokens > 0:
			bar.ChangeMax(p.MaxTokens)
		}
		_ = bar.Set(p.GeneratedTokens) // drawing is all that can fail
		if ended {
			_, _ = io.WriteString(w, "\n")
		}
	}
}

// reportInterval is the time between two reports.
const reportInterval = 100 * time.Millisecond

// reporter hands the progress of one or more batches to the caller's function.
type reporter struct {
	mu       sync.Mutex
	progress Progress
	// unbounded is true when a request can have any number of tokens.
	unbounded bool
	// complete is true when no more requests come. maxTokens and requests are their totals so far.
	complete, closed    bool
	requests, maxTokens int

	ready chan struct{}
	ended chan struct{}
}

func newReporter(fn func(Progress)) *reporter {
	r := &reporter{ready: make(chan struct{}, 1), ended: make(chan struct{})}
	started := time.Now()
	go func() {
		defer close(r.ended)
		for range r.ready {
			r.mu.Lock()
			progress := r.progress
			if r.complete {
				progress.Requests = r.requests
				if !r.unbounded {
					progress.MaxTokens = r.maxTokens
				}
			}
			r.mu.Unlock()
			progress.Elapsed = time.Since(started)
			fn(progress)
		}
	}()
	return r
}

// expect adds prompts to those that the reports are about.
func (r *reporter) expect(prompts []Prompt, params SamplingParams) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests += len(prompts)
	for _, prompt := range prompts {
		most := prompt.params(params).mostTokens()
		if most == 0 {
			r.unbounded = true
		}
		r.maxTokens += most
	}
}

// expectNoMore records that expect has been told all prompts.
func (r *reporter) expectNoMore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.complete = true
}

// set records how far a batch is: its finished requests and the tokens of all its completions so
// far.
func (r *reporter) set(b *batch, finished, tokens int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.FinishedRequests += finished - b.reportedRequests
	r.progress.GeneratedTokens += tokens - b.reportedTokens
	b.reportedRequests, b.reportedTokens = finished, tokens
	r.wake()
}

// failed records that a request could not begin.
func (r *reporter) failed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.FinishedRequests++
	r.wake()
}

// wake makes the reporter call the caller's function. The caller holds r.mu.
func (r *reporter) wake() {
	if r.closed {
		return // by a call that has not waited for its engine
	}
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// close waits until the caller's function has had the last report.
func (r *reporter) close() {
	r.mu.Lock()
	r.closed = true
	close(r.ready)
	r.mu.Unlock()
	<-r.ended
}

// reportEnd reports that a batch has ended. err is its error.
func (b *batch) reportEnd(err error) {
	switch {
	case b.report == nil:
	case err != nil:
		b.report.abandon(b)
	default:
		tokens := 0
		for _, output := range b.generation.Outputs {
			tokens += output.generatedTokens()
		}
		b.report.set(b, len(b.prompts), tokens)
	}
}

// abandon records that a batch has failed: its requests are done.
func (r *reporter) abandon(b *batch) {
	r.mu.Lock()
	tokens := b.reportedTokens
	r.mu.Unlock()
	r.set(b, len(b.prompts), tokens)
}
