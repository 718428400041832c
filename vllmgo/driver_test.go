package vllmgo

import (
	"context"
	_ "embed"
	"runtime"
	"strconv"
	"testing"
)

//go:embed testdata/idle_engine.py
var idleEngine string

// BenchmarkDriver sends prompts of 16 tokens through replicas that compute nothing: real processes
// of Python, which unpack each prompt and pack an output of one token. It reports prompts a second
// and what stays in memory.
//
//	go test ./vllmgo -run '^$' -bench Driver -benchtime 1000000x
func BenchmarkDriver(b *testing.B) {
	for _, n := range []int{1, 4, 16} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			l := idleReplicas(b, n)
			prompts := func(yield func(Prompt) bool) {
				ids := make([]int32, 16)
				for i := range b.N {
					own := append([]int32{int32(i)}, ids[1:]...)
					if !yield(Prompt{TokenIDs: own}) {
						return
					}
				}
			}
			seen := 0
			b.ResetTimer()
			for output, err := range l.GenerateSeq(b.Context(), prompts, Greedy(1)) {
				if err != nil {
					b.Fatal(err)
				}
				if output.Outputs[0].TokenIDs[0] != int32(output.Index) {
					b.Fatalf("prompt %d has the answer of another: %v", output.Index, output.Outputs[0].TokenIDs)
				}
				seen++
			}
			if seen != b.N {
				b.Fatalf("%d outputs for %d prompts", seen, b.N)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "prompts/s")
			runtime.GC()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "heap-MiB")
		})
	}
}

// idleReplicas returns an LLM of n replicas with idle_engine.py in place of an engine.
func idleReplicas(b *testing.B, n int) *LLM {
	b.Helper()
	python, err := openBridge(b.Context())
	if err != nil {
		b.Skip(err)
	}
	modules, err := makeArchive(map[string]string{
		"vllmgo_engine.py": idleEngine,
		"torch.py":         "def set_num_threads(n): pass\n",
	})
	if err != nil {
		b.Fatal(err)
	}
	r := newReplicas(n)
	r.open = func(_ context.Context, i int) error {
		e, err := startRemote(python, modules)
		if err != nil {
			return err
		}
		if err := e.call(nil, "load", "{}", nil, placement{Environment: map[string]string{}, Sharers: 1}); err != nil {
			return err
		}
		_, err = r.put(i, e, e.signal)
		return err
	}
	for i := range n {
		if err := r.open(b.Context(), i); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() {
		if err := r.close(); err != nil {
			b.Error(err)
		}
	})
	return &LLM{
		replicas: r, info: Info{MaxModelLen: 1000, VocabSize: 1 << 30}, maxInEngines: n * r.all[0].maxInEngine,
	}
}
