package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

func TestVllmbenchRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	lib := benchtest.NewLibrary("cpu", "m")
	dir := t.TempDir()
	lengths := filepath.Join(t.TempDir(), "lengths.jsonl")
	require.NoError(t, os.WriteFile(lengths, []byte(`{"input_len": 20, "output_len": 3}
{"prompt": "abcdefgh", "completion": "ab"}
{"prompt": "unanswered", "completion": ""}`), 0o644))

	for name, c := range map[string]struct {
		args  []string
		check func(*testing.T, *journal.Journal)
	}{
		"preset": {[]string{"--preset", "latency"}, func(t *testing.T, j *journal.Journal) {
			assert.Equal(t, "latency", j.Header.Preset)
			assert.Equal(t, 8*128, j.Trials[0].Ledger.OutputTokens)
		}},
		"grid": {[]string{"--requests", "3", "--output-len", "5", "--axis", "max_num_seqs=1,2", "--axis", "env.VLLMGO_TEST_GRID=a,b", "--set", "sampling.temperature=1"},
			func(t *testing.T, j *journal.Journal) {
				require.Len(t, j.Header.Studies[0].Points, 4)
				assert.Equal(t, "max_num_seqs=2, env.VLLMGO_TEST_GRID=b", j.Header.Studies[0].Points[3].String())
				assert.Equal(t, 1.0, j.Header.Studies[0].Points[3].Set.Sampling["temperature"])
				assert.Len(t, j.Engines, 4)
				assert.Len(t, j.Trials, 4)
			}},
		"distributions": {[]string{"--requests", "50", "--input-len", "uniform:10,20", "--output-len", "normal:8,2", "--shared-prefix", "4"},
			func(t *testing.T, j *journal.Journal) {
				p := j.Header.Studies[0].Points[0]
				assert.Len(t, p.Lengths, 50)
				assert.Equal(t, 4, p.SharedPrefix)
				assert.Equal(t, p.InputTokens(), j.Trials[0].Ledger.InputTokens)
			}},
		"lengths": {[]string{"--requests", "4", "--lengths", lengths, "--text"}, func(t *testing.T, j *journal.Journal) {
			assert.ElementsMatch(t, []workload.RequestLength{{Input: 20, Output: 3}, {Input: 8, Output: 2}, {Input: 20, Output: 3}, {Input: 8, Output: 2}}, j.Header.Studies[0].Points[0].Lengths)
			assert.Equal(t, workload.LengthsFile{Requests: 2, LeftOut: 1}, j.Header.Studies[0].Points[0].LengthsFile)
			assert.True(t, j.Header.Text)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(dir, name)
			args := append([]string{"run", "--model", "m", "--trials", "1", "--out", out}, c.args...)
			run := runVllmbench
			if name == "grid" { // whose environment variables need a process for each engine
				run = runProcesses
			}
			status, stdout, stderr := run(t, lib, args...)
			require.Zero(t, status, stderr)
			j := journalOf(t, out)
			assert.Empty(t, j.Failures)
			c.check(t, j)
			assert.Contains(t, stdout, "Summary\n")
			if name == "lengths" {
				const note = "the file of lengths has 2 requests, so its lengths are used up to 2 times each"
				assert.Contains(t, strings.Join(strings.Fields(stdout), " "), note)
				assert.Equal(t, 1, strings.Count(stderr, note), "told once")
			}
			testAgain(t, lib, run, out, j)
		})
	}
}

// testAgain replays a run, compares the two, and makes the report again.
func testAgain(
	t *testing.T,
	lib *benchtest.Library,
	run func(*testing.T, *benchtest.Library, ...string) (int, string, string),
	out string,
	j *journal.Journal,
) {
	t.Helper()
	status, stdout, stderr := runVllmbench(t, lib, "replay", "--check-requests", out)
	require.Zero(t, status, stderr)
	assert.Contains(t, stdout, "are those of the journal")
	again := out + "-again"
	status, _, stderr = run(t, lib, "replay", "--dtype", "float32", "--out", again, out)
	require.Zero(t, status, stderr)
	assert.Equal(t, j.PromptHashes(), journalOf(t, again).PromptHashes())
	assert.Equal(t, "float32", journalOf(t, again).Header.EngineArgs.Dtype)
	assert.Equal(t, j.Header.Text, journalOf(t, again).Header.Text)

	status, stdout, stderr = runVllmbench(t, lib, "compare", out, filepath.Join(again, "report.txt"))
	require.Zero(t, status, stderr)
	assert.Contains(t, stdout, "too few trials")
	assert.NotContains(t, stdout, "prompts differ")

	report, err := os.ReadFile(filepath.Join(out, "report.txt"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(out, "report.txt")))
	status, stdout, stderr = runVllmbench(t, lib, "replay", "--report", "--verbose", filepath.Join(out, journal.FileName))
	require.Zero(t, status, stderr)
	assert.Equal(t, string(report), stdout)
	assert.FileExists(t, filepath.Join(out, "report.txt"))
}

func TestVllmbenchRefuses(t *testing.T) {
	lib := benchtest.NewLibrary("cpu", "m")
	empty, damaged, soaked := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(damaged, journal.FileName), []byte("{}\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(soaked, journal.SoakFileName), nil, 0o644))
	for want, c := range map[string]struct {
		status int
		args   []string
	}{
		"there is no flag --speed":                  {2, []string{"run", "--speed", "1"}},
		"--target is 0":                             {2, []string{"run", "--target", "0"}},
		`no length distribution "long"`:             {2, []string{"run", "--requests", "2", "--input-len", "long"}},
		`no axis "speed"`:                           {2, []string{"run", "--axis", "speed"}},
		`no setting "speed"`:                        {2, []string{"run", "--set", "speed"}},
		"prompts as text need a tokenizer":          {1, []string{"run", "--text"}},
		"no such file":                              {2, []string{"run", "--lengths", "none.jsonl"}},
		"accepts 1 arg(s), received 0":              {2, []string{"replay"}},
		"limits of goodput need --latency":          {2, []string{"run", "--goodput-ttft", "1s"}},
		"reading the journal: open " + empty:        {2, []string{"replay", empty}},
		"the first line is not a header":            {1, []string{"replay", damaged}},
		"none of the others can be":                 {2, []string{"replay", "--check-requests", "--report", empty}},
		"--requests is -5":                          {2, []string{"run", "--requests", "-5"}},
		"--requests is 0":                           {2, []string{"run", "--requests", "0"}},
		"--preset has no effect with a study":       {2, []string{"run", "--preset", "full", "--axis", "requests=1,2"}},
		"--sweep has no effect with a study":        {2, []string{"run", "--sweep", "batch-size", "--requests", "2"}},
		"--input-len has an effect in a study":      {2, []string{"run", "--input-len", "5"}},
		"--name has an effect in a study":           {2, []string{"run", "--name", "mine"}},
		"--preset latency has no sweep batch-size":  {2, []string{"run", "--preset", "latency", "--sweep", "batch-size"}},
		"--set env.X is not possible here; set it":  {2, []string{"soak", "--set", "env.X=1"}},
		"holds another soak test's results":         {2, []string{"soak", "--out", soaked}},
		"reading the journal: open missing":         {2, []string{"scaling", "missing"}},
		"has no journal of a run":                   {2, []string{"replay", "--report", t.TempDir()}},
		`--sweep is "batch"`:                        {2, []string{"run", "--sweep", "batch"}},
		"compare needs the results folders of two":  {2, []string{"compare", "a"}},
		"reading the journal: open none":            {2, []string{"compare", "none", "none"}},
		`open \x1b[2Jnone`:                          {2, []string{"compare", "\x1b[2Jnone", "none"}},
		`the name "a/b" becomes part of file names`: {2, []string{"run", "--requests", "2", "--name", "a/b"}},
		`unknown command "measure" for "vllmbench"`: {2, []string{"measure"}},
	} {
		if want == "prompts as text need a tokenizer" {
			lib.LoadTokenizer = func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error) { return nil, os.ErrNotExist }
		}
		if c.args[0] == "run" {
			c.args = append(c.args, "--model", "m", "--out", filepath.Join(t.TempDir(), "out"))
		}
		status, _, stderr := runVllmbench(t, lib, c.args...)
		assert.Equal(t, c.status, status, want)
		assert.Contains(t, stderr, want)
	}
}

// gappy is a tokenizer without the IDs 40 to 79.
type gappy struct{ fake.Letters }

func (gappy) MissingTokenIDs() []int32 {
	var ids []int32
	for id := range int32(40) {
		ids = append(ids, 40+id)
	}
	return ids
}

// Prompts have no IDs that no token has, as token IDs and as texts.
func TestVocabularyWithGaps(t *testing.T) {
	for _, flags := range [][]string{nil, {"--text"}} {
		lib := benchtest.NewLibrary("cpu", "m")
		lib.LoadTokenizer = func(context.Context, vllmgo.EngineArgs) (workload.Tokenizer, error) { return gappy{}, nil }
		out := filepath.Join(t.TempDir(), "out")
		args := append([]string{"run", "--model", "m", "--trials", "1", "--requests", "20", "--out", out}, flags...)
		status, _, stderr := runVllmbench(t, lib, args...)
		require.Zero(t, status, stderr)
		vocabulary := journalOf(t, out).Header.Vocabulary
		assert.Equal(t, 58, vocabulary.Size(), "100 tokens without 1, 99 and 40 to 79")
		assert.Equal(t, int32(98), vocabulary.Highest())
	}
}

// What the model cannot hold is refused before an engine is loaded, also when a setting of one
// point makes it so.
func TestTooLongForTheModel(t *testing.T) {
	lengths := filepath.Join(t.TempDir(), "lengths.jsonl")
	require.NoError(t, os.WriteFile(lengths, []byte(`{"input_len": 3000, "output_len": 1}`), 0o644))
	for want, args := range map[string][]string{
		"a sequence of 3001 tokens": {"run", "--trials", "1", "--lengths", lengths},
		"a sequence of 2047 tokens": {"run", "--trials", "1", "--requests", "1", "--input-len", "2000", "--output-len", "47", "--set", "max_model_len=300"},
		"a sequence of 3008 tokens": {"soak", "--requests", "20", "--input-len", "3000"},
	} {
		lib := benchtest.NewLibrary("cpu", "m")
		load := lib.LoadConfig
		lib.LoadConfig = func(ctx context.Context, args vllmgo.EngineArgs) (vllmgo.ModelConfig, error) {
			config, err := load(ctx, args)
			config.MaxModelLen = cmp.Or(args.MaxModelLen, config.MaxModelLen)
			return config, err
		}
		status, stdout, stderr := runVllmbench(t, lib, append(args, "--model", "m", "--out", filepath.Join(t.TempDir(), "out"))...)
		assert.Equal(t, 1, status, want)
		assert.Contains(t, stdout+stderr, want)
		assert.Contains(t, stdout+stderr, "exceeds the model's max_model_len")
		assert.Empty(t, lib.Opened, want)
	}
	status, _, stderr := runVllmbench(t, benchtest.NewLibrary("cpu", "m"), "run", "--model", "m", "--axis", "input_len=9000000000000000000")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "input_len=9000000000000000000 has a request of 9000000000000000000 input and 64 output tokens")
}

// Each command that reads a journal without checksums says so, and only on stderr.
func TestUnverifiedIsTold(t *testing.T) {
	const committed = "../../../../docs/results/"
	soaked := t.TempDir()
	text, err := os.ReadFile(committed + "soak/h100/soak.jsonl")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(soaked, journal.SoakFileName), text, 0o644))
	one, two := committed+"h100x2-scaling/opt-125m-tp1", committed+"h100x2-scaling/opt-125m-tp2"
	for _, args := range [][]string{
		{"compare", one, two},
		{"scaling", one, two},
		{"replay", "--check-requests", committed + "cpu-opt-125m-quick"},
		{"replay", "--report", soaked},
	} {
		status, stdout, stderr := runVllmbench(t, benchtest.NewLibrary("cpu"), args...)
		require.Zero(t, status, stderr)
		assert.Contains(t, stderr, args[len(args)-1]+": the journal is of an older version and has no checksums")
		assert.NotContains(t, stdout, "checksum")
	}
}

// A replay on a model with fewer tokens is refused before anything is loaded.
func TestReplayNeedsTheVocabulary(t *testing.T) {
	lib := benchtest.NewLibrary("cpu", "m")
	out := filepath.Join(t.TempDir(), "out")
	status, _, stderr := runVllmbench(t, lib, "run", "--model", "m", "--trials", "1", "--requests", "2", "--out", out)
	require.Zero(t, status, stderr)
	lib.LoadConfig = func(context.Context, vllmgo.EngineArgs) (vllmgo.ModelConfig, error) {
		return vllmgo.ModelConfig{VocabSize: 50, NumAttentionHeads: 1}, nil
	}
	status, _, stderr = runVllmbench(t, lib, "replay", "--out", out+"2", out)
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "the run that is repeated has token IDs up to 98, and m knows only 50")
}

// runProcesses runs a command line, and measures each engine in a process that TestMain is.
func runProcesses(t *testing.T, lib *benchtest.Library, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	args = append([]string{"vllmbench"}, args...)
	text, err := json.Marshal(args)
	require.NoError(t, err)
	t.Setenv(argsVariable, string(text))
	var out, log bytes.Buffer
	v := vllmbench{args: args, stdout: &out, stderr: &log, library: lib.Library}
	return v.execute(t.Context()), out.String(), log.String()
}
