package bench

import (
	"context"

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
