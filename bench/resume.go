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
