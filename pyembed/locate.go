package pyembed

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The CPython releases that pyembed supports: 3.minMinor to 3.maxMinor.
const (
	minMinor = 11
	maxMinor = 14
)

// Python is an installation of CPython that a program can embed, as [Locate] found it.
type Python struct {
	// Executable is the interpreter to be: sys.executable, in a virtual environment that environment's own.
	Executable string
	// Library is the path of the shared libpython.
	Library string
	// Version is the release, such as "3.12.1".
	Version string
	// Source says where the interpreter was found, such as "VLLMGO_PYTHON" or ".venv in a parent directory".
	Source string
}

//go:embed probe.py
var probeSource string

// probeResult is what probe.py prints.
type probeResult struct {
	Executable     string
	Implementation string
	Version        string
	Major, Minor   int
	FreeThreaded   bool
	Libraries      []string
}

// Locate finds the Python to embed and its shared library, without loading it. It takes the first that
// exists of
//
//  1. python, when it is not empty: the path of an interpreter or of a virtual environment;
//  2. the environment variable VLLMGO_PYTHON, likewise;
//  3. $VIRTUAL_ENV;
//  4. .venv in the working directory or the nearest parent that has one;
//  5. python3 on PATH.
//
// The interpreter is run once to learn its version and where its libpython is. The error says what was
// tried, why it failed and what to do. It is never answered by a silent step to the next candidate: a
// virtual environment that is broken should be mended, not passed over.
func Locate(python string) (Python, error) {
	source, path, err := candidate(python)
	if err != nil {
		return Python{}, err
	}
	found, err := probe(path)
	if err != nil {
		return Python{}, fmt.Errorf("pyembed: %s (from %s): %w", path, source, err)
	}
	found.Source = source
	return found, nil
}

// candidate picks the interpreter to ask, and says where it comes from.
func candidate(python string) (source, path string, err error) {
	if python != "" {
		return "the Python option", interpreterIn(python), nil
	}
	if env := os.Getenv("VLLMGO_PYTHON"); env != "" {
		return "VLLMGO_PYTHON", interpreterIn(env), nil
	}
	tried := []string{"VLLMGO_PYTHON: not set"}
	if env := os.Getenv("VIRTUAL_ENV"); env != "" {
		return "VIRTUAL_ENV", interpreterIn(env), nil
	}
	tried = append(tried, "VIRTUAL_ENV: not set")
	dir, err := os.Getwd()
	if err != nil {
		return "", "", fmt.Errorf("pyembed: cannot look for .venv: %w", err)
	}
	for parent := dir; ; parent = filepath.Dir(parent) {
		if _, err := os.Stat(filepath.Join(parent, ".venv")); err == nil {
			return ".venv in " + parent, interpreterIn(filepath.Join(parent, ".venv")), nil
		}
		if parent == filepath.Dir(parent) {
			break
		}
	}
	tried = append(tried, ".venv: not in "+dir+" or above it")
	path, err = exec.LookPath("python3")
	if err == nil {
		return "python3 on PATH", path, nil
	}
	tried = append(tried, "python3: not on PATH")
	return "", "", fmt.Errorf("pyembed: found no Python (%s); install CPython 3.%d to 3.%d, "+
		"or name one with VLLMGO_PYTHON=/path/to/python3", strings.Join(tried, "; "), minMinor, maxMinor)
}

// interpreterIn turns the path of a virtual environment into that of its interpreter.
func interpreterIn(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, "bin", "python")
	}
	return path
}

// probe asks the interpreter what it is.
func probe(path string) (Python, error) {
	// -I would hide user packages, but nothing is imported here; it keeps the working directory's modules out.
	cmd := exec.Command(path, "-I", "-c", probeSource)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return Python{}, fmt.Errorf("it does not run: %w; install or repair it, "+
			"or name another Python with VLLMGO_PYTHON=/path/to/python3", err)
	}
	var result probeResult
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		return Python{}, fmt.Errorf("it does not answer as Python does (%w): %q", err, stdout.String())
	}
	if result.Implementation != "cpython" {
		return Python{}, fmt.Errorf("it is %s; only CPython can be embedded", result.Implementation)
	}
	if result.Major != 3 || result.Minor < minMinor || result.Minor > maxMinor {
		return Python{}, fmt.Errorf("it is Python %s; 3.%d to 3.%d are supported: name one with "+
			"VLLMGO_PYTHON=/path/to/python3", result.Version, minMinor, maxMinor)
	}
	if result.FreeThreaded {
		return Python{}, fmt.Errorf("it is a free-threaded build of Python %s, which is not supported: name an "+
			"ordinary one with VLLMGO_PYTHON=/path/to/python3", result.Version)
	}
	library, err := firstFile(result.Libraries)
	if err != nil {
		return Python{}, fmt.Errorf("Python %s has no shared library libpython3.%d (looked for %s); install it: "+
			"on Debian and Ubuntu `apt-get install libpython3.%d`, with pyenv "+
			"`PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install %s`; conda's and uv's Pythons have one",
			result.Version, result.Minor, strings.Join(result.Libraries, ", "), result.Minor, result.Version)
	}
	return Python{Executable: result.Executable, Library: library, Version: result.Version}, nil
}

func firstFile(paths []string) (string, error) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", errors.New("none exists")
}
