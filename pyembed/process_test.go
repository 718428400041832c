package pyembed

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// programs are run in processes of their own, by inProcess.
var programs = map[string]func(*Interpreter) error{
	"locale": func(rt *Interpreter) error {
		return rt.Do(context.Background(), func(py *Py) error {
			return py.Exec("import locale, sys; print(sys.getfilesystemencoding(), locale.getpreferredencoding(), 'é')")
		})
	},
	"switch interval": func(rt *Interpreter) error {
		return rt.Do(context.Background(), func(py *Py) error {
			return py.Exec("import sys; print(sys.getswitchinterval())")
		})
	},
	"exit": func(rt *Interpreter) error {
		err := rt.Do(context.Background(), func(py *Py) error { return py.Exec("print('printed')") })
		if err == nil {
			os.Exit(3)
		}
		return err
	},
	"stale view": func(rt *Interpreter) error {
		return rt.Do(context.Background(), func(py *Py) error {
			o, err := py.From([]byte("abc"))
			if err != nil {
				return err
			}
			var kept []byte
			if err := View(py, o, func(values []byte) error { kept = values; return nil }); err != nil {
				return err
			}
			fmt.Println("read", kept[0])
			return nil
		})
	},
	"written view": func(rt *Interpreter) error {
		return rt.Do(context.Background(), func(py *Py) error {
			o, err := py.From([]byte("abc"))
			if err != nil {
				return err
			}
			return View(py, o, func(values []byte) error { values[0] = 'x'; return nil })
		})
	},
	"sigpipe": func(rt *Interpreter) error {
		return rt.Do(context.Background(), func(py *Py) error {
			return py.Exec(`
import os, threading
def write():
    r, w = os.pipe()
    os.close(r)
    try:
        os.write(w, b"x")
    except BrokenPipeError:
        print("EPIPE")
thread = threading.Thread(target=write)
thread.start()
thread.join()
`)
		})
	},
}

// preludes run before the interpreter of the program of that name starts.
var preludes = map[string]func(){}

func TestMain(m *testing.M) {
	program, ok := programs[os.Getenv("PYEMBED_TEST_PROGRAM")]
	if !ok {
		skipExamplesWithoutPython()
		os.Exit(m.Run())
	}
	if prelude, ok := preludes[os.Getenv("PYEMBED_TEST_PROGRAM")]; ok {
		prelude()
	}
	config := search("")
	config.SwitchInterval, _ = time.ParseDuration(os.Getenv("PYEMBED_TEST_SWITCH_INTERVAL"))
	rt, err := Start(config)
	if err == nil {
		err = program(rt)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// skipExamplesWithoutPython does for Examples, which cannot skip, what python does for tests.
func skipExamplesWithoutPython() {
	flag.Parse()
	if _, err := Start(testConfig); err != nil && os.Getenv("VLLMGO_REQUIRE_VLLM") == "" {
		fmt.Fprintln(os.Stderr, "no embeddable Python, examples are skipped:", err)
		skip := flag.Lookup("test.skip").Value
		pattern := "^Example"
		if others := skip.String(); others != "" {
			pattern = others + "|" + pattern
		}
		if err := skip.Set(pattern); err != nil {
			panic(err)
		}
	}
}

// inProcess runs one of programs with the environment changed, and returns what it printed.
func inProcess(t *testing.T, name string, env ...string) (output string, err error) {
	t.Helper()
	python(t) // skips where there is none
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	// The race detector would sleep for a second at exit.
	cmd.Env = append(append(os.Environ(), "PYEMBED_TEST_PROGRAM="+name, "GORACE=atexit_sleep_ms=0"), env...)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func TestNoLocaleIsUTF8(t *testing.T) {
	for _, env := range [][]string{{"LC_ALL=", "LC_CTYPE=", "LANG="}, {"LC_ALL=", "LC_CTYPE=", "LANG=C"}, {"LC_ALL=POSIX"}} {
		output, err := inProcess(t, "locale", env...)
		require.NoError(t, err, output)
		assert.Equal(t, "utf-8 utf-8 é", strings.ToLower(strings.TrimSpace(output)), "%v", env)
	}
}

func TestOutputSurvivesExit(t *testing.T) {
	output, err := inProcess(t, "exit")
	assert.ErrorContains(t, err, "exit status 3")
	assert.Equal(t, "printed\n", output)
}

func TestSwitchIntervalCanBeSet(t *testing.T) {
	for setting, want := range map[string]string{"": "0.005\n", "250us": "0.00025\n"} {
		output, err := inProcess(t, "switch interval", "PYEMBED_TEST_SWITCH_INTERVAL="+setting)
		require.NoError(t, err, output)
		assert.Equal(t, want, output)
	}
}

func TestSIGPIPEIsAnError(t *testing.T) {
	output, err := inProcess(t, "sigpipe")
	require.NoError(t, err)
	assert.Equal(t, "EPIPE\n", output)
}

func TestMisuseOfAViewFaultsUnderTheRaceDetector(t *testing.T) {
	if !raceEnabled {
		t.Skip("only with -race")
	}
	for _, name := range []string{"stale view", "written view"} {
		output, err := inProcess(t, name)
		assert.ErrorContains(t, err, "exit status 2", name)
		assert.Contains(t, output, "unexpected fault address", name)
		assert.Contains(t, output, "process_test.go", "the line is named")
	}
}
