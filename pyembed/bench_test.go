package pyembed

import (
	"context"
	"runtime"
	"testing"

	"vllmgo/pyembed/internal/gilstatebench"
)

func benchmark(b *testing.B, fn func(py *Py) error) {
	b.Helper()
	rt, err := Start(testConfig)
	if err != nil {
		b.Skip(err)
	}
	if err := rt.Do(context.Background(), fn); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDo hands an empty function to a pool thread and waits for it.
func BenchmarkDo(b *testing.B) {
	rt, err := Start(testConfig)
	if err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		if err := rt.Do(context.Background(), func(*Py) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLockedDo is like BenchmarkDo, on the goroutine's own thread.
func BenchmarkLockedDo(b *testing.B) {
	rt, err := Start(testConfig)
	if err != nil {
		b.Skip(err)
	}
	thread := rt.LockThread()
	defer thread.Close()
	for b.Loop() {
		if err := thread.Do(context.Background(), func(*Py) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMillionCalls makes a million Dos that each call a small Python function, handed over and
// on the goroutine's own thread.
func BenchmarkMillionCalls(b *testing.B) {
	rt, err := Start(testConfig)
	if err != nil {
		b.Skip(err)
	}
	var text *Object
	err = rt.Do(context.Background(), func(py *Py) (err error) {
		text, err = py.From("text")
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	call := func(py *Py) error {
		o, err := text.CallMethod(py, "upper")
		if err != nil {
			return err
		}
		o.Release(py)
		return nil
	}
	million := func(do func(context.Context, func(*Py) error) error) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				for range 1_000_000 {
					if err := do(context.Background(), call); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
	b.Run("handed over", million(rt.Do))
	b.Run("locked", func(b *testing.B) { // which has a goroutine for itself
		thread := rt.LockThread()
		defer thread.Close()
		million(thread.Do)(b)
	})
}

// BenchmarkLists takes lists of 100,000 to Python and back.
func BenchmarkLists(b *testing.B) {
	const n = 100_000
	ints, floats, texts := make([]int, n), make([]float64, n), make([]string, n)
	for i := range n {
		ints[i], floats[i], texts[i] = i, float64(i)/3, "text"
	}
	b.Run("int", func(b *testing.B) { benchmarkList(b, ints) })
	b.Run("float64", func(b *testing.B) { benchmarkList(b, floats) })
	b.Run("string", func(b *testing.B) { benchmarkList(b, texts) })
}

func benchmarkList[T any](b *testing.B, values []T) {
	benchmark(b, func(py *Py) error {
		for b.Loop() {
			list, err := py.From(values)
			if err != nil {
				return err
			}
			if _, err := As[[]T](py, list); err != nil {
				return err
			}
			list.Release(py)
		}
		return nil
	})
}

// BenchmarkLend lends a million float64 and looks at them, without copying.
func BenchmarkLend(b *testing.B) {
	values := make([]float64, 1_000_000)
	benchmark(b, func(py *Py) error {
		for b.Loop() {
			view, err := Lend(py, values)
			if err != nil {
				return err
			}
			if err := View(py, view, func(got []float64) error { got[0]++; return nil }); err != nil {
				return err
			}
			view.Release(py)
		}
		return nil
	})
}

// BenchmarkAttach detaches a thread and attaches it again.
func BenchmarkAttach(b *testing.B) {
	benchmark(b, func(py *Py) error {
		for b.Loop() {
			py.Detach(func() {})
		}
		return nil
	})
}

// BenchmarkEnsureRelease is what BenchmarkAttach is to be compared with.
func BenchmarkEnsureRelease(b *testing.B) {
	if _, err := Start(testConfig); err != nil {
		b.Skip(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		gilstatebench.EnsureRelease()
	}
}

func BenchmarkCallMethod(b *testing.B) {
	benchmark(b, func(py *Py) error {
		text, err := py.From("text")
		if err != nil {
			return err
		}
		for b.Loop() {
			o, err := text.CallMethod(py, "upper")
			if err != nil {
				return err
			}
			o.Release(py)
		}
		return nil
	})
}

// BenchmarkInt32s takes a million int32 to a list and back; see BenchmarkInt32sInPython.
func BenchmarkInt32s(b *testing.B) {
	values := make([]int32, 1_000_000)
	for i := range values {
		values[i] = int32(i)
	}
	benchmark(b, func(py *Py) error {
		for b.Loop() {
			list, err := py.From(values)
			if err != nil {
				return err
			}
			if _, err := As[[]int32](py, list); err != nil {
				return err
			}
			list.Release(py)
		}
		return nil
	})
}

// BenchmarkInt32sInPython is what CPython itself takes: list(array) and array(list).
func BenchmarkInt32sInPython(b *testing.B) {
	benchmark(b, func(py *Py) error {
		module, err := py.Module("bench_int32s", "bench_int32s.py",
			"from array import array\nvalues = array('i', range(1_000_000))\ndef run(): array('i', list(values))\n")
		if err != nil {
			return err
		}
		for b.Loop() {
			o, err := module.CallMethod(py, "run")
			if err != nil {
				return err
			}
			o.Release(py)
		}
		return nil
	})
}
