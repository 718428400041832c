package vllmgo

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"vllmgo/pyembed"
)

//go:embed bridge.py
var bridgeSource string

//go:embed inputs.py
var inputsSource string

//go:embed packing.py
var packingSource string

//go:embed engine.py
var engineSource string

//go:embed child.py
var childSource string

// bridge is Python with vLLM's side of this package loaded, once for the process.
type bridge struct {
	rt *pyembed.Interpreter
	// module is bridge.py, engine is engine.py.
	module, engine *pyembed.Object
}

var (
	bridgeMu     sync.Mutex
	loadedBridge *bridge
)

// openBridge starts Python and loads bridge.py on first use. A failure is not remembered: what the error
// asks for may have been done by the next call.
func openBridge(ctx context.Context) (*bridge, error) {
	bridgeMu.Lock()
	defer bridgeMu.Unlock()
	if loadedBridge != nil {
		return loadedBridge, nil
	}
	rt, err := pyembed.Start(pyembed.Config{Env: environment()})
	if err != nil {
		return nil, fmt.Errorf("vllmgo: %w", err)
	}
	b := &bridge{rt: rt}
	err = rt.Do(ctx, func(py *pyembed.Py) error {
		if err := findVLLM(py, rt.Python()); err != nil {
			return err
		}
		// In this order, since the last imports the others.
		if b.module, err = py.Module("vllmgo_bridge", "vllmgo/bridge.py", bridgeSource); err != nil {
			return err
		}
		if _, err = py.Module("vllmgo_packing", "vllmgo/packing.py", packingSource); err != nil {
			return err
		}
		if _, err = py.Module("vllmgo_inputs", "vllmgo/inputs.py", inputsSource); err != nil {
			return err
		}
		if b.engine, err = py.Module("vllmgo_engine", "vllmgo/engine.py", engineSource); err != nil {
			return err
		}
		if err := lines.capture(py, b.module); err != nil {
			return err
		}
		return b.guardChildren(py)
	})
	if err != nil {
		return nil, fmt.Errorf("vllmgo: %w", err)
	}
	loadedBridge = b
	return b, nil
}

// Python is the path of the Python that this process runs, which pyembed.Locate finds and starts on first
// use.
func Python() (string, error) {
	b, err := openBridge(context.Background())
	if err != nil {
		return "", err
	}
	return b.rt.Python().Executable, nil
}

// environment is what must be set before Python starts. The user's own settings win, except that child
// processes are always spawned: a fork of a Go program does not work.
func environment() map[string]string {
	env := map[string]string{"VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
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

// findVLLM says at once, without the seconds that an import takes, whether vLLM is installed.
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

// guardChildren keeps child.py in a file that lives as long as the process and no longer, and that child
// processes can open.
func (b *bridge) guardChildren(py *pyembed.Py) error {
	fd, err := unix.MemfdCreate("vllmgo-child.py", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	if _, err := unix.Write(fd, []byte(childSource)); err != nil {
		return fmt.Errorf("writing child.py: %w", err)
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
	_, err = b.module.CallMethod(py, "guard_children", path)
	return err
}

// ask calls a function of bridge.py on a pool thread and converts its result.
func ask[T any](ctx context.Context, function string, args ...any) (T, error) {
	var result T
	b, err := openBridge(ctx)
	if err != nil {
		return result, err
	}
	err = b.rt.Do(ctx, func(py *pyembed.Py) error {
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
