package vllmgo_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// BenchmarkConcurrency compares 64 prompts in one call of Generate with as many goroutines that
// have one each, which call Generate or Stream: generated tok/s, medians over rounds that alternate
// (-benchtime=15x for 15 of them). VLLMGO_BENCH_MODEL names a model's folder to use with random
// weights, in place of SmolLM2.
func BenchmarkConcurrency(b *testing.B) {
	const requests, input, output = 64, 128, 64
	llm := benchmarkLLM(b)
	random := rand.New(rand.NewPCG(1, 1))
	fresh := func() []vllmgo.Prompt {
		prompts := make([]vllmgo.Prompt, requests)
		for i := range prompts {
			for range input {
				prompts[i].TokenIDs = append(prompts[i].TokenIDs, 1000+random.Int32N(40000))
			}
		}
		return prompts
	}
	params := exactly(output)
	one := func(prompts []vllmgo.Prompt) {
		g, err := llm.Generate(b.Context(), prompts, params)
		if err != nil || len(g.Outputs[0].Outputs[0].TokenIDs) != output {
			b.Error(g, err)
		}
	}
	each := func(prompts []vllmgo.Prompt, run func(vllmgo.Prompt)) {
		var group sync.WaitGroup
		for _, prompt := range prompts {
			group.Go(func() { run(prompt) })
		}
		group.Wait()
	}
	ways := []struct {
		name string
		run  func([]vllmgo.Prompt)
	}{
		{"one-call", one},
		{"goroutines", func(prompts []vllmgo.Prompt) {
			each(prompts, func(prompt vllmgo.Prompt) { one([]vllmgo.Prompt{prompt}) })
		}},
		{"streams", func(prompts []vllmgo.Prompt) {
			each(prompts, func(prompt vllmgo.Prompt) {
				tokens := 0
				for delta, err := range llm.Stream(b.Context(), prompt, params) {
					if err != nil {
						b.Error(err)
					}
					tokens += len(delta.TokenIDs)
				}
				if tokens != output {
					b.Error("the stream had", tokens, "tokens")
				}
			})
		}},
	}
	for _, way := range ways {
		way.run(fresh()) // warm-up
	}
	seconds := make([][]float64, len(ways))
	for round := 0; b.Loop(); round++ {
		for i := range ways {
			i = (i + round) % len(ways) // none always comes first
			prompts := fresh()
			start := time.Now()
			ways[i].run(prompts)
			seconds[i] = append(seconds[i], time.Since(start).Seconds())
		}
	}
	var medians []float64
	for i, way := range ways {
		slices.Sort(seconds[i])
		medians = append(medians, seconds[i][len(seconds[i])/2])
		b.ReportMetric(requests*output/medians[i], way.name+"-tok/s")
	}
	b.ReportMetric(medians[0]/medians[1], "goroutines/one-call")
	b.ReportMetric(medians[0]/medians[2], "streams/one-call")
}

// benchmarkLLM loads VLLMGO_BENCH_MODEL with random weights, or else SmolLM2.
func benchmarkLLM(b *testing.B) *vllmgo.LLM {
	b.Helper()
	args := vllmgo.EngineArgs{MaxModelLen: 512, GPUMemoryUtilization: 0.5, EnablePrefixCaching: new(false)}
	if args.Model = os.Getenv("VLLMGO_BENCH_MODEL"); args.Model != "" {
		args.LoadFormat, args.SkipTokenizerInit = "dummy", true
	} else {
		args.Model = testenv.SmolLM2(b)
	}
	if device, err := vllmgo.DetectDevice(b.Context()); err == nil && device == "cpu" {
		args.EnforceEager = true // compiling takes minutes there
	}
	llm, err := vllmgo.New(b.Context(), args)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := llm.Close(); err != nil {
			b.Error(err)
		}
	})
	return llm
}

// BenchmarkOutside is the time of a Generate outside LLM.generate, in µs: handing prompts over and
// outputs back. Medians over calls of 128 input and 64 output tokens a request on a tiny model.
func BenchmarkOutside(b *testing.B) {
	llm, err := vllmgo.New(b.Context(), vllmgo.EngineArgs{
		Model: testenv.TinyLlama(b, 1000), LoadFormat: "dummy", SkipTokenizerInit: true, MaxModelLen: 256, EnforceEager: true, EnablePrefixCaching: new(false),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := llm.Close(); err != nil {
			b.Error(err)
		}
	})
	params := exactly(64)
	params.Detokenize = new(false)
	for _, requests := range []int{1, 16, 64, 500} {
		prompts := make([]vllmgo.Prompt, requests)
		for i := range prompts {
			for range 128 {
				prompts[i].TokenIDs = append(prompts[i].TokenIDs, 10+rand.Int32N(900))
			}
		}
		b.Run(fmt.Sprintf("requests=%d", requests), func(b *testing.B) {
			var outside []float64
			for b.Loop() {
				start := time.Now()
				g, err := llm.Generate(b.Context(), prompts, params)
				wall := time.Since(start)
				if err != nil {
					b.Fatal(err)
				}
				outside = append(outside, float64((wall - g.Elapsed).Microseconds()))
			}
			slices.Sort(outside)
			b.ReportMetric(outside[len(outside)/2], "outside-µs")
		})
	}
}
