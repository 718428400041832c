// Package logfile keeps records in files that a crash cannot spoil.
//
// A file has one JSON object a line. [Writer.Append] writes a line and waits until it is on disk,
// so a crash costs at most the line that was being written. [Read] therefore accepts a last line
// that is damaged or cut short, reports it and leaves it out; [Continue] cuts it off. Any other
// damage is an error that names the line.
//
// Each line has a checksum as its last member, which covers the lines before it too:
//
//	{"trial":{"elapsed_ns":12345},"crc32c":"e3069283"}
//
// A line that is changed, missing, there twice or in another place is therefore an error. Files of
// older programs have no checksums. They are read and continued as they are, and add is told.
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

// Add takes in a line of a file, without its checksum. verified is false if the file has no
// checksums.
type Add func(line []byte, verified bool) error

// Read reads the lines of a file and passes each to add, from the first to the last. An error of
// add is damage. Read reports whether the last line was damaged and left out. A damaged line that
// is not the last, or is the only one, is an error.
func Read(r io.Reader, add Add) (damaged bool, err error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return false, fmt.Errorf("reading the journal: %w", err)
	}
	_, damaged, err = read(data, add)
	return damaged, err
}

// read is Read of a file's text. It also returns the chain of the lines.
func read(text []byte, add Add) (c chain, damaged bool, err error) {
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	_, sealed := cutChecksum(lines[0])
	c.off = !sealed
	for i, line := range lines {
		after := c
		body, err := after.open(line)
		if err == nil {
			err = checkLine(body)
		}
		if err == nil {
			err = add(body, !c.off)
		}
		switch {
		case err == nil:
			c = after
		case i > 0 && i == len(lines)-1:
			return c, true, nil
		default:
			return c, false, fmt.Errorf("line %d of the journal: %w", i+1, err)
		}
	}
	return c, false, nil
}

// ReadFile reads the file at path; see [Read].
func ReadFile(path string, add Add) (damaged bool, err error) {
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
type Writer struct {
	file  *os.File
	chain chain
}

// Create makes a new file. It returns an error when the file exists.
func Create(path string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("creating the journal: %w", err)
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(fmt.Errorf("creating the journal %s: %w", path, err), file.Close())
	}
	return &Writer{file: file}, nil
}

// Continue opens a file to append to and passes its lines to add as [Read] does. It cuts off a
// damaged last line.
func Continue(path string, add Add) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	w := &Writer{file: file}
	err = lock(file)
	if err == nil {
		w.chain, err = continueFile(file, add)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("continuing the journal %s: %w", path, err), file.Close())
	}
	return w, nil
}

// continueFile reads a file and leaves it at its end, after a whole line. It returns the chain of
// its lines.
func continueFile(file *os.File, add Add) (chain, error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return chain{}, err
	}
	c, damaged, err := read(text, add)
	if err != nil {
		return c, err
	}
	if damaged {
		text = bytes.TrimSuffix(text, []byte("\n"))
		text = text[:bytes.LastIndexByte(text, '\n')+1]
		if err := file.Truncate(int64(len(text))); err != nil {
			return c, err
		}
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return c, err
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		_, err = file.Write([]byte("\n"))
	}
	return c, err
}

// Append writes a record as a line and waits until it is on disk.
func (w *Writer) Append(record any) error {
	line, err := json.Marshal(record)
	if err == nil {
		line, err = w.chain.seal(line)
	}
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
