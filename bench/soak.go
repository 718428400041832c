package bench

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"vllmgo/bench/internal/ask"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// SoakSettings configures [Soak].
type SoakSettings struct {
	// Point has the number of requests and their lengths.
	Point workload.Point
	// Requests is what prompts are drawn from.
	Requests workload.Requests
	// Windows is the number of windows. Each has equally many requests.
	Windows int
	// Window receives each window when it has ended. Its error ends the test.
	Window func(journal.SoakWindow) error
}

// Soak sends the point's requests through an engine in one sequence and checks each output as [Run]
// does. Before that it warms the engine up with 2·max_num_seqs requests. It returns the
// [workload.TokenHash] of all prompts.
//
// Prompts are drawn as the engine takes them, and dropped with their outputs, so that memory does
// not grow with the number of requests; see [workload.Requests.Sequence] for the lengths that this
// refuses. An output that differs from what was asked for is an error.
func Soak(ctx context.Context, engine SeqEngine, s SoakSettings) (promptsSHA256 string, err error) {
	if s.Windows < 1 || s.Point.Requests < s.Windows {
		return "", fmt.Errorf(
			"bench: a soak test of %d requests in %d windows; each window must have one",
			s.Point.Requests,
			s.Windows,
		)
	}
	warmUp := s.withRequests(2 * engine.Info().MaxNumSeqs)
	for _, point := range []workload.Point{s.Point, warmUp.Point} {
		if err := s.Requests.CheckSequence(ctx, point); err != nil {
			return "", err
		}
	}
	if err := newSoak(engine, warmUp).run(ctx, "soak warm-up", func(int) error { return nil }); err != nil {
		return "", fmt.Errorf("warm-up: %w", err)
	}
	soak := newSoak(engine, s)
	started, next := time.Now(), 1
	err = soak.run(ctx, "soak", func(ended int) error {
		if ended < next*s.Point.Requests/s.Windows {
			return nil
		}
		next++
		w := soak.window
		w.Requests, w.Elapsed = ended, time.Since(started)
		started, soak.window = started.Add(w.Elapsed), journal.SoakWindow{}
		if err := measureMemory(&w); err != nil {
			return err
		}
		return s.Window(w)
	})
	return soak.hash.String(), err
}

// withRequests returns the settings with so many requests of the point's lengths.
func (s SoakSettings) withRequests(requests int) SoakSettings {
	s.Point.Requests = requests
	if lengths := s.Point.Lengths; lengths != nil {
		s.Point.Lengths = make([]workload.RequestLength, requests)
		for i := range requests {
			s.Point.Lengths[i] = lengths[i%len(lengths)]
		}
	}
	return s
}

// soak is a soak test under way.
type soak struct {
	SoakSettings
	engine   SeqEngine
	asked    ask.Terms
	hash     workload.TokenHash // of the prompts so far
	underWay map[int]workload.Request
	window   journal.SoakWindow
}

func newSoak(engine SeqEngine, s SoakSettings) *soak {
	return &soak{
		SoakSettings: s, engine: engine, hash: workload.NewTokenHash(), underWay: map[int]workload.Request{},
		asked: ask.Terms{Detokenize: s.Requests.Tokenizer != nil, Set: s.Point.Set},
	}
}

// run sends the requests of a pass. After each request it calls end with the number that have
// ended.
func (s *soak) run(ctx context.Context, pass string, end func(ended int) error) error {
	var drawErr error
	prompts := func(yield func(vllmgo.Prompt) bool) {
		i := 0
		for request, err := range s.Requests.Sequence(ctx, s.Point, pass) {
			if drawErr = err; err != nil {
				return
			}
			s.underWay[i] = request
			i++
			s.hash.Add(request.TokenIDs)
			prompt := request.Prompt()
			prompt.Params = new(s.asked.Params(request.OutputLen))
			if !yield(prompt) {
				return
			}
		}
	}
	ended := 0
	for output, err := range s.engine.GenerateSeq(ctx, prompts, vllmgo.SamplingParams{}) {
		request := s.underWay[output.Index]
		delete(s.underWay, output.Index)
		if err == nil {
			err = verifyOutput(output.RequestOutput, request, s.Point.Completions(), false)
		}
		if err != nil {
			return fmt.Errorf("request %d of %d: %w", output.Index+1, s.Point.Requests, err)
		}
		ended++
		s.window.InputTokens += len(output.PromptTokenIDs)
		for _, completion := range output.Outputs {
			s.window.OutputTokens += len(completion.TokenIDs)
		}
		if err := end(ended); err != nil {
			return err
		}
	}
	switch {
	case drawErr != nil:
		return fmt.Errorf("request %d of %d: %w", ended+1, s.Point.Requests, drawErr)
	case ended != s.Point.Requests:
		return fmt.Errorf("%d of %d requests ended: %w", ended, s.Point.Requests, context.Cause(ctx))
	}
	return nil
}

// measureMemory fills in the window's memory.
func measureMemory(w *journal.SoakWindow) (err error) {
	runtime.GC()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	w.GoHeap = int64(heap[0].Value.Uint64())
	w.Process, w.Children, err = machine.ProcessMemory()
	return err
}
