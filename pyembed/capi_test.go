package pyembed

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOnlyStableNamesAreUsed compares every name that capi.h looks up with CPython's stable ABI, so
// that one binary serves all releases.
func TestOnlyStableNamesAreUsed(t *testing.T) {
	header, err := os.ReadFile("capi.h")
	require.NoError(t, err)
	list, err := os.ReadFile("testdata/stable_abi_3.11.txt")
	require.NoError(t, err)
	stable := strings.Fields(string(list))

	required, objects, found := strings.Cut(string(header), "#define PYEMBED_OBJECTS(API)")
	require.True(t, found)
	objects, public, found := strings.Cut(objects, "#define PYEMBED_FUNCTIONS_PUBLIC(API, CHECKED_API)")
	require.True(t, found)
	public, exceptions, found := strings.Cut(public, "#define PYEMBED_EXCEPTIONS(API)")
	require.True(t, found)
	names := func(text string) []string {
		var names []string
		for _, match := range regexp.MustCompile(`API\((?:[\w *]+, )?(_?Py\w+)[,)]`).FindAllStringSubmatch(text, -1) {
			names = append(names, match[1])
		}
		return names
	}
	used := slices.Concat(names(required), names(objects), names(exceptions))
	require.Greater(t, len(used), 50)
	for _, name := range used {
		assert.True(t, slices.Contains(stable, name), "%s is not in the stable ABI of 3.11", name)
	}
	lines := strings.Count(required, "API(") - 1 + strings.Count(objects, "API(") + strings.Count(exceptions, "API(")
	assert.Len(t, used, lines, "every line was read")
	// They are in the documentation of 3.11 to 3.14, and exported by each of these.
	assert.Equal(t, []string{
		"PyContext_New", "PyContext_Enter", "PyContext_Exit", "PyContextVar_Set", "PyContextVar_Reset", "PyContextVar_Get",
	}, names(public))
}

// TestResultsAreChecked finds calls of C functions whose failure nobody would see. Such functions
// return a struct, which only check.go may look into. So each of their results must be the argument
// of a function in check.go.
func TestResultsAreChecked(t *testing.T) {
	header, err := os.ReadFile("capi.h")
	require.NoError(t, err)
	fallible := map[string]bool{"sequenceItem": true}
	for _, pattern := range []string{`CHECKED_API\(\w+, (\w+),`, `(?m)^(?:PyNew|PyOptional|PyStatus|PySize) (\w+)\(`} {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(header), -1) {
			fallible[match[1]], fallible["py_"+match[1]] = true, true
		}
	}
	require.Greater(t, len(fallible), 80)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	calls := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		require.NoError(t, err)
		calls += unchecked(t, set, file, fallible, name == "check.go")
	}
	assert.Greater(t, calls, 80, "the test sees the calls")

	bad, err := parser.ParseFile(set, "bad.go", `package bad
func bad() *C.PyObject {
	C.py_PyObject_Str(o)
	x := C.py_PyObject_Repr(o)
	return x.or_null
}`, 0)
	require.NoError(t, err)
	probe := &testing.T{}
	assert.Equal(t, 2, unchecked(probe, set, bad, fallible, false))
	assert.True(t, probe.Failed())
}

// unchecked reports the results in a file that are not checked, and returns how many calls it saw.
func unchecked(t *testing.T, set *token.FileSet, file *ast.File, fallible map[string]bool, checks bool) (calls int) {
	checkers := []string{"made", "own", "status", "truth", "size", "optional", "quietly", "succeeded", "ownText"}
	checked := map[ast.Node]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CallExpr:
			if method, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains(checkers, method.Sel.Name) && len(n.Args) == 1 {
				checked[n.Args[0]] = true
			}
			if fallible[calledName(n)] {
				calls++
				if !checked[n] {
					t.Errorf("%v: the result of %s is not checked", set.Position(n.Pos()), calledName(n))
				}
			}
		case *ast.ReturnStmt: // sequenceItem hands its results on
			for _, result := range n.Results {
				if call, ok := result.(*ast.CallExpr); ok && strings.HasSuffix(calledName(call), "_item") {
					checked[call] = true
				}
			}
		case *ast.SelectorExpr:
			if strings.HasPrefix(n.Sel.Name, "or_") && !checks {
				t.Errorf("%v: only check.go may look into a result", set.Position(n.Pos()))
			}
		}
		return true
	})
	return calls
}

// calledName returns f of C.f(…) and f(…).
func calledName(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if x, ok := fun.X.(*ast.Ident); ok && x.Name == "C" {
			return fun.Sel.Name
		}
	}
	return ""
}
