package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"vllmgo/bench/internal/same"
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
		h.Started, h.Command, h.Schema = time.Time{}, nil, 0 // an older journal goes on as it is
		if h.RandomWeights {
			h.EngineArgs.Model = "" // a temporary folder
		}
	}
	differences, err := same.Differences(past, now)
	if err != nil || len(differences) == 0 {
		return err
	}
	return fmt.Errorf("bench: the run in this folder cannot be continued: %s; "+
		"repeat its command on its machine, or choose another folder", differences[0])
}
