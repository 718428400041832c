package vllmgo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// TestHungEngine stops the engine's process under calls of every kind. Their contexts are obeyed,
// and Close ends the engine.
func TestHungEngine(t *testing.T) {
	for name, ranks := range map[string]int{"engine core": 1, "workers": 2} {
		t.Run(name, func(t *testing.T) {
			args := tiny(t, vllmgo.OwnProcess)
			args.TensorParallelSize = ranks
			llm, err := vllmgo.New(t.Context(), args)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			wait := (&calls{llm}).stream(t, ctx, forever)
			patient := make(chan error, 1)
			go func() {
				_, err := llm.Generate(context.Background(), numbered(20), forever)
				patient <- err
			}()
			time.Sleep(200 * time.Millisecond)
			for _, child := range toStop(t, ranks) {
				require.NoError(t, child.Suspend())
			}
			limited, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			_, err = llm.Generate(limited, numbered(1), forever)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.ErrorIs(t, llm.ResetPrefixCache(limited), context.DeadlineExceeded)
			cancel()
			_, err = wait()
			assert.ErrorIs(t, err, context.Canceled)
			require.NoError(t, llm.Close())
			err = <-patient
			t.Log(err)
			if assert.Error(t, err) {
				assert.True(t, errors.Is(err, vllmgo.ErrClosed) || errors.Is(err, vllmgo.ErrEngineDead), "%v", err)
			}
			assert.Empty(t, engines(t))
		})
	}
}

// toStop are the engine's processes to stop: its core, or the workers of several ranks.
func toStop(t *testing.T, ranks int) []*process.Process {
	t.Helper()
	want := "VLLM::EngineCore"
	if ranks > 1 {
		want = "VLLM::Worker"
	}
	var found []*process.Process
	for _, child := range descendants(t) {
		if line, err := child.Cmdline(); err == nil && strings.Contains(line, want) {
			found = append(found, child)
		}
	}
	require.Len(t, found, ranks, "%v", engines(t))
	return found
}
