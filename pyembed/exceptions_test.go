package pyembed

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// evilUses are uses of an object that may raise anything. Each result is dropped, and each error is
// looked at whole.
var evilUses = []func(py *Py, evil, module *Object) error{
	func(py *Py, evil, _ *Object) error { _, err := evil.Attr(py, "anything"); return err },
	func(py *Py, evil, _ *Object) error { return evil.SetAttr(py, "anything", 1) },
	func(py *Py, evil, _ *Object) error { return evil.DelAttr(py, "anything") },
	func(py *Py, evil, _ *Object) error { _, err := evil.Item(py, 1); return err },
	func(py *Py, evil, _ *Object) error { return evil.SetItem(py, 1, 2) },
	func(py *Py, evil, _ *Object) error { return evil.DelItem(py, 1) },
	func(py *Py, evil, _ *Object) error { _, err := evil.Len(py); return err },
	func(py *Py, evil, _ *Object) error { _, err := evil.Truth(py); return err },
	func(py *Py, evil, _ *Object) error { _, err := evil.Str(py); return err },
	func(py *Py, evil, _ *Object) error { _, err := evil.Repr(py); return err },
	func(py *Py, evil, _ *Object) error { _, err := evil.Compare(py, "==", evil); return err },
	func(py *Py, evil, _ *Object) error { _, err := evil.Compare(py, "<", 1); return err },
	func(py *Py, evil, _ *Object) error { _, err := evil.Contains(py, 1); return err },
	func(py *Py, evil, _ *Object) error { _, err := evil.Call(py, 1, Kw{"a": evil}); return err },
	func(py *Py, evil, module *Object) error { _, err := module.IsInstance(py, evil); return err },
	func(py *Py, evil, _ *Object) error { _, err := py.ErrorOf(evil); return err },
	func(py *Py, evil, _ *Object) error { _, err := py.From(map[any]any{evil: []any{evil}}); return err },
	func(py *Py, evil, _ *Object) error { return View(py, evil, func([]byte) error { return nil }) },
	func(py *Py, evil, _ *Object) error { return Edit(py, evil, func([]byte) error { return nil }) },
	func(py *Py, evil, _ *Object) error {
		n := 0
		for _, err := range evil.Iter(py) {
			if n++; err != nil || n > 20 {
				return err
			}
		}
		return nil
	},
	func(py *Py, evil, _ *Object) error { return evil.With(py, func(*Object) error { return nil }) },
	func(py *Py, evil, _ *Object) error { return evil.With(py, func(*Object) error { return io.EOF }) },
	func(py *Py, evil, _ *Object) error {
		return evil.With(py, func(*Object) error { _, err := evil.Str(py); return err })
	},
	func(py *Py, evil, module *Object) error {
		f, err := py.Func(func(py *Py, args []*Object, _ map[string]*Object) (any, error) {
			_, err := args[0].Str(py)
			return args[0], err
		})
		if err != nil {
			return err
		}
		_, err = module.CallMethod(py, "pass_on", f, evil)
		return err
	},
	func(py *Py, evil, module *Object) error {
		f, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { panic(errors.New("boom")) })
		if err != nil {
			return err
		}
		_, err = module.CallMethod(py, "pass_on", f, evil)
		return err
	},
	as[any], as[bool], as[int], as[int8], as[uint64], as[float64], as[float32], as[complex128], as[string], as[[]byte], as[[4]byte],
	as[*big.Int], as[[]any], as[[]int32], as[[]int], as[[]float64], as[[]string], as[map[string]any], as[map[any]any],
	as[map[any]struct{}], as[struct{ A *int }], as[time.Time], as[time.Duration], as[error], as[uuid], as[Tuple], as[[2]int],
}

func as[T any](py *Py, evil, _ *Object) error { _, err := As[T](py, evil); return err }

// FuzzExceptions uses objects that raise random exceptions from random places, and never sees a
// crash.
func FuzzExceptions(f *testing.F) {
	source, err := os.ReadFile("testdata/evil.py")
	require.NoError(f, err)
	for seed := range uint64(300) {
		f.Add(seed)
	}
	rt, err := Start(testConfig)
	if err != nil {
		f.Skip(err)
	}
	thread := rt.NewThread()
	defer thread.Close()
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		err := thread.Do(t.Context(), func(py *Py) error {
			module, err := py.Import("evil")
			if errors.Is(err, Class("ModuleNotFoundError")) {
				module, err = py.Module("evil", "evil.py", string(source))
			}
			if err != nil {
				return err
			}
			evil, err := module.CallMethod(py, "make", seed)
			if err != nil {
				return err
			}
			for range 20 {
				look(t, evilUses[random.IntN(len(evilUses))](py, evil, module))
			}
			evil.Release(py)
			if _, err = module.CallMethod(py, "disarm"); err != nil {
				return err
			}
			return py.Exec("assert sum(range(10)) == 45") // no exception was left behind
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// look uses all of an error.
func look(t *testing.T, err error) {
	if err == nil {
		return
	}
	if strings.Contains(err.Error(), "without raising an exception") {
		t.Error(err)
	}
	_ = errors.Is(err, Class("KeyError")) || errors.Is(err, io.EOF)
	if exception, ok := errors.AsType[*Error](err); ok {
		_ = fmt.Sprint(exception.Traceback(), exception.Notes)
	}
}
