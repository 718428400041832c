package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func none([]byte, bool) error { return nil }

// A file has one writer at a time, whose process the error of a second one names.
func TestOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	first, err := Create(path)
	require.NoError(t, err)
	require.NoError(t, first.Append(map[string]int{"line": 1}))
	_, err = Continue(path, none)
	require.ErrorIs(t, err, ErrInUse)
	assert.ErrorContains(t, err, fmt.Sprintf("by process %d;", os.Getpid()))
	damaged, err := ReadFile(path, none)
	require.NoError(t, err, "reading is free")
	assert.False(t, damaged)

	require.NoError(t, first.Close())
	second, err := Continue(path, none)
	require.NoError(t, err)
	require.NoError(t, second.Append(map[string]int{"line": 2}))
	require.NoError(t, second.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, `{"line":1,"crc32c":"56d9e1da"}`+"\n"+`{"line":2,"crc32c":"ea2a0e5b"}`+"\n", string(text))
}
