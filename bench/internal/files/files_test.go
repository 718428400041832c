package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	elsewhere := filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.WriteFile(elsewhere, []byte("precious"), 0o644))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, "link")))
	require.NoError(t, Write(dir, []File{{"a", text("old")}, {"link", text("new")}}))
	precious, err := os.ReadFile(elsewhere)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(precious), "a link is replaced, and what it names is not written")

	failed := errors.New("no space left")
	err = Write(dir, []File{
		{"a", func(w io.Writer) error { return errors.Join(text("half")(w), failed) }},
		{"no/such/folder", text("")},
		{"b", text("b")},
	})
	require.ErrorIs(t, err, failed)
	assert.ErrorContains(t, err, "writing "+filepath.Join(dir, "a"))
	assert.ErrorContains(t, err, "no/such/folder")
	for name, want := range map[string]string{"a": "old", "b": "b", "link": "new"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, string(got), name)
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o644), info.Mode().Perm())
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "no temporary file is left")
}
