package pyembed_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"time"

	"vllmgo/pyembed"
)

func Example() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		math, err := py.Import("math")
		if err != nil {
			return err
		}
		root, err := math.CallMethod(py, "sqrt", 2.0)
		if err != nil {
			return err
		}
		value, err := pyembed.As[float64](py, root)
		fmt.Println(value)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 1.4142135623730951
}

// Python runs as it does from its own program: in a virtual environment, sys.executable is the
// environment's.
func Example_findingPython() {
	// Config.Python would name a Python itself.
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		o, err := py.Eval("__import__('sys').executable")
		if err != nil {
			return err
		}
		executable, err := pyembed.As[string](py, o)
		fmt.Println(executable == rt.Python().Executable)
		return err
	})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// Any number of goroutines share a few OS threads.
func Example_threads() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	squares := make([]int, 1000)
	var group sync.WaitGroup
	for i := range squares {
		group.Go(func() {
			err := rt.Do(context.Background(), func(py *pyembed.Py) error {
				operator, err := py.Import("operator")
				if err != nil {
					return err
				}
				square, err := operator.CallMethod(py, "mul", i, i)
				if err != nil {
					return err
				}
				squares[i], err = pyembed.As[int](py, square)
				return err
			})
			if err != nil {
				log.Print(err)
			}
		})
	}
	group.Wait()
	fmt.Println(squares[3], squares[999])
	// Output: 9 998001
}

func Example_values() {
	type user struct {
		Name string         `py:"name"`
		IDs  []int          `py:"ids"`
		More map[string]any `py:"more"`
	}
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		o, err := py.From(user{"Ada", []int{1, 2}, map[string]any{"born": nil}}) // a dict
		if err != nil {
			return err
		}
		ids, err := o.Item(py, "ids")
		if err != nil {
			return err
		}
		if _, err := ids.CallMethod(py, "append", 1<<40); err != nil {
			return err
		}
		ada, err := pyembed.As[user](py, o)
		if err != nil {
			return err
		}
		fmt.Printf("%+v\n", ada)

		_, err = pyembed.As[[]int32](py, ids)
		return err
	})
	fmt.Println(err)
	// Output:
	// {Name:Ada IDs:[1 2 1099511627776] More:map[born:<nil>]}
	// pyembed: cannot convert to Go: [2]: the int does not fit into int32
}

func Example_errors() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		_, err := py.Module("settings", "settings.py", `
def port(values):
    try:
        return values["port"]
    except KeyError as e:
        raise LookupError("no port is set") from e

port({})
`)
		return err
	})
	fmt.Println(errors.Is(err, pyembed.Class("LookupError")), errors.Is(err, pyembed.Class("OSError")))
	var exception *pyembed.Error
	if errors.As(err, &exception) {
		fmt.Println(exception.Type, "/", exception.Message)
		fmt.Println("because of", exception.Cause)
		fmt.Print(exception.Traceback())
	}
	// Output:
	// true false
	// LookupError / no port is set
	// because of KeyError: 'port'
	//   File "settings.py", line 4, in port
	// KeyError: 'port'
	//
	// The above exception was the direct cause of the following exception:
	//
	//   File "settings.py", line 8, in <module>
	//   File "settings.py", line 6, in port
	// LookupError: no port is set
}

func Example_cancellation() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err = rt.Do(ctx, func(py *pyembed.Py) error { return py.Exec("while True: pass") })
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

// A wait in C cannot be interrupted. It ends when it gets what it waits for.
func Example_waits() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		err := rt.Do(context.Background(), func(py *pyembed.Py) error { return py.Exec("jobs.put(None)") })
		if err != nil {
			log.Print(err)
		}
	})
	defer stop()
	err = rt.Do(ctx, func(py *pyembed.Py) error {
		return py.Exec("import queue; jobs = queue.Queue()\njobs.get()")
	})
	fmt.Println(errors.Is(err, context.DeadlineExceeded) || err == nil)
	// Output: true
}

// Ctrl-C reaches Go, as always, and ends Python code by way of a context.
func Example_signals() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err = rt.Do(ctx, func(py *pyembed.Py) error {
		return py.Exec(`
import os, signal
os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does
while True: pass
`)
	})
	fmt.Println(errors.Is(err, context.Canceled), errors.Is(err, pyembed.Class("KeyboardInterrupt")))
	// Output: true false
}

func Example_environmentAndOutput() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON", Env: map[string]string{"GREETING": "hello"}})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		if err := py.Setenv("NAME", "world"); err != nil { // os.Setenv would not reach os.environ
			return err
		}
		o, err := py.Eval("'{GREETING} {NAME}'.format(**__import__('os').environ)")
		if err != nil {
			return err
		}
		text, err := pyembed.As[string](py, o)
		fmt.Println(text)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello world
	// <nil>
}

// Python's own shutdown never runs, so whatever must be ended in order is ended by the program:
// here a folder, which Python would otherwise remove at exit.
func Example_exit() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	var dir string
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		tempfile, err := py.Import("tempfile")
		if err != nil {
			return err
		}
		folder, err := tempfile.CallMethod(py, "TemporaryDirectory")
		if err != nil {
			return err
		}
		return folder.With(py, func(name *pyembed.Object) error {
			dir, err = pyembed.As[string](py, name)
			if err != nil {
				return err
			}
			_, err = os.Stat(dir)
			return err
		})
	})
	_, statErr := os.Stat(dir)
	fmt.Println(err, os.IsNotExist(statErr))
	// Output: <nil> true
}

func ExampleLocate() {
	_, err := pyembed.Locate(context.Background(), pyembed.Config{
		Python: "/opt/nothing/bin/python", Variable: "VLLMGO_PYTHON",
	})
	fmt.Println(err)
	// Output: pyembed: /opt/nothing/bin/python (from the Python option): it does not run: fork/exec /opt/nothing/bin/python: no such file or directory; install or repair it, or name another Python with VLLMGO_PYTHON=/path/to/python3
}

func ExampleInterpreter_Main() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Main().Do(context.Background(), func(py *pyembed.Py) error {
		// Only there does Python set signal handlers.
		return py.Exec("import signal; signal.signal(signal.SIGUSR2, signal.SIG_DFL)")
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleInterpreter_NewThread() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	thread := rt.NewThread()
	defer thread.Close()
	for _, statements := range []string{
		"import threading; mine = threading.local(); mine.count = 1",
		"mine.count += 1", // a call of its own, on the same thread
		"assert mine.count == 2",
	} {
		err := thread.Do(context.Background(), func(py *pyembed.Py) error { return py.Exec(statements) })
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// <nil>
}

func ExampleInterpreter_LockThread() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	thread := rt.LockThread()
	defer thread.Close()
	sum := 0
	for i := range 1000 { // no thread is woken
		err := thread.Do(context.Background(), func(py *pyembed.Py) error {
			o, err := py.From(i)
			if err != nil {
				return err
			}
			bits, err := o.CallMethod(py, "bit_count")
			if err != nil {
				return err
			}
			n, err := pyembed.As[int](py, bits)
			sum += n
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(sum)
	// Output: 4932
}

func ExampleObject_Call() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		json, err := py.Import("json")
		if err != nil {
			return err
		}
		dumps, err := json.Attr(py, "dumps")
		if err != nil {
			return err
		}
		o, err := dumps.Call(py, map[string]any{"b": []int{1, 2}, "a": nil}, pyembed.Kw{"sort_keys": true})
		if err != nil {
			return err
		}
		text, err := pyembed.As[string](py, o)
		fmt.Println(text)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: {"a": null, "b": [1, 2]}
}

func ExampleObject_Iter() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		itertools, err := py.Import("itertools")
		if err != nil {
			return err
		}
		pairs, err := itertools.CallMethod(py, "combinations", []string{"a", "b", "c"}, 2)
		if err != nil {
			return err
		}
		for pair, err := range pairs.Iter(py) {
			if err != nil {
				return err
			}
			letters, err := pyembed.As[[]string](py, pair)
			if err != nil {
				return err
			}
			fmt.Println(letters)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// [a b]
	// [a c]
	// [b c]
}

func ExampleObject_With() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		decimal, err := py.Import("decimal")
		if err != nil {
			return err
		}
		third := func() error {
			o, err := py.Eval("str(__import__('decimal').Decimal(1) / 3)")
			if err != nil {
				return err
			}
			text, err := pyembed.As[string](py, o)
			fmt.Println(text)
			return err
		}
		fiveDigits, err := decimal.CallMethod(py, "localcontext", pyembed.Kw{"prec": 5})
		if err != nil {
			return err
		}
		if err := fiveDigits.With(py, func(*pyembed.Object) error { return third() }); err != nil {
			return err
		}
		return third()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0.33333
	// 0.3333333333333333333333333333
}
