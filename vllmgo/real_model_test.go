package vllmgo_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// TestRealModels asks SmolLM2 and MiniLM everything that needs a model with sense, and plain Python
// the same.
func TestRealModels(t *testing.T) {
	args := vllmgo.EngineArgs{
		Model: testenv.SmolLM2(t), EnforceEager: true, MaxModelLen: 512, EngineMode: vllmgo.InProcess,
		DisableLogStats: new(false), SchedulingPolicy: "priority",
		Extra: map[string]any{"override_generation_config": map[string]any{"temperature": 0, "max_new_tokens": 5}},
	}
	// vLLM's LoRA on a CPU fails on prompt logprobs, so it has an engine of its own.
	withLoRA := args
	withLoRA.EnableLoRA = true
	adapter := vllmgo.LoRA{Name: "tiny", Path: testenv.TinyLoRA(t)}
	embedding := vllmgo.EngineArgs{Model: testenv.MiniLM(t), EnforceEager: true, EngineMode: vllmgo.InProcess}
	calls, adapted := conformanceCalls(), adaptedCalls(adapter)
	want := reference(t, referenceJob{args, forReference(calls)}, referenceJob{withLoRA, forReference(adapted)},
		referenceJob{embedding, embeddingCalls})

	var alone [][]int32
	t.Run("in process", func(t *testing.T) {
		llm := open(t, args)
		assert.Equal(t, vllmgo.InProcess, llm.Info().EngineMode)
		assert.Equal(t, 512, llm.Info().MaxModelLen)
		assert.Equal(t, "generate", llm.Info().Runner)
		assert.Greater(t, llm.Info().KVCacheTokens, 512)
		testConformance(t, llm, calls, want)
		alone = answersAlone(t, llm)
		for _, test := range []struct {
			name string
			run  func(*testing.T, *vllmgo.LLM)
		}{
			{"bad input", testBadInput}, {"stream", testStream}, {"chat and tools", testChat}, {"metrics", testMetrics},
			{"prefix cache", testPrefixCache}, {"progress", testProgress}, {"logger", testLogger},
			{"engine's tokenizer", testEngineTokenizer}, {"sleep", testSleep}, {"priority", testPriority},
		} {
			t.Run(test.name, func(t *testing.T) { test.run(t, llm) })
		}
		require.NoError(t, llm.Close())
	})
	t.Run("LoRA", func(t *testing.T) {
		llm := open(t, withLoRA)
		testConformance(t, llm, adapted, want[len(calls):])
		testLoRA(t, llm, adapter)
		require.NoError(t, llm.Close())
	})
	t.Run("embedding", func(t *testing.T) {
		llm := open(t, embedding)
		testEmbedding(t, llm, want[len(calls)+len(adapted):])
		testPoolings(t, llm)
		require.NoError(t, llm.Close())
	})
	t.Run("own process", func(t *testing.T) {
		args.EngineMode = vllmgo.OwnProcess
		llm := open(t, args)
		assert.Equal(t, vllmgo.OwnProcess, llm.Info().EngineMode)
		// One prompt at a time: this engine begins while prompts still come, so that batches, and
		// with them the last bits of the numbers, would depend on the time.
		assert.Equal(t, alone, answersAlone(t, llm))
		t.Run("stream", func(t *testing.T) { testStream(t, llm) })
	})
}

var greedy = vllmgo.Greedy(24)

// answersAlone are the tokens of each prompt's greedy completion, in a batch of its own.
func answersAlone(t *testing.T, llm *vllmgo.LLM) [][]int32 {
	t.Helper()
	var answers [][]int32
	for _, prompt := range prompts {
		g, err := llm.Generate(t.Context(), vllmgo.Texts(prompt), greedy)
		require.NoError(t, err)
		answers = append(answers, g.Outputs[0].Outputs[0].TokenIDs)
	}
	return answers
}

func testBadInput(t *testing.T, llm *vllmgo.LLM) {
	with := func(change func(*vllmgo.SamplingParams)) vllmgo.SamplingParams {
		params := greedy
		change(&params)
		return params
	}
	one := vllmgo.Texts("a")
	for want, input := range map[string]struct {
		prompts []vllmgo.Prompt
		params  vllmgo.SamplingParams
	}{
		"maximum":                 {vllmgo.Texts(strings.Repeat("long ", 600)), greedy},
		"prompt 0 has 600 tokens": {vllmgo.Tokens(make([]int32, 600)), greedy},
		"prompt 1 is empty":       {vllmgo.Texts("fine", ""), greedy},
		"out of vocabulary":       {vllmgo.Tokens([]int32{1 << 30}), greedy},
		"top_p":                   {one, with(func(p *vllmgo.SamplingParams) { p.TopP = 1.5 })},
		"max_tokens":              {one, with(func(p *vllmgo.SamplingParams) { p.MinTokens = 100 })},
		"no sampling parameter top_q; did you mean top_p?": {one, with(func(p *vllmgo.SamplingParams) {
			p.Extra = map[string]any{"top_q": 1}
		})},
		"needs EngineArgs.EnableLoRA": {[]vllmgo.Prompt{{Text: "a", LoRA: &vllmgo.LoRA{Name: "none", Path: t.TempDir()}}}, greedy},
		"regex":                       {one, with(func(p *vllmgo.SamplingParams) { p.StructuredOutputs = &vllmgo.StructuredOutputs{Regex: "("} })},
	} {
		_, err := llm.Generate(t.Context(), input.prompts, input.params)
		assert.ErrorContains(t, err, want)
		for _, err := range llm.Stream(t.Context(), input.prompts[len(input.prompts)-1], input.params) {
			if want == "prompt 1 is empty" {
				want = "prompt 0 is empty"
			}
			assert.ErrorContains(t, err, want, "streams refuse it too")
		}
	}
	_, err := llm.Embed(t.Context(), one, vllmgo.PoolingParams{})
	assert.ErrorContains(t, err, `load it with EngineArgs.Runner "pooling"`)
	_, err = llm.BeamSearch(t.Context(), one, vllmgo.BeamSearchParams{MaxTokens: 3})
	assert.ErrorContains(t, err, "BeamWidth is 0 and MaxTokens is 3: both must be at least 1")
	g, err := llm.Generate(t.Context(), vllmgo.Texts("The capital of France is"), greedy)
	require.NoError(t, err, "the engine is as good as before")
	assert.Contains(t, g.Outputs[0].Outputs[0].Text, "Paris")
}

// collect joins a stream's pieces.
func collect(t *testing.T, llm *vllmgo.LLM, prompt vllmgo.Prompt, params vllmgo.SamplingParams) ([]vllmgo.CompletionOutput, *vllmgo.RequestOutput, int) {
	t.Helper()
	joined := make([]vllmgo.CompletionOutput, max(params.N, 1))
	var request *vllmgo.RequestOutput
	pieces := 0
	for delta, err := range llm.Stream(t.Context(), prompt, params) {
		require.NoError(t, err)
		require.Nil(t, request, "nothing comes after the last delta")
		completion := &joined[delta.Index]
		require.Empty(t, completion.FinishReason, "nothing comes after a completion's end")
		delta.Text, delta.TokenIDs = completion.Text+delta.Text, append(completion.TokenIDs, delta.TokenIDs...)
		delta.Logprobs = append(completion.Logprobs, delta.Logprobs...)
		*completion, request = delta.CompletionOutput, delta.Request
		pieces++
	}
	return joined, request, pieces
}

// testStream shows that a stream gives what Generate gives, in pieces.
func testStream(t *testing.T, llm *vllmgo.LLM) {
	ignore := greedy
	ignore.IgnoreEOS, ignore.Logprobs, ignore.PromptLogprobs = true, new(2), new(0)
	stop := greedy
	stop.Stop = []string{"answer"}
	several := vllmgo.SamplingParams{Seed: new(3), N: 3, MaxTokens: 8}
	for name, params := range map[string]vllmgo.SamplingParams{"greedy": greedy, "logprobs": ignore, "stop": stop, "several": several} {
		t.Run(name, func(t *testing.T) {
			prompt := vllmgo.Prompt{Text: "The capital of France is"}
			// The first call fills the prefix cache.
			_, err := llm.Generate(t.Context(), []vllmgo.Prompt{prompt}, params)
			require.NoError(t, err)
			g, err := llm.Generate(t.Context(), []vllmgo.Prompt{prompt}, params)
			require.NoError(t, err)
			completions, request, pieces := collect(t, llm, prompt, params)
			assert.Equal(t, g.Outputs[0].Outputs, completions)
			require.NotNil(t, request)
			assert.Equal(t, g.Outputs[0].PromptTokenIDs, request.PromptTokenIDs)
			assert.Equal(t, g.Outputs[0].NumCachedTokens, request.NumCachedTokens)
			assert.Greater(t, pieces, 3)
			require.NotNil(t, request.Metrics)
			assert.Positive(t, request.Metrics.TTFT)
		})
	}
	t.Run("leaving early", func(t *testing.T) {
		for range llm.Stream(t.Context(), vllmgo.Prompt{Text: "Once upon a time"}, vllmgo.SamplingParams{MaxTokens: 400, IgnoreEOS: true}) {
			break
		}
		g, err := llm.Generate(t.Context(), vllmgo.Texts("Hello"), greedy)
		require.NoError(t, err)
		assert.False(t, g.Shared, "the engine is free again")
	})
}

func testChat(t *testing.T, llm *vllmgo.LLM) {
	chat := vllmgo.Chat{Messages: []vllmgo.Message{
		// Without this, the answer depends on the CPU's arithmetic.
		{Role: "system", Content: "You answer in one short sentence."},
		{Role: "user", Content: "What is the capital of France?"},
	}}
	g, err := llm.Generate(t.Context(), vllmgo.Chats(chat), greedy)
	require.NoError(t, err)
	assert.Contains(t, g.Outputs[0].Outputs[0].Text, "Paris")
	text, request, _ := collect(t, llm, vllmgo.Prompt{Chat: &chat}, greedy)
	assert.Equal(t, g.Outputs[0].Outputs[0].Text, text[0].Text)
	assert.Equal(t, g.Outputs[0].PromptTokenIDs, request.PromptTokenIDs)

	// A template that shows what it is given.
	tokenizer, err := llm.Tokenizer(t.Context())
	require.NoError(t, err)
	chat.Tools = []vllmgo.Tool{{Name: "weather", Description: "Tells the weather."}}
	chat.Template = `{{ messages[1].content }} {{ tools[0].function.name }} {{ mood }} {{ add_generation_prompt }}`
	chat.TemplateKwargs = map[string]any{"mood": "sunny"}
	shown, err := tokenizer.ApplyChatTemplate(t.Context(), chat)
	require.NoError(t, err)
	assert.Equal(t, "What is the capital of France? weather sunny True", shown)
	g, err = llm.Generate(t.Context(), vllmgo.Chats(chat), greedy)
	require.NoError(t, err)
	decoded, err := tokenizer.Decode(t.Context(), g.Outputs[0].PromptTokenIDs)
	require.NoError(t, err)
	assert.Equal(t, shown, decoded, "the engine makes the same prompt")

	chat = vllmgo.Chat{
		Messages:             []vllmgo.Message{{Role: "user", Content: "Count."}, {Role: "assistant", Content: "One, two,"}},
		ContinueFinalMessage: true, AddGenerationPrompt: new(false),
	}
	g, err = llm.Generate(t.Context(), vllmgo.Chats(chat), greedy)
	require.NoError(t, err)
	assert.Contains(t, g.Outputs[0].Outputs[0].Text, "three")
}

func testMetrics(t *testing.T, llm *vllmgo.LLM) {
	before, err := llm.Metrics(t.Context())
	require.NoError(t, err)
	params := greedy
	params.IgnoreEOS = true
	start := time.Now()
	g, err := llm.Generate(t.Context(), vllmgo.Tokens([]int32{5, 6, 7}, []int32{9, 10}), params)
	require.NoError(t, err)
	elapsed := time.Since(start)
	after, err := llm.Metrics(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, after.FinishedRequests-before.FinishedRequests)
	assert.Equal(t, 5, after.PromptTokens-before.PromptTokens)
	assert.Equal(t, 2*24, after.GenerationTokens-before.GenerationTokens)
	assert.Equal(t, before.Preemptions, after.Preemptions)
	for _, output := range g.Outputs {
		m := output.Metrics
		require.NotNil(t, m)
		assert.WithinRange(t, m.ArrivalTime, start.Add(-time.Second), start.Add(elapsed).Add(time.Second))
		assert.Len(t, m.ITL, 23)
		var sum time.Duration
		for _, latency := range m.ITL {
			assert.Positive(t, latency)
			sum += latency
		}
		assert.InDelta(t, m.DecodeTime, sum, float64(time.Millisecond))
		assert.InDelta(t, m.TPOT(24), sum/23, float64(time.Millisecond))
		assert.Equal(t, m.TTFT+m.DecodeTime, m.E2ELatency)
		assert.Positive(t, m.PrefillTime)
		assert.GreaterOrEqual(t, m.TTFT, m.PrefillTime)
		assert.LessOrEqual(t, m.E2ELatency, elapsed)
	}
}

func testPrefixCache(t *testing.T, llm *vllmgo.LLM) {
	long := make([]int32, 300)
	for i := range long {
		long[i] = int32(1000 + i)
	}
	cached := func() int {
		g, err := llm.Generate(t.Context(), vllmgo.Tokens(long), vllmgo.SamplingParams{MaxTokens: 1})
		require.NoError(t, err)
		return g.Outputs[0].NumCachedTokens
	}
	before, err := llm.Metrics(t.Context())
	require.NoError(t, err)
	assert.Zero(t, cached())
	assert.Greater(t, cached(), 200)
	after, err := llm.Metrics(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 600, after.PrefixCacheQueries-before.PrefixCacheQueries)
	assert.Greater(t, after.PrefixCacheHits-before.PrefixCacheHits, 200)
	require.NoError(t, llm.ResetPrefixCache(t.Context()))
	assert.Zero(t, cached())
}

// testProgress shows that tokens are reported while requests of equal length all run, alone and
// shared.
func testProgress(t *testing.T, llm *vllmgo.LLM) {
	params := exactly(48)
	many := make([][]int32, 16)
	for i := range many {
		many[i] = []int32{int32(i + 100), 7}
	}
	generate := func(t *testing.T) []vllmgo.Progress {
		var reports []vllmgo.Progress
		_, err := llm.Generate(t.Context(), vllmgo.Tokens(many...), params,
			vllmgo.OnProgress(func(p vllmgo.Progress) { reports = append(reports, p) }))
		require.NoError(t, err)
		last := reports[len(reports)-1]
		last.Elapsed = 0
		assert.Equal(t, vllmgo.Progress{
			Requests: 16, FinishedRequests: 16, GeneratedTokens: 16 * 48, MaxTokens: 16 * 48,
		}, last)
		for i := 1; i < len(reports); i++ {
			assert.GreaterOrEqual(t, reports[i].GeneratedTokens, reports[i-1].GeneratedTokens)
			assert.Greater(t, reports[i].Elapsed, reports[i-1].Elapsed)
		}
		return reports
	}
	moving := func(reports []vllmgo.Progress) (n int) {
		for _, p := range reports {
			if p.FinishedRequests == 0 && p.GeneratedTokens > 0 && p.ETA() > 0 {
				n++
			}
		}
		return n
	}
	t.Run("alone", func(t *testing.T) { assert.Positive(t, moving(generate(t))) })
	t.Run("shared", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			var once sync.Once
			for range llm.Stream(ctx, vllmgo.Prompt{TokenIDs: []int32{3}}, vllmgo.SamplingParams{MaxTokens: 500, IgnoreEOS: true}) {
				once.Do(func() { close(first) })
			}
		})
		<-first
		assert.Positive(t, moving(generate(t)))
		cancel()
		group.Wait()
	})
}

// testLogger makes vLLM log something and finds it in the logger.
func testLogger(t *testing.T, llm *vllmgo.LLM) {
	var mu sync.Mutex
	var b bytes.Buffer
	vllmgo.SetLogger(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), nil)))
	defer vllmgo.SetLogger(nil)
	_, err := llm.Generate(t.Context(), vllmgo.Texts("a"), vllmgo.SamplingParams{Temperature: new(0.001), MaxTokens: 1})
	require.NoError(t, err) // vLLM warns of a temperature that low
	assert.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(b.String(), "level=WARN") && strings.Contains(b.String(), "source=sampling_params.py:") &&
			strings.Contains(b.String(), "temperature 0.001")
	}, 10*time.Second, 10*time.Millisecond, "logged: %s", &b)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func testEngineTokenizer(t *testing.T, llm *vllmgo.LLM) {
	tokenizer, err := llm.Tokenizer(t.Context())
	require.NoError(t, err)
	ids, err := tokenizer.Encode(t.Context(), "The capital of France is")
	require.NoError(t, err)
	g, err := llm.Generate(t.Context(), vllmgo.Texts("The capital of France is"), greedy)
	require.NoError(t, err)
	assert.Equal(t, g.Outputs[0].PromptTokenIDs, ids)
	assert.Equal(t, int32(2), tokenizer.EOSTokenID())
}

// testSleep is refused on a CPU; TestSleep tries it on a GPU.
func testSleep(t *testing.T, llm *vllmgo.LLM) {
	err := llm.Sleep(t.Context(), 1)
	if llm.Info().Device == "cpu" {
		assert.ErrorContains(t, err, "vLLM has no sleep mode on this platform (cpu): it needs a GPU")
	} else {
		assert.ErrorContains(t, err, "EngineArgs.EnableSleepMode")
	}
	sleeping, err := llm.IsSleeping(t.Context())
	require.NoError(t, err)
	assert.False(t, sleeping)
}

// testPriority gives the engine more than it can run at once; the urgent request comes last and
// ends first.
func testPriority(t *testing.T, llm *vllmgo.LLM) {
	n := llm.Info().MaxNumSeqs + 1
	many := make([][]int32, n)
	for i := range many {
		many[i] = []int32{int32(i%1000 + 100), 7}
	}
	urgent := vllmgo.Tokens(many...)
	urgent[n-1].Priority = -1
	g, err := llm.Generate(t.Context(), urgent, vllmgo.SamplingParams{MaxTokens: 2, IgnoreEOS: true})
	require.NoError(t, err)
	others := 0
	for _, output := range g.Outputs[:n-1] {
		if output.Metrics.QueueTime > g.Outputs[n-1].Metrics.QueueTime {
			others++
		}
	}
	assert.Positive(t, others, "others waited longer, though they came first")
}

func testLoRA(t *testing.T, llm *vllmgo.LLM, adapter vllmgo.LoRA) {
	plain, err := llm.Generate(t.Context(), vllmgo.Texts(prompts...), greedy)
	require.NoError(t, err)
	adapted := vllmgo.Texts(prompts...)
	for i := range adapted {
		if i%2 == 0 {
			adapted[i].LoRA = &adapter
		}
	}
	mixed, err := llm.Generate(t.Context(), adapted, greedy)
	require.NoError(t, err)
	changed := 0
	for i := range prompts {
		same := assert.ObjectsAreEqual(plain.Outputs[i].Outputs[0].TokenIDs, mixed.Outputs[i].Outputs[0].TokenIDs)
		if i%2 == 0 && !same {
			changed++
		}
	}
	assert.Positive(t, changed, "the adapter changes what the model says")
	names, err := llm.LoadedLoRAs(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"tiny"}, names)
	assert.ErrorContains(t, llm.LoadLoRA(t.Context(), vllmgo.LoRA{Name: "none", Path: t.TempDir()}), "has no adapter_config.json")
	assert.ErrorContains(t, llm.LoadLoRA(t.Context(), vllmgo.LoRA{Name: "tiny", Path: "/elsewhere"}), "there is a LoRA adapter tiny already")
	require.NoError(t, llm.DropLoRA(t.Context(), "tiny"))
	names, err = llm.LoadedLoRAs(t.Context())
	require.NoError(t, err)
	assert.Empty(t, names)
	assert.ErrorContains(t, llm.DropLoRA(t.Context(), "tiny"), "there is no LoRA adapter tiny")
	require.NoError(t, llm.LoadLoRA(t.Context(), adapter))
	// In a batch of its own, as the stream: others may change the last bits of the numbers.
	alone, err := llm.Generate(t.Context(), adapted[:1], greedy)
	require.NoError(t, err)
	text, _, _ := collect(t, llm, adapted[0], greedy)
	assert.Equal(t, alone.Outputs[0].Outputs[0].Text, text[0].Text, "streams take adapters too")
}
