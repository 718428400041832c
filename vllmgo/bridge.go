package vllmgo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"vllmgo/pyembed"
)

// bridge is Python with vLLM's side of this package loaded, once for the process.
type bridge struct {
	rt *pyembed.Interpreter
	// module is bridge.py, engine is engine.py, and cancelled is the class Cancelled of bridge.py.
	module, engine, cancelled *pyembed.Object
	vllm                      shared[struct{}]

	// guard is die_with_parent.py, for child processes.
	guard *os.File

	mu sync.Mutex
	// env is the Go program's environment as Python last saw it.
	env map[string]string
}

var openedBridge shared[*bridge]

// openBridge starts Python and loads bridge.py on first use. When ctx ends, it returns; the start
// goes on and serves the next call.
func openBridge(ctx context.Context) (*bridge, error) {
	return openedBridge.get(ctx, func() (*bridge, error) {
		b, err := startBridge()
		if err != nil {
			return nil, fmt.Errorf("vllmgo: %w", err)
		}
		return b, nil
	})
}

// openVLLM is openBridge, and imports vLLM. An import cannot be interrupted and begun again, and
// takes seconds.
func openVLLM(ctx context.Context) (*bridge, error) {
	b, err := openBridge(ctx)
	if err != nil {
		return nil, err
	}
	_, err = b.vllm.get(ctx, func() (struct{}, error) {
		return struct{}{}, explain(b.rt.Main().Do(context.Background(), func(py *pyembed.Py) error {
			_, err := b.module.CallMethod(py, "import_vllm")
			return err
		}))
	})
	return b, err
}

func startBridge() (*bridge, error) {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON", Env: environment()})
	if err != nil {
		return nil, err
	}
	b := &bridge{rt: rt, env: environ()}
	return b, rt.Do(context.Background(), func(py *pyembed.Py) error {
		if err := findVLLM(py, rt.Python()); err != nil {
			return err
		}
		for _, module := range []struct { // each imports those before it
			file   string
			object **pyembed.Object
		}{
			{"bridge", &b.module},
			{"packing", nil},
			{"folder", nil},
			{"inputs", nil},
			{"pools", nil},
			{"counters", nil},
			{"runtime", nil},
			{"alone", nil},
			{"engine", &b.engine},
		} {
			file := module.file + ".py"
			object, err := py.Module(modulePrefix+module.file, "vllmgo/"+file, sourceOf(file))
			if err != nil {
				return err
			}
			if module.object != nil {
				*module.object = object
			}
		}
		var err error
		if b.cancelled, err = b.module.Attr(py, "Cancelled"); err != nil {
			return err
		}
		if err := lines.capture(py, b.module); err != nil {
			return err
		}
		return b.guardChildren(py)
	})
}

// Python returns the path of the Python that this process runs. The first use finds and starts it;
// see pyembed.Locate.
func Python() (string, error) {
	b, err := openBridge(context.Background())
	if err != nil {
		return "", err
	}
	return b.rt.Python().Executable, nil
}

// environment returns what must be set before Python starts. The user's own settings win, with two
// exceptions. Child processes are always spawned: a fork of a Go program does not work. And they
// import nothing from the working directory, where a file called signal.py would run in their
// place.
func environment() map[string]string {
	env := map[string]string{"VLLM_WORKER_MULTIPROC_METHOD": "spawn", "PYTHONSAFEPATH": "1"}
	for key, value := range map[string]string{
		"VLLM_NO_USAGE_STATS": "1",
		"VLLM_LOGGING_STREAM": "ext://sys.stderr", // stdout is the program's
	} {
		if _, set := os.LookupEnv(key); !set {
			env[key] = value
		}
	}
	return env
}

// environ returns the environment.
func environ() map[string]string {
	env := map[string]string{}
	for _, entry := range os.Environ() {
		if name, value, found := strings.Cut(entry, "="); found && name != "" {
			env[name] = value
		}
	}
	return env
}

// syncEnvironment gives Python what os.Setenv and os.Unsetenv have changed. Python has a copy of
// its own.
func (b *bridge) syncEnvironment(py *pyembed.Py) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, changed := environ(), map[string]any{}
	for name, value := range now {
		if before, set := b.env[name]; !set || before != value {
			changed[name] = value
		}
	}
	for name := range b.env {
		if _, set := now[name]; !set {
			changed[name] = nil
		}
	}
	if err := checkText(changed); err != nil {
		return fmt.Errorf("the environment: %w", err)
	}
	_, err := b.module.CallMethod(py, "set_environment", changed)
	if err == nil {
		b.env = now
	}
	return err
}

// findVLLM returns an error if vLLM is not installed, without the seconds that an import takes.
func findVLLM(py *pyembed.Py, python pyembed.Python) error {
	util, err := py.Import("importlib.util")
	if err != nil {
		return err
	}
	spec, err := util.CallMethod(py, "find_spec", "vllm")
	if err != nil {
		return err
	}
	found, err := pyembed.As[any](py, spec)
	if err != nil {
		return err
	}
	if found == nil {
		return fmt.Errorf("%w: %s (Python %s, from %s) has no package vllm; install it there, or name a Python that "+
			"has it with VLLMGO_PYTHON=/path/to/python3 (`make setup` makes one: .venv/bin/python in the checkout)",
			ErrNoVLLM, python.Executable, python.Version, python.Source)
	}
	return nil
}

// guardChildren puts die_with_parent.py into a file that child processes can open, and that goes
// with this process.
func (b *bridge) guardChildren(py *pyembed.Py) error {
	var err error
	if b.guard, err = memoryFile("vllmgo-die_with_parent.py"); err != nil {
		return err
	}
	if _, err := b.guard.WriteString(sourceOf("die_with_parent.py")); err != nil {
		return fmt.Errorf("writing die_with_parent.py: %w", err)
	}
	_, err = b.module.CallMethod(py, "guard_children", pathOf(b.guard))
	return err
}

// ask calls a function of bridge.py and converts its result. When ctx ends, it returns, and the
// function goes on.
func ask[T any](ctx context.Context, function string, args ...any) (T, error) {
	b, err := openVLLM(ctx)
	if err != nil {
		var zero T
		return zero, err
	}
	return inBackground(ctx, func() (T, error) { return callModule[T](b, function, args...) })
}

// callModule calls a function of bridge.py on a pool thread and converts its result.
func callModule[T any](b *bridge, function string, args ...any) (T, error) {
	var result T
	err := b.rt.Do(context.Background(), func(py *pyembed.Py) error {
		return callInto(py, &result, b.module, function, args...)
	})
	return result, explain(err)
}

// callInto calls a method and converts its result to result, a pointer.
func callInto(py *pyembed.Py, result any, object *pyembed.Object, method string, args ...any) error {
	o, err := object.CallMethod(py, method, args...)
	if err != nil {
		return err
	}
	defer o.Release(py)
	return py.Into(o, result)
}
