package vllmgo_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

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

func TestRefusedBeforeLoading(t *testing.T) {
	testenv.VLLM(t)
	valid := tiny(t, vllmgo.EngineModeAuto)
	with := func(change func(*vllmgo.EngineArgs)) vllmgo.EngineArgs {
		args := valid
		change(&args)
		return args
	}
	split := func(overrides map[string]any) vllmgo.EngineArgs {
		return with(func(a *vllmgo.EngineArgs) { a.HFOverrides, a.TensorParallelSize = overrides, 2 })
	}
	for name, c := range map[string]struct {
		args vllmgo.EngineArgs
		want string
		is   error
	}{
		"LFS pointer": {withWeights(t, "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "is a Git LFS pointer", nil},
		"cut off": {withWeights(t, "\x40\x00\x00\x00\x00\x00\x00\x00"+fmt.Sprintf("%-64s", `{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}`)+"half"),
			"is cut off: 32 bytes of weights are missing", nil},
		"missing folder": {vllmgo.EngineArgs{Model: "/no/such/model"}, "there is no model folder /no/such/model", vllmgo.ErrModelNotFound},
		"empty folder":   {vllmgo.EngineArgs{Model: t.TempDir()}, "holds no model", vllmgo.ErrModelNotFound},
		"missing on the hub": {vllmgo.EngineArgs{Model: "vllmgo-test/no-such-model"},
			"the model vllmgo-test/no-such-model is not in the local cache", vllmgo.ErrModelNotFound},
		"dtype": {with(func(a *vllmgo.EngineArgs) { a.Dtype = "bf17" }), "dtype 'bf17' is none of auto,", nil},
		"too many ranks": {with(func(a *vllmgo.EngineArgs) { a.TensorParallelSize, a.PipelineParallelSize = 2048, 2 }),
			"is 4096, but this machine has", nil},
		"unknown argument": {with(func(a *vllmgo.EngineArgs) { a.Extra = map[string]any{"max_num_batched_token": 1} }),
			"has no engine argument max_num_batched_token; did you mean max_num_batched_tokens?", nil},
		"wrong type": {with(func(a *vllmgo.EngineArgs) { a.Extra = map[string]any{"max_num_seqs": "many"} }),
			"max_num_seqs is 'many': it must be int or None", nil},
		"out of range": {with(func(a *vllmgo.EngineArgs) { a.GPUMemoryUtilization = 1.5 }),
			"gpu_memory_utilization is 1.5: Input should be less than or equal to 1", nil},
		"load format":         {with(func(a *vllmgo.EngineArgs) { a.LoadFormat = "zip" }), "load_format 'zip' is none of auto", nil},
		"executor backend":    {with(func(a *vllmgo.EngineArgs) { a.DistributedExecutorBackend = "mpi" }), "'mpi' is none of mp", nil},
		"scheduling policy":   {with(func(a *vllmgo.EngineArgs) { a.SchedulingPolicy = "lifo" }), "policy is 'lifo'", nil},
		"runner":              {with(func(a *vllmgo.EngineArgs) { a.Runner = "embed" }), "runner is 'embed'", nil},
		"LoRA rank":           {with(func(a *vllmgo.EngineArgs) { a.EnableLoRA, a.MaxLoRARank = true, 17 }), "max_lora_rank is 17", nil},
		"too long a sequence": {with(func(a *vllmgo.EngineArgs) { a.MaxModelLen = 100000 }), "max_model_len (100000)", nil},
		"tokenizer": {with(func(a *vllmgo.EngineArgs) { a.Tokenizer, a.SkipTokenizerInit = "/no/such/tokenizer", false }),
			"there is no model folder /no/such/tokenizer", vllmgo.ErrModelNotFound},
		"batch smaller than its sequences": {with(func(a *vllmgo.EngineArgs) { a.MaxNumSeqs, a.MaxNumBatchedTokens = 300, 64 }),
			"max_num_batched_tokens (64) must be greater than or equal to max_num_seqs (300)", nil},
		"heads": {split(map[string]any{"num_attention_heads": 3}), "does not divide the model's 3 attention heads: only 1 does", nil},
		"KV heads": {split(map[string]any{"num_attention_heads": 12, "num_key_value_heads": 3, "intermediate_size": 768, "vocab_size": 768}),
			"does not divide the model's 3 KV heads, nor is it a multiple of them: 1, 3, 6 and 12 do", nil},
		"intermediate size": {split(map[string]any{"intermediate_size": 255}), "divide the model's intermediate size of 255: only 1 does", nil},
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

// withWeights is a tiny model with that file of weights.
func withWeights(t *testing.T, content string) vllmgo.EngineArgs {
	t.Helper()
	args := tiny(t, vllmgo.EngineModeAuto)
	args.LoadFormat = "safetensors"
	require.NoError(t, os.WriteFile(filepath.Join(args.Model, "model.safetensors"), []byte(content), 0o644))
	return args
}

// TestEnvironment sets variables after Python has started.
func TestEnvironment(t *testing.T) {
	args := tiny(t, vllmgo.EngineModeAuto)
	t.Setenv("VLLM_CPU_KVCACHE_SPACE", "lots")
	_, err := vllmgo.New(t.Context(), args)
	assert.ErrorContains(t, err, "the environment has VLLM_CPU_KVCACHE_SPACE=lots, which vLLM cannot read")
	t.Setenv("VLLM_CPU_KVCACHE_SPACE", "-1")
	_, err = vllmgo.New(t.Context(), args)
	assert.ErrorContains(t, err, "VLLM_CPU_KVCACHE_SPACE=-1: it must be a number of GiB")
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

// engines are the processes of vLLM below this one. multiprocessing's resource tracker, which
// stays, is none.
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
