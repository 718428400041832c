package bench

import (
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"runtime/metrics"
	"time"

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
	Point Point
	// Requests say what prompts are drawn from.
	Requests Requests
	// Windows is the number of parts, of equally many requests, whose throughput and memory are compared.
	Windows int
	// Window is called when one has ended; an error ends the test.
	Window func(SoakWindow) error
}

// SoakWindow is a part of a soak test.
type SoakWindow struct {
	// Requests is the number of requests that have ended since the test's start.
	Requests int `json:"requests"`
	// Elapsed is the window's time, and the tokens are those of the requests that ended in it.
	Elapsed      time.Duration `json:"elapsed_ns"`
	InputTokens  int           `json:"input_tokens"`
	OutputTokens int           `json:"output_tokens"`
	// GoHeap is the memory of Go's objects at the window's end, just after a garbage collection. Process is the resident
	// memory of this process, Go, Python and all, and Children that of its descendants, such as vLLM's engine core.
	GoHeap   int64 `json:"go_heap_bytes"`
	Process  int64 `json:"process_bytes"`
	Children int64 `json:"children_bytes"`
}

// Soak sends the point's requests through an engine, after a warm-up of 2·max_num_seqs, and checks each output against its
// request as Run does. It returns the SHA-256 of all prompts, as [HashRequests] makes it.
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
	for _, point := range []Point{s.Point, warmUp.Point} {
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
		started, soak.window = started.Add(w.Elapsed), SoakWindow{}
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
	hash     TokenHash // of the prompts so far
	underWay map[int]Request
	window   SoakWindow
}

func newSoak(engine SeqEngine, s SoakSettings) *soak {
	return &soak{
		SoakSettings: s, engine: engine, hash: NewTokenHash(), underWay: map[int]Request{},
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
			if !yield(request.prompt(), s.asked.params([]Request{request})[0]) {
				return
			}
		}
	}
	ended := 0
	for output, err := range s.engine.GenerateSeq(ctx, prompts) {
		request := s.underWay[output.Index]
		delete(s.underWay, output.Index)
		if err == nil {
			err = verifyOutput(output.RequestOutput, request, s.Point.completions(), false)
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
func measureMemory(w *SoakWindow) (err error) {
	runtime.GC()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	w.GoHeap = int64(heap[0].Value.Uint64())
	w.Process, w.Children, err = processMemory()
	return err
}

// WriteSoak prints a soak test's windows, and how throughput and memory changed from the second to the last but one: in the first
// the engine fills, in the last it empties.
func WriteSoak(w io.Writer, caption string, windows []SoakWindow) error {
	var rows [][]string
	var times []time.Duration // for a million requests
	before := 0
	for _, window := range windows {
		requests, seconds := float64(window.Requests-before), window.Elapsed.Seconds()
		before = window.Requests
		rows = append(rows, []string{
			fmt.Sprint(window.Requests), formatSeconds(window.Elapsed), formatRate(requests / seconds),
			formatRate(float64(window.OutputTokens) / seconds), formatRate(float64(window.InputTokens+window.OutputTokens) / seconds),
			fmt.Sprintf("%.1f", float64(window.GoHeap)/(1<<20)), fmt.Sprint(window.Process >> 20), fmt.Sprint(window.Children >> 20),
		})
		times = append(times, time.Duration(seconds*1e6/requests*float64(time.Second)))
	}
	err := RenderTable(w, caption, []string{"requests so far", "elapsed s", "requests/s", "generated tok/s", "total tok/s", "Go heap MiB", "process MiB", "children MiB"}, rows, 0)
	if err != nil || len(windows) < 4 {
		return err
	}
	trend := newTrend(times[1 : len(times)-1])
	first, last := windows[1], windows[len(windows)-2]
	change := func(f func(SoakWindow) int64) string {
		return fmt.Sprintf("%+.1f MiB", float64(f(last)-f(first))/(1<<20))
	}
	_, err = fmt.Fprintf(w, "from request %d to %d: time for a request %+.1f %% (Theil-Sen; Mann-Kendall: p = %.2g), Go heap %s, process %s, children %s\n",
		first.Requests, last.Requests, 100*trend.Change, trend.P,
		change(func(w SoakWindow) int64 { return w.GoHeap }), change(func(w SoakWindow) int64 { return w.Process }),
		change(func(w SoakWindow) int64 { return w.Children }))
	return err
}
