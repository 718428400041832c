package examples

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents returns the Markdown files of the project by their paths.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../docs/results/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			texts[file] = string(text)
		}
	}
	require.Contains(t, texts, "../README.md")
	require.Contains(t, texts, "../docs/guide.md")
	return texts
}

var (
	codeBlock = regexp.MustCompile("(?ms)^```.*?^```$")
	snippet   = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlug = regexp.MustCompile(`[^\w\- ]`)
)

// TestCommentsAreNarrow keeps the lines of comments within 100 columns. Output of examples is as it
// is.
func TestCommentsAreNarrow(t *testing.T) {
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && len(d.Name()) > 2 && d.Name()[0] == '.': // .git, .venv, .cache
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "example_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for i, line := range strings.Split(strings.ReplaceAll(string(text), "\t", "    "), "\n") {
			comment := strings.TrimSpace(line)
			if strings.HasPrefix(comment, "// ") && utf8.RuneCountInString(line) > 100 {
				t.Errorf("%s:%d has %d columns", path, i+1, utf8.RuneCountInString(line))
			}
		}
		return nil
	}))
}

// TestLinks follows each link of the documentation to a file or heading of the project.
func TestLinks(t *testing.T) {
	texts := documents(t)
	headings := map[string]bool{}
	for file, text := range texts {
		for _, match := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
			slug := notInSlug.ReplaceAllString(strings.ToLower(match[1]), "")
			headings[file+"#"+strings.ReplaceAll(slug, " ", "-")] = true
		}
	}
	for file, text := range texts {
		for _, match := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
			target, fragment, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := file
			if target != "" {
				to = filepath.Join(filepath.Dir(file), target)
			}
			_, err := os.Stat(to)
			assert.NoError(t, err, "%s links to %s", file, match[1])
			if _, known := texts[to]; known && fragment != "" {
				assert.True(t, headings[to+"#"+fragment], "%s links to %s", file, match[1])
			}
		}
	}
}

// snippetStart goes before a snippet of the documentation. It has what a snippet may use.
const snippetStart = `package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"net/http"
	"os"
	"time"

	"vllmgo/bench"
	"vllmgo/bench/report"
	"vllmgo/bench/stat"
	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
	"vllmgo/pyembed"
	"vllmgo/vllmgo"
)

func snippet(ctx context.Context, llm *vllmgo.LLM, rt *pyembed.Interpreter) error {
`

// TestSnippets checks that the documentation's Go code compiles, apart from unused variables.
func TestSnippets(t *testing.T) {
	fset := token.NewFileSet()
	imports, err := parser.ParseFile(fset, "imports.go", snippetStart+"}", parser.ImportsOnly)
	require.NoError(t, err)
	lookup := exports(t, imports.Imports)
	compiled := 0
	for file, text := range documents(t) {
		for i, match := range snippet.FindAllStringSubmatch(text, -1) {
			code := match[1]
			if !strings.HasPrefix(code, "package ") {
				code = snippetStart + code + "\nreturn nil\n}\n"
			}
			parsed, err := parser.ParseFile(fset, fmt.Sprint(file, " ", i), code, parser.SkipObjectResolution)
			if !assert.NoError(t, err, code) {
				continue
			}
			config := types.Config{
				Importer: importer.ForCompiler(fset, "gc", lookup),
				Error: func(err error) {
					if !err.(types.Error).Soft {
						t.Errorf("%v in:\n%s", err, match[1])
					}
				},
			}
			_, _ = config.Check("main", fset, []*ast.File{parsed}, nil) // errors go to Error
			compiled++
		}
	}
	assert.Greater(t, compiled, 20)
}

// exports returns a function that opens the export data of the imported packages, and of those that
// they import.
func exports(t *testing.T, imports []*ast.ImportSpec) importer.Lookup {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, spec := range imports {
		args = append(args, strings.Trim(spec.Path.Value, `"`))
	}
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	require.NoError(t, err)
	files := map[string]string{}
	for line := range strings.Lines(string(list)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}
