// Package logfile keeps records in files that a crash cannot spoil.
//
// A file has one JSON object a line. [Writer.Append] writes a line and waits until it is on disk,
// so a crash costs at most the line that was being written. [Read] therefore accepts a last line
// that is damaged or cut short, reports it and leaves it out; [Continue] cuts it off. Any other
// damage is an error that names the line.
//
// A file has one writer at a time: a second one gets [ErrInUse] (flock). Readers are free to read.
//
// The journals of runs, races and soak tests are such files. What a line means, and which lines
// make sense together, is for the function that takes them in to say.
package logfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Read reads the lines of a file and passes each to add, from the first to the last. An error of
// add is damage. Read reports whether the last line was damaged and left out. A damaged line that
// is not the last, or is the only one, is an error.
func Read(r io.Reader, add func(line []byte) error) (damaged bool, err error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return false, fmt.Errorf("reading the journal: %w", err)
	}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	for i, line := range lines {
		err := checkLine(line)
		if err == nil {
			err = add(line)
		}
		switch {
		case err == nil:
		case i > 0 && i == len(lines)-1:
			return true, nil
		default:
			return false, fmt.Errorf("line %d of the journal: %w", i+1, err)
		}
	}
	return false, nil
}

// ReadFile reads the file at path; see [Read].
func ReadFile(path string, add func(line []byte) error) (damaged bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("reading the journal: %w", err)
	}
	defer file.Close()
	damaged, err = Read(file, add)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return damaged, err
}

// Writer appends records to a file.
type Writer struct{ file *os.File }

// Create makes a new file. It returns an error when the file exists.
func Create(path string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("creating the journal: %w", err)
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(fmt.Errorf("creating the journal %s: %w", path, err), file.Close())
	}
	return &Writer{file}, nil
}

// Continue opens a file to append to and passes its lines to add as [Read] does. It cuts off a
// damaged last line.
func Continue(path string, add func(line []byte) error) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	err = lock(file)
	if err == nil {
		err = continueFile(file, add)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("continuing the journal %s: %w", path, err), file.Close())
	}
	return &Writer{file}, nil
}

// continueFile reads a file and leaves it at its end, after a whole line.
func continueFile(file *os.File, add func(line []byte) error) error {
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	damaged, err := Read(bytes.NewReader(text), add)
	if err != nil {
		return err
	}
	if damaged {
		text = bytes.TrimSuffix(text, []byte("\n"))
		text = text[:bytes.LastIndexByte(text, '\n')+1]
		if err := file.Truncate(int64(len(text))); err != nil {
			return err
		}
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		_, err = file.Write([]byte("\n"))
	}
	return err
}

// Append writes a record as a line and waits until it is on disk.
func (w *Writer) Append(record any) error {
	line, err := json.Marshal(record)
	if err == nil {
		_, err = w.file.Write(append(line, '\n'))
	}
	if err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }
