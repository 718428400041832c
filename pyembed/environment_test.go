package pyembed

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startReport prints what Python made of its environment. A python program and an embedded one must
// agree on it.
const startReport = `
import json, locale, os, sys, warnings
report = {"flags": {name: getattr(sys.flags, name) for name in dir(sys.flags)
                    if name[0] != "_" and name not in ("count", "index", "n_fields", "n_sequence_fields", "n_unnamed_fields")},
          "fs": sys.getfilesystemencoding(), "fs errors": sys.getfilesystemencodeerrors(),
          "preferred": locale.getpreferredencoding(False), "locale": locale.setlocale(locale.LC_CTYPE),
          "stdin": [sys.stdin.encoding, sys.stdin.errors], "stdout": [sys.__stdout__.encoding, sys.__stdout__.errors],
          "stderr": [sys.__stderr__.encoding, sys.__stderr__.errors], "warnoptions": sys.warnoptions,
          "xoptions": sys._xoptions, "pycache": sys.pycache_prefix, "platlibdir": sys.platlibdir,
          "digits": sys.get_int_max_str_digits(), "prefix": sys.prefix, "exec_prefix": sys.exec_prefix,
          "base_prefix": sys.base_prefix, "executable": sys.executable, "path": [p for p in sys.path if p],
          "hash": hash("fixed") if os.environ.get("PYTHONHASHSEED", "random") != "random" else None,
          "usersite": "site" in sys.modules and sys.modules["site"].ENABLE_USER_SITE,
          "tracemalloc": __import__("tracemalloc").get_traceback_limit() if __import__("tracemalloc").is_tracing() else 0,
          "cpus": os.process_cpu_count() if hasattr(os, "process_cpu_count") else None,
          "LC_CTYPE": os.environ.get("LC_CTYPE")}

print(json.dumps(report), file=sys.__stdout__, flush=True)
`

func init() {
	programs["start report"] = func(rt *Interpreter) error {
		return rt.Main().Do(context.Background(), func(py *Py) error { return py.Exec(startReport) })
	}
}

// TestEnvironmentIsObeyed starts Python with each variable of python --help-env, as a program and
// embedded.
func TestEnvironmentIsObeyed(t *testing.T) {
	executable := python(t).Python().Executable
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sitecustomize.py"), []byte("print('hello from sitecustomize', end='')\n"), 0o644))
	for _, env := range [][]string{
		{}, {"PYTHONUTF8=1"}, {"PYTHONUTF8=0"}, {"PYTHONUTF8=0", "LC_ALL=C"}, {"PYTHONUTF8=1", "LC_ALL=C"},
		{"LANG=en_US.UTF-8", "LC_ALL=", "LC_CTYPE="}, // not installed
		{"LANG=xx_YY", "LC_ALL="}, {"LC_ALL=xx_YY.UTF-8"}, {"LC_CTYPE=xx_YY.UTF-8", "LC_ALL="},
		{"LANG=", "LC_ALL=", "LC_CTYPE="}, {"LANG=C", "LC_ALL="}, {"LC_ALL=C"}, {"LC_ALL=POSIX"},
		{"LC_ALL=C.UTF-8"}, {"LC_ALL=", "LANG=C.UTF-8"},
		{"PYTHONCOERCECLOCALE=0", "LC_ALL=", "LANG=C"}, {"PYTHONCOERCECLOCALE=1", "LC_ALL=", "LANG=C"},
		{"PYTHONCOERCECLOCALE=0", "PYTHONUTF8=0", "LC_ALL=", "LANG=C"},
		{"PYTHONDEBUG=1"}, {"PYTHONVERBOSE=1"}, {"PYTHONOPTIMIZE=2"}, {"PYTHONDONTWRITEBYTECODE=1"},
		{"PYTHONUNBUFFERED=1"}, {"PYTHONINSPECT=1"}, {"PYTHONIOENCODING=latin-1:replace"}, {"PYTHONIOENCODING=:ignore"},
		{"PYTHONHASHSEED=0"}, {"PYTHONHASHSEED=42"}, {"PYTHONHASHSEED=random"}, {"PYTHONNOUSERSITE=1"},
		{"PYTHONWARNINGS=error::UserWarning,ignore"}, {"PYTHONDEVMODE=1"}, {"PYTHONFAULTHANDLER=1"}, {"PYTHONTRACEMALLOC=3"},
		{"PYTHONMALLOC=malloc"}, {"PYTHONMALLOC=debug"}, {"PYTHONSAFEPATH=1"},
		{"PYTHONINTMAXSTRDIGITS=5000"}, {"PYTHONPYCACHEPREFIX=" + dir}, {"PYTHONPATH=/one:/two"}, {"PYTHONPATH=" + dir},
		{"PYTHONPLATLIBDIR=lib"}, {"PYTHONNODEBUGRANGES=1"}, {"PYTHONPROFILEIMPORTTIME=1"}, {"PYTHONWARNDEFAULTENCODING=1"},
		{"PYTHONPERFSUPPORT=1"}, {"PYTHONPERFSUPPORT=0"}, {"PYTHON_CPU_COUNT=3"}, {"PYTHON_FROZEN_MODULES=on"}, {"PYTHON_FROZEN_MODULES=off"},
		{"PYTHONBREAKPOINT=0"}, {"PYTHONCASEOK=1"}, {"PYTHONASYNCIODEBUG=1"}, {"PYTHON_COLORS=0"}, {"PYTHON_BASIC_REPL=1"},
		{"PYTHONSTARTUP=/nowhere.py"}, {"PYTHONUSERBASE=" + dir}, {"PYTHONEXECUTABLE=/nowhere"}, {"PYTHON_GIL=1"}, {"PYTHON_HISTORY=" + dir},
		{"PYTHON_DISABLE_REMOTE_DEBUG=1"}, {"PYTHON_PERF_JIT_SUPPORT=0"}, {"PYTHON_CONTEXT_AWARE_WARNINGS=1"}, {"PYTHON_THREAD_INHERIT_CONTEXT=1"},
	} {
		t.Run(strings.Join(env, " "), func(t *testing.T) {
			cmd := exec.Command(executable, "-c", startReport)
			cmd.Env = append(append(os.Environ(), "PYEMBED_TEST_PROGRAM=start report"), env...)
			output, err := cmd.Output()
			require.NoError(t, err)
			want := lastReport(t, string(output))
			text, err := inProcess(t, "start report", env...)
			require.NoError(t, err, text)
			got := lastReport(t, text)
			// This one is what pyembed promises to do otherwise.
			for _, report := range []map[string]any{want, got} {
				delete(report["flags"].(map[string]any), "faulthandler")
			}
			assert.Equal(t, want, got)
		})
	}
}

func lastReport(t *testing.T, output string) map[string]any {
	t.Helper()
	for line := range strings.Lines(output) {
		if _, rest, ok := strings.Cut(line, `{"flags"`); ok {
			var report map[string]any
			require.NoError(t, json.Unmarshal([]byte(`{"flags"`+rest), &report))
			return report
		}
	}
	t.Fatalf("no report in %q", output)
	return nil
}
