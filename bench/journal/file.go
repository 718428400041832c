package journal

import (
	"fmt"
	"io"

	"vllmgo/internal/logfile"
)

// FileName is the name of the journal in a results directory.
const FileName = "journal.jsonl"

// Schema is the version of the journal's format. [Read] also reads version 2, which has no
// checksums, and refuses any other.
const Schema = 3

// Read reads a journal. It leaves out a last line that is damaged or cut short, and sets
// Journal.Damaged. Any other damage is an error that names the line: a checksum that is wrong, a
// value that is impossible, and a line that cannot follow the others, such as a trial of an engine
// that the journal does not have.
func Read(r io.Reader) (*Journal, error) {
	j := new(Journal)
	damaged, err := logfile.Read(r, j.add)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	j.Damaged = damaged
	return j, nil
}

// ReadFile reads the journal in a file; see [Read].
func ReadFile(path string) (*Journal, error) {
	j := new(Journal)
	damaged, err := logfile.ReadFile(path, j.add)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	j.Damaged = damaged
	return j, nil
}

// Writer appends records to a journal's file. Each is on disk when Append returns, so that a crash
// costs at most the record that was being written.
type Writer struct{ file *logfile.Writer }

// Create makes a new journal with a header. It returns an error when the file exists.
func Create(path string, h Header) (*Writer, error) {
	file, err := logfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	w := &Writer{file}
	return w, w.Append(Record{Header: &h})
}

// Continue opens a journal to append to and returns what it holds. It cuts off a damaged last line.
func Continue(path string) (*Writer, *Journal, error) {
	j := new(Journal)
	file, err := logfile.Continue(path, j.add)
	if err != nil {
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	return &Writer{file}, j, nil
}

// Append writes a record.
func (w *Writer) Append(r Record) error {
	if err := w.file.Append(r); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }
