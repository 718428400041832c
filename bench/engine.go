package bench

import (
	"context"
	"fmt"
	"iter"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/vllmgo"
)

// Engine is what [Run] needs of an inference engine. *vllmgo.LLM implements it. Run calls the
// methods one at a time.
type Engine interface {
	// Generate completes all prompts and returns their outputs in order. It returns an error when
	// ctx ends first.
	Generate(
		ctx context.Context,
		prompts []vllmgo.Prompt,
		params vllmgo.SamplingParams,
		options ...vllmgo.CallOption,
	) (*vllmgo.Generation, error)
	// Info describes the engine.
	Info() vllmgo.Info
	// Close ends the engine and gives its memory back.
	Close() error
}

// TimedEngine is an [Engine] that also times each request and counts what its scheduler does.
// [Settings].Latency needs it. Run opens it with EngineArgs.DisableLogStats false.
type TimedEngine interface {
	Engine
	// Times returns the times of each request of a generation, in order.
	Times(g *vllmgo.Generation) ([]journal.RequestTimes, error)
	// Counters returns the scheduler's counts as of its last step. Run calls it during Generate.
	Counters(ctx context.Context) (journal.Counters, error)
}

// SeqEngine is an [Engine] that completes prompts as a sequence yields them. [Soak] needs it.
// *vllmgo.LLM implements it.
type SeqEngine interface {
	Engine
	GenerateSeq(
		ctx context.Context,
		prompts iter.Seq[vllmgo.Prompt],
		params vllmgo.SamplingParams,
		options ...vllmgo.CallOption,
	) iter.Seq2[vllmgo.SeqOutput, error]
}

// OpenFunc loads an engine. It returns when the engine can generate.
type OpenFunc func(ctx context.Context, args vllmgo.EngineArgs) (Engine, error)

// grace is how long an engine may take to stop or to close.
const grace = time.Minute

// closeEngine closes an engine, or gives up after a minute.
func closeEngine(engine Engine) error {
	closed := make(chan error, 1)
	go func() { closed <- engine.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(grace):
		return fmt.Errorf("it is not closed after %v", grace)
	}
}

// limitedEngine is an engine whose passes must end in time.
type limitedEngine struct {
	Engine
	limit time.Duration
}

// Generate stops the engine when the time is up. It gives up on an engine that does not stop.
func (e limitedEngine) Generate(
	ctx context.Context,
	prompts []vllmgo.Prompt,
	params vllmgo.SamplingParams,
	options ...vllmgo.CallOption,
) (*vllmgo.Generation, error) {
	limited, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	type result struct {
		generation *vllmgo.Generation
		err        error
	}
	results := make(chan result, 1)
	go func() {
		g, err := e.Engine.Generate(limited, prompts, params, options...)
		results <- result{g, err}
	}()
	select {
	case r := <-results:
		if r.err != nil && limited.Err() != nil && ctx.Err() == nil {
			r.err = fmt.Errorf("time-out: not done after %v", e.limit)
		}
		return r.generation, r.err
	case <-time.After(e.limit + grace):
		return nil, fmt.Errorf("time-out: not done after %v, and not stopped %v later", e.limit, grace)
	}
}
