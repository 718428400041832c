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
// libpython is opened when the program runs, not when it is built: building needs no Python at all, and one
// binary serves every CPython from 3.11 to 3.14. [Locate] says where it is looked for. A virtual environment
// works as it does from its own python: sys.prefix, sys.executable and the packages are the environment's.
// Linux with glibc is supported.
//
// # Threads
//
// [Interpreter.Do] runs a function on one of a bounded pool of OS threads, holding the GIL. The threads keep
// their Python thread state, so that threading.local and extension modules find what they left. The [Py]
// that the function gets is the proof that it holds the interpreter, and every call needs one.
// [Interpreter.NewThread] gives a thread of one's own, and [Interpreter.Main] is Python's main thread.
//
// Handing a function to another thread costs more than most calls of Python do (docs/results/pyembed has figures), so
// a Do should do what belongs together. [Py.Detach] lets other threads have the GIL meanwhile.
//
// Python code runs with the GIL as usual: threads take turns, and C code that releases it runs in parallel.
//
// # Values
//
// [Py.From] and [As] convert between Go and Python values:
//
//	nil, nil pointer                     None
//	bool                                 bool
//	int…, uint…, *big.Int                int
//	float32, float64                     float
//	string                               str
//	[]byte                               bytes
//	slices, arrays                       list (a tuple is accepted, too)
//	Tuple                                tuple
//	maps                                 dict
//	structs, by their fields' py tags    dict
//	*Object                              any object, as it is
//
// Into an interface value, None becomes nil, int becomes int64 or, if larger, *big.Int; list becomes []any,
// tuple Tuple, and dict map[string]any or, if a key is no str, map[any]any; anything else stays an *Object.
// A str with lone surrogates becomes a Go string with their WTF-8 bytes, and back.
//
// [View], [Edit] and [Lend] share memory instead of copying it.
//
// # Errors
//
// A Python exception is an [*Error] with its type, message, traceback, cause and context. Use errors.As to
// get at it, and errors.Is with a [Class] to tell exceptions apart as Python's except does.
//
// # Cancellation
//
// When the context of a Do ends, an exception is raised in the Python code that runs there. It arrives at the
// next bytecode, so code that is inside a C function that does not return goes on until it does.
//
// # Signals
//
// Python installs no signal handlers: SIGINT and the others stay Go's, and Ctrl-C is no KeyboardInterrupt.
// SIGPIPE is ignored, as Python does. faulthandler is not enabled.
//
// # Environment and output
//
// os.Setenv does not reach os.environ once Python runs; use [Config.Env] before, [Py.Setenv] afterwards.
// sys.stdout is written through, so that nothing is lost when the program ends by os.Exit.
//
// # Exit
//
// CPython is never finalized: extension modules crash in it. What must be shut down in order (processes,
// files) needs closing by its owner before the program ends.
package pyembed
