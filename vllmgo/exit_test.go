package vllmgo_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/internal/testenv"
	"vllmgo/vllmgo"
)

// The ways in which a program with an open engine can end.
const (
	exitClose   = "Close, then return from main"
	exitReturn  = "return from main without Close"
	exitOS      = "os.Exit without Close"
	exitPanic   = "panic"
	exitSIGINT  = "SIGINT"
	exitSIGTERM = "SIGTERM"
	exitSIGKILL = "SIGKILL"
)

// TestMain is also the program that TestExit starts and ends.
func TestMain(m *testing.M) {
	if how := os.Getenv("VLLMGO_TEST_EXIT"); how != "" {
		exitProgram(how)
		return
	}
	switch mode := os.Getenv(importEnv); mode {
	case "":
	case "hang":
		hang()
		return
	default:
		if err := cancelEverywhere(vllmgo.EngineMode(mode)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	testenv.LimitMemory()
	flag.Parse()
	if _, err := testenv.FindSmolLM2(); err != nil && !testenv.Required() {
		fmt.Fprintln(os.Stderr, "the examples are skipped:", err)
		_ = flag.Set("test.skip", "^Example") // an example cannot skip itself
	}
	code := m.Run()
	if err := closeExamples(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// exitProgram opens an engine, keeps it busy, says which processes there are, and ends.
func exitProgram(how string) {
	llm, err := vllmgo.New(context.Background(), vllmgo.EngineArgs{
		Model: os.Getenv("VLLMGO_TEST_MODEL"), LoadFormat: "dummy", SkipTokenizerInit: true, EnforceEager: true,
		EngineMode: vllmgo.OwnProcess, TensorParallelSize: ranks(how), DataParallelSize: replicas(how),
	})
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = llm.Generate(context.Background(), vllmgo.Tokens([]int32{1}, []int32{2}), forever)
	}()
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		panic(err)
	}
	fmt.Println("pids:", strings.Join(pidsBelow(self), " "))
	switch how {
	case exitClose:
		if err := llm.Close(); err != nil {
			panic(err)
		}
	case exitReturn:
	case exitOS:
		os.Exit(3)
	case exitPanic:
		panic("on purpose")
	default:
		select {} // a signal ends it
	}
}

// ranks is 2 where the workers have least time to notice that the program ends.
func ranks(how string) int {
	if device, err := vllmgo.DetectDevice(context.Background()); how == exitSIGKILL && err == nil && device == "cpu" {
		return 2
	}
	return 1
}

// replicas is 2 for a way of ending that gives the program no time.
func replicas(how string) int {
	if how == exitOS {
		return 2
	}
	return 1
}

func pidsBelow(p *process.Process) []string {
	var pids []string
	children, err := p.Children()
	if err != nil {
		return nil // it has none, or has ended
	}
	for _, child := range children {
		pids = append(append(pids, strconv.Itoa(int(child.Pid))), pidsBelow(child)...)
	}
	return pids
}

// TestExit shows that no way of ending leaves a process of vLLM behind.
func TestExit(t *testing.T) {
	testenv.VLLM(t)
	model := testenv.TinyLlama(t, 1000)
	for _, how := range []string{exitClose, exitReturn, exitOS, exitPanic, exitSIGINT, exitSIGTERM, exitSIGKILL} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "VLLMGO_TEST_EXIT="+how, "VLLMGO_TEST_MODEL="+model)
			cmd.Stderr = os.Stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			pids := readPIDs(t, stdout)
			require.GreaterOrEqual(t, len(pids), replicas(how)*(1+ranks(how)), "engine cores and their workers, or resource trackers")
			for signalled, signal := range map[string]syscall.Signal{
				exitSIGINT: syscall.SIGINT, exitSIGTERM: syscall.SIGTERM, exitSIGKILL: syscall.SIGKILL,
			} {
				if how == signalled {
					require.NoError(t, cmd.Process.Signal(signal))
				}
			}
			err = cmd.Wait()
			t.Logf("the program ended: %v", err)
			assert.Eventually(t, func() bool { return len(alive(pids)) == 0 }, 10*time.Second, 50*time.Millisecond,
				"left: %v", alive(pids))
		})
	}
}

// readPIDs reads which processes exitProgram has.
func readPIDs(t *testing.T, stdout io.Reader) []int {
	t.Helper()
	var pids []int
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if list, ok := strings.CutPrefix(lines.Text(), "pids: "); ok {
			for _, field := range strings.Fields(list) {
				pid, err := strconv.Atoi(field)
				require.NoError(t, err)
				pids = append(pids, pid)
			}
			break
		}
	}
	return pids
}

// alive are the processes that run; zombies do not.
func alive(pids []int) []int {
	var left []int
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		if state := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[0]; state != "Z" {
			left = append(left, pid)
		}
	}
	return left
}
