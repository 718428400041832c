package vllmgo_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// TestReplicas: two engines behind one LLM answer as one does, and one of them may die.
func TestReplicas(t *testing.T) {
	for _, mode := range []vllmgo.EngineMode{vllmgo.InProcess, vllmgo.OwnProcess} {
		t.Run(string(mode), func(t *testing.T) {
			args := tiny(t, mode)
			args.Dtype, args.MaxNumSeqs, args.DisableLogStats = "float32", 8, new(false)
			one := open(t, args)
			r := replicated{prompts: numbered(50)}
			var err error
			r.want, err = one.Generate(t.Context(), r.prompts, exactly(8))
			require.NoError(t, err)
			require.NoError(t, one.Close())

			r.others = childrenOf(t)
			args.DataParallelSize = 2
			r.llm = open(t, args)
			r.children = r.childrenOf(t)
			t.Run("info", r.testInfo)
			t.Run("generate", r.testGenerate)
			t.Run("sequence", r.testSequence)
			t.Run("stream", r.testStream)
			t.Run("samples", r.testSamples)
			t.Run("cancel", r.testCancel)
			t.Run("methods of all", r.testAll)
			t.Run("errors", r.testErrors)
			t.Run("one is killed", r.testKill)
			require.NoError(t, r.llm.Close())
			assert.Empty(t, alive(r.children))
		})
	}
}

// replicated is an LLM of two engines, and what one engine answers.
type replicated struct {
	llm      *vllmgo.LLM
	prompts  []vllmgo.Prompt
	want     *vllmgo.Generation
	children []int // the processes of the engines
	others   []int // those that were there before
}

// childrenOf returns the processes of the engines.
func (r *replicated) childrenOf(t *testing.T) []int {
	t.Helper()
	return slices.DeleteFunc(childrenOf(t), func(pid int) bool { return slices.Contains(r.others, pid) })
}

// childrenOf returns the processes of this one.
func childrenOf(t *testing.T) []int {
	t.Helper()
	self, err := process.NewProcess(int32(os.Getpid()))
	require.NoError(t, err)
	return readPIDs(t, strings.NewReader("pids: "+strings.Join(pidsBelow(self), " ")))
}

func (r *replicated) check(t *testing.T, got *vllmgo.Generation) {
	t.Helper()
	for i, output := range got.Outputs {
		assert.Equal(t, r.prompts[i].TokenIDs, output.PromptTokenIDs)
		assert.Equal(t, r.want.Outputs[i].Outputs[0].TokenIDs, output.Outputs[0].TokenIDs, "prompt %d", i)
	}
}

func (r *replicated) testInfo(t *testing.T) {
	info := r.llm.Info()
	assert.Equal(t, 2, info.DataParallelSize)
	require.Len(t, info.Placement, 2)
	if info.Device == "cpu" {
		assert.NotEqual(t, info.Placement[0], info.Placement[1], "each has cores of its own")
	}
}

// testGenerate completes few prompts, and more than run at once.
func (r *replicated) testGenerate(t *testing.T) {
	for _, n := range []int{1, 2, 9, len(r.prompts)} {
		var last vllmgo.Progress
		g, err := r.llm.Generate(t.Context(), r.prompts[:n], exactly(8), vllmgo.OnProgress(func(p vllmgo.Progress) { last = p }))
		require.NoError(t, err)
		r.check(t, g)
		assert.Positive(t, g.Elapsed)
		assert.NotNil(t, g.Outputs[n-1].Metrics)
		assert.Equal(t, n, last.FinishedRequests)
		assert.Equal(t, 8*n, last.GeneratedTokens)
	}
}

func (r *replicated) testSequence(t *testing.T) {
	got := &vllmgo.Generation{Outputs: make([]vllmgo.RequestOutput, len(r.prompts))}
	seen := 0
	for output, err := range r.llm.GenerateSeq(t.Context(), slices.Values(r.prompts), exactly(8)) {
		require.NoError(t, err)
		got.Outputs[output.Index] = output.RequestOutput
		seen++
	}
	assert.Equal(t, len(r.prompts), seen)
	r.check(t, got)
}

func (r *replicated) testStream(t *testing.T) {
	var tokens []int32
	for delta, err := range r.llm.Stream(t.Context(), r.prompts[3], exactly(8)) {
		require.NoError(t, err)
		tokens = append(tokens, delta.TokenIDs...)
	}
	assert.Equal(t, r.want.Outputs[3].Outputs[0].TokenIDs, tokens)
}

// testSamples: equal prompts get samples of their own on each engine, and equal ones with a seed.
func (r *replicated) testSamples(t *testing.T) {
	equal := make([]vllmgo.Prompt, 2) // one for each engine
	for i := range equal {
		equal[i].TokenIDs = []int32{5, 6, 7}
	}
	params := exactly(16)
	params.Temperature = new(1.0)
	g, err := r.llm.Generate(t.Context(), equal, params)
	require.NoError(t, err)
	assert.NotEqual(t, g.Outputs[0].Outputs[0].TokenIDs, g.Outputs[1].Outputs[0].TokenIDs)
	params.Seed = new(3)
	g, err = r.llm.Generate(t.Context(), equal, params)
	require.NoError(t, err)
	assert.Equal(t, g.Outputs[0].Outputs[0].TokenIDs, g.Outputs[1].Outputs[0].TokenIDs)
}

func (r *replicated) testCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := r.llm.Generate(ctx, r.prompts, forever)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 10*time.Second)
	g, err := r.llm.Generate(t.Context(), r.prompts[:2], exactly(8))
	require.NoError(t, err)
	r.check(t, g)
	m, err := r.llm.Metrics(t.Context())
	require.NoError(t, err)
	assert.Zero(t, m.Running+m.Waiting)
}

func (r *replicated) testAll(t *testing.T) {
	m, err := r.llm.Metrics(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, m.Replicas)
	assert.Greater(t, m.FinishedRequests, 2*len(r.prompts))
	require.NoError(t, r.llm.ResetPrefixCache(t.Context()))
	_, err = r.llm.LoadedLoRAs(t.Context())
	require.NoError(t, err)
	results, err := r.llm.CollectiveRPC(t.Context(), "execute_dummy_batch", nil, nil)
	require.NoError(t, err)
	assert.Len(t, results, 2, "a worker for each engine")
	beams, err := r.llm.BeamSearch(t.Context(), r.prompts[:3], vllmgo.BeamSearchParams{BeamWidth: 2, MaxTokens: 4})
	if r.llm.Info().Runner != "generate" || err != nil {
		require.ErrorContains(t, err, "tokenizer")
		return
	}
	assert.Len(t, beams.Outputs, 3)
}

// testErrors: a prompt that one engine refuses is named, and the others' parts stop.
func (r *replicated) testErrors(t *testing.T) {
	prompts := slices.Clone(r.prompts)
	prompts[20] = vllmgo.Prompt{Text: "text, which needs a tokenizer"}
	_, err := r.llm.Generate(t.Context(), prompts, exactly(8))
	require.ErrorContains(t, err, "prompt 20: the prompt is text, and the engine has no tokenizer")
	_, err = r.llm.Generate(t.Context(), []vllmgo.Prompt{r.prompts[0], {Text: "text"}}, exactly(8))
	require.ErrorContains(t, err, "prompt 1: ")
}

// testKill: the prompts of an engine that is killed run on the other one, and it comes back.
func (r *replicated) testKill(t *testing.T) {
	victim, err := process.NewProcess(int32(pythonOf(t, r.children)))
	require.NoError(t, err)
	done := make(chan error, 1)
	var g *vllmgo.Generation
	go func() {
		var err error
		g, err = r.llm.Generate(t.Context(), r.prompts, exactly(8))
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, victim.Kill())
	require.NoError(t, <-done)
	r.check(t, g)
	require.Eventually(t, func() bool {
		m, err := r.llm.Metrics(t.Context())
		return err == nil && m.Replicas == 2 && m.ReplicaRestarts == 1
	}, 2*time.Minute, 100*time.Millisecond)
	g, err = r.llm.Generate(t.Context(), r.prompts, exactly(8))
	require.NoError(t, err)
	r.check(t, g)
	r.children = r.childrenOf(t)
}

// pythonOf returns the first of processes that is a replica's Python.
func pythonOf(t *testing.T, pids []int) int {
	t.Helper()
	for _, pid := range pids {
		p, err := process.NewProcess(int32(pid))
		if err != nil {
			continue
		}
		if line, err := p.CmdlineSlice(); err == nil && len(line) > 1 && strings.HasPrefix(line[1], "/proc/") {
			return pid
		}
	}
	t.Fatal("there is no replica")
	return 0
}

// TestPoolingOnReplicas divides embeddings and scores.
func TestPoolingOnReplicas(t *testing.T) {
	testenv.VLLM(t)
	llm := open(t, vllmgo.EngineArgs{Model: testenv.MiniLM(t), EnforceEager: true, EngineMode: vllmgo.InProcess, DataParallelSize: 2})
	texts := []string{"apples", "pears", "the moon", "a telescope", "an orchard"}
	all, err := llm.Embed(t.Context(), vllmgo.Texts(texts...), vllmgo.PoolingParams{})
	require.NoError(t, err)
	scores, err := llm.Score(t.Context(), texts[:1], texts, vllmgo.PoolingParams{})
	require.NoError(t, err)
	for i, text := range texts {
		alone, err := llm.Embed(t.Context(), vllmgo.Texts(text), vllmgo.PoolingParams{})
		require.NoError(t, err)
		assert.InDelta(t, 1, dot(all[i], alone[0]), 1e-2)
		assert.InDelta(t, dot(all[0], all[i]), scores[i], 2e-2)
	}
	tokenizer, err := llm.Tokenizer(t.Context())
	require.NoError(t, err)
	ids, err := tokenizer.Encode(t.Context(), "apples")
	require.NoError(t, err)
	assert.NotEmpty(t, ids)
	_, err = llm.Embed(t.Context(), vllmgo.Texts("a", "b", "c\xff"), vllmgo.PoolingParams{})
	require.ErrorContains(t, err, "prompt 2")
	require.NoError(t, llm.Close())
}
