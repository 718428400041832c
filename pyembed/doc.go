// Package pyembed runs CPython inside a Go program.
//
//	rt, err := pyembed.Start(pyembed.Config{})
//	…
//	err = rt.Do(ctx, func(py *pyembed.Py) error {
//		math, err := py.Import("math")
//		if err != nil {
//			return err
//		}
//		root, err := math.CallMethod(py, "sqrt", 2.0)
//		if err != nil {
//			return err
//		}
//		value, err := pyembed.As[float64](py, root)
//		fmt.Println(value)
//		return err
//	})
//
// # Finding Python
//
// The program opens libpython when it runs, not when it is built. Building needs a C compiler but
// no Python, and one binary serves every CPython from 3.11 to 3.14, other than free-threaded
// builds. [Locate] lists where it looks. A virtual environment works as it does from its own
// python: sys.prefix, sys.executable and the packages are the environment's. Python obeys the same
// environment variables as the python program, and finds the same locale. The working directory is
// not on sys.path. Linux with glibc is supported.
//
// Another part of the program may have loaded the same libpython before, in any way. Start refuses,
// with an error, when Python runs already, or when the symbols of another libpython are global. One
// that is loaded with RTLD_LOCAL does no harm while nobody runs it.
//
// # Threads
//
// [Interpreter.Do] runs a function on one of a bounded pool of OS threads, holding the GIL. The
// threads keep their Python thread state, so that threading.local and extension modules find what
// they left. The [Py] that the function gets is the proof that it holds the interpreter, and every
// call needs one. [Interpreter.NewThread] gives a thread to one owner, and [Interpreter.Main] is
// Python's main thread.
//
// Handing a function to another thread takes longer than most calls of Python do: some
// microseconds. A Do should do what belongs together. A goroutine with many small calls can use
// [Interpreter.LockThread], where a Do takes a fraction of a microsecond. Either waits for the GIL
// while another thread has it. A thread that runs Python code gives it up when it waits, and every
// 5 ms when others ask for it; [Config.SwitchInterval] changes that. [Py.Detach] gives it up in Go
// code.
//
// Python code runs with the GIL as usual: threads take turns, and C code that releases the GIL runs
// in parallel. Greenlets (gevent) must not switch inside a Go function that Python calls, since Go
// cannot follow a switch of stacks. Where pyembed sees that one has, a Go function that another
// greenlet calls raises RuntimeError.
//
// # Values
//
// [Py.From] and [As] convert between Go and Python values:
//
//	nil, nil pointer                     None
//	bool                                 bool
//	int…, uint…, big.Int, json.Number    int; a json.Number may be a float
//	float32, float64                     float
//	complex64, complex128                complex
//	string                               str
//	[]byte                               bytes; a bytearray or memoryview is accepted, too
//	slices, arrays                       list; a tuple or set is accepted, too
//	Tuple                                tuple
//	maps                                 dict
//	maps to struct{}                     set; a frozenset is accepted, too
//	structs, by their fields' py tags    dict
//	time.Time                            datetime.datetime, with a time zone, to the microsecond
//	time.Duration                        datetime.timedelta, to the microsecond; an int is
//	                                     accepted as nanoseconds
//	json.RawMessage                      what json.loads makes of it
//	error                                the exception; see Errors
//	encoding.TextMarshaler               str; TextUnmarshaler takes str(object)
//	Marshaler, Unmarshaler               what they make of it
//	*Object                              any object, as it is
//
// Numbers are accepted by Python's protocols: an object with __index__ is an integer, one with
// __float__ a float, numpy's and decimal's included. An enum stands for its value. A number that
// does not fit is an error, and so is a Go type that has no conversion. A struct's py tags work as
// json tags do: "name,omitempty", "name,omitzero" and "-", and the fields of embedded structs are
// the outer one's.
//
// Into an interface value, None becomes nil, int becomes int64 or, if larger, *big.Int; list
// becomes []any, tuple Tuple, set map[any]struct{}, and dict map[string]any or, if a key is not a
// str, map[any]any, where tuples in keys become arrays. A datetime with a time zone becomes
// time.Time. Anything else without a row above stays an *Object. A str with lone surrogates becomes
// a Go string with their WTF-8 bytes, and back.
//
// [View], [Edit] and [Lend] share memory instead of copying it.
//
// # Memory
//
// [Object.Release] drops a reference at once. Without it, the garbage collector finds the Object
// unreachable later. Go does not see how much memory the Python object has, so pyembed looks at the
// size of the process: when that has grown by 64 MiB or a quarter, whichever is more, while Objects
// are made, it runs the collector.
//
// # Errors
//
// A Python exception is an [*Error] with its type, message, traceback, cause, context, notes and
// members, and the exception object itself. Use errors.As to get at it, and errors.Is with a
// [Class] to tell exceptions apart as Python's except does.
//
// An error that a Go function returns to Python is an exception there, and is found by errors.Is
// and errors.As when that exception comes back to Go. [Class.New] makes an exception of a Python
// class, for Go functions to return. A panic arrives as a [*Panic].
//
// # Cancellation
//
// When the context of a Do ends, the exception _pyembed.Interrupted is raised in the Python code
// that runs there. Only code that catches every BaseException can catch it. Such code gets another
// one after a second, and then again and again, wherever it tries to go on, until the Do ends.
//
// Only the thread of the Do is interrupted. Threads that its Python code starts go on, and a Go
// function that they call can look at the context, where it reaches them: see [Py.Context].
//
// Some moments are spared, and the exception comes when they are over: imports, which would leave a
// module half made, logging, and moments in which a with statement or Python's own library takes or
// gives back a lock, since the lock would stay taken for ever; see [Interpreter.Interrupt]. A
// module or a handler of logging that never ends is therefore never interrupted.
//
// An exception arrives at the next bytecode. So these cannot be interrupted: C code that does not
// return, and waits in C, which are most waits: time.sleep, a lock, queue.get, a read. End a wait
// by giving it what it waits for, with a context.AfterFunc that calls Do: see the example of waits.
// Or wait in Go, in [Py.Detach]. Do returns when its function does, so a Do around such code
// outlasts its context.
//
// # Signals
//
// Python installs no signal handlers: SIGINT and the others stay Go's, and Ctrl-C is not a
// KeyboardInterrupt. A handler that Python code sets with signal.signal, on Python's main thread,
// runs when that thread runs Python code and next switches: the signal reaches the process on
// another thread. A write to a closed pipe is an error (EPIPE) on every thread, as in Python, and
// not the end of the process; Start sees to that with a signal.Notify for SIGPIPE. faulthandler
// stays off, and faulthandler.enable does nothing: its handlers would end the process for a nil
// pointer in Go code that recovers.
//
// # Processes
//
// A process that Python forks has no Go: what it calls of Go raises RuntimeError, and its output
// goes to the process's own stdout and stderr. Code that would return to Go there ends the process
// instead, as Python ends for SystemExit and for an exception that nobody catches, and with status
// 1 when it just returns. Signals that Go handles have their defaults there. Start Python's
// processes by spawn or forkserver, or end them by os._exit.
//
// # Environment and output
//
// os.Setenv does not reach os.environ once Python runs. Use [Config.Env] before, and [Py.Setenv]
// and [Py.Unsetenv] afterwards. sys.stdout and C's stdout are written through, so that nothing is
// lost when the program ends by os.Exit.
//
// # Exit
//
// CPython is never finalized: extension modules crash in it. What must be shut down in order
// (processes, files) needs closing by its owner before the program ends. [Interpreter.Shutdown]
// runs what is registered with atexit and closes files.
package pyembed
