// Package examples_test runs the example programs as a user would.
package examples_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/pyembed"
	"vllmgo/vllmgo"
)

// build builds an example and returns the program's path.
func build(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(name))
	output, err := exec.Command("go", "build", "-o", program, "./"+name).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return program
}

// TestNumpy runs the program that uses pyembed alone.
func TestNumpy(t *testing.T) {
	python, err := pyembed.Locate(t.Context(), pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err == nil {
		// With -P Python does not import the folder numpy.
		err = exec.Command(python.Executable, "-P", "-c", "import numpy").Run()
	}
	if err != nil && os.Getenv("VLLMGO_REQUIRE_VLLM") == "" {
		t.Skip("no Python with numpy:", err)
	}
	cmd := exec.Command(build(t, "numpy"))
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, "x = 2.000, y = 3.000, z = -1.000\n", string(output))
}

// TestPrograms runs the short programs, each as its first line says.
func TestPrograms(t *testing.T) {
	model := testenv.SmolLM2(t)
	for _, c := range []struct {
		program string
		args    []string
		want    []string // in the output, in this order
	}{
		{"quickstart", []string{"--model", model, "The capital of France is"}, []string{"The capital of France is Paris"}},
		{"chat", []string{"--model", model}, []string{"Paris"}},
		{"streaming", []string{"--model", model}, []string{"Once upon a time"}},
		{"structured", []string{"--model", model}, []string{"{Name:", "Country:", "Population:"}},
		{"logprobs", []string{"--model", model}, []string{"%", `" Paris"`, "%", `"."`}},
		{"lora", []string{"--model", model, "--adapter", testenv.TinyLoRA(t)}, []string{"model:", "adapter:"}},
		{"embeddings", []string{"--model", testenv.MiniLM(t)}, []string{"Knead the dough", "Ovens", "stock market"}},
		{"goroutines", []string{"--model", model}, []string{"0 plus one is", "15 plus one is", "16 callers in"}},
		{"cancel", []string{"--model", model}, []string{
			"stopped: vllmgo: generation stopped: context deadline exceeded", "some tokens came before: true", "The capital of France is Paris"}},
		{"tensorparallel", []string{"--model", testenv.TinyLlamaWithTokenizer(t), "--load-format", "dummy"}, []string{
			"on 2 ×", "The capital of France is"}},
		{"replicas", []string{"--model", model, "--prompts", "9"}, []string{"0 plus one is", "9 prompts on 2 engines"}},
		{"jsonlines", []string{"--model", model}, []string{`{"index":0,"text":" Paris`}},
	} {
		t.Run(c.program, func(t *testing.T) {
			cmd := exec.Command(build(t, c.program), c.args...)
			cmd.Stdin = strings.NewReader(`"The capital of France is"`) // of jsonlines
			cmd.Stderr = os.Stderr
			output, err := cmd.Output()
			require.NoError(t, err)
			t.Logf("%s", output)
			rest := string(output)
			for _, want := range c.want {
				_, after, found := strings.Cut(rest, want)
				require.True(t, found, "%q in %q", want, rest)
				rest = after
			}
		})
	}
}

// programStart goes before the lines of main that the README shows.
const programStart = `package main

import (
	"context"
	"fmt"
	"log"

	"vllmgo/vllmgo"
)

func main() {
	ctx := context.Background()
`

// TestOtherModule builds and runs a program of another module, made as the README says.
func TestOtherModule(t *testing.T) {
	model := testenv.SmolLM2(t)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	lines := strings.NewReplacer(
		"HuggingFaceTB/SmolLM2-135M-Instruct", model,
		"GPUMemoryUtilization: 0.5", "GPUMemoryUtilization: 0.5, EnforceEager: true", // starts sooner
	).Replace(block(t, string(readme), "```go\n"))
	dir := otherModule(t, programStart+lines+"}\n")
	python, err := vllmgo.Python() // there is no .venv above the folder
	require.NoError(t, err)
	cmd := exec.Command(filepath.Join(dir, "program"))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "VLLMGO_PYTHON="+python)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	require.NoError(t, err)
	assert.Contains(t, string(output), "Paris")
}

// otherModule builds a program in a module of its own, made as the README says, and returns its
// folder.
func otherModule(t *testing.T, program string) (dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	dir = t.TempDir()
	gomod := strings.ReplaceAll(block(t, string(readme), "```go-mod\n"), "../vllmgo", root)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(gomod), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o644))
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "-o", "program", "."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v: %s", args, output)
	}
	return dir
}

// block is the README's first code block with that opening line.
func block(t *testing.T, readme, opening string) string {
	t.Helper()
	_, rest, found := strings.Cut(readme, opening)
	require.True(t, found)
	text, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	return text
}

// TestStudy builds and runs a program of another module that measures a study: with a process for
// each engine, latencies and the speed of light. A second call has nothing left to measure.
func TestStudy(t *testing.T) {
	model := testenv.SmolLM2(t)
	program, err := os.ReadFile("study/main.go")
	require.NoError(t, err)
	assert.LessOrEqual(t, strings.Count(string(program[strings.Index(string(program), "func main"):]), "\n"), 35)
	dir := otherModule(t, string(program))
	out := filepath.Join(dir, "results")
	run := func() string {
		cmd := exec.Command(filepath.Join(dir, "program"), "--model", model, "--out", out)
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		python, err := vllmgo.Python()
		require.NoError(t, err)
		cmd.Env = append(os.Environ(), "VLLM_CPU_KVCACHE_SPACE=1", "VLLMGO_PYTHON="+python)
		output, err := cmd.Output()
		require.NoError(t, err)
		return string(output)
	}
	first := run()
	assert.Regexp(t, `requests=4: \d+ generated tok/s, TTFT p50 [\d.]+ms, \d+ % of the speed of light
requests=16: \d+ generated`, first)
	journal, err := os.ReadFile(filepath.Join(out, "journal.jsonl"))
	require.NoError(t, err)
	assert.Equal(t, first, run())
	again, err := os.ReadFile(filepath.Join(out, "journal.jsonl"))
	require.NoError(t, err)
	assert.Equal(t, string(journal), string(again))
}

// TestInterrupt presses Ctrl-C after the first trial: as in a terminal, all of the program's
// processes get SIGINT. What was measured is printed.
func TestInterrupt(t *testing.T) {
	testenv.VLLM(t)
	for name, c := range map[string]struct {
		program string
		args    []string
		status  int
	}{
		"vllmbench": {"../cmd/vllmbench", []string{"run", "--sweep", "batch-size", "--preset", "quick", "--engine-mode", "own-process"}, 130},
		"example":   {"batchsize", []string{"--preset", "quick"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "results")
			cmd := exec.Command(build(t, c.program), append(c.args, "--out", out)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.Env = append(os.Environ(), "VLLM_CPU_KVCACHE_SPACE=1")
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			var stdout strings.Builder
			cmd.Stdout = &stdout
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			lines := bufio.NewScanner(io.TeeReader(stderr, os.Stderr))
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "[") {
					require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
					break
				}
			}
			_, err = io.Copy(os.Stderr, stderr)
			require.NoError(t, err)
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Wait(), &exit)
			assert.Equal(t, c.status, exit.ExitCode())
			assert.Contains(t, stdout.String(), "│ 1 ")
			assert.Contains(t, stdout.String(), "not measured")
			for _, file := range []string{"journal.jsonl", "results.json", "batch-size.csv", "batch-size.png", "report.txt"} {
				assert.FileExists(t, filepath.Join(out, file))
			}
		})
	}
}
