package pyembed

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/pyembed/internal/plugin"
)

// What another part of the program may have done with a libpython before Start.

func init() {
	preludes["loaded before"] = func() {
		how := os.Getenv("PYEMBED_TEST_LOADED")
		err := plugin.Load(os.Getenv("PYEMBED_TEST_LIBRARY"), strings.Contains(how, "global"), strings.Contains(how, "running"))
		if err != nil {
			panic(err)
		}
	}
	// Modules in files of their own, which find libpython's symbols when these are global.
	programs["loaded before"] = func(rt *Interpreter) error {
		return rt.Do(context.Background(), func(py *Py) error {
			return py.Exec(`
import _ctypes, _hashlib, _sqlite3
assert _ctypes.__file__
print("imported")
`)
		})
	}
}

// TestLibpythonThatIsLoadedAlready starts in a process in which a plugin has loaded the same
// libpython, or another one.
func TestLibpythonThatIsLoadedAlready(t *testing.T) {
	same := python(t).Python().Library
	content, err := os.ReadFile(same)
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), filepath.Base(same))
	require.NoError(t, os.WriteFile(other, content, 0o755))
	link := filepath.Join(t.TempDir(), "libplugin.so")
	require.NoError(t, os.Symlink(same, link))
	for _, c := range []struct{ how, library, want string }{
		{"local", same, ""},
		{"local", link, ""},
		{"global", same, ""},
		{"local", other, ""},
		{"global", other, "has loaded another Python before"},
		{"local, running", same, "runs a Python already"},
		{"global, running", same, "runs a Python already"},
		{"local, running", other, "runs a Python already"},
		{"global, running", other, "runs a Python already"},
	} {
		output, err := inProcess(t, "loaded before", "PYEMBED_TEST_LOADED="+c.how, "PYEMBED_TEST_LIBRARY="+c.library)
		if c.want == "" {
			assert.NoError(t, err, "%s, %s: %s", c.how, c.library, output)
			assert.Equal(t, "imported\n", output)
		} else {
			assert.Error(t, err, "%s, %s", c.how, c.library)
			assert.True(t, strings.HasPrefix(output, "pyembed: "), "%s, %s: an error of Start: %s", c.how, c.library, output)
			assert.Contains(t, output, c.want, "%s, %s", c.how, c.library)
		}
	}
}
