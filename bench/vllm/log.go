package vllm

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// LogName is the name of the file in the results directory with what the processes that measure
// wrote to their standard error: the logs of vLLM and Python.
const LogName = "vllm.log"

// logTail is the number of lines of the log that an error repeats.
const logTail = 8

// logFile is the log of a process, which is added to those of the processes before.
type logFile struct {
	*os.File
	begin int64 // of this process, in bytes
}

// openLog opens the log in a results directory, which it makes when it does not exist.
func openLog(dir string) (*logFile, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("bench: making the results directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, LogName), os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("bench: opening the log of vLLM: %w", err)
	}
	return &logFile{file, size(file.Name())}, nil
}

// close closes the log, and removes it when it is empty.
func (l *logFile) close() {
	_ = l.Close() // others wrote it
	if size(l.Name()) == 0 {
		_ = os.Remove(l.Name())
	}
}

// tail returns the last lines of the process's log for an error; nothing when it wrote none.
func (l *logFile) tail() string {
	text, err := io.ReadAll(io.NewSectionReader(l, l.begin, size(l.Name())-l.begin))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err != nil || lines[0] == "" {
		return ""
	}
	lines = lines[max(0, len(lines)-logTail):]
	return fmt.Sprintf("; the last lines of %s:\n%s", l.Name(), strings.Join(lines, "\n"))
}

// asFile returns a file that a process can write to in place of w. done waits until w has all that
// the process wrote.
func asFile(w io.Writer) (file *os.File, done func(), err error) {
	if w == nil {
		w = io.Discard
	}
	if file, ok := w.(*os.File); ok {
		return file, func() {}, nil
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(w, reader) // a writer of progress that fails stops nothing
		_ = reader.Close()
	}()
	return writer, func() {
		_ = writer.Close() // the process has its own
		<-copied
	}, nil
}
