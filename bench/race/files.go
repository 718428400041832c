package race

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Publish computes the results of the race in a directory from its journal. It writes its tables to
// w and to race.txt in the directory, and all figures to race.json.
func Publish(dir string, w io.Writer) (*Result, error) {
	j, err := ReadJournal(filepath.Join(dir, JournalName))
	if err != nil {
		return nil, err
	}
	r := NewResult(j)
	return r, errors.Join(r.writeFiles(dir), r.Write(w))
}

// writeFiles writes the results to race.json and their tables to race.txt in a directory.
func (r *Result) writeFiles(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	var tables strings.Builder
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "race.json"), append(text, '\n'), 0o644),
		r.Write(&tables),
		os.WriteFile(filepath.Join(dir, "race.txt"), []byte(tables.String()), 0o644),
	)
}
