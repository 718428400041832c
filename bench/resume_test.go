package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/benchtest"
	"vllmgo/bench/internal/engines"
	"vllmgo/bench/journal"
	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/internal/fake"
	"vllmgo/vllmgo"
)

// trialsOf are the trials of a run, by point and number, with their prompts.
func trialsOf(t *testing.T, s bench.Settings) map[string]string {
	t.Helper()
	journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	trials := map[string]string{}
	for _, trial := range journal.Trials {
		key := trial.PointID.String() + strings.Repeat("'", trial.Trial)
		assert.NotContains(t, trials, key, "a trial was repeated")
		trials[key] = trial.Ledger.PromptsSHA256
	}
	return trials
}

// A run that was killed at any moment, in the middle of any line of its journal, goes on to the
// same trials as one that was not, with the same prompts.
func TestResume(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	settings := func() (bench.Settings, *fake.Lab) {
		lab := &fake.Lab{}
		s := benchtest.Settings(t, lab)
		s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
		for i := range s.Studies {
			s.Studies[i].Points = s.Studies[i].Points[:2]
		}
		s.Stopping = stat.FixedTrials(2)
		s.Resume = true
		return s, lab
	}
	whole, _ := settings()
	require.NoError(t, bench.Run(t.Context(), whole))
	want := trialsOf(t, whole)
	require.Len(t, want, 8)
	text, err := os.ReadFile(filepath.Join(whole.Dir, journal.FileName))
	require.NoError(t, err)

	offset := 0
	for line := range strings.Lines(string(text)) {
		for _, cut := range []int{offset + len(line), offset + len(line)/2} {
			if cut < strings.IndexByte(string(text), '\n') {
				continue // nothing is left of the header
			}
			s, lab := settings()
			require.NoError(t, os.MkdirAll(s.Dir, 0o755))
			path := filepath.Join(s.Dir, journal.FileName)
			require.NoError(t, os.WriteFile(path, text[:cut], 0o644))
			before, err := journal.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, bench.Run(t.Context(), s), "cut at %d", cut)
			assert.Equal(t, want, trialsOf(t, s), "cut at %d", cut)
			assert.True(t, readResults(t, s).Complete())
			if len(before.Trials) == len(want) {
				assert.Empty(t, lab.Events, "nothing was left to do")
			}
			journal, err := journal.ReadFile(path)
			require.NoError(t, err)
			numbers := map[int]bool{}
			for _, e := range journal.Engines {
				assert.False(t, numbers[e.Number], "two engines are called %d", e.Number)
				numbers[e.Number] = true
			}
		}
		offset += len(line)
	}
}

// Three calm points need 8 trials each, where one needs 9. So does the last of them when the run
// stopped after the others were done.
func TestResumePools(t *testing.T) {
	settings := func() bench.Settings {
		s := benchtest.Settings(t, &fake.Lab{})
		s.Studies = benchtest.Tiny(workload.BatchSize)
		s.Stopping, s.Resume = stat.UntilPrecise(0.02, 0), true
		return s
	}
	whole := settings()
	require.NoError(t, bench.Run(t.Context(), whole))
	want := trialsOf(t, whole)
	require.Len(t, want, 3*8)
	text, err := os.ReadFile(filepath.Join(whole.Dir, journal.FileName))
	require.NoError(t, err)
	stopped, done := 0, 0 // lines, and the length of those until the second point was done
	for line := range strings.Lines(string(text)) {
		if stopped < 2 {
			done += len(line)
		}
		if strings.Contains(line, `"stopped":"target reached if trials are independent"`) {
			stopped++
		}
	}
	require.Equal(t, 3, stopped)

	s := settings()
	require.NoError(t, os.MkdirAll(s.Dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, journal.FileName), text[:done], 0o644))
	require.NoError(t, bench.Run(t.Context(), s))
	assert.Equal(t, want, trialsOf(t, s))
}

func TestResumeRefusesAnotherRun(t *testing.T) {
	for want, change := range map[string]func(*bench.Settings){
		"its seed was 0 and is now 1":          func(s *bench.Settings) { s.Requests.Seed = 1 },
		"its cold was true and is now not set": func(s *bench.Settings) { s.Cold = false },
		"its goodput was":                      func(s *bench.Settings) { s.Goodput = journal.Goodput{} },
		`its vocabulary was {"size":50272`:     func(s *bench.Settings) { s.Requests.Vocabulary = benchtest.Vocabulary(t, 100) },
		"its studies have changed":             func(s *bench.Settings) { s.Studies = benchtest.Tiny(workload.RequestCount) },
		`its engine_args was {"model"`:         func(s *bench.Settings) { s.EngineArgs.Dtype = "float32" },
		"its warm_up was \"full\" and is now":  func(s *bench.Settings) { s.WarmUp = journal.WarmUpNotebook },
	} {
		lab := &fake.Lab{}
		s := benchtest.Settings(t, lab)
		s.Studies, s.Cold, s.Goodput = benchtest.Tiny(workload.BatchSize), true, journal.Goodput{TTFT: time.Second}
		require.NoError(t, bench.Run(t.Context(), s))
		s.Resume = true
		require.NoError(t, bench.Run(t.Context(), s), "it has ended")
		lab.Events = nil
		change(&s)
		assert.ErrorContains(t, bench.Run(t.Context(), s), want)
		assert.Empty(t, lab.Events)
	}
}

func TestOneEngine(t *testing.T) {
	lab := &fake.Lab{}
	fake.Nth(lab, 2, 2, fake.Broken)
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize, workload.RequestCount)
	s.Resume, s.OneEngine = true, true
	for call, ended := range []bool{false, false, true, true} {
		require.NoError(t, bench.Run(t.Context(), s))
		journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
		require.NoError(t, err)
		assert.Equal(t, ended, journal.Ended, "after call %d", call)
		assert.Len(t, journal.Engines, min(call+1, 3))
	}
	assert.Len(t, trialsOf(t, s), 5, "all but the point that broke the first engine")
}

// What a process was doing when it died is not tried again, when the death is on record, and is
// otherwise.
func TestRecordCrash(t *testing.T) {
	for name, c := range map[string]struct {
		crash    func(*fake.Lab, func())
		statuses []report.Status
	}{
		"in a trial": {
			func(lab *fake.Lab, die func()) {
				fake.Nth(lab, 2, 3, func(*vllmgo.Generation) error { die(); return fake.Err })
			},
			[]report.Status{report.Measured, report.Failed, report.Measured},
		},
		"while loading": {
			func(lab *fake.Lab, die func()) {
				lab.OpenErr = func(vllmgo.EngineArgs) error { die(); return fake.Err }
			},
			[]report.Status{report.Failed, report.Failed, report.Failed},
		},
	} {
		for _, recorded := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				lab := &fake.Lab{}
				s := benchtest.Settings(t, lab)
				s.Studies = benchtest.Tiny(workload.BatchSize)
				s.Resume = true
				// A cancelled run is as good as dead: its journal ends here.
				ctx, die := context.WithCancel(t.Context())
				c.crash(lab, die)
				require.Error(t, bench.Run(ctx, s))
				lab.Fault, lab.OpenErr = nil, nil
				want := []report.Status{report.Measured, report.Measured, report.Measured}
				if recorded {
					require.NoError(t, engines.RecordCrash(s.Dir, "the process was killed"))
					want = c.statuses
				}
				require.NoError(t, bench.Run(t.Context(), s))
				for i, row := range readResults(t, s).Studies[0].Rows {
					assert.Equal(t, want[i], row.Status)
					if row.Status == report.Failed {
						assert.Equal(t, []string{"the process was killed"}, row.Notes)
					}
				}
			})
		}
	}
	assert.ErrorIs(t, engines.RecordCrash(t.TempDir(), "x"), os.ErrNotExist)
}

func TestTimeout(t *testing.T) {
	lab := &fake.Lab{}
	lab.Block = func(ctx context.Context) bool { return lab.Shape == 2 && lab.OfShape[2] == 3 }
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	s.Timeout = 20 * time.Millisecond
	require.NoError(t, bench.Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, []report.Status{report.Measured, report.Failed, report.Measured}, []report.Status{rows[0].Status, rows[1].Status, rows[2].Status})
	assert.Equal(t, []string{"time-out: not done after 20ms"}, rows[1].Notes)

	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	lab.Block = func(context.Context) bool { cancel(stop); return true }
	s.Dir, s.Timeout = t.TempDir(), time.Hour
	assert.ErrorIs(t, bench.Run(ctx, s), stop, "no time-out")
	assert.Equal(t, report.Missing, readResults(t, s).Studies[0].Rows[0].Status)
}

// Of two runs in one folder, the second is refused while the first one writes.
func TestTwoRunsInOneFolder(t *testing.T) {
	lab := &fake.Lab{}
	s := benchtest.Settings(t, lab)
	s.Studies = benchtest.Tiny(workload.BatchSize)
	other := s
	other.Resume = true
	other.Open = fake.Opener[bench.Engine](&fake.Lab{})
	tried := false
	lab.Block = func(context.Context) bool {
		if !tried {
			tried = true
			assert.ErrorContains(t, bench.Run(t.Context(), other), fmt.Sprintf("the file is being written by process %d", os.Getpid()))
		}
		return false
	}
	require.NoError(t, bench.Run(t.Context(), s))
	assert.True(t, tried)
	require.NoError(t, bench.Run(t.Context(), other), "afterwards there is nothing left to do")
	assert.True(t, readResults(t, s).Complete())
}
