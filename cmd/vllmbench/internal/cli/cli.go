// Package cli is the program vllmbench: its commands, their flags, and what they print. Results go
// to stdout, everything else to stderr.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"vllmgo/bench/vllm"
	"vllmgo/internal/plain"
)

// The exit statuses. A program that a signal stopped has 128 plus the signal's number: 130 after
// SIGINT (Ctrl-C), 143 after SIGTERM.
const (
	statusOK     = 0
	statusFailed = 1 // something was not measured, or could not be done
	statusUsage  = 2 // the command line is wrong; nothing was begun
)

// exitHelp describes the exit statuses for users.
const exitHelp = `The exit status is 0 for success, 1 when something was not measured or could not
be done, and 2 when the command line is wrong, which includes a folder without
results. After a signal it is 128 plus the signal's number, and what was
measured by then is printed.`

// Main runs the command line and ends the process.
func Main() {
	v := vllmbench{args: os.Args, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(v.execute(withSignals(context.Background())))
}

// vllmbench is the program.
type vllmbench struct {
	args           []string
	stdout, stderr io.Writer
	library        vllm.Library
	oneProcess     bool // measures in this process, in tests
}

// usageError is an error of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef returns an error of the command line.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// interruption is the cause of a context that a signal ended.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string { return "stopped by signal: " + i.signal.String() }

// Signal returns the signal.
func (i interruption) Signal() os.Signal { return i.signal }

// withSignals returns a context that SIGINT or SIGTERM ends, with an interruption as the cause. A
// second signal ends the process at once.
func withSignals(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals)
		cancel(interruption{s.(syscall.Signal)})
	}()
	return ctx
}

// execute runs the command line and returns the exit status.
func (v *vllmbench) execute(ctx context.Context) int {
	begun := false
	root := &cobra.Command{
		Use:           "vllmbench",
		Short:         "Measure how fast vLLM generates text offline, from Go",
		Long:          "Vllmbench measures how fast vLLM generates text offline, from Go.\n\n" + exitHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		v.runCommand(),
		v.replayCommand(),
		v.compareCommand(),
		v.scalingCommand(),
		v.raceCommand(),
		v.soakCommand(),
	)
	for _, c := range root.Commands() {
		run := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			begun = true // after cobra has checked the flags
			return run(c, args)
		}
	}
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.SetArgs(v.args[1:])
	root.SetOut(v.stdout)
	root.SetErr(v.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return statusOK
	}
	fmt.Fprintf(plain.Writer(v.stderr), "vllmbench: %v\n", err)
	if stopped, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		return 128 + int(stopped.signal)
	}
	if _, usage := errors.AsType[usageError](err); usage || !begun {
		return statusUsage
	}
	if of, ok := errors.AsType[statusError](err); ok {
		return of.status
	}
	return statusFailed
}
