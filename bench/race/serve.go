package race

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"vllmgo/bench/internal/ask"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// kindVariable is the environment variable with the kind of a contender's process.
const kindVariable = "VLLMGO_RACE_CONTENDER"

// serveKind is the main function of a contender's process, for the kinds that are written in Go. It
// returns the exit status.
func serveKind(kind Kind) int {
	// Ctrl-C is the race's own, which then closes its contenders.
	signal.Ignore(syscall.SIGINT)
	var open func(context.Context, start) (contestant, string, error)
	switch kind {
	case VLLMGo:
		open = openLLM
	case HTTP:
		open = openServers
	}
	err := serve(context.Background(), os.Stdin, os.NewFile(replies, "replies"), open)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// contestant runs the passes of a contender's process.
type contestant interface {
	run(ctx context.Context, p pass) (answer, error)
	Close() error
}

// serve answers a start and the passes after it. It returns an error if it cannot read a message or
// write an answer. Any other error goes into the answer.
func serve(
	ctx context.Context,
	in io.Reader,
	out io.Writer,
	open func(context.Context, start) (contestant, string, error),
) (err error) {
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	var s start
	if err := decoder.Decode(&s); err != nil {
		return fmt.Errorf("race: reading the start: %w", err)
	}
	c, versions, err := open(ctx, s)
	if err != nil {
		return encoder.Encode(answer{Error: err.Error()})
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	reply := answer{Versions: versions}
	for {
		if err := encoder.Encode(reply); err != nil {
			return fmt.Errorf("race: answering: %w", err)
		}
		var p pass
		if err := decoder.Decode(&p); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("race: reading a pass: %w", err)
		}
		if reply, err = c.run(ctx, p); err != nil {
			reply = answer{Error: err.Error()}
		}
	}
}

// llm runs passes with vllmgo.
type llm struct {
	*vllmgo.LLM
	detokenize bool
}

// openLLM loads an engine with vllmgo. It returns the versions of vLLM, torch and Python.
func openLLM(ctx context.Context, s start) (contestant, string, error) {
	s.Args.EngineMode = s.Mode
	engine, err := vllmgo.New(ctx, s.Args)
	if err != nil {
		return nil, "", err
	}
	return llm{engine, s.Detokenize}, engine.Info().Versions(), nil
}

func (l llm) run(ctx context.Context, p pass) (answer, error) {
	requests := make([]workload.Request, len(p.Prompts))
	for i, ids := range p.Prompts {
		requests[i] = workload.Request{TokenIDs: ids, OutputLen: p.OutputLens[i]}
	}
	prompts, params := ask.Terms{Detokenize: l.detokenize}.Prompts(requests)
	began := time.Now()
	g, err := l.Generate(ctx, prompts, params)
	wall := time.Since(began)
	if err != nil {
		return answer{}, err
	}
	a := answer{Wall: wall, Elapsed: g.Elapsed}
	outputs := workload.NewTokenHash()
	for _, o := range g.Outputs {
		a.InputTokens += len(o.PromptTokenIDs)
		a.OutputTokens += len(o.Outputs[0].TokenIDs)
		outputs.Add(o.Outputs[0].TokenIDs)
	}
	a.OutputsSHA256 = outputs.String()
	return a, nil
}
