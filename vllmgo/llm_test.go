package vllmgo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// prompts are what the conformance test asks.
var prompts = []string{
	"The capital of France is", "Once upon a time", "def fibonacci(n):", "Water boils at",
	"The three primary colours are", "To be, or not to be", "In 1969, humans", "Dear Sir or Madam,",
}

// open loads an engine and closes it at the end of the test.
func open(t *testing.T, args vllmgo.EngineArgs) *vllmgo.LLM {
	t.Helper()
	llm, err := vllmgo.New(t.Context(), args)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, llm.Close()) })
	return llm
}

func tiny(t *testing.T, mode vllmgo.EngineMode) vllmgo.EngineArgs {
	t.Helper()
	testenv.VLLM(t)
	return vllmgo.EngineArgs{
		Model: testenv.TinyLlama(t, 1000), LoadFormat: "dummy", SkipTokenizerInit: true, EnforceEager: true,
		EngineMode: mode,
	}
}

// forever is a request that ends only when it is cancelled or has filled the model's context.
var forever = vllmgo.SamplingParams{MaxTokens: 1000, IgnoreEOS: true, Temperature: new(0.0)}

func TestRefusedBeforeLoading(t *testing.T) {
	testenv.VLLM(t)
	valid := tiny(t, vllmgo.EngineModeAuto)
	with := func(change func(*vllmgo.EngineArgs)) vllmgo.EngineArgs {
		args := valid
		change(&args)
		return args
	}
	for name, c := range map[string]struct {
		args vllmgo.EngineArgs
		want string
		is   error
	}{
		"missing folder": {vllmgo.EngineArgs{Model: "/no/such/model"}, "there is no model folder /no/such/model", vllmgo.ErrModelNotFound},
		"empty folder":   {vllmgo.EngineArgs{Model: t.TempDir()}, "holds no model", vllmgo.ErrModelNotFound},
		"missing on the hub": {vllmgo.EngineArgs{Model: "vllmgo-test/no-such-model"},
			"the model vllmgo-test/no-such-model is not in the local cache", vllmgo.ErrModelNotFound},
		"dtype": {with(func(a *vllmgo.EngineArgs) { a.Dtype = "bf17" }), "dtype 'bf17' is none of auto,", nil},
		"too many ranks": {with(func(a *vllmgo.EngineArgs) { a.TensorParallelSize = 4096 }),
			"is 4096, but this machine has", nil},
		"unknown argument": {with(func(a *vllmgo.EngineArgs) { a.Extra = map[string]any{"max_num_batched_token": 1} }),
			"has no engine argument max_num_batched_token; did you mean max_num_batched_tokens?", nil},
		"data parallel": {with(func(a *vllmgo.EngineArgs) { a.Extra = map[string]any{"data_parallel_size": 2} }),
			"run one process per replica", nil},
		"heads": {with(func(a *vllmgo.EngineArgs) {
			a.Extra = map[string]any{"hf_overrides": map[string]any{"num_attention_heads": 3}}
			a.TensorParallelSize = 2
		}), "must be divisible by tensor parallel size", nil},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := vllmgo.New(t.Context(), c.args)
			require.ErrorContains(t, err, c.want)
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
			t.Logf("after %v: %v", time.Since(start).Round(time.Millisecond), err)
		})
	}
}

func TestModelConfig(t *testing.T) {
	config, err := vllmgo.LoadModelConfig(t.Context(), vllmgo.EngineArgs{Model: testenv.SmolLM2(t)})
	require.NoError(t, err)
	assert.Equal(t, 49152, config.VocabSize)
	assert.Equal(t, int64(2*30*3*64*2), config.KVBytesPerToken())
	assert.Contains(t, config.SpecialTokenIDs, int32(2))
}

func TestTokenizer(t *testing.T) {
	tokenizer, err := vllmgo.LoadTokenizer(t.Context(), vllmgo.EngineArgs{Model: testenv.SmolLM2(t)})
	require.NoError(t, err)
	ids, err := tokenizer.Encode(t.Context(), "The capital of France is")
	require.NoError(t, err)
	text, err := tokenizer.Decode(t.Context(), ids)
	require.NoError(t, err)
	assert.Equal(t, "The capital of France is", text)
	assert.Equal(t, 49152, tokenizer.VocabSize())
	special := make([]int32, 17) // <|endoftext|>, <|im_start|>, <|im_end|>, <repo_name>, …
	for i := range special {
		special[i] = int32(i)
	}
	assert.Equal(t, special, tokenizer.SpecialTokenIDs())
}

// TestRealModel asks SmolLM2 in both engine modes, and plain Python the same.
func TestRealModel(t *testing.T) {
	model := testenv.SmolLM2(t)
	for _, mode := range []vllmgo.EngineMode{vllmgo.OwnProcess, vllmgo.InProcess} {
		t.Run(string(mode), func(t *testing.T) {
			want := reference(t, model, mode)
			llm := open(t, vllmgo.EngineArgs{Model: model, EnforceEager: true, MaxModelLen: 512, EngineMode: mode})
			assert.Equal(t, mode, llm.Info().EngineMode)
			assert.Equal(t, 512, llm.Info().MaxModelLen)
			assert.Greater(t, llm.Info().KVCacheTokens, 512)

			generation, err := llm.Generate(t.Context(), vllmgo.Texts(prompts...),
				vllmgo.SamplingParams{Temperature: new(0.0), MaxTokens: 24})
			require.NoError(t, err)
			var got [][]int32
			for _, output := range generation.Outputs {
				got = append(got, output.Outputs[0].TokenIDs)
			}
			assert.Equal(t, want, got, "token for token as in Python")
			assert.Contains(t, generation.Outputs[0].Outputs[0].Text, "Paris")
			assert.Positive(t, generation.Elapsed)

			// The same prompt as token IDs gives the same answer.
			again, err := llm.Generate(t.Context(), vllmgo.Tokens(generation.Outputs[0].PromptTokenIDs),
				vllmgo.SamplingParams{Temperature: new(0.0), MaxTokens: 24})
			require.NoError(t, err)
			assert.Equal(t, want[0], again.Outputs[0].Outputs[0].TokenIDs)

			t.Run("bad prompts", func(t *testing.T) {
				_, err := llm.Generate(t.Context(), vllmgo.Texts(strings.Repeat("long ", 600)))
				assert.ErrorContains(t, err, "maximum")
				_, err = llm.Generate(t.Context(), vllmgo.Tokens(make([]int32, 600)))
				assert.ErrorContains(t, err, "prompt 0 has 600 tokens")
				_, err = llm.Generate(t.Context(), vllmgo.Texts("fine", ""))
				assert.ErrorContains(t, err, "prompt 1 is empty")
				_, err = llm.Generate(t.Context(), vllmgo.Tokens([]int32{1 << 30}))
				assert.ErrorContains(t, err, "out of vocabulary")
			})
			t.Run("one params for each", func(t *testing.T) {
				g, err := llm.Generate(t.Context(), vllmgo.Texts("a", "b"),
					vllmgo.SamplingParams{MaxTokens: 3, IgnoreEOS: true}, vllmgo.SamplingParams{MaxTokens: 5, IgnoreEOS: true, N: 2})
				require.NoError(t, err)
				assert.Len(t, g.Outputs[0].Outputs[0].TokenIDs, 3)
				require.Len(t, g.Outputs[1].Outputs, 2)
				assert.Len(t, g.Outputs[1].Outputs[1].TokenIDs, 5)
				assert.Equal(t, "length", g.Outputs[1].Outputs[1].FinishReason)
			})
		})
	}
}

// reference asks plain Python.
func reference(t *testing.T, model string, mode vllmgo.EngineMode) [][]int32 {
	t.Helper()
	job, err := json.Marshal(map[string]any{
		"args":    map[string]any{"model": model, "enforce_eager": true, "max_model_len": 512},
		"prompts": prompts, "params": map[string]any{"temperature": 0, "max_tokens": 24},
	})
	require.NoError(t, err)
	python, err := vllmgo.Python()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "testdata/reference.py")
	cmd.Env = append(os.Environ(), "VLLM_ENABLE_V1_MULTIPROCESSING="+map[vllmgo.EngineMode]string{
		vllmgo.OwnProcess: "1", vllmgo.InProcess: "0",
	}[mode])
	cmd.Stdin = bytes.NewReader(job)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	require.NoError(t, err)
	_, line, found := strings.Cut(string(output), "REFERENCE ")
	require.True(t, found, "%s", output)
	var ids [][]int32
	require.NoError(t, json.NewDecoder(strings.NewReader(line)).Decode(&ids))
	return ids
}

func TestCancelLeavesTheEngineUsable(t *testing.T) {
	for _, mode := range []vllmgo.EngineMode{vllmgo.OwnProcess, vllmgo.InProcess} {
		t.Run(string(mode), func(t *testing.T) {
			llm := open(t, tiny(t, mode))
			short := func() {
				g, err := llm.Generate(t.Context(), vllmgo.Tokens([]int32{5, 6}), vllmgo.SamplingParams{MaxTokens: 4, IgnoreEOS: true})
				require.NoError(t, err)
				require.Len(t, g.Outputs, 1, "only the call's own request comes back")
				assert.Equal(t, []int32{5, 6}, g.Outputs[0].PromptTokenIDs)
			}
			short()
			for range 5 {
				ctx, cancel := context.WithCancelCause(t.Context())
				enough := errors.New("enough")
				time.AfterFunc(20*time.Millisecond, func() { cancel(enough) })
				many := make([][]int32, 64)
				for i := range many {
					many[i] = []int32{int32(i + 10), 3}
				}
				_, err := llm.Generate(ctx, vllmgo.Tokens(many...), forever)
				require.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, enough)
				short()
			}
			var group sync.WaitGroup
			for range 8 {
				group.Go(short)
			}
			group.Wait()
		})
	}
}

func TestCloseEndsARunningGeneration(t *testing.T) {
	llm := open(t, tiny(t, vllmgo.OwnProcess))
	started, ended := make(chan struct{}), make(chan error)
	go func() {
		close(started)
		many := make([][]int32, 256)
		for i := range many {
			many[i] = []int32{int32(i + 1)}
		}
		_, err := llm.Generate(context.Background(), vllmgo.Tokens(many...), forever)
		ended <- err
	}()
	<-started
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, llm.Close())
	assert.ErrorIs(t, <-ended, vllmgo.ErrClosed)
	_, err := llm.Generate(t.Context(), vllmgo.Tokens([]int32{1}))
	assert.ErrorIs(t, err, vllmgo.ErrClosed)
	require.NoError(t, llm.Close())
}

// TestDeadEngine kills the engine's processes under a generation.
func TestDeadEngine(t *testing.T) {
	args := tiny(t, vllmgo.OwnProcess)
	llm := open(t, args)
	failed := make(chan error)
	go func() {
		many := make([][]int32, 256)
		for i := range many {
			many[i] = []int32{int32(i + 1)}
		}
		_, err := llm.Generate(context.Background(), vllmgo.Tokens(many...), forever)
		failed <- err
	}()
	time.Sleep(100 * time.Millisecond)
	for _, child := range descendants(t) {
		if line, err := child.Cmdline(); err == nil && !strings.Contains(line, "resource_tracker") {
			_ = child.Kill() // its parent may have ended it first
		}
	}
	select {
	case err := <-failed:
		assert.ErrorContains(t, err, "EngineDeadError")
	case <-time.After(time.Minute):
		t.Fatal("the generation waits for a dead engine")
	}
	_, err := llm.Generate(t.Context(), vllmgo.Tokens([]int32{1}))
	assert.ErrorContains(t, err, "EngineDeadError")
	require.NoError(t, llm.Close())
	open(t, args)
}

// TestEnginesOneAfterTheOther opens each mode twice in turns and looks at what stays behind.
func TestEnginesOneAfterTheOther(t *testing.T) {
	testenv.VLLM(t)
	before := residentBytes(t)
	for i, mode := range []vllmgo.EngineMode{vllmgo.OwnProcess, vllmgo.InProcess, vllmgo.OwnProcess, vllmgo.InProcess} {
		llm, err := vllmgo.New(t.Context(), tiny(t, mode))
		require.NoError(t, err, "engine %d", i)
		if mode == vllmgo.InProcess {
			_, err := vllmgo.New(t.Context(), tiny(t, mode))
			assert.ErrorContains(t, err, "an in-process engine is open already")
		}
		children := len(descendants(t))
		_, err = llm.Generate(t.Context(), vllmgo.Tokens([]int32{1, 2}), vllmgo.SamplingParams{MaxTokens: 8})
		require.NoError(t, err)
		loaded := residentBytes(t)
		require.NoError(t, llm.Close())
		closed := residentBytes(t)
		t.Logf("%s: loaded %d MiB in %d child processes, closed %d MiB (%d MiB before the first)",
			mode, loaded>>20, children, closed>>20, before>>20)
		if mode == vllmgo.OwnProcess {
			assert.Empty(t, engines(t), "no engine process is left")
			assert.Greater(t, loaded-closed, uint64(500<<20), "the engine's memory is back")
		}
	}
}

func TestTensorParallel(t *testing.T) {
	args := tiny(t, vllmgo.OwnProcess)
	args.TensorParallelSize = 2
	llm := open(t, args)
	assert.Equal(t, 2, llm.Info().TensorParallelSize)
	if llm.Info().Device == "cpu" {
		assert.Regexp(t, `^[\d,]+\|[\d,]+$`, llm.Info().CPUThreads, "each rank has cores of its own")
	}
	g, err := llm.Generate(t.Context(), vllmgo.Tokens([]int32{1, 2}, []int32{3}), vllmgo.SamplingParams{MaxTokens: 8, IgnoreEOS: true})
	require.NoError(t, err)
	assert.Len(t, g.Outputs[1].Outputs[0].TokenIDs, 8)
	require.NoError(t, llm.Close())
	assert.Empty(t, engines(t))
}

func TestCancelWhileLoading(t *testing.T) {
	args := tiny(t, vllmgo.OwnProcess)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(3*time.Second, cancel)
	_, err := vllmgo.New(ctx, args)
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool { return len(engines(t)) == 0 }, time.Minute, 100*time.Millisecond)
	open(t, args)
}

// descendants are all processes below this one.
func descendants(t *testing.T) []*process.Process {
	t.Helper()
	self, err := process.NewProcess(int32(os.Getpid()))
	require.NoError(t, err)
	var all []*process.Process
	next := []*process.Process{self}
	for len(next) > 0 {
		children, err := next[0].Children()
		next = next[1:]
		if err == nil { // else it has ended
			all, next = append(all, children...), append(next, children...)
		}
	}
	return all
}

// engines are the processes of vLLM below this one. multiprocessing's resource tracker, which stays, is none.
func engines(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, child := range descendants(t) {
		line, err := child.Cmdline()
		if err == nil && line != "" && !strings.Contains(line, "resource_tracker") {
			names = append(names, fmt.Sprint(child.Pid, " ", line))
		}
	}
	return names
}

// residentBytes is the resident memory of this process and all below it.
func residentBytes(t *testing.T) uint64 {
	t.Helper()
	self, err := process.NewProcess(int32(os.Getpid()))
	require.NoError(t, err)
	var sum uint64
	for _, p := range append(descendants(t), self) {
		if info, err := p.MemoryInfo(); err == nil {
			sum += info.RSS
		}
	}
	return sum
}
