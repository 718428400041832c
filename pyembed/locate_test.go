package pyembed

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// search names a Python, or none, and the variable that the tests use.
func search(python string) Config { return Config{Python: python, Variable: "VLLMGO_PYTHON"} }

// fakePython writes an executable that answers the probe as told.
func fakePython(t *testing.T, path string, answer probeResult) string {
	t.Helper()
	encoded, err := json.Marshal(answer)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\ncat <<'END'\n"+string(encoded)+"\nEND\n"), 0o755))
	return path
}

// usable is the answer of a Python that can be embedded, at least as far as Locate looks.
func usable(t *testing.T, executable string) probeResult {
	t.Helper()
	library := filepath.Join(t.TempDir(), "libpython3.12.so.1.0")
	require.NoError(t, os.WriteFile(library, nil, 0o644))
	return probeResult{
		Executable: executable, Implementation: "cpython", Version: "3.12.1", Major: 3, Minor: 12,
		Libraries: []string{"/nowhere/libpython3.12.so", library},
	}
}

// lonely leaves the test without any Python, in a folder that has no .venv above it.
func lonely(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Chdir(dir)
	t.Setenv("VLLMGO_PYTHON", "")
	t.Setenv("VIRTUAL_ENV", "")
	t.Setenv("PATH", "/bin") // for sh and cat
	if _, err := exec.LookPath("python3"); err == nil {
		bin := filepath.Join(dir, "bin")
		require.NoError(t, os.Mkdir(bin, 0o755))
		for _, tool := range []string{"sh", "cat"} {
			require.NoError(t, os.Symlink("/bin/"+tool, filepath.Join(bin, tool)))
		}
		t.Setenv("PATH", bin)
	}
	return dir
}

func TestLocateOrder(t *testing.T) {
	dir := lonely(t)
	add := func(name string) string {
		path := filepath.Join(dir, name)
		return fakePython(t, path, usable(t, path))
	}
	expect := func(want, source string) {
		t.Helper()
		found, err := Locate(t.Context(), search(""))
		require.NoError(t, err)
		assert.Equal(t, want, found.Executable)
		assert.Contains(t, found.Source, source)
		assert.FileExists(t, found.Library)
	}
	onPath := add("bin/python3")
	t.Setenv("PATH", filepath.Dir(onPath)+":"+os.Getenv("PATH"))
	expect(onPath, "python3 on PATH")

	venv := add(".venv/bin/python")
	below := filepath.Join(dir, "a", "b")
	require.NoError(t, os.MkdirAll(below, 0o755))
	t.Chdir(below)
	expect(venv, ".venv in "+dir)

	active := add("active/bin/python")
	t.Setenv("VIRTUAL_ENV", filepath.Join(dir, "active"))
	expect(active, "VIRTUAL_ENV")

	named := add("named/python3")
	t.Setenv("VLLMGO_PYTHON", named)
	expect(named, "VLLMGO_PYTHON")

	option := add("option/bin/python")
	found, err := Locate(t.Context(), search(filepath.Join(dir, "option")))
	require.NoError(t, err)
	assert.Equal(t, option, found.Executable)
}

func TestLocateSaysWhatItTried(t *testing.T) {
	dir := lonely(t)
	_, err := Locate(t.Context(), search(""))
	for _, want := range []string{"VLLMGO_PYTHON: not set", "VIRTUAL_ENV: not set", ".venv: not in " + dir,
		"python3: not on PATH", "install CPython 3.11 to 3.14"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestLocateRefuses(t *testing.T) {
	dir := lonely(t)
	path := filepath.Join(dir, "python3")
	for name, c := range map[string]struct {
		change func(*probeResult)
		want   string
	}{
		"old":           {func(r *probeResult) { r.Minor, r.Version = 9, "3.9.2" }, "it is Python 3.9.2; 3.11 to 3.14 are supported"},
		"new":           {func(r *probeResult) { r.Minor, r.Version = 15, "3.15.0" }, "it is Python 3.15.0; 3.11 to 3.14 are supported"},
		"free-threaded": {func(r *probeResult) { r.FreeThreaded = true }, "a free-threaded build of Python 3.12.1, which is not supported"},
		"pypy":          {func(r *probeResult) { r.Implementation = "pypy" }, "it is pypy; only CPython can be embedded"},
		"no shared":     {func(r *probeResult) { r.Libraries = r.Libraries[:1] }, "`apt-get install libpython3.12`"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := usable(t, path)
			c.change(&answer)
			fakePython(t, path, answer)
			_, err := Locate(t.Context(), search(path))
			assert.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, path)
		})
	}
}

func TestLocateBrokenVirtualEnvironment(t *testing.T) {
	dir := lonely(t)
	bin := filepath.Join(dir, ".venv", "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	require.NoError(t, os.Symlink("/gone/python3.12", filepath.Join(bin, "python")))
	_, err := Locate(t.Context(), search(""))
	assert.ErrorContains(t, err, "it does not run")
	assert.ErrorContains(t, err, ".venv in "+dir)

	require.NoError(t, os.Remove(filepath.Join(bin, "python")))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "python"), []byte("#!/bin/sh\necho hello\n"), 0o755))
	_, err = Locate(t.Context(), search(""))
	assert.ErrorContains(t, err, "it does not answer as Python does")
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	require.NoError(t, os.WriteFile(text, []byte("not a library"), 0o644))
	assert.ErrorContains(t, load(text, ""), "file too short")
	assert.ErrorContains(t, load(filepath.Join(dir, "none.so"), ""), "No such file")
}

// A Python whose output has an encoding that is not ASCII's answers, too.
func TestLocateWhateverTheEncoding(t *testing.T) {
	for _, encoding := range []string{"utf-16", "utf-32", "cp500"} {
		_, err := Locate(t.Context(), Config{Variable: "VLLMGO_PYTHON", Env: map[string]string{"PYTHONIOENCODING": encoding}})
		assert.NoError(t, err, encoding)
	}
}
