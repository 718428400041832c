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
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests start this program again as the parent of a tree of processes: a shell and three sleeps,
// one of them in another session, one without a parent.
const (
	// endVariable says how the parent ends, and stateVariable in what state the tree is by then.
	endVariable, stateVariable = "VLLMGO_TEST_END", "VLLMGO_TEST_STATE"
	// tokenVariable marks all processes of a test.
	tokenVariable = "VLLMGO_TEST_TOKEN"
)

// treeScript starts descendants and says when it has.
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

// parent starts the tree, says so, waits for a line, and ends.
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
	if how == "fork" { // this process's end of the pipe is held by another one, as by a fork of it
		holder := exec.Command("sleep", "1000")
		holder.ExtraFiles = []*os.File{p.life}
		holder.Env = []string{} // not marked
		if err := holder.Start(); err != nil {
			panic(err)
		}
		fmt.Println(holder.Process.Pid)
	}
	fmt.Println("ready")
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

// requireGone waits until no process with the token is left.
func requireGone(t *testing.T, token string) {
	t.Helper()
	assert.Eventually(t, func() bool { return len(marked(token)) == 0 }, 5*time.Second, 10*time.Millisecond)
	left := marked(token)
	require.Empty(t, left)
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
func startParent(t *testing.T, how, state string) (cmd *exec.Cmd, stdin io.Writer, stdout *bufio.Reader, token string) {
	t.Helper()
	token = fmt.Sprintf("%x", rand.Uint64())
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), endVariable+"="+how, stateVariable+"="+state, tokenVariable+"="+token,
		"GORACE=atexit_sleep_ms=0")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { killMarked(token) })
	return cmd, in, bufio.NewReader(out), token
}

// No process of a tree outlives its parent, however that ends and whether the tree runs or is stopped.
func TestTreeEndsWithItsParent(t *testing.T) {
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGABRT, syscall.SIGSEGV}
	for _, state := range []string{"running", "stopped"} {
		for how := range ends {
			t.Run(state+"/"+how, func(t *testing.T) {
				t.Parallel()
				cmd, stdin, _, token := startTree(t, how, state)
				_, err := io.WriteString(stdin, "end\n")
				require.NoError(t, err)
				_ = cmd.Wait() // how it ends is not the question
				requireGone(t, token)
			})
		}
		for _, s := range signals {
			t.Run(state+"/"+s.String(), func(t *testing.T) {
				t.Parallel()
				cmd, _, _, token := startTree(t, "signal", state)
				require.NoError(t, cmd.Process.Signal(s))
				_ = cmd.Wait()
				requireGone(t, token)
			})
		}
	}
}

// startTree starts a parent and waits for its tree.
func startTree(t *testing.T, how, state string) (cmd *exec.Cmd, stdin io.Writer, stdout *bufio.Reader, token string) {
	t.Helper()
	cmd, stdin, stdout, token = startParent(t, how, state)
	if how != "fork" {
		_, err := stdout.ReadString('\n')
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(marked(token)), 6, "parent, guard, shell and three sleeps")
	}
	return cmd, stdin, stdout, token
}

// A parent that is killed while it starts its child leaves nothing either.
func TestTreeEndsWhileItStarts(t *testing.T) {
	trials := 20
	if testing.Short() {
		trials = 3
	}
	for range trials {
		cmd, _, _, token := startParent(t, "signal", "running")
		time.Sleep(rand.N(60 * time.Millisecond))
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		requireGone(t, token)
	}
}

// The pipe between parent and guard does not close when a fork of the parent holds it.
func TestTreeEndsThoughThePipeIsHeld(t *testing.T) {
	cmd, _, stdout, token := startTree(t, "fork", "stopped")
	var holder int
	_, err := fmt.Fscan(stdout, &holder)
	require.NoError(t, err)
	defer func() { require.NoError(t, syscall.Kill(holder, syscall.SIGKILL)) }()
	_, err = fmt.Fscan(stdout, new(string))
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	requireGone(t, token)
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
			assert.True(t, p.Wait().Killed)
			assert.Empty(t, marked(token), "Wait waits for all of them")
		})
	}
}
