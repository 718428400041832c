package vllmgo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
	"unsafe"

	"github.com/vmihailenco/msgpack/v5"
	"golang.org/x/sys/unix"

	"vllmgo/internal/child"
	"vllmgo/pyembed"
)

// remote is an engine in a Python process of its own, which serves engine.py's methods over
// sockets; see replica.py. The process, and all that it starts, dies with this one.
type remote struct {
	process *child.Process
	// calls and others are for the methods of caller and for those of meanwhile.
	calls, others *connection
	// signal is memory of both processes.
	signal []int32
	// firstLine is the number of log lines before its start.
	firstLine int
}

// startRemote starts a Python process that has no engine yet, from an archive of modules.
func startRemote(b *bridge, modules *os.File) (_ *remote, err error) {
	r := &remote{firstLine: lines.count()}
	defer func() {
		if err != nil {
			r.release()
		}
	}()
	var theirs [3]*os.File
	defer func() {
		for _, file := range theirs {
			if file != nil {
				file.Close()
			}
		}
	}()
	if r.calls, theirs[0], err = newConnection(); err != nil {
		return nil, err
	}
	if r.others, theirs[1], err = newConnection(); err != nil {
		return nil, err
	}
	if theirs[2], err = r.shareSignal(); err != nil {
		return nil, err
	}
	python := b.rt.Python().Executable
	cmd := exec.Command(python, pathOf(modules), pathOf(b.guard))
	cmd.Env = os.Environ()
	for name, value := range environment() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, "VLLMGO_LOG="+pathOf(lines.pipe))
	cmd.Stdout, cmd.Stderr = lines.pipe, lines.pipe
	cmd.ExtraFiles = theirs[:]
	if r.process, err = child.Start(cmd); err != nil {
		return nil, fmt.Errorf("vllmgo: a replica: %w", err)
	}
	return r, nil
}

// shareSignal makes the memory of signal, and returns it as a file.
func (r *remote) shareSignal() (*os.File, error) {
	file, err := memoryFile("vllmgo-signal")
	if err != nil {
		return nil, err
	}
	size := os.Getpagesize()
	if err := file.Truncate(int64(size)); err != nil {
		return file, err
	}
	memory, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return file, fmt.Errorf("mmap: %w", err)
	}
	r.signal = unsafe.Slice((*int32)(unsafe.Pointer(&memory[0])), 1)
	return file, nil
}

// release gives back what a remote has in this process. The memory of signal stays: a late call of
// the scheduler may still write it.
func (r *remote) release() {
	for _, c := range []*connection{r.calls, r.others} {
		if c != nil {
			c.file.Close()
		}
	}
}

func (r *remote) hold(fn func(c caller) error) error { return fn(r) }

func (r *remote) call(result any, method string, args ...any) error {
	return r.explainEnd(r.calls.call(result, method, args...))
}

func (r *remote) meanwhile(result any, method string, args ...any) error {
	return r.explainEnd(r.others.call(result, method, args...))
}

// explainEnd makes an error of a connection that has ended: the process has.
func (r *remote) explainEnd(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*pyembed.Error](err); ok || !errors.Is(err, errConnectionEnded) {
		return err
	}
	how := ""
	select {
	case <-r.process.Done():
		how = " (" + r.process.Wait().String() + ")"
	case <-time.After(time.Second): // its end may come later than the connection's
	}
	return &callError{
		"a replica's process has ended" + how + quoted(lastOf(causesIn(lines.since(r.firstLine, 100)), 15)),
		[]error{ErrEngineDead, err},
	}
}

func (r *remote) kill() { r.process.Kill() }

// end kills the process and waits for its end.
func (r *remote) end() {
	r.kill()
	<-r.process.Done()
	r.release()
}

// closeTime is the time that an engine has to close, and that its process has then to end.
const closeTime = 10 * time.Second

func (r *remote) close() error {
	hangs := time.AfterFunc(closeTime, r.kill)
	err := r.call(nil, "close")
	hangs.Stop()
	if errors.Is(err, ErrEngineDead) {
		err = nil // it has ended already
	}
	r.release()
	select {
	case <-r.process.Done():
	case <-time.After(closeTime):
		r.process.Kill()
		<-r.process.Done()
	}
	return err
}

// connection carries calls, one after another.
type connection struct {
	mu   sync.Mutex
	file *os.File
}

// errConnectionEnded means that the other process does not answer any more.
var errConnectionEnded = errors.New("the connection has ended")

// newConnection returns both ends of a connection.
func newConnection() (*connection, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // so that Close ends a Read
		return nil, nil, err
	}
	return &connection{file: os.NewFile(uintptr(fds[0]), "replica")}, os.NewFile(uintptr(fds[1]), "replica"), nil
}

// answer is what replica.py answers.
type answer struct {
	Result   msgpack.RawMessage
	Error    *remoteError
	Progress []int
}

// call calls a method and converts its result, unless result is nil.
func (c *connection) call(result any, method string, args ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	message := append([]any{method}, args...)
	var report reportFunc
	for i, arg := range message {
		if found, ok := arg.(reportFunc); ok {
			report, message[i] = found, found != nil
		}
	}
	if err := c.send(message); err != nil {
		return err
	}
	for {
		var a answer
		if err := c.receive(&a); err != nil {
			return err
		}
		switch {
		case a.Error != nil:
			return a.Error.exception()
		case len(a.Progress) == 2:
			report(a.Progress[0], a.Progress[1])
		case result == nil || len(a.Result) == 0: // None
			return nil
		default:
			return msgpack.Unmarshal(a.Result, result)
		}
	}
}

func (c *connection) send(message any) error {
	encoded, err := msgpack.Marshal(message)
	if err != nil {
		return err
	}
	if len(encoded) > maxMessage {
		return fmt.Errorf("vllmgo: the input has %d bytes, and a replica takes at most %d in one call: split it",
			len(encoded), int64(maxMessage))
	}
	framed := append(binary.NativeEndian.AppendUint32(make([]byte, 0, 4+len(encoded)), uint32(len(encoded))), encoded...)
	if _, err := c.file.Write(framed); err != nil {
		return fmt.Errorf("%w: %w", errConnectionEnded, err)
	}
	return nil
}

// maxMessage is what the length of a message can say.
const maxMessage = 1<<32 - 1

func (c *connection) receive(a *answer) error {
	var header [4]byte
	if _, err := io.ReadFull(c.file, header[:]); err != nil {
		return fmt.Errorf("%w: %w", errConnectionEnded, err)
	}
	encoded := make([]byte, binary.NativeEndian.Uint32(header[:]))
	if _, err := io.ReadFull(c.file, encoded); err != nil {
		return fmt.Errorf("%w: %w", errConnectionEnded, err)
	}
	return msgpack.Unmarshal(encoded, a)
}

// remoteError is an exception of another process.
type remoteError struct {
	Type, Message  string
	Classes        []string
	Frames         []pyembed.Frame
	Cause, Context *remoteError
}

func (e *remoteError) exception() *pyembed.Error {
	if e == nil {
		return nil
	}
	return pyembed.NewError(pyembed.Error{
		Type: e.Type, Message: e.Message, Frames: e.Frames, Cause: e.Cause.exception(), Context: e.Context.exception(),
	}, e.Classes...)
}
