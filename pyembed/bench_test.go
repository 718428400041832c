package pyembed

import (
	"context"
	"runtime"
	"testing"

	"vllmgo/pyembed/internal/gilstate"
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
		gilstate.EnsureRelease()
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
