package vllmgo

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogLine(t *testing.T) {
	for line, want := range map[string]string{
		"(EngineCore pid=12) WARNING 11-24 16:05:31 [core.py:105] slow":                `level=WARN msg=slow source=core.py:105 process=EngineCore pid=12`,
		"(EngineCore_DP0 pid=7) (Worker pid=9) ERROR 11-24 16:05:31 [core.py:1] a: b":  `level=ERROR msg="a: b" source=core.py:1 process=Worker pid=9`,
		"INFO 11-24 16:05:31 [llm.py:3] hello":                                         `level=INFO msg=hello source=llm.py:3`,
		"DEBUG 11-24 16:05:31 [llm.py:3] ":                                             `level=DEBUG msg="" source=llm.py:3`,
		"(EngineCore pid=12) Traceback (most recent call last):":                       `level=INFO msg="Traceback (most recent call last):" process=EngineCore pid=12`,
		"\x1b[0;36m(EngineCore pid=1)\x1b[0;0m INFO 11-24 16:05:31 [a.py:1] in colour": `level=INFO msg="in colour" source=a.py:1 process=EngineCore pid=1`,
		"[Gloo] Rank 0 is connected":                                                   `level=INFO msg="[Gloo] Rank 0 is connected"`,
	} {
		var b bytes.Buffer
		logLine(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
			Level: slog.LevelDebug,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		})), line)
		assert.Equal(t, want+"\n", b.String())
	}
}

// TestLastLines writes to the pipe as an engine's process does.
func TestLastLines(t *testing.T) {
	var b bytes.Buffer
	l := &logLines{logger: slog.New(slog.NewTextHandler(&b, nil))}
	path, err := l.open()
	require.NoError(t, err)
	child, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	for i := range maxLastLines + 10 {
		_, err := fmt.Fprintln(child, "line", i)
		require.NoError(t, err)
	}
	_, err = child.WriteString("half a line") // as a process that is killed leaves it
	require.NoError(t, err)
	require.NoError(t, child.Close())
	assert.Equal(t, []string{"line 408", "line 409", "half a line"}, l.since(0, 3))
	assert.Equal(t, []string{"half a line"}, l.since(maxLastLines+10, 3), "only what came later")
	assert.Len(t, l.since(0, 10000), maxLastLines)
	assert.Equal(t, maxLastLines+11, l.count())
	assert.NotContains(t, b.String(), "mark")
	assert.Equal(t, maxLastLines+11, strings.Count(b.String(), "level=INFO"))
}
