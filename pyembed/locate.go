//go:build cgo

package pyembed

import (
	"cmp"
	"context"
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
	// Executable is the interpreter to be: sys.executable. In a virtual environment, it is that
	// environment's.
	Executable string
	// Library is the path of the shared libpython.
	Library string
	// Version is the release, such as "3.12.1".
	Version string
	// Source is where the interpreter was found, such as "VIRTUAL_ENV" or ".venv in a parent
	// directory".
	Source string

	// utf8Mode and locale are how it started in the environment: sys.flags.utf8_mode and LC_CTYPE.
	utf8Mode int
	locale   string
}

// Locate finds the Python that [Start] would start, and its shared library, without loading it. It
// takes the first that is there of
//
//  1. config.Python: an interpreter or a virtual environment;
//  2. the environment variable that config.Variable names, read in the same way;
//  3. $VIRTUAL_ENV;
//  4. .venv in the working directory or the nearest parent that has one;
//  5. python3 on PATH.
//
// Locate runs the interpreter once, in the environment that [Start] gives it, to learn its version,
// where its libpython is, and that it starts. The error lists what was tried, why it failed and
// what to do. Locate does not go on to the next candidate after an error: a virtual environment
// that is broken should be mended, not passed over.
//
// A Python that does not answer within 30 seconds, or when ctx ends, is an error.
func Locate(ctx context.Context, config Config) (Python, error) {
	source, path, err := config.candidate()
	if err != nil {
		return Python{}, err
	}
	found, err := config.probe(ctx, path)
	if err != nil {
		return Python{}, fmt.Errorf("pyembed: %s (from %s): %w", path, source, err)
	}
	found.Source = source
	return found, nil
}

// advice returns how to name another Python.
func (config Config) advice() string {
	if config.Variable == "" {
		return "with the Python option"
	}
	return "with " + config.Variable + "=/path/to/python3"
}

// candidate returns the interpreter to ask, and where it comes from.
func (config Config) candidate() (source, path string, err error) {
	if config.Python != "" {
		path, err := interpreter(config.Python)
		return "the Python option", path, err
	}
	var tried []string
	for _, variable := range []string{config.Variable, "VIRTUAL_ENV"} {
		if variable == "" {
			continue
		}
		if value := cmp.Or(config.Env[variable], os.Getenv(variable)); value != "" {
			path, err := interpreter(value)
			return variable, path, err
		}
		tried = append(tried, variable+": not set")
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", "", fmt.Errorf("pyembed: cannot look for .venv: %w", err)
	}
	for parent := dir; ; parent = filepath.Dir(parent) {
		if _, err := os.Stat(filepath.Join(parent, ".venv")); err == nil {
			path, err := interpreter(filepath.Join(parent, ".venv"))
			return ".venv in " + parent, path, err
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
	return "", "", fmt.Errorf("pyembed: found no Python (%s); install CPython 3.%d to 3.%d, or name one %s",
		strings.Join(tried, "; "), minMinor, maxMinor, config.advice())
}

// interpreter returns the absolute path of an interpreter: of a virtual environment's for its
// folder, and of the one on PATH for a bare name.
func interpreter(name string) (string, error) {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		name = filepath.Join(name, "bin", "python")
	case !strings.Contains(name, "/"):
		if found, err := exec.LookPath(name); err == nil {
			name = found
		}
	}
	// Not filepath.Clean or EvalSymlinks: a virtual environment's interpreter is a link, and stays
	// it.
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("pyembed: the path %s: %w", name, err)
	}
	return path, nil
}
