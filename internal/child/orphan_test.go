package child

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests start this program again as the parent of a tree of processes: a shell and three
// sleeps, one of them in another session, one without a parent.
const (
	// endVariable sets how the parent ends, and stateVariable the state of the tree by then.
	endVariable, stateVariable = "VLLMGO_TEST_END", "VLLMGO_TEST_STATE"
	// tokenVariable marks all processes of a test.
	tokenVariable = "VLLMGO_TEST_TOKEN"
)

// treeScript starts descendants and reports when it has.
const treeScript = `sleep 1000 & setsid sleep 1000 & (sleep 1000 &); echo ready; wait`

// ends are the ways in which a parent ends itself. For all others it waits for a signal.
var ends = map[string]func(){
	"return":             func() {},
	"exit":               func() { os.Exit(3) },
	"log.Fatal":          func() { log.Fatal("fatal") },
	"panic":              func() { panic("panic") },
	"exec":               func() { _ = syscall.Exec("/bin/true", []string{"true"}, nil) },
	"segmentation fault": func() { var p *int; *p = 0 },
}

func TestMain(m *testing.M) {
	if how := os.Getenv(endVariable); how != "" {
		parent(how)
		return
	}
	os.Exit(m.Run())
}

// parent starts the tree, reports it, waits for a line, and ends.
func parent(how string) {
	cmd := exec.Command("/bin/sh", "-c", treeScript)
	cmd.Stderr = os.Stderr
	ready, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	p, err := Start(cmd)
	if err != nil {
		panic(err)
	}
	if _, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
		panic(err)
	}
	if os.Getenv(stateVariable) == "stopped" {
		p.Stop()
	}
	fmt.Println("ready")
	if how == "fork" { // this process's end of the pipe is held by another one, as by a fork of it
		holder := exec.Command("sleep", "1000")
		holder.ExtraFiles = []*os.File{p.life}
		holder.Env = []string{} // not marked
		if err := holder.Start(); err != nil {
			panic(err)
		}
		fmt.Println(holder.Process.Pid)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if end, ok := ends[how]; ok {
		end()
		return
	}
	select {}
}

// marked returns the processes whose environment holds a token, by their IDs and names.
func marked(token string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(tokenVariable+"="+token+"\x00")) {
			stat, err := os.ReadFile(filepath.Join(filepath.Dir(file), "stat"))
			if err == nil { // else it ended just now
				found = append(found, strings.Join(strings.Fields(string(stat))[:3], " "))
			}
		}
	}
	return found
}

// tree is a parent and its descendants.
type tree struct {
	*exec.Cmd
	token  string
	stdin  io.Writer
	stdout *bufio.Reader
	// gone is closed when no process is left: all have the same pipe as standard error.
	gone chan struct{}
}

// requireGone waits until the parent and all its descendants have ended.
func (r tree) requireGone(t *testing.T) {
	t.Helper()
	_ = r.Wait() // how the parent ends is not the question
	select {
	case <-r.gone:
	case <-time.After(10 * time.Second):
		require.Failf(t, "processes are left", "%q", marked(r.token))
	}
}

// killMarked ends what a failed test leaves.
func killMarked(token string) {
	for _, p := range marked(token) {
		var pid int
		if _, err := fmt.Sscan(p, &pid); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// startParent starts a parent that will end in a given way, with its tree in a given state.
func startParent(t *testing.T, how, state string) tree {
	t.Helper()
	r := tree{Cmd: exec.Command(os.Args[0]), token: fmt.Sprintf("%x", rand.Uint64()), gone: make(chan struct{})}
	r.Env = append(os.Environ(), endVariable+"="+how, stateVariable+"="+state, tokenVariable+"="+r.token,
		"GORACE=atexit_sleep_ms=0")
	stdin, err := r.StdinPipe()
	require.NoError(t, err)
	stdout, err := r.StdoutPipe()
	require.NoError(t, err)
	r.stdin, r.stdout = stdin, bufio.NewReader(stdout)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	r.Stderr = writer
	require.NoError(t, r.Start())
	writer.Close()
	t.Cleanup(func() { killMarked(r.token) })
	go func() {
		defer reader.Close()
		_, _ = io.Copy(io.Discard, reader) // until its end
		close(r.gone)
	}()
	return r
}

// startTree is startParent, and waits until the tree is there.
func startTree(t *testing.T, how, state string) tree {
	t.Helper()
	r := startParent(t, how, state)
	_, err := r.stdout.ReadString('\n')
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(marked(r.token)), 6, "parent, guard, shell and three sleeps")
	return r
}

// No process of a tree outlives its parent, however that ends and whether the tree runs or is
// stopped.
func TestTreeEndsWithItsParent(t *testing.T) {
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGABRT, syscall.SIGSEGV}
	for _, state := range []string{"running", "stopped"} {
		for how := range ends {
			t.Run(state+"/"+how, func(t *testing.T) {
				t.Parallel()
				r := startTree(t, how, state)
				_, err := io.WriteString(r.stdin, "end\n")
				require.NoError(t, err)
				r.requireGone(t)
			})
		}
		for _, s := range signals {
			t.Run(state+"/"+s.String(), func(t *testing.T) {
				if signal.Ignored(s) {
					t.Skip("this process ignores it, as under nohup, and so does the parent that it starts")
				}
				t.Parallel()
				r := startTree(t, "signal", state)
				require.NoError(t, r.Process.Signal(s))
				r.requireGone(t)
			})
		}
	}
}

// A parent that is killed while it starts its child leaves nothing either.
func TestTreeEndsWhileItStarts(t *testing.T) {
	trials := 20
	if testing.Short() {
		trials = 3
	}
	for range trials {
		r := startParent(t, "signal", "running")
		time.Sleep(rand.N(60 * time.Millisecond))
		require.NoError(t, r.Process.Kill())
		r.requireGone(t)
	}
}

// The pipe between parent and guard does not close when a fork of the parent holds it.
func TestTreeEndsThoughThePipeIsHeld(t *testing.T) {
	r := startTree(t, "fork", "stopped")
	var holder int
	_, err := fmt.Fscan(r.stdout, &holder)
	require.NoError(t, err)
	defer func() { require.NoError(t, syscall.Kill(holder, syscall.SIGKILL)) }()
	require.NoError(t, r.Process.Kill())
	r.requireGone(t)
}

// A tree that holds another one's parent and guard ends as a whole.
func TestTreeInATree(t *testing.T) {
	for _, state := range []string{"running", "stopped"} {
		t.Run(state, func(t *testing.T) {
			token := fmt.Sprintf("%x", rand.Uint64())
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), endVariable+"=signal", stateVariable+"=stopped", tokenVariable+"="+token)
			_, err := cmd.StdinPipe()
			require.NoError(t, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			p, err := Start(cmd)
			require.NoError(t, err)
			t.Cleanup(func() { killMarked(token) })
			_, err = bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)
			assert.Len(t, p.PIDs(), 5, "parent, shell and three sleeps, and no guard")
			if state == "stopped" {
				p.Stop()
			}
			p.Kill()
			assert.Equal(t, syscall.SIGKILL, p.Wait().Signal)
			assert.Empty(t, marked(token), "Wait waits for all of them")
		})
	}
}
