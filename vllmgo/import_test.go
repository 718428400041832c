package vllmgo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// importEnv makes the test's program run cancelEverywhere, in the engine mode that it names.
const importEnv = "VLLMGO_TEST_IMPORT"

// late is how much later than its context ends a call may return.
const late = 3 * time.Second

// cancelEverywhere is a program that ends contexts every 100 ms while Python starts, vLLM is
// imported and an engine loads. Then everything works.
func cancelEverywhere(mode vllmgo.EngineMode) error {
	args := vllmgo.EngineArgs{
		Model: os.Getenv("VLLMGO_TEST_MODEL"), LoadFormat: "dummy", SkipTokenizerInit: true, EnforceEager: true, EngineMode: mode,
	}
	limited := func(limit time.Duration, call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		start := time.Now()
		err := call(ctx)
		if took := time.Since(start); took > limit+late {
			return fmt.Errorf("a call with a limit of %v took %v", limit, took)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("after %v: %w", limit, err)
		}
		return err
	}
	imported := 0
	for {
		err := limited(100*time.Millisecond, func(ctx context.Context) error {
			_, err := vllmgo.DetectDevice(ctx)
			return err
		})
		if err == nil {
			break
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		imported++
	}
	step := 100 * time.Millisecond
	if mode == vllmgo.OwnProcess {
		step = 2400 * time.Millisecond
	}
	stopped := 0
	for limit := step; limit <= 16*step; limit += step {
		var llm *vllmgo.LLM
		err := limited(limit, func(ctx context.Context) (err error) {
			llm, err = vllmgo.New(ctx, args)
			return err
		})
		if err == nil { // further limits are longer than loading takes
			if err := llm.Close(); err != nil {
				return err
			}
			break
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		stopped++
	}
	llm, err := vllmgo.New(context.Background(), args)
	if err != nil {
		return err
	}
	if _, err := llm.Generate(context.Background(), vllmgo.Tokens([]int32{1}), vllmgo.Greedy(2)); err != nil {
		return err
	}
	fmt.Println("stopped while importing:", imported, "while loading:", stopped)
	if imported == 0 || stopped == 0 {
		return errors.New("nothing was stopped")
	}
	return llm.Close()
}

// program is this test's binary as another program.
func program(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestCancelEverywhere stops imports and loading at many moments.
func TestCancelEverywhere(t *testing.T) {
	testenv.VLLM(t)
	for _, mode := range []vllmgo.EngineMode{vllmgo.InProcess, vllmgo.OwnProcess} {
		t.Run(string(mode), func(t *testing.T) {
			output, err := program(t, importEnv+"="+string(mode), "VLLMGO_TEST_MODEL="+testenv.TinyLlama(t, 1000)).Output()
			t.Logf("%s", output)
			require.NoError(t, err)
		})
	}
}

// TestPythonThatHangs names a Python that does not answer.
func TestPythonThatHangs(t *testing.T) {
	python := filepath.Join(t.TempDir(), "python")
	require.NoError(t, os.WriteFile(python, []byte("#!/bin/sh\necho $$ >$0.pid\nexec sleep 600\n"), 0o755))
	output, err := program(t, importEnv+"=hang", "VLLMGO_PYTHON="+python).Output()
	if pid, readErr := os.ReadFile(python + ".pid"); assert.NoError(t, readErr) {
		assert.NoError(t, exec.Command("kill", strings.TrimSpace(string(pid))).Run())
	}
	require.NoError(t, err)
	assert.Contains(t, string(output), "vllmgo: waiting for Python: context deadline exceeded")
}

// hang is a program whose Python does not answer.
func hang() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := vllmgo.DetectDevice(ctx)
	fmt.Println(err)
}

// TestWorkingDirectory runs a program in a folder with files that are called like modules of
// Python's. None of its processes imports them. The program's engine leaves nothing in the folder
// for temporary files.
func TestWorkingDirectory(t *testing.T) {
	testenv.VLLM(t)
	folder, temporary := t.TempDir(), t.TempDir()
	marker := filepath.Join(folder, "imported")
	for _, module := range []string{"signal", "torch", "random", "socket", "vllm"} {
		source := fmt.Sprintf("open(%q, 'a').write(%q)\nraise ImportError('not this one')\n", marker, module)
		require.NoError(t, os.WriteFile(filepath.Join(folder, module+".py"), []byte(source), 0o644))
	}
	python, err := vllmgo.Python()
	require.NoError(t, err)
	for _, how := range []string{exitSIGTERM, exitClose} {
		cmd := program(t, "VLLMGO_TEST_EXIT="+how, "VLLMGO_TEST_MODEL="+testenv.TinyLlama(t, 1000), "VLLMGO_PYTHON="+python, "TMPDIR="+temporary)
		cmd.Dir = folder
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		readPIDs(t, stdout)
		private := privateFolders(t, temporary)
		if how == exitSIGTERM {
			require.Len(t, private, 1, "the engine's folder")
			info, err := os.Stat(private[0])
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "nobody else can connect to the engine")
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
			assert.Error(t, cmd.Wait())
			assert.Len(t, privateFolders(t, temporary), 1, "until the next engine loads")
			continue
		}
		require.NoError(t, cmd.Wait())
		assert.Empty(t, privateFolders(t, temporary))
	}
	entries, err := os.ReadDir(temporary)
	require.NoError(t, err)
	for _, entry := range entries {
		assert.NotContains(t, entry.Name(), "vllm")
		assert.Zero(t, entry.Type()&os.ModeSocket, "%s is a socket", entry.Name())
	}
	content, err := os.ReadFile(marker)
	assert.ErrorIs(t, err, os.ErrNotExist, "imported from the working directory: %s", content)
}

func privateFolders(t *testing.T, temporary string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(temporary, "vllmgo-*"))
	require.NoError(t, err)
	return found
}
