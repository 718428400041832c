package race

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// WriteFiles writes the results to race.json and their tables to race.txt in a directory.
func (r *Result) WriteFiles(dir string) error {
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
