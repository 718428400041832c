package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// sameRun says what keeps a run from being continued with other settings or on another machine.
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
	for name, value := range here {
		if string(then[name]) != string(value) {
			return fmt.Errorf("bench: the run in this folder cannot be continued: its %s was %s and is now %s; repeat its command on its machine, or choose another folder",
				name, then[name], value)
		}
	}
	return nil
}

func members(h journal.Header) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	return m, json.Unmarshal(text, &m)
}

// RecordCrash puts into the journal of a results directory that the process which wrote it died, for the given reason, so
// that a resumed run does not try again what it was doing: the point under way or, when an engine was being
// loaded, all points that need it get a failure. Without the call a resumed run tries again, as it should after a
// process that was killed for a reason of its own.
func RecordCrash(dir, reason string) error {
	w, past, err := journal.Continue(filepath.Join(dir, journal.FileName))
	if err != nil {
		return err
	}
	if begun := past.UnderWay; begun != nil {
		for _, p := range begun.Points {
			err = errors.Join(err, w.Append(journal.Record{Failure: &journal.Failure{Engine: begun.Engine, Point: &p, Trial: begun.Trial, Latency: begun.Latency, Reason: reason}}))
		}
	}
	return errors.Join(err, w.Close())
}

// NextEnv are the environment variables that the next engine of an unfinished run needs before Python starts; nil when
// it needs none.
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
