package race

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// TestMain is also the main function of every contender: the tests run this program in place of
// Python and of vllmbench.
func TestMain(m *testing.M) {
	switch kind := Kind(os.Getenv(kindVariable)); {
	case kind == "":
		os.Exit(m.Run())
	case kind.perPoint():
		fakeThroughput(os.Args)
	default:
		open := func(_ context.Context, s start) (contestant, string, error) { return newFake(kind, s) }
		if err := serve(context.Background(), os.Stdin, os.NewFile(replies, "replies"), open); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// fake is a contestant that computes nothing. A token takes vllmgo 1 ms, Python 2 ms and HTTP 4 ms.
type fake struct {
	perToken time.Duration
	fault    string
	child    *exec.Cmd
}

func newFake(kind Kind, s start) (contestant, string, error) {
	f := &fake{perToken: map[Kind]time.Duration{VLLMGo: 1, Python: 2, HTTP: 4}[kind] * time.Millisecond, fault: os.Getenv("FAULT")}
	switch f.fault {
	case "no start":
		return nil, "", errors.New("out of memory")
	case "child":
		f.child = exec.Command("sleep", "1000")
		if err := f.child.Start(); err != nil {
			return nil, "", err
		}
		fmt.Println("child", f.child.Process.Pid, "of", os.Getpid())
	}
	if s.Mode == "" || s.Args.Model == "" {
		return nil, "", fmt.Errorf("incomplete start %+v", s)
	}
	return f, "fake 1", nil
}

func (f *fake) run(_ context.Context, p pass) (answer, error) {
	a := answer{}
	for i, prompt := range p.Prompts {
		a.InputTokens += len(prompt)
		a.OutputTokens += p.OutputLens[i]
	}
	switch f.fault {
	case "crash":
		fmt.Println("last words")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "count":
		a.OutputTokens++
	}
	if f.fault != "time" {
		a.Wall = time.Duration(a.OutputTokens) * f.perToken
	}
	a.Elapsed = a.Wall - a.Wall/100
	a.OutputsSHA256 = hashOutputs(p.Prompts)
	return a, nil
}

func (f *fake) Close() error { return nil }

// fakeThroughput does what vllm bench throughput does. A token takes 5 ms.
func fakeThroughput(args []string) {
	flags := map[string]string{}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		flags[name] = value
	}
	var requests, input, output int
	for flag, target := range map[string]*int{"--num-prompts": &requests, "--random-input-len": &input, "--random-output-len": &output} {
		if _, err := fmt.Sscan(flags[flag], target); err != nil {
			panic(err)
		}
	}
	text := fmt.Sprintf(`{"elapsed_time": %v, "total_num_tokens": %d}`, 0.005*float64(requests*output), requests*(input+output))
	if err := os.WriteFile(flags["--output-json"], []byte(text), 0o600); err != nil {
		panic(err)
	}
}

func testRace(t *testing.T, contenders ...string) prepared {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else each contender takes a second to end
	program, err := os.Executable()
	require.NoError(t, err)
	vocabulary, err := workload.NewVocabulary(1000, nil)
	require.NoError(t, err)
	study, err := workload.NewStudy("size", workload.Point{InputLen: 4, OutputLen: 2}, workload.Axis{Name: "requests", Values: []any{1, 16}})
	require.NoError(t, err)
	other, err := workload.NewStudy("other", workload.Point{Requests: 2, InputLen: 4, OutputLen: 2, Set: workload.Set{Engine: map[string]any{"max_num_seqs": 8}}})
	require.NoError(t, err)
	s := prepared{
		dir: t.TempDir(), studies: []workload.Study{study, other}, device: "none", python: program, tokenizer: "tokenizer",
		args: vllmgo.EngineArgs{Model: "model", SkipTokenizerInit: true, EngineMode: vllmgo.InProcess}, model: "model", preset: "test",
		requests: workload.Requests{Vocabulary: vocabulary}, progress: io.Discard,
		Settings: Settings{Rounds: 6, ProcessRounds: 2},
	}
	for _, text := range contenders {
		c, err := ParseContender(text)
		require.NoError(t, err)
		s.Contenders = append(s.Contenders, c)
	}
	return s
}

func run(t *testing.T, s prepared) *Result {
	t.Helper()
	require.NoError(t, s.run(t.Context()))
	j, err := ReadJournal(filepath.Join(s.dir, JournalName))
	require.NoError(t, err)
	return NewResult(j)
}

func TestRace(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, together := range []bool{false, true} {
		s := testRace(t, "vllmgo", "python", "http", "throughput")
		s.LoadTogether = together
		r := run(t, s)
		require.Len(t, r.Points, 3)
		assert.True(t, r.Complete())
		assert.Equal(t, "6 rounds", r.rounds())
		for i, want := range []float64{1, 2, 4, 5} {
			for _, p := range r.Points {
				f := p.Contenders[i]
				assert.InDelta(t, want, f.Ratio.Value, 1e-6, "%s at %s", f.Contender, p)
				assert.InDelta(t, 1000/want, f.Rate.Value, 1e-3)
			}
			assert.Equal(t, 3, r.Overall[i].Points)
			assert.InDelta(t, want, r.Overall[i].Ratio.Value, 1e-6)
		}
		assert.Equal(t, 6, r.Overall[1].Ratio.N)
		assert.Equal(t, 2, r.Overall[3].Ratio.N)
		assert.Equal(t, Figures{SameOutputs: 6, Compared: 6}.SameOutputs, r.Points[0].Contenders[1].SameOutputs)
		assert.InDelta(t, 0.01, r.Points[0].Contenders[0].Outside.Value, 1e-9)
		assert.Positive(t, r.Overall[0].FirstToken)
		assert.Positive(t, r.Overall[0].FrontEndMemory)
		assert.Positive(t, r.Overall[3].Table)

		var text strings.Builder
		require.NoError(t, r.Write(&text))
		require.NoError(t, r.writeFiles(s.dir))
		for _, part := range []string{"vllmgo, in-process", "http, own-process", "2.000 [2.000, 2.000]", "5.000 [5.000, 5.000] (50 %)", "≤ 1.00 % (requests=16)", "18 of 18 passes"} {
			assert.Contains(t, text.String(), part)
		}
	}
}

func TestRaceGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s := testRace(t, "vllmgo", "python")
	s.Rounds = 2
	run(t, s)
	path := filepath.Join(s.dir, JournalName)
	before, err := ReadJournal(path)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text[:len(text)-5], 0o600)) // as a crash leaves it
	cut, err := ReadJournal(path)
	require.NoError(t, err)
	var tables strings.Builder
	require.NoError(t, NewResult(cut).Write(&tables))
	assert.Contains(t, tables.String(), "The last line of the journal was damaged")

	s.Rounds = 3
	run(t, s)
	after, err := ReadJournal(path)
	require.NoError(t, err)
	assert.Len(t, after.Trials, 3*2*3, "each trial once")
	assert.Equal(t, before.Trials[:len(before.Trials)-1], after.Trials[:len(before.Trials)-1])
	loaded := len(after.Loaded)
	run(t, s)
	again, err := ReadJournal(path)
	require.NoError(t, err)
	assert.Len(t, again.Loaded, loaded, "nothing was left to do")

	s.requests.Seed = 1
	assert.ErrorContains(t, s.run(t.Context()), "another machine; choose another folder")
}

func TestRaceReload(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s := testRace(t, "vllmgo", "python", "broken:python,env.FAULT=no start")
	s.Rounds, s.Reload = 3, true
	r := run(t, s)
	assert.Equal(t, "0 or more of 3 rounds, loaded again for each", r.rounds())
	assert.Equal(t, 1, r.Overall[1].Ratio.N, "the rounds in which each was loaded first once give one ratio")
	assert.Len(t, r.Failures, 2, "a contender that failed is not tried again with the same engine settings")
	path := filepath.Join(s.dir, JournalName)
	j, err := ReadJournal(path)
	require.NoError(t, err)
	var loaded []string
	for _, l := range j.Loaded {
		loaded = append(loaded, fmt.Sprint(l.Group, " ", l.Contender))
	}
	assert.Equal(t, []string{"1 vllmgo", "1 python", "1 python", "1 vllmgo", "1 vllmgo", "1 python",
		"2 vllmgo", "2 python", "2 python", "2 vllmgo", "2 vllmgo", "2 python"}, loaded)

	s.Rounds = 4
	require.ErrorContains(t, s.Check(), "4 rounds for vllmgo: with engines loaded again for each, the number of rounds must be a multiple of 3")
	s.Rounds = 6
	r = run(t, s)
	assert.Equal(t, "0 or more of 6 rounds, loaded again for each", r.rounds())
	assert.Equal(t, 2, r.Overall[1].Ratio.N)
	j, err = ReadJournal(path)
	require.NoError(t, err)
	assert.Len(t, j.Loaded, 2*len(loaded), "only the new rounds'")
}

func TestPerCycle(t *testing.T) {
	ratios := map[int]float64{1: 0.5, 2: 2, 3: 1, 4: 4, 5: 3}
	sorted := func(length int) []float64 { return slices.Sorted(slices.Values(perCycle(ratios, length))) }
	assert.InDeltaSlice(t, []float64{0.5, 1, 2, 3, 4}, sorted(1), 1e-9)
	assert.InDeltaSlice(t, []float64{1, 2}, sorted(2), 1e-9, "the third cycle is not complete")
	ratios = map[int]float64{1: 1.1, 2: 0.7, 3: 1e3, 4: 0.33, 5: 3, 6: 1.7}
	for range 100 {
		assert.Equal(t, sorted(6), sorted(6), "the order of a map has no effect")
	}
	contenders := make([]Contender, 2)
	assert.Equal(t, 1, measured{Header: Header{Contenders: contenders}}.cycle())
	assert.Equal(t, 2, measured{Header: Header{Contenders: contenders, Reload: true}}.cycle())
}

func TestRaceFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for fault, reason := range map[string]string{
		"no start": "out of memory", "crash": "(signal: killed); the end of its output: last words", "count": "33 and 32 were asked for",
		"time": "reports a time of 0s",
	} {
		t.Run(fault, func(t *testing.T) {
			if fault == "count" {
				reason = "generated 3; 4 and 2 were asked for"
			}
			r := run(t, testRace(t, "vllmgo", "broken:python,env.FAULT="+fault, "http"))
			require.NotEmpty(t, r.Failures)
			assert.Equal(t, "broken", r.Failures[0].Contender)
			assert.Contains(t, r.Failures[0].Reason, reason)
			assert.Equal(t, 3, r.Overall[2].Points, "the others went on")
			assert.Zero(t, r.Overall[1].Points)
			assert.False(t, r.Complete())
		})
	}
}

func TestRaceLeavesNoProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s := testRace(t, "vllmgo,env.FAULT=child")
	run(t, s)
	requireEnded(t, s.logPath(s.Contenders[0], 1))
}

// The contenders' processes also end when the race cannot go on.
func TestRaceEndsWithoutItsJournal(t *testing.T) {
	s := testRace(t, "vllmgo,env.FAULT=child", "python")
	s.LoadTogether = true
	journal, past, err := openJournal(s)
	require.NoError(t, err)
	require.NoError(t, journal.Close())
	groups, err := engines.Plan(s.studies, s.args, s.device, s.config)
	require.NoError(t, err)
	r := &runner{prepared: s, journal: journal, past: past}
	require.ErrorIs(t, r.raceGroup(t.Context(), 1, groups[0]), os.ErrClosed)
	requireEnded(t, s.logPath(s.Contenders[0], 1))
}

// requireEnded requires that the child ends whose PID a contender printed into its log.
func requireEnded(t *testing.T, log string) {
	t.Helper()
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscanf(string(text), "child %d", &pid)
	require.NoError(t, err, "%s", text)
	assert.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil || isZombie(pid) }, 10*time.Second, 10*time.Millisecond)
}

// killedVariable makes TestKilledRaceLeavesNoProcess the race that is killed, in this results
// directory.
const killedVariable = "VLLMGO_TEST_KILLED_RACE"

// A race that is killed while its contenders are stopped leaves neither them nor what they started.
func TestKilledRaceLeavesNoProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	if dir := os.Getenv(killedVariable); dir != "" {
		s := testRace(t, "vllmgo,env.FAULT=child", "python,env.FAULT=child")
		s.dir, s.progress = dir, writerFunc(func(text []byte) {
			if strings.Contains(string(text), "round 1") {
				fmt.Println("round 1")
				select {}
			}
		})
		require.NoError(t, s.run(t.Context()))
	}
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT} {
		t.Run(s.String(), func(t *testing.T) {
			if signal.Ignored(s) {
				t.Skip("this process ignores it, as under nohup, and so does the race that it starts")
			}
			dir := t.TempDir()
			cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledRaceLeavesNoProcess$")
			cmd.Env = append(os.Environ(), killedVariable+"="+dir, "TMPDIR="+dir)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			_, err = bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)
			var pids []int
			for _, contender := range []string{"vllmgo", "python"} {
				text, err := os.ReadFile(filepath.Join(dir, contender+"-1.log"))
				require.NoError(t, err)
				var pid, parent int
				_, err = fmt.Sscanf(string(text), "child %d of %d", &pid, &parent)
				require.NoError(t, err, "%s", text)
				pids = append(pids, pid, parent)
			}
			require.NoError(t, cmd.Process.Signal(s))
			_ = cmd.Wait() // how it ends is not the question
			for _, pid := range pids {
				// A process that is left in spite of all must not stay.
				defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
				assert.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 10*time.Second, 10*time.Millisecond)
			}
		})
	}
}

// isZombie reports whether a process has ended without having been waited for.
func isZombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(text), ") Z ")
}

func TestRaceInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	s := testRace(t, "vllmgo", "python")
	s.progress = writerFunc(func(text []byte) {
		if strings.Contains(string(text), "round 1") {
			cancel(stopped)
		}
	})
	require.ErrorIs(t, s.run(ctx), stopped)
	j, err := ReadJournal(filepath.Join(s.dir, JournalName))
	require.NoError(t, err)
	assert.Len(t, j.Trials, 4, "what was measured is there")
}

// A race that ends while its contenders load leaves no process, and no contender has failed.
func TestRaceInterruptedWhileLoading(t *testing.T) {
	for _, together := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		s := testRace(t, "vllmgo,env.FAULT=child", "python", "http")
		s.LoadTogether = together
		s.progress = writerFunc(func(text []byte) {
			if strings.Contains(string(text), "loading python") {
				cancel(stopped)
			}
		})
		require.ErrorIs(t, s.run(ctx), stopped)
		j, err := ReadJournal(filepath.Join(s.dir, JournalName))
		require.NoError(t, err)
		assert.Empty(t, j.Failures)
		assert.Empty(t, j.Trials)
		requireEnded(t, s.logPath(s.Contenders[0], 1))
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(text []byte) (int, error) {
	f(text)
	return len(text), nil
}

// A contender runs its own program. The programs here do nothing.
func TestProgram(t *testing.T) {
	r := run(t, testRace(t, "vllmgo", "idle:vllmgo,program=true", "idle-throughput:throughput,program=true"))
	require.Len(t, r.Failures, 4, "each engine's settings are tried")
	for _, f := range r.Failures {
		wants := map[string]string{"idle": "its process gave no answer", "idle-throughput": "vllm bench throughput: exit status 0"}
		require.Contains(t, wants, f.Contender)
		assert.Contains(t, f.Reason, wants[f.Contender])
	}
	assert.Equal(t, "0 or more of 6 rounds", r.rounds())
}

func TestContendersHashAlike(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("python3", "-c", `import hashlib, struct
d = hashlib.sha256()
for ids in ([1, 50000], [], [7]):
    d.update(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids))
print(d.hexdigest())`).Output()
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(text)), hashOutputs([][]int32{{1, 50000}, {}, {7}}))
}

func TestJournalIsJSON(t *testing.T) {
	s := testRace(t, "vllmgo")
	s.Rounds = 1
	run(t, s)
	text, err := os.ReadFile(filepath.Join(s.dir, JournalName))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var r record
		require.NoError(t, json.Unmarshal([]byte(line), &r))
	}
}

// hashOutputs returns the hash of outputs, as a contender sends it.
func hashOutputs(outputs [][]int32) string {
	h := workload.NewTokenHash()
	for _, ids := range outputs {
		h.Add(ids)
	}
	return h.String()
}
