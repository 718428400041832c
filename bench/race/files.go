package race

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"

	"vllmgo/bench/internal/files"
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
	writeJSON := func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	return files.Write(dir, []files.File{{Name: "race.json", Write: writeJSON}, {Name: "race.txt", Write: r.Write}})
}
