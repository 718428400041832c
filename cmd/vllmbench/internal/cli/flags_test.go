package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/vllm"
)

// lengthsFile writes a file of lengths.
func lengthsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lengths.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"input_len": 20, "output_len": 3}`), 0o644))
	return path
}

// A flag that another one would make useless is refused before anything starts.
func TestFlagsThatExcludeEachOther(t *testing.T) {
	lengths, none := lengthsFile(t), t.TempDir()
	for want, commands := range map[string][]string{
		"varies max_num_seqs, so it cannot be 2 at all points": {"run --axis max_num_seqs=8,16 --set max_num_seqs=2"},
		"varies engine.max_num_seqs, so it cannot be 2":        {"run --axis max_num_seqs=8,16 --set engine.max_num_seqs=2"},
		"varies requests, so it cannot be 3":                   {"run --preset quick --set requests=3", "run --set requests=3", "race --set requests=3", "run --sweep request-count --set requests=3"},
		"varies input_len, so it cannot be 3":                  {"run --preset full --sweep sequence-length --set input_len=3"},
		"two axes of max_num_seqs":                             {"run --axis max_num_seqs=8,16 --axis max_num_seqs=2"},
		"two axes of engine.max_num_seqs":                      {"run --axis max_num_seqs=8 --axis engine.max_num_seqs=2"},
		"--set engine.dtype: the command line sets it twice":   {"run --set dtype=float16 --set dtype=float32"},
		"--set input_len: the command line sets it twice":      {"soak --set input_len=2 --set input_len=3"},
		"--axis requests and --requests set the same":          {"run --requests 4 --axis requests=1,2"},
		"--axis input_len and --input-len set the same":        {"run --input-len 4 --axis input_len=1,2"},
		"--set output_len and --output-len set the same":       {"run --requests 4 --output-len 4 --set output_len=1", "soak --output-len 4 --set output_len=1"},
		"--axis shared_prefix and --shared-prefix set":         {"run --shared-prefix 4 --axis shared_prefix=1,2"},
		"--axis engine.dtype and --dtype set the same":         {"run --dtype float16 --axis dtype=float16,float32"},
		"--set engine.tensor_parallel_size and --tensor-par":   {"run --tensor-parallel-size 2 --set tensor_parallel_size=1"},
		"--set engine.data_parallel_size and --data-parall":    {"run --data-parallel-size 2 --set data_parallel_size=3"},
		"--set engine.gpu_memory_utilization and --gpu-mem":    {"run --gpu-memory-utilization 0.5 --set engine.gpu_memory_utilization=1"},
		"--axis engine.engine_mode and --engine-mode set":      {"run --engine-mode in-process --axis engine_mode=in-process,own-process"},
		`its point would be called "batch size 1"`:             {"run --name batch-size --requests 2"},
		"have no effect with --lengths":                        {"run --lengths " + lengths + " --input-len 5", "run --lengths " + lengths + " --output-len 5"},
		"--trials gives the number of trials":                  {"run --trials 3 --target 0.1", "run --trials 3 --budget 1m"},
		"--target has no effect with --preset notebook":        {"run --preset notebook --target 0.1"},
		"--cold has no effect with the notebook's warm-up":     {"run --cold --warmup notebook", "run --cold --preset notebook"},
		"--dtype has no effect with --report":                  {"replay --report --dtype float16 " + none},
		"--seed has no effect with --report":                   {"replay --report --seed 3 " + none},
		"--trials has no effect with --check-requests":         {"replay --check-requests --model m --trials 3 " + none},
		"--requests is 5; it must be at least 20":              {"soak --set requests=5"},
		"--requests is 0; it must be at least 20":              {"soak --requests 0"},
	} {
		for _, command := range commands {
			lib := benchtest.NewLibrary("cpu", "facebook/opt-125m")
			args := strings.Fields(command)
			if args[0] != "replay" {
				args = append(args, "--out", filepath.Join(t.TempDir(), "out"))
			}
			status, stdout, stderr := runVllmbench(t, lib, args...)
			assert.Equal(t, 2, status, command)
			assert.Contains(t, stderr, want, command)
			assert.Empty(t, stdout, command)
			assert.Empty(t, lib.Opened, command)
		}
	}
}

// The help of each command has lines of at most 80 columns.
func TestHelpIsNarrow(t *testing.T) {
	for _, command := range strings.Fields("run replay compare scaling race soak help") {
		status, stdout, _ := runVllmbench(t, benchtest.NewLibrary("cpu"), command, "--help")
		assert.Zero(t, status)
		for line := range strings.Lines(stdout) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 80, "%s: %s", command, line)
		}
	}
}

// A value that is wrong is refused before anything starts, in the words of users.
func TestWrongValues(t *testing.T) {
	for want, commands := range map[string][]string{
		"--requests is 0; it must be at least 1":                  {"run --requests 0"},
		"--requests is -5; it must be at least 1":                 {"run --requests -5"},
		`--requests is "abc"; it must be a whole number`:          {"run --requests abc", "soak --requests abc"},
		"--trials is 0; it must be above 0":                       {"run --trials 0"},
		"--trials is -3; it must be above 0":                      {"run --trials -3"},
		"--budget is 0s; it must be above 0":                      {"run --budget 0", "run --budget 0m"},
		"--budget is -1s; it must be above 0":                     {"run --budget -1s"},
		`--budget is "-1"; it must be a time with its unit`:       {"run --budget -1"},
		`--budget is "5min"; it must be a time with its unit`:     {"run --budget 5min"},
		"--timeout is 0s; it must be above 0":                     {"run --timeout 0s"},
		"--goodput-ttft is 0s; it must be above 0":                {"run --latency --goodput-ttft 0s"},
		"--target is 0; it must be above 0":                       {"run --target 0"},
		"--target is 2; it is a fraction":                         {"run --target 2"},
		"--target is NaN; it is a fraction":                       {"run --target nan"},
		`--target is "two"; it must be a number`:                  {"run --target two"},
		`--text is "maybe"; it must be true or false`:             {"run --text=maybe"},
		"there is no flag -budget; did you mean --budget?":        {"run -budget 5m", "run -budget=5m"},
		"there is no flag --lengthz; did you mean --lengths?":     {"run --lengthz x"},
		"there is no flag --frobnicate; vllmbench run --help":     {"run --frobnicate"},
		"there is no flag --latency; vllmbench soak --help":       {"soak --latency"},
		"axis input_len has the value 8 twice":                    {"run --axis input_len=8,8"},
		"two axes of input_len":                                   {"run --axis input_len=1,2 --axis input_len=3"},
		"input_len=eight: the value must be an integer":           {"run --axis input_len=eight"},
		"input_len=-1 has a request of -1 input":                  {"run --axis input_len=16,-1"},
		`no setting "request"; did you mean requests?`:            {"run --axis request=1,2", "run --set request=3"},
		"there is no such argument; did you mean max_num_seqs?":   {"run --set max_num_seqz=3", "run --axis engine.max_num_seqz=3,4", "race --set max_num_seqz=3"},
		"max_num_seqs=many: the value is a string; it must be":    {"run --set max_num_seqs=many"},
		"there is no such field; did you mean temperature?":       {"run --set sampling.temprature=1"},
		`"FOO-BAR" cannot be the name of an environment variable`: {"run --axis env.FOO-BAR=1,2"},
		`"" cannot be the name of an environment variable`:        {"run --axis env.=1,2", "run --set env.=1"},
		"the prefix must be engine., sampling. or env.":           {"run --set samplin.temperature=1"},
		"has no run to go on with; leave --resume out":            {"run --resume"},
		"--input-len has an effect in a study of your own only":   {"run --preset quick --input-len 64"},
		"--out: the results folder cannot be made":                {"run --out /proc/none", "race --out /proc/none", "soak --out /proc/none"},
	} {
		for _, command := range commands {
			lib := benchtest.NewLibrary("cpu", "facebook/opt-125m")
			args, out := strings.Fields(command), filepath.Join(t.TempDir(), "out")
			if !slices.Contains(args, "--out") {
				args = append(args, "--out", out)
			}
			status, stdout, stderr := runVllmbench(t, lib, args...)
			assert.Equal(t, 2, status, command)
			assert.Contains(t, stderr, want, command)
			assert.Empty(t, stdout, command)
			assert.Empty(t, lib.Opened, command)
			assert.NoDirExists(t, out, command)
		}
	}
}

// samples are flags that change what run does, with the flags that they need.
func samples(t *testing.T) [][]string {
	var all [][]string
	for _, text := range []string{
		"--model other", "--tensor-parallel-size 2", "--data-parallel-size 2", "--gpu-memory-utilization 0.5", "--dtype float32", "--engine-mode in-process",
		"--seed 3", "--preset full", "--preset latency", "--preset notebook", "--sweep batch-size", "--sweep sequence-length",
		"--trials 3", "--target 0.1", "--budget 1h", "--warmup full", "--timeout 1m", "--cold", "--text", "--latency",
		"--latency --goodput-ttft 1s", "--latency --goodput-tpot 1s", "--latency --goodput-e2e 1s", "--out here", "--out here --resume",
		"--requests 5", "--requests 5 --name mine", "--requests 5 --input-len 9", "--requests 5 --output-len 9",
		"--requests 5 --input-len uniform:2,9", "--requests 5 --shared-prefix 2", "--lengths " + lengthsFile(t),
		"--axis requests=2,3", "--axis input_len=2,3", "--axis output_len=2,3", "--axis shared_prefix=2,3", "--axis max_num_seqs=2,3",
		"--axis engine.max_num_seqs=4,5", "--axis dtype=float16,bfloat16", "--axis sampling.top_k=2,3", "--axis env.X=2,3",
		"--set requests=6", "--set input_len=4", "--set output_len=4", "--set shared_prefix=4", "--set max_num_seqs=6",
		"--set engine.max_num_seqs=7", "--set tensor_parallel_size=1", "--set data_parallel_size=3", "--set gpu_memory_utilization=0.25", "--set engine_mode=own-process",
		"--set sampling.top_k=4", "--set env.X=4", "--set seed=5", "--set enforce_eager=false",
	} {
		all = append(all, strings.Fields(text))
	}
	return all
}

// planOf returns what a command line of run would do, or nil and an error of the command line.
func planOf(t *testing.T, args []string) (*bench.Settings, error) {
	t.Helper()
	var o options
	f := pflag.NewFlagSet("run", pflag.ContinueOnError)
	o.addRunFlags(f)
	require.NoError(t, f.Parse(args))
	if err := o.checkRun(f); err != nil {
		return nil, err
	}
	s := o.settings()
	if o.out == "" {
		s.Dir = "" // which has the time
	}
	s.Library = benchtest.NewLibrary("cpu", "facebook/opt-125m", "other").Library
	p, cleanup, err := vllm.Prepare(t.Context(), s)
	defer cleanup()
	require.NoError(t, err, args)
	p.Open, p.Limits, p.Progress = nil, nil, nil // which cannot be compared
	return &p, nil
}

// Of each two flags both have an effect, or the command line is refused. Every flag of run takes
// part but --verbose, which changes what is printed alone.
func TestNoFlagOverridesAnother(t *testing.T) {
	all := samples(t)
	var names []string
	for _, sample := range all {
		for _, word := range sample {
			if name, found := strings.CutPrefix(word, "--"); found {
				names = append(names, name)
			}
		}
	}
	var o options
	f := pflag.NewFlagSet("run", pflag.ContinueOnError)
	o.addRunFlags(f)
	names = append(names, "verbose")
	f.VisitAll(func(flag *pflag.Flag) { assert.Contains(t, names, flag.Name, "a flag without a sample") })

	nothing, err := planOf(t, nil)
	require.NoError(t, err)
	alone := make([]*bench.Settings, len(all))
	for i, sample := range all {
		if alone[i], err = planOf(t, sample); err == nil {
			assert.False(t, reflect.DeepEqual(nothing, alone[i]), "%q has no effect", sample)
		}
	}
	// within reports whether the words of a sample are among those of another.
	within := func(a, b []string) bool { return strings.Contains(strings.Join(b, " "), strings.Join(a, " ")) }
	// subject returns the flag that a sample is for.
	subject := func(sample []string) string {
		flags := slices.DeleteFunc(slices.Clone(sample), func(word string) bool { return !strings.HasPrefix(word, "--") })
		return flags[len(flags)-1]
	}
	both, refused := 0, 0
	for i, first := range all {
		for j, second := range all[:i] {
			if within(first, second) || within(second, first) || alone[i] == nil && alone[j] == nil {
				continue
			}
			if name := subject(first); name == subject(second) && name != "--axis" && name != "--set" {
				continue // of one flag the last value counts
			}
			plan, err := planOf(t, slices.Concat(first, second))
			if err != nil {
				refused++
				continue
			}
			both++
			assert.False(t, reflect.DeepEqual(alone[i], plan), "%q has no effect with %q", second, first)
			assert.False(t, reflect.DeepEqual(alone[j], plan), "%q has no effect with %q", first, second)
		}
	}
	t.Logf("%d pairs have both their effects, %d are refused", both, refused)
}
