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
	"strings"
	"time"

	"vllmgo/bench/internal/machine"
	"vllmgo/bench/workload"
	"vllmgo/internal/child"
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
	settings prepared
	group    int
	args     vllmgo.EngineArgs

	process *child.Process // nil when there is none
	input   io.WriteCloser
	answers io.Closer
	encoder *json.Encoder
	decoder *json.Decoder
}

// start loads the contender's engine and generates one token. It does nothing for kinds that load a
// process for each point.
func (c *racer) start(ctx context.Context, p drawnPoint) (Loaded, error) {
	loaded := Loaded{Contender: c.Name, Group: c.group}
	var err error
	if c.Kind.needsTokenizer() && c.args.SkipTokenizerInit {
		c.args.SkipTokenizerInit, c.args.Tokenizer = false, c.settings.tokenizer
	}
	if c.args, err = c.Contender.args(c.args); err != nil || c.Kind.perPoint() {
		return loaded, err
	}
	program, args := c.settings.python, []string{"-c", contenderScript}
	if c.Kind != Python {
		if program, err = os.Executable(); err != nil {
			return loaded, err
		}
		args = os.Args[1:] // to the same call of Run
	}
	program = cmp.Or(c.Program, program)
	if err := c.launch(program, args); err != nil {
		return loaded, err
	}
	began := time.Now()
	mode := c.args.EngineMode
	if mode == "" {
		mode = c.settings.args.EngineMode
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
	log, err := os.OpenFile(c.settings.logPath(c.Contender, c.group), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	answers, replies, err := os.Pipe()
	if err != nil {
		return err
	}
	defer replies.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = c.environ()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{replies}
	if c.input, err = cmd.StdinPipe(); err == nil {
		c.process, err = child.Start(cmd)
	}
	if err != nil {
		return errors.Join(err, answers.Close())
	}
	c.answers = answers
	c.encoder, c.decoder = json.NewEncoder(c.input), json.NewDecoder(bufio.NewReader(answers))
	return nil
}

// environ returns the environment of the contender's processes.
func (c *racer) environ() []string {
	env := append(
		os.Environ(),
		kindVariable+"="+string(c.Kind),
		pythonVariable+"="+c.settings.python,
		"VLLM_NO_USAGE_STATS=1",
	)
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
			return a, fmt.Errorf(
				"its process gave no answer (%s); the end of its output: %s",
				c.why(err),
				c.lastOutput(),
			)
		}
	case <-ctx.Done():
		c.process.Kill()
		<-done //nolint:errcheck // that the process has ended
		return a, context.Cause(ctx)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// why returns why the contender's process did not answer: how it ended or, if it goes on, the error
// of the exchange.
func (c *racer) why(err error) string {
	select {
	case <-c.process.Done():
		return c.process.Wait().String()
	case <-time.After(5 * time.Second): // what it started may take two of them to end
		return err.Error()
	}
}

// lastOutput returns the end of what the contender's processes printed.
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
	before := c.cpu()
	a, err := c.ask(ctx, task)
	if err != nil {
		return t, err
	}
	t.CPU = max(0, c.cpu()-before) // a process that has ended is no longer counted
	t.FrontEndMemory = c.frontEndMemory()
	t.Wall, t.Elapsed, t.OutputsSHA256 = a.Wall, a.Elapsed, a.OutputsSHA256
	return t, checkPass(p.Point, t.Wall, a.InputTokens, a.OutputTokens)
}

// checkPass returns an error unless a pass took time and its numbers of tokens are those of a
// point.
func checkPass(p workload.Point, wall time.Duration, input, output int) error {
	if wall <= 0 {
		return fmt.Errorf("%s: the contender reports a time of %v, which no rate follows from", p, wall)
	}
	if input != p.InputTokens() || output != p.OutputTokens() {
		return fmt.Errorf(
			"%s: the engine saw %d input tokens and generated %d; %d and %d were asked for",
			p,
			input,
			output,
			p.InputTokens(),
			p.OutputTokens(),
		)
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
	result := filepath.Join(c.settings.dir, c.resultFile())
	defer func() { _ = os.Remove(result) }() // which is not there when the benchmark failed
	args := append([]string{"-c", throughputScript, "--dataset-name=random", "--output-json=" + result,
		fmt.Sprintf("--num-prompts=%d", p.Requests), fmt.Sprintf("--random-input-len=%d", p.InputLen),
		fmt.Sprintf("--random-output-len=%d", p.OutputLen), fmt.Sprintf("--seed=%d", round)}, flags...)
	if c.settings.args.SkipTokenizerInit {
		args = append(args, "--disable-detokenize")
	}
	if c.Kind == ThroughputWarm {
		args = append(args, fmt.Sprintf("--num-warmups=%d", p.Requests))
	}
	if err := c.launch(cmp.Or(c.Program, c.settings.python), args); err != nil {
		return t, err
	}
	defer c.close()
	select {
	case <-c.process.Done():
	case <-ctx.Done():
		c.process.Kill()
		return t, context.Cause(ctx)
	}
	exit := c.process.Wait()
	t.Process, t.CPU = exit.Wall, exit.CPU
	text, err := os.ReadFile(result)
	if err != nil {
		return t, fmt.Errorf("vllm bench throughput: %s: %s", exit, c.lastOutput())
	}
	var r struct {
		Elapsed float64 `json:"elapsed_time"`
		Tokens  int     `json:"total_num_tokens"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return t, err
	}
	t.Wall = time.Duration(r.Elapsed * float64(time.Second))
	return t, checkPass(p.Point, t.Wall, r.Tokens-p.OutputTokens(), p.OutputTokens())
}

// close ends the contender's processes, which end by themselves when their input does.
func (c *racer) close() {
	if c.process == nil {
		return
	}
	c.input.Close()
	c.process.End(grace)
	c.answers.Close()
	c.process = nil
}

// stop stops the contender's processes, if it has any now.
func (c *racer) stop() {
	if c.process != nil {
		c.process.Stop()
	}
}

// resume continues what stop stopped.
func (c *racer) resume() {
	if c.process != nil {
		c.process.Continue()
	}
}

// cpu returns the processor time that the contender's processes have taken so far.
func (c *racer) cpu() time.Duration {
	var total time.Duration
	for _, pid := range c.process.PIDs() {
		total += machine.ProcessTime(int32(pid))
	}
	return total
}

// frontEndMemory returns the peak of the resident memory of the contender's processes, without
// vLLM's engine cores and workers, which call themselves VLLM::….
func (c *racer) frontEndMemory() int64 {
	var total int64
	for _, pid := range c.process.PIDs() {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
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
