package race

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"vllmgo/bench/workload"
	"vllmgo/internal/machine"
	"vllmgo/vllmgo"
)

//go:embed contender.py
var contenderScript string

//go:embed throughput.py
var throughputScript string

// grace is how long a contender may take to end.
const grace = 30 * time.Second

// racer is a contender that takes part in a heat, with its process. Kinds that load a process for
// each point have one during a trial only.
type racer struct {
	Contender
	settings Settings
	group    int
	args     vllmgo.EngineArgs

	cmd     *exec.Cmd
	input   io.WriteCloser
	encoder *json.Encoder
	decoder *json.Decoder
	ended   chan struct{}
}

// start loads the contender's engine and generates one token. It does nothing for kinds that load a
// process for each point.
func (c *racer) start(ctx context.Context, p drawnPoint) (Loaded, error) {
	loaded := Loaded{Contender: c.Name, Group: c.group}
	var err error
	if c.Kind.NeedsTokenizer() && c.args.SkipTokenizerInit {
		c.args.SkipTokenizerInit, c.args.Tokenizer = false, c.settings.Tokenizer
	}
	if c.args, err = c.Contender.args(c.args); err != nil || c.Kind.perPoint() {
		return loaded, err
	}
	program, args := c.settings.Python, []string{"-c", contenderScript}
	if c.Kind != Python {
		if program, err = os.Executable(); err != nil {
			return loaded, err
		}
		args = nil
	}
	program = cmp.Or(c.Program, program)
	began := time.Now()
	if err := c.launch(program, args); err != nil {
		return loaded, err
	}
	mode := c.args.EngineMode
	if mode == "" {
		mode = c.settings.EngineArgs.EngineMode
	}
	a, err := c.ask(ctx, start{Args: c.args, Mode: mode, Detokenize: !c.args.SkipTokenizerInit})
	if err != nil {
		return loaded, err
	}
	loaded.Versions, loaded.Load = a.Versions, time.Since(began)
	requests, err := p.Trial(ctx, firstWarmUp)
	if err != nil {
		return loaded, err
	}
	_, err = c.ask(ctx, pass{Prompts: [][]int32{requests[0].TokenIDs}, OutputLens: []int{1}})
	loaded.FirstToken = time.Since(began)
	c.stop()
	return loaded, err
}

// launch starts the contender's process.
func (c *racer) launch(program string, args []string) error {
	answers, replies, err := os.Pipe()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.settings.logPath(c.Contender, c.group), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = c.environ()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{replies}
	if c.input, err = cmd.StdinPipe(); err != nil {
		return err
	}
	c.encoder, c.decoder = json.NewEncoder(c.input), json.NewDecoder(bufio.NewReader(answers))
	c.cmd, c.ended = cmd, make(chan struct{})
	started := make(chan error)
	go func() {
		// The kernel kills the process when the thread that started it ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		replies.Close()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is told by what it did not answer
		}
		close(c.ended)
	}()
	return <-started
}

// environ is the environment of the contender's processes.
func (c *racer) environ() []string {
	env := append(os.Environ(), Variable+"="+string(c.Kind), pythonVariable+"="+c.settings.Python, "VLLM_NO_USAGE_STATS=1")
	for name, value := range c.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// ask sends a message and waits for its answer. It kills the process when ctx ends.
func (c *racer) ask(ctx context.Context, message any) (answer, error) {
	var a answer
	done := make(chan error, 1)
	go func() {
		if err := c.encoder.Encode(message); err != nil {
			done <- err
			return
		}
		done <- c.decoder.Decode(&a)
	}()
	select {
	case err := <-done:
		if err != nil {
			return a, fmt.Errorf("its process gave no answer (%w); the end of its output: %s", err, c.lastOutput())
		}
	case <-ctx.Done():
		c.kill()
		<-done
		return a, context.Cause(ctx)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// lastOutput is the end of what the contender's processes printed.
func (c *racer) lastOutput() string {
	text, _ := os.ReadFile(c.settings.logPath(c.Contender, c.group))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// trial measures a point once, as part of a round.
func (c *racer) trial(ctx context.Context, p drawnPoint, round int) (Trial, error) {
	if c.Kind.perPoint() {
		return c.benchThroughput(ctx, p, round)
	}
	c.resume()
	defer c.stop()
	return c.pass(ctx, p, round)
}

// pass runs a point's requests of a round. It checks the numbers of tokens that the engine reports.
func (c *racer) pass(ctx context.Context, p drawnPoint, round int) (Trial, error) {
	t := Trial{Contender: c.Name, PointID: p.ID(), Round: round}
	requests, err := p.Trial(ctx, round)
	if err != nil {
		return t, err
	}
	var task pass
	for _, r := range requests {
		task.Prompts = append(task.Prompts, r.TokenIDs)
		task.OutputLens = append(task.OutputLens, r.OutputLen)
	}
	t.PromptsSHA256 = workload.HashRequests(requests)
	before := c.tree().cpu()
	a, err := c.ask(ctx, task)
	if err != nil {
		return t, err
	}
	tree := c.tree()
	t.CPU = tree.cpu() - before
	t.FrontEndMemory = tree.frontEndMemory()
	t.Wall, t.Elapsed, t.OutputsSHA256 = a.Wall, a.Elapsed, a.OutputsSHA256
	return t, checkCounts(p.Point, a.InputTokens, a.OutputTokens)
}

// checkCounts returns an error unless the numbers of tokens are those of a point.
func checkCounts(p workload.Point, input, output int) error {
	if input != p.InputTokens() || output != p.OutputTokens() {
		return fmt.Errorf("%s: the engine saw %d input tokens and generated %d; %d and %d were asked for", p, input, output, p.InputTokens(), p.OutputTokens())
	}
	return nil
}

// benchThroughput measures a point with `vllm bench throughput`.
func (c *racer) benchThroughput(ctx context.Context, p drawnPoint, round int) (Trial, error) {
	t := Trial{Contender: c.Name, PointID: p.ID(), Round: round}
	flags, err := commandLine(c.args)
	if err != nil {
		return t, err
	}
	result := filepath.Join(c.settings.Dir, c.resultFile())
	defer os.Remove(result)
	args := append([]string{"-c", throughputScript, "--dataset-name=random", "--output-json=" + result,
		fmt.Sprintf("--num-prompts=%d", p.Requests), fmt.Sprintf("--random-input-len=%d", p.InputLen),
		fmt.Sprintf("--random-output-len=%d", p.OutputLen), fmt.Sprintf("--seed=%d", round)}, flags...)
	if c.settings.EngineArgs.SkipTokenizerInit {
		args = append(args, "--disable-detokenize")
	}
	if c.Kind == ThroughputWarm {
		args = append(args, fmt.Sprintf("--num-warmups=%d", p.Requests))
	}
	began := time.Now()
	if err := c.launch(cmp.Or(c.Program, c.settings.Python), args); err != nil {
		return t, err
	}
	select {
	case <-c.ended:
	case <-ctx.Done():
		c.kill()
		<-c.ended
		return t, context.Cause(ctx)
	}
	t.Process = time.Since(began)
	state := c.cmd.ProcessState
	t.CPU = state.UserTime() + state.SystemTime() // with all children that it waited for
	text, err := os.ReadFile(result)
	if err != nil {
		return t, fmt.Errorf("vllm bench throughput: %s: %s", state, c.lastOutput())
	}
	var r struct {
		Elapsed float64 `json:"elapsed_time"`
		Tokens  int     `json:"total_num_tokens"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return t, err
	}
	t.Wall = time.Duration(r.Elapsed * float64(time.Second))
	return t, checkCounts(p.Point, r.Tokens-p.OutputTokens(), p.OutputTokens())
}

// close ends the contender's processes.
func (c *racer) close() {
	if c.cmd == nil {
		return
	}
	c.resume()
	tree := c.tree()
	c.input.Close()
	select {
	case <-c.ended:
	case <-time.After(grace):
	}
	tree.signal(syscall.SIGKILL) // what is left of it
	<-c.ended
	tree.wait()
	c.cmd = nil
}

func (c *racer) kill()   { c.tree().signal(syscall.SIGKILL) }
func (c *racer) stop()   { c.tree().signal(syscall.SIGSTOP) }
func (c *racer) resume() { c.tree().signal(syscall.SIGCONT) }

// tree is the contender's process and all its descendants, now; nil when there is none.
func (c *racer) tree() tree {
	if c.cmd == nil || c.cmd.Process == nil {
		return nil
	}
	p, err := process.NewProcess(int32(c.cmd.Process.Pid))
	if err != nil {
		return nil
	}
	var t tree
	machine.EachDescendant(p, func(p *process.Process) { t = append(t, p) })
	return t
}

// tree is processes, parents before children.
type tree []*process.Process

func (t tree) signal(s syscall.Signal) {
	for _, p := range t {
		_ = p.SendSignal(s) // an error says that it ended
	}
}

// wait waits until all of them have ended, so that their memory is free again.
func (t tree) wait() {
	deadline := time.Now().Add(grace)
	for _, p := range t {
		for status, err := p.Status(); err == nil && !slices.Contains(status, process.Zombie) && time.Now().Before(deadline); status, err = p.Status() {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// cpu is the processor time that all of them took.
func (t tree) cpu() time.Duration {
	seconds := 0.0
	for _, p := range t {
		if times, err := p.Times(); err == nil {
			seconds += times.User + times.System
		}
	}
	return time.Duration(seconds * float64(time.Second))
}

// frontEndMemory is the peak of the resident memory of all processes that are not vLLM's engine cores and workers, which
// call themselves VLLM::….
func (t tree) frontEndMemory() int64 {
	var total int64
	for _, p := range t {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
		if err != nil || bytes.HasPrefix(status, []byte("Name:\tVLLM::")) {
			continue
		}
		var kib int64
		if _, after, found := bytes.Cut(status, []byte("VmHWM:")); found {
			if _, err := fmt.Sscan(string(after), &kib); err == nil {
				total += kib << 10
			}
		}
	}
	return total
}
