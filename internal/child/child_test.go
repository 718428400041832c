package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startScript starts a shell script and waits until it has printed a line.
func startScript(t *testing.T, script string) *Process {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p, err := Start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		p.Wait()
	})
	_, err = io.ReadFull(stdout, make([]byte, len("ready\n")))
	require.NoError(t, err)
	return p
}

// state returns the letter with which the kernel names a process's state, or "" if there is no such
// process.
func state(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))[0]
}

func states(pids []int) string {
	text := ""
	for _, pid := range pids {
		text += state(pid)
	}
	return text
}

func TestExit(t *testing.T) {
	for script, want := range map[string]struct {
		exit Exit
		text string
	}{
		"exit 0":        {Exit{}, "exit status 0"},
		"exit 2":        {Exit{Code: 2}, "exit status 2"},
		"exit 137":      {Exit{Code: 137}, "exit status 137"},
		"kill -SEGV $$": {Exit{Code: -1, Signal: syscall.SIGSEGV}, "signal: segmentation fault"},
		"kill -TERM $$": {Exit{Code: -1, Signal: syscall.SIGTERM}, "signal: terminated"},
		"kill -KILL $$": {Exit{Code: -1, Signal: syscall.SIGKILL}, "signal: killed"},
		"kill -INT $$":  {Exit{Code: -1, Signal: syscall.SIGINT}, "signal: interrupt"},
	} {
		t.Run(script, func(t *testing.T) {
			p := startScript(t, "echo ready; "+script)
			exit := p.Wait()
			assert.Positive(t, exit.CPU)
			assert.Positive(t, exit.Wall)
			exit.CPU, exit.Wall = 0, 0
			assert.Equal(t, want.exit, exit)
			assert.Equal(t, want.text, exit.String())
			assert.Empty(t, state(p.PID()), "not even a zombie is left")
			assert.Empty(t, state(p.guard.Process.Pid))
		})
	}
}

// All methods work on a process that has ended.
func TestAfterTheEnd(t *testing.T) {
	p := startScript(t, "echo ready; exit 3")
	<-p.Done()
	p.Stop()
	p.Continue()
	p.Signal(syscall.SIGTERM)
	p.Kill()
	assert.Equal(t, 3, p.End(time.Minute, syscall.SIGTERM).Code)
	assert.Zero(t, p.Wait().Signal)
	assert.Empty(t, p.PIDs())
}

func TestStartFails(t *testing.T) {
	p, err := Start(exec.Command("/no/such/program"))
	assert.Nil(t, p)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.EqualError(t, err, "child: starting /no/such/program: no such file or directory")
	_, err = Start(exec.Command(t.TempDir()))
	require.ErrorIs(t, err, fs.ErrPermission)
	_, err = Start(exec.Command("no-such-program"))
	require.ErrorIs(t, err, exec.ErrNotFound)
	_, err = Start(exec.CommandContext(t.Context(), "true"))
	assert.ErrorContains(t, err, "use exec.Command and Kill")
}

// The child has the files, arguments, environment and folder that cmd names, and nothing of the
// guard's.
func TestStreams(t *testing.T) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer reader.Close()
	dir := t.TempDir()
	script := `cat; echo "$0 $1"; pwd; env >&2; echo extra >&3; ls /proc/self/fd >&3`
	cmd := exec.Command("/bin/sh", "-c", script, "name", "argument")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "NAME=value"}
	direct := exec.Command("/bin/sh", "-c", "echo extra; ls /proc/self/fd")
	direct.ExtraFiles = []*os.File{writer}
	want, err := direct.Output()
	require.NoError(t, err)
	cmd.ExtraFiles = []*os.File{writer}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("input\n"), &stdout, &stderr
	p, err := Start(cmd)
	require.NoError(t, err)
	writer.Close()
	assert.Zero(t, p.Wait().Code)
	assert.Equal(t, "input\nname argument\n"+dir+"\n", stdout.String())
	assert.Contains(t, stderr.String(), "NAME=value\n")
	assert.NotContains(t, stderr.String(), guardVariable)
	extra, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(extra), "as without a guard")
}

// Whoever reads what a child writes sees the end when the child closes it, although the guard
// lives.
func TestStreamsClose(t *testing.T) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer reader.Close()
	cmd := exec.Command("/bin/sh", "-c", "exec >&- 3>&-; sleep 1000")
	cmd.ExtraFiles = []*os.File{writer}
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p, err := Start(cmd)
	require.NoError(t, err)
	writer.Close()
	for _, r := range []io.Reader{stdout, reader} {
		_, err := io.ReadAll(r)
		require.NoError(t, err)
	}
	p.Kill()
	assert.Equal(t, syscall.SIGKILL, p.Wait().Signal)
}

func TestOwnProcessGroup(t *testing.T) {
	p := startScript(t, "echo ready; sleep 1000")
	own, err := syscall.Getpgid(0)
	require.NoError(t, err)
	for _, pid := range []int{p.PID(), p.guard.Process.Pid} {
		group, err := syscall.Getpgid(pid)
		require.NoError(t, err)
		assert.NotEqual(t, own, group)
	}
}

// The guard survives the signals that a user or a service manager sends to all processes.
func TestGuardSurvivesSignals(t *testing.T) {
	p := startScript(t, "echo ready; exec sleep 1000")
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP} {
		require.NoError(t, syscall.Kill(p.guard.Process.Pid, s))
	}
	p.Signal(syscall.SIGINT) // the guard did not make the child ignore it
	assert.Equal(t, syscall.SIGINT, p.Wait().Signal)
}

// The child does not outlive its guard.
func TestGuardKilled(t *testing.T) {
	for _, stop := range []bool{false, true} {
		p := startScript(t, "echo ready; exec sleep 1000")
		if stop {
			p.Stop()
		}
		require.NoError(t, p.guard.Process.Kill())
		assert.Equal(t, Exit{Code: -1, Signal: syscall.SIGKILL}, p.Wait())
		assert.Eventually(t, func() bool { return strings.Contains("Z", state(p.PID())) }, 5*time.Second, time.Millisecond)
	}
}

// Stop and Continue reach all descendants, also those in other sessions and without a parent.
func TestStopContinue(t *testing.T) {
	p := startScript(t, treeScript)
	pids := p.PIDs()
	require.Len(t, pids, 4)
	assert.Equal(t, p.PID(), pids[0])
	for range 3 {
		p.Stop()
		assert.Eventually(t, func() bool { return states(pids) == "TTTT" }, 5*time.Second, time.Millisecond)
		p.Continue()
		assert.Eventually(t, func() bool { return states(pids) == "SSSS" }, 5*time.Second, time.Millisecond)
	}
}

// Stop also stops the processes that appear while it works. A process that waits in vfork for one
// that is stopped is not stopped, but does not run either (D).
func TestStopWhileForking(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	p := startScript(t, "echo ready; while true; do sleep 0.001 & sleep 0.001; done")
	trials := 20
	if testing.Short() {
		trials = 3
	}
	for range trials {
		p.Stop()
		pids := p.PIDs()
		require.Eventually(t, func() bool { return strings.Trim(states(pids), "TDZ") == "" }, 5*time.Second, time.Millisecond)
		time.Sleep(5 * time.Millisecond)
		require.Equal(t, pids, p.PIDs(), "nothing starts")
		p.Continue()
		time.Sleep(5 * time.Millisecond)
	}
}

// The ends of a child that End and Kill bring about, which runs or is stopped.
func TestEnd(t *testing.T) {
	const gentle, stubborn = "trap 'exit 7' TERM; echo ready; while true; do sleep 0.01; done",
		"trap '' TERM; echo ready; while true; do sleep 0.01; done"
	killed := Exit{Code: -1, Signal: syscall.SIGKILL}
	for _, c := range []struct {
		name, script string
		end          func(*Process) Exit
		want         Exit
	}{
		{
			"by a signal", "echo ready; sleep 1000",
			func(p *Process) Exit { return p.End(time.Minute, syscall.SIGTERM) },
			Exit{Code: -1, Signal: syscall.SIGTERM},
		},
		{"gently", gentle, func(p *Process) Exit { return p.End(time.Minute, syscall.SIGTERM) }, Exit{Code: 7}},
		{"forcibly", stubborn, func(p *Process) Exit { return p.End(50*time.Millisecond, syscall.SIGTERM) }, killed},
		{"without a signal", gentle, func(p *Process) Exit { return p.End(50 * time.Millisecond) }, killed},
		{"at once", gentle, func(p *Process) Exit { p.Kill(); return p.Wait() }, killed},
		{"twice", gentle, func(p *Process) Exit { p.Kill(); p.Kill(); return p.End(0) }, killed},
	} {
		for _, state := range []string{"running", "stopped"} {
			t.Run(c.name+"/"+state, func(t *testing.T) {
				t.Parallel()
				p := startScript(t, c.script)
				if state == "stopped" {
					p.Stop()
				}
				exit := c.end(p)
				exit.CPU, exit.Wall = 0, 0
				assert.Equal(t, c.want, exit)
			})
		}
	}
}

// What a child leaves behind ends with it, gently if it can.
func TestDescendantsEndWithTheChild(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for name, end := range map[string]string{"exits": "exit 5", "crashes": "kill -SEGV $$", "is killed": "sleep 1000"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "file")
			p := startScript(t, `
				sh -c 'trap "rm `+file+`; exit" TERM; touch `+file+`; while true; do sleep 0.01; done' &
				setsid sh -c 'trap "" TERM; touch `+file+`2; while true; do sleep 0.01; done' &
				while ! [ -e `+file+` -a -e `+file+`2 ]; do sleep 0.01; done
				echo ready; `+end)
			if name == "is killed" {
				p.Stop()
				p.Kill()
			}
			p.Wait()
			assert.NoFileExists(t, file, "its process had time to remove it")
			assert.Empty(t, withCommandLine(file), "the process that ignores SIGTERM is gone")
		})
	}
}

// withCommandLine returns the processes whose command line holds a text.
func withCommandLine(text string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(text)) {
			found = append(found, string(line))
		}
	}
	return found
}

func TestOutput(t *testing.T) {
	text, err := Output(t.Context(), exec.Command("sh", "-c", "echo out; echo no >&2"))
	require.NoError(t, err)
	assert.Equal(t, "out\n", string(text))
	_, err = Output(t.Context(), exec.Command("sh", "-c", "echo first >&2; echo why >&2; exit 3"))
	assert.EqualError(t, err, "exit status 3: why")
	_, err = Output(t.Context(), exec.Command("/no/such/program"))
	assert.ErrorIs(t, err, os.ErrNotExist)

	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(stopped) })
	_, err = Output(ctx, exec.Command("sh", "-c", "sleep 1000 & wait"))
	assert.ErrorIs(t, err, stopped)
}
