package vllmgo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// TestIsolation throws bad calls among good ones, in both modes and on replicas. Every good call
// answers as it does alone, and every bad one gets its error.
func TestIsolation(t *testing.T) {
	for name, args := range map[string]vllmgo.EngineArgs{
		"in-process":  {EngineMode: vllmgo.InProcess},
		"own-process": {EngineMode: vllmgo.OwnProcess},
		"replicas":    {EngineMode: vllmgo.InProcess, DataParallelSize: 2},
	} {
		t.Run(name, func(t *testing.T) {
			llm := open(t, vllmgo.EngineArgs{
				Model: testenv.TinyLlamaWithTokenizer(t), LoadFormat: "dummy", EnforceEager: true,
				EngineMode: args.EngineMode, DataParallelSize: args.DataParallelSize,
				Dtype:       "float32", // so that a batch's other requests change no answer
				MaxModelLen: 256, MaxNumSeqs: 16, DisableLogStats: new(false),
				EnableLoRA: true, MaxLoRAs: 4, MaxCPULoRAs: 4,
			})
			i := newIsolation(t, llm)
			t.Run("random calls", i.testRandom)
			t.Run("a large call is joined", i.testLateCall)
			t.Run("a full engine is joined", i.testFullEngine)
			t.Run("cancel while adding", i.testCancelWhileAdding)
			t.Run("adapters", i.testAdapters)
			t.Run("calls with and without adapters", i.testMix)
			t.Run("adapters change places", i.testPlaces)
			t.Run("odd calls", i.testOdd)
			require.NoError(t, llm.Close())
		})
	}
}

// isolation is an engine, and calls for it.
type isolation struct {
	llm  *vllmgo.LLM
	good []goodCall
	bad  []badCall
}

type goodCall struct {
	prompt vllmgo.Prompt
	want   []int32 // the answer of the call alone
}

// String returns the prompt and its adapter.
func (c goodCall) String() string {
	return fmt.Sprintf("prompt %+v, adapter %+v", c.prompt, c.prompt.LoRA)
}

// badCall is a call that must fail. Its error contains want, unless its context ends.
type badCall struct {
	name, want string
	prompts    []vllmgo.Prompt
	params     vllmgo.SamplingParams
}

func newIsolation(t *testing.T, llm *vllmgo.LLM) *isolation {
	i := &isolation{llm: llm, bad: badCalls(t)}
	chat := func(text string) *vllmgo.Chat {
		return &vllmgo.Chat{Messages: []vllmgo.Message{{Role: "user", Content: text}}}
	}
	first := &vllmgo.LoRA{Name: "first", Path: testenv.TinyLlamaLoRA(t, 1)}
	second := &vllmgo.LoRA{Name: "second", Path: testenv.TinyLlamaLoRA(t, 2)}
	for n := range 4 {
		i.good = append(i.good,
			goodCall{prompt: vllmgo.Prompt{Text: fmt.Sprintf("The number %d is", n)}},
			goodCall{prompt: vllmgo.Prompt{TokenIDs: []int32{int32(n + 100), 7}}},
			goodCall{prompt: vllmgo.Prompt{Chat: chat(fmt.Sprint("Say ", n))}})
	}
	adapted := len(i.good)
	for n := range 4 {
		i.good = append(i.good,
			goodCall{prompt: vllmgo.Prompt{Text: fmt.Sprintf("The number %d is", n), LoRA: first}},
			goodCall{prompt: vllmgo.Prompt{Text: fmt.Sprintf("The number %d is", n), LoRA: second}})
	}
	for n := range i.good {
		g, err := llm.Generate(t.Context(), []vllmgo.Prompt{i.good[n].prompt}, exactly(8))
		require.NoError(t, err)
		i.good[n].want = g.Outputs[0].Outputs[0].TokenIDs
	}
	assert.NotEqual(t, i.good[0].want, i.good[adapted].want, "the adapter changes the answer")
	assert.NotEqual(t, i.good[adapted+1].want, i.good[adapted].want, "the adapters differ")
	return i
}

func badCalls(t *testing.T) []badCall {
	one := vllmgo.Texts("a")
	with := func(change func(*vllmgo.SamplingParams)) vllmgo.SamplingParams {
		params := vllmgo.Greedy(4)
		change(&params)
		return params
	}
	chat := func(change func(*vllmgo.Chat)) []vllmgo.Prompt {
		c := vllmgo.Chat{Messages: []vllmgo.Message{{Role: "user", Content: "Hello"}}}
		change(&c)
		return vllmgo.Chats(c)
	}
	tool := func(parameters any) []vllmgo.Prompt {
		return chat(func(c *vllmgo.Chat) { c.Tools = []vllmgo.Tool{{Name: "f", Parameters: parameters}} })
	}
	adapter := func(path string) []vllmgo.Prompt {
		return []vllmgo.Prompt{{Text: "a", LoRA: &vllmgo.LoRA{Name: "bad" + filepath.Base(path), Path: path}}}
	}
	greedy := vllmgo.Greedy(4)
	corrupt := testenv.TinyLlamaLoRA(t, 3)
	require.NoError(t, os.WriteFile(filepath.Join(corrupt, "adapter_model.safetensors"), []byte("no weights"), 0o644))
	missing := testenv.TinyLlamaLoRA(t, 3)
	require.NoError(t, os.Remove(filepath.Join(missing, "adapter_model.safetensors")))
	shape := testenv.LoRAShape{Layers: 2, Hidden: 128, KV: 64, Rank: 64}
	wide := testenv.LoRAShape{Layers: 2, Hidden: 192, KV: 64}
	return []badCall{
		{"text in Latin-1", "not valid UTF-8", vllmgo.Texts("caf\xe9"), greedy},
		{"a message in Latin-1", "not valid UTF-8", chat(func(c *vllmgo.Chat) { c.Messages[0].Content = "caf\xe9" }), greedy},
		{"a choice in Latin-1", "not valid UTF-8", one, with(func(p *vllmgo.SamplingParams) {
			p.StructuredOutputs = &vllmgo.StructuredOutputs{Choice: []string{"caf\xe9"}}
		})},
		{"a tool's broken JSON", "prompt", tool(json.RawMessage(`{"type":`)), greedy},
		{"a tool that is not JSON", "unsupported type", tool(make(chan int)), greedy},
		{"a variable that is not JSON", "unsupported type",
			chat(func(c *vllmgo.Chat) { c.TemplateKwargs = map[string]any{"x": make(chan int)} }), greedy},
		{"a broken template", "vLLM", chat(func(c *vllmgo.Chat) { c.Template = "{% if %}" }), greedy},
		{"a template that raises", "vLLM", chat(func(c *vllmgo.Chat) { c.Template = "{{ raise_exception('no') }}" }), greedy},
		{"an unknown token", "out of vocabulary", vllmgo.Tokens([]int32{1 << 30}), greedy},
		{"too many tokens", "has 300 tokens", vllmgo.Tokens(make([]int32, 300)), greedy},
		{"too long a text", "maximum", vllmgo.Texts(strings.Repeat("long ", 300)), greedy},
		{"an empty text", "empty", vllmgo.Texts(""), greedy},
		{"top_p", "top_p", one, with(func(p *vllmgo.SamplingParams) { p.TopP = 1.5 })},
		{"an unknown parameter", "top_q", one, with(func(p *vllmgo.SamplingParams) { p.Extra = map[string]any{"top_q": 1} })},
		{"a broken regex", "regex", one, with(func(p *vllmgo.SamplingParams) {
			p.StructuredOutputs = &vllmgo.StructuredOutputs{Regex: "("}
		})},
		{"no adapter", "has no adapter_config.json", adapter(t.TempDir()), greedy},
		{"a corrupt adapter", "cannot be loaded", adapter(corrupt), greedy},
		{"an adapter without weights", "cannot be loaded", adapter(missing), greedy},
		{"an adapter's rank", "cannot be loaded", adapter(testenv.LoRA(t, shape)), greedy},
		{"an adapter's size", "cannot be loaded", adapter(testenv.LoRA(t, wide)), greedy},
		{"one bad prompt of many", "prompt 2", append(vllmgo.Texts("a", "b"), vllmgo.Texts("caf\xe9", "d")...), greedy},
		{"one long prompt of many", "prompt 1", vllmgo.Texts("a", strings.Repeat("long ", 300), "c"), greedy},
	}
}

// testRandom runs good and bad calls at random times in random ways.
func (i *isolation) testRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed:", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 6 {
		var group sync.WaitGroup
		start := func(run func(*rand.Rand)) {
			own := rand.New(rand.NewPCG(random.Uint64(), 0))
			group.Go(func() {
				time.Sleep(time.Duration(own.IntN(100)) * time.Millisecond)
				run(own)
			})
		}
		for range 16 {
			start(func(r *rand.Rand) { i.runGood(t, i.good[r.IntN(len(i.good))], r.IntN(3)) })
			start(func(r *rand.Rand) { i.runBad(t, i.bad[r.IntN(len(i.bad))], r.IntN(3)) })
		}
		start(func(r *rand.Rand) { i.runMany(t, r) })
		group.Wait()
		i.idle(t)
	}
	for _, call := range i.bad {
		for way := range 3 {
			i.runBad(t, call, way) // each of them alone, too
		}
	}
	i.idle(t)
	for _, call := range i.good {
		i.runGood(t, call, 0)
	}
}

// runGood makes a good call in one of three ways.
func (i *isolation) runGood(t *testing.T, call goodCall, way int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a call that nobody ends
	defer cancel()
	switch way {
	case 0:
		g, err := i.llm.Generate(ctx, []vllmgo.Prompt{call.prompt}, exactly(8))
		if assert.NoError(t, err) {
			assert.Equal(t, call.want, g.Outputs[0].Outputs[0].TokenIDs, "%v", call)
		}
	case 1:
		var tokens []int32
		for delta, err := range i.llm.Stream(ctx, call.prompt, exactly(8)) {
			assert.NoError(t, err)
			tokens = append(tokens, delta.TokenIDs...)
		}
		assert.Equal(t, call.want, tokens, "a stream of %v", call)
	case 2:
		bad := i.bad[0].prompts[0] // among others of a sequence
		for output, err := range i.llm.GenerateSeq(ctx, slices.Values([]vllmgo.Prompt{call.prompt, bad, call.prompt}), exactly(8)) {
			if output.Index == 1 {
				assert.ErrorContains(t, err, "prompt 1")
			} else if assert.NoError(t, err) {
				assert.Equal(t, call.want, output.Outputs[0].TokenIDs, "in a sequence: %v", call)
			}
		}
	}
}

// runBad makes a bad call in one of three ways: one of them has a context that ends soon.
func (i *isolation) runBad(t *testing.T, call badCall, way int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	switch way {
	case 0:
		_, err = i.llm.Generate(ctx, call.prompts, call.params)
	case 1:
		for _, err = range i.llm.Stream(ctx, call.prompts[len(call.prompts)-1], call.params) {
		}
		if len(call.prompts) > 1 {
			return // the last one is good
		}
	case 2:
		ctx, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		defer cancel()
		_, err = i.llm.Generate(ctx, vllmgo.Texts("a", "b", "c"), forever)
		assert.ErrorIs(t, err, context.DeadlineExceeded, call.name)
		return
	}
	assert.ErrorContains(t, err, call.want, call.name)
	assert.NotErrorIs(t, err, context.DeadlineExceeded, call.name)
}

// runMany makes one call of all good prompts.
func (i *isolation) runMany(t *testing.T, r *rand.Rand) {
	calls := slices.Clone(i.good)
	r.Shuffle(len(calls), func(a, b int) { calls[a], calls[b] = calls[b], calls[a] })
	prompts := make([]vllmgo.Prompt, len(calls))
	for n, call := range calls {
		prompts[n] = call.prompt
	}
	g, err := i.llm.Generate(t.Context(), prompts, exactly(8))
	if assert.NoError(t, err) {
		for n, call := range calls {
			assert.Equal(t, call.want, g.Outputs[n].Outputs[0].TokenIDs)
		}
	}
}

// idle sees that nothing is in the engine.
func (i *isolation) idle(t *testing.T) {
	t.Helper()
	g, err := i.llm.Generate(t.Context(), vllmgo.Tokens([]int32{5, 6}), exactly(1))
	require.NoError(t, err)
	assert.False(t, g.Shared, "nothing else is in the engine")
	m := i.metrics(t)
	assert.Zero(t, m.Running+m.Waiting, "nothing else is in the engine")
}

func (i *isolation) metrics(t *testing.T) vllmgo.Metrics {
	t.Helper()
	m, err := i.llm.Metrics(t.Context())
	require.NoError(t, err)
	return m
}

// testLateCall counts the tokens that a large call gets while a small one waits, alone and in the
// step loop.
func (i *isolation) testLateCall(t *testing.T) {
	for range 2 {
		i.late(t, numbered(1500), exactly(16))
	}
}

// testFullEngine is the same when every request runs for long: some must give way.
func (i *isolation) testFullEngine(t *testing.T) { i.late(t, numbered(64), exactly(200)) }

func (i *isolation) late(t *testing.T, prompts []vllmgo.Prompt, params vllmgo.SamplingParams) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := i.metrics(t)
	large := make(chan error, 1)
	go func() {
		_, err := i.llm.Generate(ctx, prompts, params)
		large <- err
	}()
	require.Eventually(t, func() bool { return i.metrics(t).GenerationTokens > before.GenerationTokens+16*3 }, time.Minute, time.Millisecond)
	for range 3 {
		start := i.metrics(t)
		g, err := i.llm.Generate(t.Context(), vllmgo.Tokens([]int32{77, 78}), exactly(1))
		require.NoError(t, err)
		assert.Equal(t, []int32{77, 78}, g.Outputs[0].PromptTokenIDs)
		steps := (i.metrics(t).GenerationTokens - start.GenerationTokens) / 16
		assert.LessOrEqual(t, steps, 12, "steps of 16 tokens that the small call waited for")
	}
	cancel()
	assert.ErrorIs(t, <-large, context.Canceled)
	i.idle(t)
	// What gave way begins again, and ends like the rest.
	g, err := i.complete(t, prompts[:40], exactly(30))
	require.NoError(t, err)
	for n, output := range g.Outputs {
		assert.Equal(t, prompts[n].TokenIDs, output.PromptTokenIDs)
		assert.Len(t, output.Outputs[0].TokenIDs, 30)
	}
	i.idle(t)
}

// complete makes a call while small ones come.
func (i *isolation) complete(t *testing.T, prompts []vllmgo.Prompt, params vllmgo.SamplingParams) (*vllmgo.Generation, error) {
	t.Helper()
	stop := make(chan struct{})
	var small sync.WaitGroup
	small.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_, err := i.llm.Generate(t.Context(), vllmgo.Tokens([]int32{77, 78}), exactly(1))
			assert.NoError(t, err)
		}
	})
	defer small.Wait()
	defer close(stop)
	return i.llm.Generate(t.Context(), prompts, params)
}

// testCancelWhileAdding ends a context while vLLM is given prompts, which would take many times as
// long as is allowed here.
func (i *isolation) testCancelWhileAdding(t *testing.T) {
	texts := make([]string, 40000)
	for n := range texts {
		texts[n] = fmt.Sprintf("This is the text of number %d.", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := i.llm.Generate(ctx, vllmgo.Texts(texts...), exactly(1))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	t.Log("returned after", time.Since(start))
	assert.Less(t, time.Since(start), 4*time.Second)
	i.idle(t)
}

// testAdapters retrains an adapter in its folder, and loads one after another could not be loaded.
func (i *isolation) testAdapters(t *testing.T) {
	folder := testenv.TinyLlamaLoRA(t, 11)
	long := make([]int32, 100) // several blocks of the prefix cache
	for n := range long {
		long[n] = int32(n + 50)
	}
	answer := func(name, path string) []int32 {
		prompt := vllmgo.Prompt{TokenIDs: long, LoRA: &vllmgo.LoRA{Name: name, Path: path}}
		g, err := i.llm.Generate(t.Context(), []vllmgo.Prompt{prompt}, exactly(8))
		require.NoError(t, err)
		return g.Outputs[0].Outputs[0].TokenIDs
	}
	old := answer("retrained", folder)
	require.NoError(t, i.llm.DropLoRA(t.Context(), "retrained"))
	retrained := testenv.TinyLlamaLoRA(t, 12)
	want := answer("other", retrained)
	assert.NotEqual(t, old, want)
	weights, err := os.ReadFile(filepath.Join(retrained, "adapter_model.safetensors"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "adapter_model.safetensors"), weights, 0o644))
	assert.Equal(t, want, answer("retrained", folder), "the new weights, and none of the old ones' cache")
	require.NoError(t, i.llm.DropLoRA(t.Context(), "other"))

	for _, call := range i.bad {
		if lora := call.prompts[0].LoRA; lora != nil {
			assert.ErrorContains(t, i.llm.LoadLoRA(t.Context(), *lora), call.want, call.name)
		}
	}
	corrupt := i.bad[len(i.bad)-3].prompts[0].LoRA.Name
	require.NoError(t, i.llm.LoadLoRA(t.Context(), vllmgo.LoRA{Name: corrupt, Path: retrained}), "the name is free")
	assert.Equal(t, want, answer(corrupt, retrained), "and not the model without an adapter")
	_, err = i.llm.Generate(t.Context(), []vllmgo.Prompt{{Text: "a", LoRA: &vllmgo.LoRA{Name: corrupt, Path: folder}}}, exactly(1))
	assert.ErrorContains(t, err, "there is a LoRA adapter "+corrupt+" already, from "+retrained)
	require.NoError(t, i.llm.DropLoRA(t.Context(), corrupt))
	require.NoError(t, i.llm.DropLoRA(t.Context(), "retrained"))
}

// testMix makes calls while another one runs, which has the engine alone until then. Some have
// adapters and some do not, and each answers as it does alone.
func (i *isolation) testMix(t *testing.T) {
	for n := range i.good {
		running := i.good[(n+len(i.good)/2)%len(i.good)].prompt
		alone, err := i.llm.Generate(t.Context(), []vllmgo.Prompt{running}, exactly(100))
		require.NoError(t, err)
		before := i.metrics(t).GenerationTokens
		var group sync.WaitGroup
		group.Go(func() {
			g, err := i.llm.Generate(t.Context(), []vllmgo.Prompt{running}, exactly(100))
			if assert.NoError(t, err) {
				assert.Equal(t, alone.Outputs[0].Outputs[0].TokenIDs, g.Outputs[0].Outputs[0].TokenIDs)
			}
		})
		require.Eventually(t, func() bool { return i.metrics(t).GenerationTokens > before }, time.Minute, time.Millisecond)
		i.runGood(t, i.good[n], 0)
		group.Wait()
	}
	both := []vllmgo.Prompt{i.good[0].prompt, i.good[len(i.good)-1].prompt}
	both = append(both, both...) // both kinds on each of two engines
	_, err := i.llm.BeamSearch(t.Context(), both, vllmgo.BeamSearchParams{BeamWidth: 2, MaxTokens: 2})
	if i.llm.Info().Device == "cpu" {
		assert.ErrorContains(t, err, "make a call for the prompts with an adapter")
	} else {
		assert.NoError(t, err)
	}
}

// testPlaces loads adapters until one has lost its place among those that vLLM computes with, and
// then asks for it, which gives it another place. Each step has one token, as the last step before.
func (i *isolation) testPlaces(t *testing.T) {
	answer := func(adapter *vllmgo.LoRA) int32 {
		prompt := vllmgo.Prompt{TokenIDs: []int32{9}, LoRA: adapter}
		g, err := i.llm.Generate(t.Context(), []vllmgo.Prompt{prompt}, exactly(1))
		require.NoError(t, err)
		return g.Outputs[0].Outputs[0].TokenIDs[0]
	}
	next := uint64(20)
	fresh := func() *vllmgo.LoRA {
		next++
		return &vllmgo.LoRA{Name: fmt.Sprint("place", next), Path: testenv.TinyLlamaLoRA(t, next)}
	}
	if strings.HasPrefix(i.llm.Info().VLLMVersion, "0.24.") { // it would give it the wrong one
		for range 2 {
			require.NoError(t, i.llm.LoadLoRA(t.Context(), *fresh()))
		}
		assert.ErrorContains(t, i.llm.LoadLoRA(t.Context(), *fresh()), "raise EngineArgs.MaxLoRAs")
		return
	}
	answers := map[int32]bool{}
	for others := range 6 {
		for range 3 {
			adapter := fresh()
			want := answer(adapter)
			answers[want] = true
			for range others {
				require.NoError(t, i.llm.LoadLoRA(t.Context(), *fresh()))
			}
			assert.Equal(t, want, answer(adapter), "after %d others were loaded", others)
		}
	}
	assert.Greater(t, len(answers), 1, "adapters change the answer")
}
