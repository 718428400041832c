//go:build cgo

package pyembed

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"vllmgo/internal/ctxerr"
)

//go:embed probe.py
var probeSource string

// probeLimit is how long a Python may take to answer.
const probeLimit = 30 * time.Second

// probeResult is what probe.py answers.
type probeResult struct {
	Executable     string
	Implementation string
	Version        string
	Major, Minor   int
	FreeThreaded   bool
	Libraries      []string
	UTF8Mode       int
	Locale         string
}

// probe asks the interpreter what it is.
func (config Config) probe(ctx context.Context, path string) (Python, error) {
	output, failure := config.ask(ctx, path)
	result, err := readProbe(output)
	switch {
	case err == nil: // then a failure came afterwards, while it ended
	case failure != nil:
		return Python{}, failure
	default:
		return Python{}, err
	}
	if result.Implementation != "cpython" {
		return Python{}, fmt.Errorf("it is %s; only CPython can be embedded", result.Implementation)
	}
	if result.Major != 3 || result.Minor < minMinor || result.Minor > maxMinor {
		return Python{}, fmt.Errorf("it is Python %s; 3.%d to 3.%d are supported: name one %s",
			result.Version, minMinor, maxMinor, config.advice())
	}
	if result.FreeThreaded {
		return Python{}, fmt.Errorf("it is a free-threaded build of Python %s, which is not supported: name an "+
			"ordinary one %s", result.Version, config.advice())
	}
	library, err := firstFile(result.Libraries)
	if err != nil {
		return Python{}, fmt.Errorf("Python %s has no shared library libpython3.%d (looked for %s); install it: "+
			"on Debian and Ubuntu `apt-get install libpython3.%d`, with pyenv "+
			"`PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install %s`; conda's and uv's Pythons have one",
			result.Version, result.Minor, strings.Join(result.Libraries, ", "), result.Minor, result.Version)
	}
	return Python{
		Executable: fileName(result.Executable), Library: library, Version: result.Version,
		utf8Mode: result.UTF8Mode, locale: result.Locale,
	}, nil
}

// ask runs probe.py and returns what was printed. The interpreter gets the environment that it will
// have in the process, so that what ends its start shows here.
func (config Config) ask(ctx context.Context, path string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	// The answer has a line for itself, whatever else is printed, and is written where neither a
	// replaced sys.stdout nor its encoding reaches.
	cmd := exec.CommandContext(limited, path, "-c", probeSource+"os.write(1, f'\\n{answer}\\n'.encode('ascii'))\n")
	cmd.Env = os.Environ()
	for key, value := range config.Env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	// What the interpreter started ends with it, and cannot hold its output open.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("it did not answer: %w", ctxerr.Reason(ctx))
	case limited.Err() != nil:
		return nil, fmt.Errorf(
			"it did not answer within %v; repair it, or name another Python %s",
			probeLimit,
			config.advice(),
		)
	}
	if text := strings.TrimSpace(stderr.String()); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return stdout.Bytes(), fmt.Errorf(
		"it does not run: %w; install or repair it, or name another Python %s",
		err,
		config.advice(),
	)
}

// readProbe finds the answer of probe.py among the lines that were printed.
func readProbe(output []byte) (probeResult, error) {
	for _, line := range slices.Backward(bytes.Split(output, []byte("\n"))) {
		var result probeResult
		if json.Unmarshal(line, &result) == nil && result.Implementation != "" {
			return result, nil
		}
	}
	return probeResult{}, fmt.Errorf("it does not answer as Python does: it printed %q", output)
}

// fileName returns the bytes of a path that probe.py spelled with one character for each.
func fileName(text string) string {
	name := make([]byte, 0, len(text))
	for _, r := range text {
		name = append(name, byte(r))
	}
	return string(name)
}

func firstFile(paths []string) (string, error) {
	for _, path := range paths {
		path = fileName(path)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", errors.New("none exists")
}
