package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Writer appends to a journal's file and syncs each line, so that a crash loses no more than the
// line being written.
type Writer struct {
	file *os.File
}

// Create makes a new file; one that exists is an error.
func Create(path string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("bench: creating the journal: %w", err)
	}
	return &Writer{file: file}, nil
}

// Continue opens a file to append to, and returns what it holds. A damaged last line is cut off.
func Continue(path string) (*Writer, *Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("bench: opening the journal: %w", err)
	}
	text, err := io.ReadAll(file)
	var journal *Journal
	if err == nil {
		journal, err = Read(bytes.NewReader(text))
	}
	if err == nil && journal.Damaged {
		text = bytes.TrimSuffix(text, []byte("\n"))
		text = text[:bytes.LastIndexByte(text, '\n')+1]
		err = file.Truncate(int64(len(text)))
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekEnd)
	}
	if err == nil && !bytes.HasSuffix(text, []byte("\n")) {
		_, err = file.Write([]byte("\n"))
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("bench: continuing the journal: %w", err), file.Close())
	}
	return &Writer{file: file}, journal, nil
}

func (w *Writer) Append(r Record) error {
	if err := AppendLine(w.file, r); err != nil {
		return fmt.Errorf("bench: writing the journal: %w", err)
	}
	return nil
}

// AppendLine writes a value as a line of JSON to a file and waits until it is on disk, so that a crash loses no more than
// the line being written.
func AppendLine(file *os.File, value any) error {
	line, err := json.Marshal(value)
	if err == nil {
		_, err = file.Write(append(line, '\n'))
	}
	if err == nil {
		err = file.Sync()
	}
	return err
}

func (w *Writer) Close() error { return w.file.Close() }
