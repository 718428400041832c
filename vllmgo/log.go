package vllmgo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vllmgo/pyembed"
)

// SetLogger sends vLLM's log lines to a logger, with everything else that Python and the engine's
// processes print to stderr. Lines have their level, and the attributes source (file:line), process
// and pid if vLLM gives them. Lines in no known form, such as those of vLLM's libraries, have level
// Info. SetLogger holds for the whole process.
//
// Nil, the default, sends the lines to stderr as they are. VLLM_LOGGING_LEVEL sets what vLLM logs.
func SetLogger(logger *slog.Logger) {
	lines.mu.Lock()
	defer lines.mu.Unlock()
	lines.logger = logger
	var forward int32
	if logger != nil {
		forward = 1
	}
	atomic.StoreInt32(&lines.forward[0], forward)
}

// lines are the log lines of vLLM.
var lines logLines

type logLines struct {
	mu     sync.Mutex
	logger *slog.Logger
	// last are the last lines of engine processes, the newest at the end; total counts all.
	last  []string
	total int
	// marks are lines that mark itself wrote, and who waits for them.
	marks map[string]chan struct{}

	// forward reports to Python whether there is a logger. vLLM's logging in this process goes
	// straight to stderr otherwise, so that nothing of it is late.
	forward [1]int32
	// pipe is what processes write to.
	pipe *os.File
}

// maxLastLines is the number of lines that explain a failure later.
const maxLastLines = 400

// open makes the pipe and reads from it for the life of the process. It returns the path by which
// child processes open it.
func (l *logLines) open() (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("a pipe for vLLM's log: %w", err)
	}
	l.pipe, l.marks = w, map[string]chan struct{}{}
	go l.read(r)
	return pathOf(w), nil
}

func (l *logLines) read(r io.Reader) {
	buffered := bufio.NewReader(r)
	for {
		line, err := buffered.ReadString('\n')
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			l.add(line)
		}
		if err != nil {
			return // only at the end of the process
		}
	}
}

func (l *logLines) add(line string) {
	l.mu.Lock()
	if wake := l.marks[line]; wake != nil {
		delete(l.marks, line)
		close(wake)
		l.mu.Unlock()
		return
	}
	if len(l.last) == maxLastLines {
		l.last = append(l.last[:0], l.last[1:]...)
	}
	l.last = append(l.last, line)
	l.total++
	logger := l.logger
	l.mu.Unlock()
	if logger == nil {
		fmt.Fprintln(os.Stderr, line)
		return
	}
	logLine(logger, line)
}

// note logs a line of this package's own.
func (l *logLines) note(text string) { l.add("vllmgo: " + strings.ReplaceAll(text, "\n", "; ")) }

// vllmLine is a line of vLLM's log: "(EngineCore pid=12) INFO 11-24 16:05:31 [core.py:105] text",
// with no, one or more processes in front.
var vllmLine = regexp.MustCompile(
	`^(?:\((\S+) pid=(\d+)\) )*(?:(DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[(\S+)\] )?)?(.*)$`,
)

// colours are what vLLM puts into lines for a terminal.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func logLine(logger *slog.Logger, line string) {
	line = colours.ReplaceAllString(line, "")
	found := vllmLine.FindStringSubmatch(line)
	process, pid, level, source, message := found[1], found[2], found[3], found[4], found[5]
	var attrs []slog.Attr
	if source != "" {
		attrs = append(attrs, slog.String("source", source))
	}
	if n, err := strconv.Atoi(pid); err == nil {
		attrs = append(attrs, slog.String("process", process), slog.Int("pid", n))
	}
	logger.LogAttrs(context.Background(), levels[level], message, attrs...)
}

// levels are by the names of Python's module logging. A line without one is Info, the zero value.
var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARNING": slog.LevelWarn, "ERROR": slog.LevelError,
	"CRITICAL": slog.LevelError + 4,
}

// capture makes vLLM's child processes, and its logging in this one, write here.
func (l *logLines) capture(py *pyembed.Py, module *pyembed.Object) error {
	path, err := l.open()
	if err != nil {
		return err
	}
	forward, err := pyembed.Lend(py, l.forward[:])
	if err != nil {
		return err
	}
	defer forward.Release(py)
	_, err = module.CallMethod(py, "capture_logs", path, forward)
	return err
}

// since returns the newest lines after the first total, at most n. It first waits until everything
// that processes have written is read.
func (l *logLines) since(total, n int) []string {
	l.mu.Lock()
	mark, read := fmt.Sprintf("vllmgo-mark-%d-%d", l.total, time.Now().UnixNano()), make(chan struct{})
	l.marks[mark] = read
	l.mu.Unlock()
	if _, err := io.WriteString(l.pipe, "\n"+mark+"\n"); err == nil {
		<-read
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, l.total-total, len(l.last))
	return append([]string{}, l.last[len(l.last)-n:]...)
}

// count returns the number of lines so far.
func (l *logLines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}
