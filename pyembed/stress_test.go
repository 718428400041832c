package pyembed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// errands are small uses of everything, each leaving nothing behind.
var errands = map[string]func(py *Py) error{
	"values": func(py *Py) error {
		o, err := py.From(map[string]any{"a": []any{1, "é", 2.5, []byte{0}, nil, Tuple{true}}})
		if err != nil {
			return err
		}
		defer o.Release(py)
		_, err = As[map[string]any](py, o)
		return err
	},
	"int32s": func(py *Py) error {
		o, err := py.From([]int32{1, 2, 3, 1 << 30})
		if err != nil {
			return err
		}
		defer o.Release(py)
		_, err = As[[]int32](py, o)
		return err
	},
	"call": func(py *Py) error {
		o, err := py.From("text")
		if err != nil {
			return err
		}
		defer o.Release(py)
		upper, err := o.CallMethod(py, "replace", "t", "T", Kw{})
		if err != nil {
			return err
		}
		defer upper.Release(py)
		text, err := As[string](py, upper)
		if text != "TexT" {
			return fmt.Errorf("got %q", text)
		}
		return err
	},
	"exception": func(py *Py) error {
		_, err := py.Eval("1 / 0")
		if !errors.Is(err, Class("ZeroDivisionError")) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	},
	"function": func(py *Py) error {
		f, err := py.Func(func(py *Py, args []*Object, _ map[string]*Object) (any, error) { return args[0], nil })
		if err != nil {
			return err
		}
		defer f.Release(py)
		o, err := f.Call(py, 7)
		if err != nil {
			return err
		}
		defer o.Release(py)
		seven, err := As[int](py, o)
		if seven != 7 {
			return fmt.Errorf("got %d", seven)
		}
		return err
	},
	"error of Go": func(py *Py) error {
		f, err := py.Func(func(*Py, []*Object, map[string]*Object) (any, error) { return nil, io.EOF })
		if err != nil {
			return err
		}
		defer f.Release(py)
		if _, err = f.Call(py); !errors.Is(err, io.EOF) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	},
	"group": func(py *Py) error {
		err := py.Exec("try: raise KeyError\nexcept KeyError as e: raise ExceptionGroup('g', [e, OSError(2, 'x')])")
		if !errors.Is(err, Class("FileNotFoundError")) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	},
	"special values": func(py *Py) error {
		moment := time.Unix(1, 0).UTC()
		value := []any{moment, time.Second, map[string]struct{}{"a": {}}, map[any]any{[2]int{1, 2}: 1i}, []string{"é"}, []float64{1}}
		o, err := py.From(value)
		if err != nil {
			return err
		}
		defer o.Release(py)
		got, err := As[[]any](py, o)
		if err == nil && got[0] != moment {
			err = fmt.Errorf("got %v", got)
		}
		return err
	},
	"buffer": func(py *Py) error {
		view, err := Lend(py, []float32{1, 2})
		if err != nil {
			return err
		}
		defer view.Release(py)
		return Edit(py, view, func(values []float32) error { values[0] += values[1]; return nil })
	},
	"iterate": func(py *Py) error {
		o, err := py.From([]int{1, 2, 3})
		if err != nil {
			return err
		}
		defer o.Release(py)
		for item, err := range o.Iter(py) {
			if err != nil {
				return err
			}
			item.Release(py)
		}
		return nil
	},
	"detach": func(py *Py) error { py.Detach(runtime.Gosched); return nil },
	"nested": func(py *Py) error {
		return py.thread.rt.Do(context.Background(), func(py *Py) error { return py.Exec("pass") })
	},
	"main thread": func(py *Py) error {
		return py.thread.rt.Main().Do(context.Background(), func(py *Py) error { return py.Exec("pass") })
	},
}

// TestStress mixes all errands in 64 goroutines, some of whose contexts end, for as long as the
// environment variable PYEMBED_STRESS says ("3m"), or a second.
func TestStress(t *testing.T) {
	rt := python(t)
	duration := time.Second
	if text := os.Getenv("PYEMBED_STRESS"); text != "" {
		var err error
		duration, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	names := make([]string, 0, len(errands))
	for name := range errands {
		names = append(names, name)
	}
	deadline := time.Now().Add(duration)
	var group sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 64 {
		group.Go(func() {
			n := 0
			for ; time.Now().Before(deadline); n++ {
				name := names[rand.IntN(len(names))]
				ctx, cancel := context.WithCancel(context.Background())
				if n%8 == 0 {
					time.AfterFunc(time.Duration(rand.IntN(200))*time.Microsecond, cancel)
				}
				err := rt.Do(ctx, errands[name])
				if err != nil && ctx.Err() == nil {
					t.Errorf("%s: %v", name, err)
				}
				cancel()
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
		})
	}
	group.Wait()
	t.Logf("%d calls in %v", total, duration)
}

// TestNothingLeaks runs each errand 100,000 times (10,000 under the race detector) and looks at
// Python's allocated blocks and the process's memory.
func TestNothingLeaks(t *testing.T) {
	rounds := 100_000
	if testing.Short() || raceEnabled {
		rounds = 10_000
	}
	thread := python(t).NewThread()
	defer thread.Close()
	for name, errand := range errands {
		t.Run(name, func(t *testing.T) {
			measure := func(n int) (blocks, resident int) {
				require.NoError(t, thread.Do(context.Background(), func(py *Py) error {
					for range n {
						if err := errand(py); err != nil {
							return err
						}
					}
					return nil
				}))
				// Objects that only the garbage collector can release: it runs until it finds no
				// more, and until what it found has been dropped.
				for same := 0; same < 4; {
					runtime.GC()
					time.Sleep(time.Millisecond)
					before := blocks
					require.NoError(t, thread.Do(context.Background(), func(py *Py) (err error) {
						blocks, err = evalInt(py, "__import__('gc').collect() * 0 + __import__('sys').getallocatedblocks()")
						return err
					}))
					if same++; blocks != before {
						same = 0
					}
				}
				debug.FreeOSMemory()
				return blocks, residentKiB(t)
			}
			measure(rounds / 10)
			blocks, resident := measure(rounds / 10)
			blocksAfter, residentAfter := measure(rounds)
			t.Logf("%d rounds: %+d blocks, %+d KiB", rounds, blocksAfter-blocks, residentAfter-resident)
			// What other tests left behind is still going, some hundred blocks at most.
			assert.Less(t, blocksAfter-blocks, max(rounds/100, 500), "Python objects a round must be none")
			// Sanitizers' own memory grows. They run with -short.
			if !raceEnabled && !testing.Short() {
				assert.Less(t, residentAfter-resident, 8<<10, "KiB")
			}
		})
	}
}

func evalInt(py *Py, expression string) (int, error) {
	o, err := py.Eval(expression)
	if err != nil {
		return 0, err
	}
	defer o.Release(py)
	return As[int](py, o)
}

func residentKiB(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kib
}

// TestFinalizerStorm abandons 100,000 references on many threads and waits until Python has them
// back.
func TestFinalizerStorm(t *testing.T) {
	rt := python(t)
	count := func() (n int) {
		require.NoError(t, rt.Do(t.Context(), func(py *Py) (err error) {
			n, err = evalInt(py, "__import__('sys').getrefcount(storm)")
			return err
		}))
		return n
	}
	do(t, func(py *Py) error { return py.Exec("class Storm: pass\nstorm = Storm()") })
	before := count()
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			err := rt.Do(context.Background(), func(py *Py) error {
				for range 1000 {
					if _, err := py.Eval("storm"); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for range 1000 {
		runtime.GC()
		if count() == before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d references before, %d after", before, count())
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("", []byte{}, int64(0), 0.0, uint8(0))
	f.Add("é\x00\U0001F600", []byte{0, 255}, int64(-1<<63), math.Copysign(0, -1), uint8(3))
	f.Add("\xed\xa0\x80", []byte("x"), int64(1<<53+1), 1e308, uint8(200))
	f.Add("\xff", []byte(nil), int64(-1), 5e-324, uint8(1))
	rt, err := Start(testConfig)
	if err != nil {
		f.Skip(err)
	}
	f.Fuzz(func(t *testing.T, s string, b []byte, n int64, x float64, depth uint8) {
		if x != x {
			t.Skip("NaN differs from itself")
		}
		if b == nil {
			b = []byte{}
		}
		var value any = map[string]any{s: []any{b, n, x, Tuple{n, nil, n > 0}}}
		for range depth {
			value = []any{value}
		}
		err := rt.Do(t.Context(), func(py *Py) error {
			o, err := py.From(value)
			if errors.Is(err, Class("UnicodeDecodeError")) {
				return nil // no valid UTF-8
			}
			if err != nil {
				return err
			}
			got, err := As[any](py, o)
			if err == nil && fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", value) {
				err = fmt.Errorf("%#v became %#v", value, got)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkGILReleased has 16 goroutines wait in a C function that releases the GIL: in parallel,
// they take as long as one.
func BenchmarkGILReleased(b *testing.B) {
	rt, err := Start(testConfig)
	if err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				thread := rt.NewThread()
				defer thread.Close()
				err := thread.Do(context.Background(), func(py *Py) error { return py.Exec("__import__('time').sleep(0.01)") })
				if err != nil {
					b.Error(err)
				}
			})
		}
		group.Wait()
	}
}
