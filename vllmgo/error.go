package vllmgo

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"vllmgo/pyembed"
)

var (
	// ErrNoVLLM means that the Python that was found has no vLLM.
	ErrNoVLLM = errors.New("vLLM is not installed")
	// ErrModelNotFound means that a model is neither a folder, nor in the local cache, nor on the
	// hub.
	ErrModelNotFound = errors.New("model not found")
	// ErrOutOfMemory means that an engine did not get the memory that its settings ask for.
	ErrOutOfMemory = errors.New("out of memory")
	// ErrEngineDead means that the engine's process has ended by itself. Close the LLM and make a
	// new one. With several engines, the LLM goes on as long as one of them is left: the error is
	// then that of a call that cannot begin again, a stream that has begun or a method of all
	// engines.
	ErrEngineDead = errors.New("the engine is dead")
	// ErrClosed means that the LLM was closed.
	ErrClosed = errors.New("the LLM is closed")
)

// explain turns a Python exception into an error of this package. The message of bridge.py's
// Refused stands alone; other exceptions keep their Python type. The error wraps the
// *pyembed.Error.
func explain(err error) error {
	var exception *pyembed.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exception):
		if strings.HasPrefix(err.Error(), "vllmgo: ") {
			return err
		}
		return fmt.Errorf("vllmgo: %w", err)
	case errors.Is(err, pyembed.Class("vllmgo_bridge.ModelNotFound")):
		return &callError{exception.Message, []error{ErrModelNotFound, err}}
	case errors.Is(err, pyembed.Class("vllmgo_bridge.Refused")):
		return &callError{exception.Message, []error{err}}
	case errors.Is(err, pyembed.Class("vllm.v1.engine.exceptions.EngineDeadError")):
		return &callError{
			"the engine's process has ended" + deadAdvice + quoted(
				lastOf(causesIn(lines.since(0, 100)), 15),
			),
			[]error{ErrEngineDead, err},
		}
	}
	return &callError{"vLLM: " + exception.Error(), []error{err}}
}

// explainPrompt is explain for one of a call's prompts.
func explainPrompt(err error, in *input, prompt int) error {
	explained := explain(err)
	if errors.Is(explained, ErrEngineDead) {
		return explained
	}
	if in.isEmpty(prompt) && strings.Contains(explained.Error(), "empty") {
		return &callError{fmt.Sprintf("prompt %d is empty", in.first+prompt), []error{explained}}
	}
	if name := in.nameOf(prompt); name != "" {
		return &callError{name + strings.TrimPrefix(explained.Error(), "vllmgo: "), []error{explained}}
	}
	return explained
}

// explainLoading is explain for an engine that did not load. Only the log says what went wrong in
// its process; firstLine is the number of log lines before.
func explainLoading(err error, args EngineArgs, firstLine int) error {
	var exception *pyembed.Error
	ended := errors.Is(err, ErrEngineDead) // a replica's process
	if !errors.As(err, &exception) && !ended || errors.Is(err, pyembed.Class("vllmgo_bridge.Refused")) {
		return explain(err)
	}
	logged := lines.since(firstLine, maxLastLines)
	messages := slices.Clone(logged)
	if exception != nil {
		messages = append(messages, exception.Message)
	}
	for _, message := range messages {
		if advice, found := adviseOnMemory(args, message); found {
			return &callError{"loading " + args.Model + ": " + advice + quoted([]string{message}), []error{ErrOutOfMemory, err}}
		}
	}
	if ended {
		return &callError{"loading " + args.Model + ": " + messageOf(err), []error{err}}
	}
	return &callError{"loading " + args.Model + ": " + whyNotLoaded(exception.Error(), logged), []error{err}}
}

// endedBySignal matches vLLM's message about an engine process that a signal has ended.
var endedBySignal = regexp.MustCompile(`Failed core proc\(s\): \{.*?: -(\d+)`)

// whyNotLoaded returns what went wrong, from an exception of vLLM and the log lines of the engine's
// processes.
func whyNotLoaded(exception string, logged []string) string {
	message, causes := "vLLM: "+exception, causesIn(logged)
	if found := endedBySignal.FindStringSubmatch(exception); found != nil {
		number, _ := strconv.Atoi(found[1])
		message += fmt.Sprintf("; signal %d (%v) ended the engine's process", number, syscall.Signal(number))
		if syscall.Signal(number) == syscall.SIGKILL {
			message += ", as the kernel does when memory is short"
		}
		causes = exceptionsIn(logged) // other lines have nothing to do with a signal
	}
	if len(causes) > 0 {
		message += "; its process says" + quoted(causes)
	}
	return message
}

// exceptionLine matches the line of a traceback that has the exception.
var exceptionLine = regexp.MustCompile(`(?:^|\s)(?:[a-zA-Z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit): .+`)

// causesIn returns the exceptions in log lines, or the last lines if there are none.
func causesIn(logged []string) []string {
	causes := exceptionsIn(logged)
	if len(causes) == 0 {
		causes = lastOf(logged, 15)
	}
	return causes
}

// exceptionsIn returns the exceptions in log lines.
func exceptionsIn(logged []string) []string {
	var causes []string
	for _, line := range logged {
		if found := strings.TrimSpace(exceptionLine.FindString(line)); found != "" && !slices.Contains(causes, found) {
			causes = append(causes, found)
		}
	}
	return causes
}

// lastOf returns the last n of lines.
func lastOf(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// quoted returns lines as they follow a message.
func quoted(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return ":\n\t" + strings.Join(lines, "\n\t")
}

// callError has its own message, and wraps errors without repeating theirs.
type callError struct {
	message string
	wrapped []error
}

func (e *callError) Error() string   { return "vllmgo: " + printable(e.message) }
func (e *callError) Unwrap() []error { return e.wrapped }

// deadAdvice is what to do about an engine that is dead, unless it is one of several.
const deadAdvice = ": close the LLM and make a new one"

// messageOf returns an error's message without this package's name, for a message about a replica.
func messageOf(err error) string {
	return strings.Replace(strings.TrimPrefix(err.Error(), "vllmgo: "), deadAdvice, "", 1)
}

// printable returns text without control characters, which a terminal would obey: a model's files
// or a process may hold any.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
