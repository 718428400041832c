package bench

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"runtime/metrics"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

// SeqEngine is an engine that completes requests as a sequence gives them. *vllmgo.LLM satisfies it.
type SeqEngine interface {
	Engine
	GenerateSeq(ctx context.Context, prompts iter.Seq2[vllmgo.Prompt, vllmgo.SamplingParams]) iter.Seq2[vllmgo.SeqOutput, error]
}

// SoakSettings are what a soak test is made of: many requests, one after the other, of which the program holds only those
// under way.
type SoakSettings struct {
	// Point says how many requests, of which lengths.
	Point workload.Point
	// Requests say what prompts are drawn from.
	Requests workload.Requests
	// Windows is the number of parts, of equally many requests, whose throughput and memory are compared.
	Windows int
	// Window is called when one has ended; an error ends the test.
	Window func(journal.SoakWindow) error
}

// Soak sends the point's requests through an engine, after a warm-up of 2·max_num_seqs, and checks each output against its
// request as Run does. It returns the SHA-256 of all prompts, as [workload.HashRequests] makes it.
//
// Prompts are drawn as they are needed, and not compared with each other: lengths of which two could be alike with a
// probability above 10⁻⁹ are an error. So are a shared prefix and an output that does not fit its request.
func Soak(ctx context.Context, engine SeqEngine, s SoakSettings) (promptsSHA256 string, err error) {
	if s.Windows < 1 || s.Point.Requests < s.Windows {
		return "", fmt.Errorf("bench: a soak test of %d requests in %d windows; each window must have one", s.Point.Requests, s.Windows)
	}
	warmUp := s
	warmUp.Point.Requests = 2 * engine.Info().MaxNumSeqs
	warmUp.Point.Lengths = nil
	if lengths := s.Point.Lengths; lengths != nil {
		for i := range warmUp.Point.Requests {
			warmUp.Point.Lengths = append(warmUp.Point.Lengths, lengths[i%len(lengths)])
		}
	}
	for _, point := range []workload.Point{s.Point, warmUp.Point} {
		if err := s.Requests.CheckSequence(point); err != nil {
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

// soak is a soak test under way.
type soak struct {
	SoakSettings
	engine   SeqEngine
	asked    terms
	hash     workload.TokenHash // of the prompts so far
	underWay map[int]workload.Request
	window   journal.SoakWindow
}

func newSoak(engine SeqEngine, s SoakSettings) *soak {
	return &soak{
		SoakSettings: s, engine: engine, hash: workload.NewTokenHash(), underWay: map[int]workload.Request{},
		asked: terms{detokenize: s.Requests.Tokenizer != nil, set: s.Point.Set.Sampling},
	}
}

// run sends the requests of a pass of the given name, and calls end after each one's end with how many have ended.
func (s *soak) run(ctx context.Context, pass string, end func(ended int) error) error {
	var drawErr error
	prompts := func(yield func(vllmgo.Prompt, vllmgo.SamplingParams) bool) {
		i := 0
		for request, err := range s.Requests.Sequence(ctx, s.Point, pass) {
			if drawErr = err; err != nil {
				return
			}
			s.underWay[i] = request
			i++
			s.hash.Add(request.TokenIDs)
			if !yield(request.Prompt(), s.asked.params([]workload.Request{request})[0]) {
				return
			}
		}
	}
	ended := 0
	for output, err := range s.engine.GenerateSeq(ctx, prompts) {
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
