package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// trialsOf are the trials of a run, by point and number, with their prompts.
func trialsOf(t *testing.T, s Settings) map[string]string {
	t.Helper()
	journal, err := ReadJournalFile(filepath.Join(s.Dir, JournalName))
	require.NoError(t, err)
	trials := map[string]string{}
	for _, trial := range journal.Trials {
		key := trial.PointID.String() + strings.Repeat("'", trial.Trial)
		assert.NotContains(t, trials, key, "a trial was repeated")
		trials[key] = trial.Ledger.PromptsSHA256
	}
	return trials
}

// A run that was killed at any moment, in the middle of any line of its journal, goes on to the same trials as
// one that was not, with the same prompts.
func TestResume(t *testing.T) {
	settings := func() (Settings, *fakeLab) {
		lab := &fakeLab{}
		s := testSettings(t, lab)
		s.Studies = tiny(BatchSize, RequestCount)
		for i := range s.Studies {
			s.Studies[i].Points = s.Studies[i].Points[:2]
		}
		s.Stopping = FixedTrials(2)
		s.Resume = true
		return s, lab
	}
	whole, _ := settings()
	require.NoError(t, Run(t.Context(), whole))
	want := trialsOf(t, whole)
	require.Len(t, want, 8)
	text, err := os.ReadFile(filepath.Join(whole.Dir, JournalName))
	require.NoError(t, err)

	offset := 0
	for line := range strings.Lines(string(text)) {
		for _, cut := range []int{offset + len(line), offset + len(line)/2} {
			if cut < strings.IndexByte(string(text), '\n') {
				continue // nothing is left of the header
			}
			s, lab := settings()
			require.NoError(t, os.MkdirAll(s.Dir, 0o755))
			path := filepath.Join(s.Dir, JournalName)
			require.NoError(t, os.WriteFile(path, text[:cut], 0o644))
			before, err := ReadJournalFile(path)
			require.NoError(t, err)
			require.NoError(t, Run(t.Context(), s), "cut at %d", cut)
			assert.Equal(t, want, trialsOf(t, s), "cut at %d", cut)
			assert.True(t, readResults(t, s).Complete())
			if len(before.Trials) == len(want) {
				assert.Empty(t, lab.events, "nothing was left to do")
			}
			journal, err := ReadJournalFile(path)
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

func TestResumeRefusesAnotherRun(t *testing.T) {
	for want, change := range map[string]func(*Settings){
		"its seed was 0 and is now 1":         func(s *Settings) { s.Requests.Seed = 1 },
		`its vocabulary was {"size":50272`:    func(s *Settings) { s.Requests.Vocabulary = testVocabulary(t, 100) },
		"its studies was":                     func(s *Settings) { s.Studies = tiny(RequestCount) },
		`its engine_args was {"model"`:        func(s *Settings) { s.EngineArgs.Dtype = "float32" },
		"its warm_up was \"full\" and is now": func(s *Settings) { s.WarmUp = WarmUpNotebook },
	} {
		lab := &fakeLab{}
		s := testSettings(t, lab)
		s.Studies = tiny(BatchSize)
		require.NoError(t, Run(t.Context(), s))
		s.Resume = true
		require.NoError(t, Run(t.Context(), s), "it has ended")
		lab.events = nil
		change(&s)
		assert.ErrorContains(t, Run(t.Context(), s), want)
		assert.Empty(t, lab.events)
	}
}

func TestOneEngine(t *testing.T) {
	lab := &fakeLab{}
	nth(lab, 2, 2, broken)
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize, RequestCount)
	s.Resume, s.OneEngine = true, true
	for call, ended := range []bool{false, false, true, true} {
		require.NoError(t, Run(t.Context(), s))
		journal, err := ReadJournalFile(filepath.Join(s.Dir, JournalName))
		require.NoError(t, err)
		assert.Equal(t, ended, journal.Ended, "after call %d", call)
		assert.Len(t, journal.Engines, min(call+1, 3))
	}
	assert.Len(t, trialsOf(t, s), 5, "all but the point that broke the first engine")
}

// What a process was doing when it died is not tried again, when the death is on record, and is otherwise.
func TestRecordCrash(t *testing.T) {
	for name, c := range map[string]struct {
		crash    func(*fakeLab, func())
		statuses []Status
	}{
		"in a trial": {
			func(lab *fakeLab, die func()) {
				nth(lab, 2, 3, func(*vllmgo.Generation) error { die(); return errFake })
			},
			[]Status{Measured, Failed, Measured},
		},
		"while loading": {
			func(lab *fakeLab, die func()) { lab.openErr = func(vllmgo.EngineArgs) error { die(); return errFake } },
			[]Status{Failed, Failed, Failed},
		},
	} {
		for _, recorded := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				lab := &fakeLab{}
				s := testSettings(t, lab)
				s.Studies = tiny(BatchSize)
				s.Resume = true
				ctx, die := context.WithCancel(t.Context()) // as good as dead: the journal says nothing more
				c.crash(lab, die)
				require.Error(t, Run(ctx, s))
				lab.fault, lab.openErr = nil, nil
				want := []Status{Measured, Measured, Measured}
				if recorded {
					require.NoError(t, RecordCrash(s.Dir, "the process was killed"))
					want = c.statuses
				}
				require.NoError(t, Run(t.Context(), s))
				for i, row := range readResults(t, s).Studies[0].Rows {
					assert.Equal(t, want[i], row.Status)
					if row.Status == Failed {
						assert.Equal(t, []string{"the process was killed"}, row.Notes)
					}
				}
			})
		}
	}
	assert.ErrorIs(t, RecordCrash(t.TempDir(), "x"), os.ErrNotExist)
}

func TestTimeout(t *testing.T) {
	lab := &fakeLab{}
	lab.block = func(ctx context.Context) bool { return lab.shape == 2 && lab.ofShape[2] == 3 }
	s := testSettings(t, lab)
	s.Studies = tiny(BatchSize)
	s.Timeout = 20 * time.Millisecond
	require.NoError(t, Run(t.Context(), s))
	rows := readResults(t, s).Studies[0].Rows
	assert.Equal(t, []Status{Measured, Failed, Measured}, []Status{rows[0].Status, rows[1].Status, rows[2].Status})
	assert.Equal(t, []string{"time-out: not done after 20ms"}, rows[1].Notes)

	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	lab.block = func(context.Context) bool { cancel(stop); return true }
	s.Dir, s.Timeout = t.TempDir(), time.Hour
	assert.ErrorIs(t, Run(ctx, s), stop, "no time-out")
	assert.Equal(t, Missing, readResults(t, s).Studies[0].Rows[0].Status)
}
