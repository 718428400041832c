package bench

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// openJournal begins the run's journal or, with Resume, continues the one that is there.
func (s Settings) openJournal() (*journal.Writer, *journal.Journal, error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("bench: making the results directory: %w", err)
	}
	path, header := filepath.Join(s.Dir, journal.FileName), s.header()
	if s.Resume {
		w, past, err := journal.Continue(path)
		if err == nil {
			if err = sameRun(past.Header, header); err != nil {
				err = errors.Join(err, w.Close())
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return w, past, err
		}
	}
	w, err := journal.Create(path, header)
	return w, &journal.Journal{Header: header}, err
}

// sameRun returns an error when a run has other settings than before, or is on another machine.
func sameRun(past, now journal.Header) error {
	for _, h := range []*journal.Header{&past, &now} {
		h.Started, h.Command = time.Time{}, nil
		if h.RandomWeights {
			h.EngineArgs.Model = "" // a temporary folder
		}
	}
	then, err := members(past)
	if err != nil {
		return err
	}
	here, err := members(now)
	if err != nil {
		return err
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(then)), maps.Keys(here))
	slices.Sort(names)
	for _, name := range names {
		if a, b := string(then[name]), string(here[name]); a != b {
			return fmt.Errorf("bench: the run in this folder cannot be continued: its %s was %s and is now %s; "+
				"repeat its command on its machine, or choose another folder",
				name, cmp.Or(a, "not set"), cmp.Or(b, "not set"))
		}
	}
	return nil
}

// members returns the members of a header's JSON object.
func members(h journal.Header) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	return m, json.Unmarshal(text, &m)
}

// RecordCrash marks the work in progress as failed, in the journal of a results directory whose
// process has died for the given reason. A resumed run then goes on with the rest. The work in
// progress is a point or, when an engine was loading, all points that need it. Without the call a
// resumed run tries again.
func RecordCrash(dir, reason string) error {
	w, past, err := journal.Continue(filepath.Join(dir, journal.FileName))
	if err != nil {
		return err
	}
	if begun := past.UnderWay; begun != nil {
		for _, p := range begun.Points {
			err = errors.Join(err, w.Append(journal.Record{Failure: &journal.Failure{
				Engine: begun.Engine, Point: &p, Trial: begun.Trial, Latency: begun.Latency, Reason: reason,
			}}))
		}
	}
	return errors.Join(err, w.Close())
}

// NextEnv returns the environment variables that the next engine of an unfinished run needs before
// Python starts; nil when it needs none.
func NextEnv(j *journal.Journal) map[string]string {
	groups, err := groupByEngine(j.Header.Studies, j.Header.EngineArgs)
	if err != nil {
		return nil // a run with such settings never began
	}
	for _, g := range unfinished(groups, j) {
		return g.Env
	}
	for _, g := range groups {
		if j.Header.Latency && slices.ContainsFunc(g.Points, func(p workload.Point) bool { return !timed(j, p) }) {
			return g.Env
		}
	}
	return nil
}
