package pyembed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"vllmgo/pyembed"
)

func ExampleClass_New() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		lookUp, err := py.Func(func(py *pyembed.Py, args []*pyembed.Object, _ map[string]*pyembed.Object) (any, error) {
			return nil, pyembed.Class("KeyError").New(py, args[0])
		})
		if err != nil {
			return err
		}
		module, err := py.Module("lookups", "lookups.py", `
def get(look_up, key, default):
    try:
        return look_up(key)
    except KeyError as e:
        return f"{default} for {e}"
`)
		if err != nil {
			return err
		}
		o, err := module.CallMethod(py, "get", lookUp, "port", 80)
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
	// Output: 80 for 'port'
}

func ExamplePy_Func() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		shout, err := py.Func(func(py *pyembed.Py, args []*pyembed.Object, _ map[string]*pyembed.Object) (any, error) {
			word, err := args[0].CallMethod(py, "group")
			if err != nil {
				return nil, err
			}
			text, err := pyembed.As[string](py, word)
			return strings.ToUpper(text), err
		})
		if err != nil {
			return err
		}
		re, err := py.Import("re")
		if err != nil {
			return err
		}
		o, err := re.CallMethod(py, "sub", "[a-z]{4,}", shout, "words as long as four letters")
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
	// Output: WORDS as LONG as FOUR LETTERS
}

func ExampleView() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		// A numpy array can be viewed in the same way.
		numbers, err := py.Eval("__import__('array').array('i', range(1_000_000))")
		if err != nil {
			return err
		}
		return pyembed.View(py, numbers, func(values []int32) error {
			sum := 0
			for _, v := range values {
				sum += int(v)
			}
			fmt.Println(len(values), sum)
			return nil
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 1000000 499999500000
}

func ExampleEdit() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		text, err := py.Eval("bytearray(b'mutable')")
		if err != nil {
			return err
		}
		err = pyembed.Edit(py, text, func(b []byte) error {
			copy(b, bytes.ToUpper(b[:3]))
			return nil
		})
		if err != nil {
			return err
		}
		decoded, err := text.CallMethod(py, "decode")
		if err != nil {
			return err
		}
		s, err := pyembed.As[string](py, decoded)
		fmt.Println(s)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: MUTable
}

func ExampleLend() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	values := []float64{3, 1, 2}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		view, err := pyembed.Lend(py, values) // numpy.frombuffer takes it, too
		if err != nil {
			return err
		}
		if err := py.Exec("def halve(view):\n  for i, v in enumerate(view): view[i] = v / 2"); err != nil {
			return err
		}
		halve, err := py.Eval("halve")
		if err != nil {
			return err
		}
		_, err = halve.Call(py, view)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(values)
	// Output: [1.5 0.5 1]
}

func ExamplePy_RedirectStdout() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	var output bytes.Buffer
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		sys, err := py.Import("sys")
		if err != nil {
			return err
		}
		original, err := sys.Attr(py, "stdout")
		if err != nil {
			return err
		}
		if err := py.RedirectStdout(&output); err != nil {
			return err
		}
		err = py.Exec("print('hello from Python')")
		return errors.Join(err, sys.SetAttr(py, "stdout", original))
	})
	fmt.Printf("%q %v\n", output.String(), err)
	// Output: "hello from Python\n" <nil>
}
