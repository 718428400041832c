// Package files writes the files of a results directory.
package files

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File is a file of a results directory: its name, and what writes it.
type File struct {
	Name  string
	Write func(io.Writer) error
}

// Write writes files into a directory. A file that is there is replaced as a whole, or stays as it
// is when the new one cannot be written. Write goes on after an error and returns all errors.
func Write(dir string, files []File) error {
	var errs error
	for _, f := range files {
		if err := f.writeTo(dir); err != nil {
			errs = errors.Join(errs, fmt.Errorf("writing %s: %w", filepath.Join(dir, f.Name), err))
		}
	}
	return errs
}

// writeTo writes the file under another name and then gives it its own.
func (f File) writeTo(dir string) error {
	temporary, err := os.CreateTemp(dir, "."+f.Name+"-")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(temporary)
	err = f.Write(w)
	err = errors.Join(err, w.Flush(), temporary.Chmod(0o644), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), filepath.Join(dir, f.Name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
