package pyembed

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func init() {
	// Says where the Python that runs believes to be.
	programs["layout"] = func(rt *Interpreter) error {
		return rt.Do(context.Background(), func(py *Py) error {
			return py.Exec(`
import json, sys
print(json.dumps({"prefix": sys.prefix, "base_prefix": sys.base_prefix, "executable": sys.executable, "path": sys.path}))
import ctypes, _hashlib  # extension modules
try:
    import layout_marker
    print(layout_marker.__file__)
except ImportError:
    pass
`)
		})
	}
}

// layout is what the Python of a process reports about itself.
type layout struct {
	Prefix     string
	BasePrefix string `json:"base_prefix"`
	Executable string
	Path       []string
}

// runLayout starts the Python in a process of its own. The rest is what it printed besides.
func runLayout(t *testing.T, env ...string) (found layout, rest string) {
	t.Helper()
	output, err := inProcess(t, "layout", env...)
	require.NoError(t, err, output)
	first, rest, _ := strings.Cut(output, "\n")
	require.NoError(t, json.Unmarshal([]byte(first), &found), output)
	return found, strings.TrimSpace(rest)
}

// realPython is the installation that recreated layouts are made from, outside any virtual
// environment.
type realPython struct {
	Executable, Version, Library string
	Stdlib                       string
	Short                        string // such as "3.12"
}

func findRealPython(t *testing.T) realPython {
	t.Helper()
	found := python(t).Python()
	output, err := exec.Command(found.Executable, "-I", "-c", `
import json, os, sys
print(json.dumps({"Executable": os.path.realpath(sys._base_executable), "Stdlib": os.path.dirname(os.__file__),
                  "Short": "%d.%d" % sys.version_info[:2]}))`).Output()
	require.NoError(t, err)
	result := realPython{Version: found.Version, Library: found.Library}
	require.NoError(t, json.Unmarshal(output, &result))
	return result
}

// install makes prefix an installation: the standard library and, in libdir, libpython are links to
// the real ones, and bin/python3.X is an interpreter that answers the real probe.py with
// sysconfig's values replaced.
func (p realPython) install(t *testing.T, prefix, libdir string, sysconfig map[string]any) (executable string) {
	t.Helper()
	for _, dir := range []string{filepath.Join(prefix, "bin"), filepath.Join(prefix, "lib"), libdir} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	require.NoError(t, os.Symlink(p.Library, filepath.Join(libdir, p.library())))
	require.NoError(t, os.Symlink(p.Stdlib, filepath.Join(prefix, "lib", "python"+p.Short)))
	executable = filepath.Join(prefix, "bin", "python"+p.Short)
	p.interpreter(t, executable, prefix, sysconfig)
	for _, name := range []string{"python3", "python"} {
		require.NoError(t, os.Symlink(filepath.Base(executable), filepath.Join(prefix, "bin", name)))
	}
	return executable
}

func (p realPython) library() string { return filepath.Base(p.Library) }

func (p realPython) interpreter(t *testing.T, path, basePrefix string, sysconfig map[string]any) {
	t.Helper()
	replaced, err := json.Marshal(sysconfig)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `#!%s -I
import json, sys, sysconfig
replaced = json.loads(%q)
unreplaced = sysconfig.get_config_var
sysconfig.get_config_var = lambda name: replaced[name] if name in replaced else unreplaced(name)
sys.executable, sys.base_prefix = sys.argv[0], %q
command, source = sys.argv[1:]
assert command == "-c"
exec(source)
`, p.Executable, replaced, basePrefix), 0o755))
}

// shared is what sysconfig reports in a Python that was built with --enable-shared.
func (p realPython) shared(libdir string) map[string]any {
	return map[string]any{
		"LIBDIR": libdir, "LIBPL": filepath.Join(libdir, "python"+p.Short, "config-"+p.Short),
		"INSTSONAME": p.library(), "LDLIBRARY": "libpython" + p.Short + ".so", "PY3LIBRARY": "libpython3.so",
		"MULTIARCH": "x86_64-linux-gnu",
	}
}

// TestConda: conda's interpreter is static, so that sysconfig names libpython3.X.a only; the shared
// library lies next to it all the same. An active environment comes first on PATH.
func TestConda(t *testing.T) {
	real := findRealPython(t)
	prefix := filepath.Join(t.TempDir(), "envs", "work")
	libdir := filepath.Join(prefix, "lib")
	sysconfig := real.shared(libdir)
	static := "libpython" + real.Short + ".a"
	sysconfig["INSTSONAME"], sysconfig["LDLIBRARY"], sysconfig["PY3LIBRARY"] = static, static, ""
	real.install(t, prefix, libdir, sysconfig)

	lonely(t)
	t.Setenv("CONDA_PREFIX", prefix)
	t.Setenv("PATH", filepath.Join(prefix, "bin")+":"+os.Getenv("PATH"))
	found, err := Locate(t.Context(), search(""))
	require.NoError(t, err)
	assert.Equal(t, Python{
		Executable: filepath.Join(prefix, "bin", "python3"), Library: filepath.Join(libdir, real.library()),
		Version: real.Version, Source: "python3 on PATH", utf8Mode: found.utf8Mode, locale: found.locale,
	}, found)
	named, err := Locate(t.Context(), search(prefix))
	require.NoError(t, err)
	assert.Equal(t, found.Library, named.Library, "an environment can be named by its folder")

	running, _ := runLayout(t)
	assert.Equal(t, prefix, running.Prefix)
	assert.Equal(t, found.Executable, running.Executable)
	assert.Contains(t, running.Path, filepath.Join(libdir, "python"+real.Short))
}

// TestUV: the Pythons that uv installs (python-build-standalone) report the folders in which they
// were built; see https://github.com/astral-sh/uv/issues/12743.
func TestUV(t *testing.T) {
	real := findRealPython(t)
	prefix := filepath.Join(t.TempDir(), "cpython-"+real.Version+"-linux-x86_64-gnu")
	libdir := filepath.Join(prefix, "lib")
	sysconfig := real.shared("/install/lib")
	base := real.install(t, prefix, libdir, sysconfig)
	want := filepath.Join(libdir, real.library())

	lonely(t)
	found, err := Locate(t.Context(), search(base))
	require.NoError(t, err)
	assert.Equal(t, want, found.Library)
	running, _ := runLayout(t, "VLLMGO_PYTHON="+base)
	assert.Equal(t, prefix, running.Prefix)

	// An environment that `uv venv` made from it.
	venv := filepath.Join(t.TempDir(), ".venv")
	executable := filepath.Join(venv, "bin", "python")
	real.interpreter(t, executable, prefix, sysconfig)
	packages := filepath.Join(venv, "lib", "python"+real.Short, "site-packages")
	require.NoError(t, os.MkdirAll(packages, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(venv, "pyvenv.cfg"), []byte("home = "+filepath.Dir(base)+"\n"), 0o644))
	found, err = Locate(t.Context(), search(venv))
	require.NoError(t, err)
	assert.Equal(t, executable, found.Executable)
	assert.Equal(t, want, found.Library)
	running, _ = runLayout(t, "VLLMGO_PYTHON="+venv)
	assert.Equal(t, layout{venv, prefix, executable, running.Path}, running)
	assert.Contains(t, running.Path, packages)
}

// TestDebian: the library lies in the folder of its architecture, which LIBDIR names in some
// releases, and only libpython3.X-dev adds the link without version.
func TestDebian(t *testing.T) {
	real := findRealPython(t)
	prefix := filepath.Join(t.TempDir(), "usr")
	multiarch := filepath.Join(prefix, "lib", "x86_64-linux-gnu")
	executable := real.install(t, prefix, multiarch, real.shared(multiarch))
	lonely(t)
	for _, libdir := range []string{multiarch, filepath.Join(prefix, "lib")} {
		real.interpreter(t, executable, prefix, real.shared(libdir))
		found, err := Locate(t.Context(), search(executable))
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(multiarch, real.library()), found.Library)
	}
	running, _ := runLayout(t, "VLLMGO_PYTHON="+executable)
	assert.Equal(t, prefix, running.Prefix)

	// Without the package, the error says which one it is.
	require.NoError(t, os.Remove(filepath.Join(multiarch, real.library())))
	_, err := Locate(t.Context(), search(executable))
	assert.ErrorContains(t, err, multiarch)
	assert.ErrorContains(t, err, "`apt-get install libpython"+real.Short+"`")
}

// TestVirtualEnvironment makes a real one, of which the running interpreter must have all.
func TestVirtualEnvironment(t *testing.T) {
	real := findRealPython(t)
	venv := filepath.Join(t.TempDir(), "env")
	output, err := exec.Command(real.Executable, "-I", "-m", "venv", "--without-pip", venv).CombinedOutput()
	require.NoError(t, err, "%s", output)
	packages := filepath.Join(venv, "lib", "python"+real.Short, "site-packages")
	marker := filepath.Join(packages, "layout_marker.py")
	require.NoError(t, os.WriteFile(marker, nil, 0o644))
	for _, env := range [][]string{
		{"VLLMGO_PYTHON=" + venv},
		{"VLLMGO_PYTHON=" + filepath.Join(venv, "bin", "python")},
		{"VLLMGO_PYTHON=", "VIRTUAL_ENV=" + venv},
	} {
		running, imported := runLayout(t, env...)
		assert.Equal(t, venv, running.Prefix, "%v", env)
		assert.NotEqual(t, venv, running.BasePrefix, "%v", env)
		assert.Equal(t, filepath.Join(venv, "bin", "python"), running.Executable, "%v", env)
		assert.Contains(t, running.Path, packages, "%v", env)
		assert.Equal(t, marker, imported, "%v", env)
	}
}

// startWith starts, in a process of its own, a Python whose libpython is that file, and returns the
// error.
func startWith(t *testing.T, library string) string {
	t.Helper()
	answer := usable(t, "/usr/bin/python3.12")
	answer.Libraries = []string{library}
	path := fakePython(t, filepath.Join(t.TempDir(), "python3"), answer)
	output, err := inProcess(t, "layout", "VLLMGO_PYTHON="+path)
	assert.ErrorContains(t, err, "exit status 1", output)
	assert.NotContains(t, output, "goroutine ", "a crash")
	return output
}

func TestLoadWrongArchitecture(t *testing.T) {
	machine := elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_X86_64
	}
	var file bytes.Buffer
	header := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	require.NoError(t, binary.Write(&file, binary.LittleEndian, header))
	file.Write(make([]byte, 4096)) // ld.so reads more than the header
	library := filepath.Join(t.TempDir(), "libpython3.12.so.1.0")
	require.NoError(t, os.WriteFile(library, file.Bytes(), 0o644))
	message := startWith(t, library)
	assert.Contains(t, message, "cannot load "+library)
	assert.Contains(t, message, "it is for "+machine.String())
	assert.Contains(t, message, "VLLMGO_PYTHON=")
}

// TestLoadMissingSymbols tries a library that has one of the functions, if there is a C compiler,
// and one that has none.
func TestLoadMissingSymbols(t *testing.T) {
	library := filepath.Join(t.TempDir(), "libpython3.12.so.1.0")
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	for field := range strings.FieldsSeq(string(maps)) {
		if strings.HasPrefix(filepath.Base(field), "libc.so") || strings.HasPrefix(filepath.Base(field), "libc-2") {
			require.NoError(t, os.Symlink(field, library))
			break
		}
	}
	message := startWith(t, library)
	assert.Contains(t, message, "cannot load "+library)
	assert.Contains(t, message, "no symbol Py_InitializeEx")

	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Log("there is no gcc to build a library with one symbol")
		return
	}
	require.NoError(t, os.Remove(library))
	cmd := exec.Command(compiler, "-shared", "-x", "c", "-o", library, "-")
	cmd.Stdin = strings.NewReader("void Py_InitializeEx(int initsigs) {}")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	message = startWith(t, library)
	assert.Contains(t, message, "cannot load "+library)
	assert.Contains(t, message, "no symbol Py_SetProgramName; repair or reinstall that Python")
}
