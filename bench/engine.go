package bench

import (
	"context"

	"vllmgo/bench/journal"
	"vllmgo/vllmgo"
)

// Engine is what a benchmark needs of an inference engine. *vllmgo.LLM satisfies it.
//
// Run calls its methods one at a time.
type Engine interface {
	// Generate completes all prompts and returns their outputs in order. It returns an error when ctx is
	// cancelled before it is done.
	Generate(ctx context.Context, prompts []vllmgo.Prompt, params ...vllmgo.SamplingParams) (*vllmgo.Generation, error)
	// Info describes the loaded engine.
	Info() vllmgo.Info
	// Close ends the engine and gives its memory back.
	Close() error
}

// OpenFunc loads an engine. It returns when the engine can generate, or with an error and no engine.
type OpenFunc func(ctx context.Context, args vllmgo.EngineArgs) (Engine, error)

// TimedEngine is an engine that also times each request and counts what its scheduler does. It is opened with
// EngineArgs.DisableLogStats false, and needed for the latency pass alone.
type TimedEngine interface {
	Engine
	// Times are the times of each request of a generation that it made, in order.
	Times(g *vllmgo.Generation) ([]journal.RequestTimes, error)
	// Counters are the scheduler's counts as of its last step. It is called while Generate runs.
	Counters(ctx context.Context) (journal.Counters, error)
}
