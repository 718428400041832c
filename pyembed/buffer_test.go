package pyembed

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestViewAndEdit(t *testing.T) {
	do(t, func(py *Py) error {
		require.NoError(t, py.Exec("from array import array; numbers = array('i', [1, -2, 3])"))
		numbers, err := py.Eval("numbers")
		require.NoError(t, err)
		require.NoError(t, View(py, numbers, func(values []int32) error {
			assert.Equal(t, []int32{1, -2, 3}, values)
			assert.ErrorIs(t, py.Exec("numbers.append(4)"), Class("BufferError"), "no resizing meanwhile")
			return nil
		}))
		require.NoError(t, py.Exec("numbers.append(4)"))
		require.NoError(t, Edit(py, numbers, func(values []int32) error { values[3] = 40; return nil }))
		got, err := py.Eval("numbers.tolist()")
		require.NoError(t, err)
		list, err := As[[]int](py, got)
		require.NoError(t, err)
		assert.Equal(t, []int{1, -2, 3, 40}, list)

		assert.ErrorContains(t, View(py, numbers, func([]float32) error { return nil }), `of 4 bytes in format "i", not float32`)
		assert.ErrorContains(t, View(py, numbers, func([]int64) error { return nil }), "not int64")
		assert.ErrorContains(t, View(py, numbers, func([]uint32) error { return nil }), "not uint32")
		constant, err := py.From([]byte("abc"))
		require.NoError(t, err)
		require.NoError(t, View(py, constant, func(values []byte) error { assert.Equal(t, "abc", string(values)); return nil }))
		assert.ErrorIs(t, Edit(py, constant, func([]byte) error { return nil }), Class("BufferError"))
		number, err := py.From(1)
		require.NoError(t, err)
		assert.ErrorIs(t, View(py, number, func([]byte) error { return nil }), Class("TypeError"))
		return nil
	})
}

func TestLend(t *testing.T) {
	do(t, func(py *Py) error {
		values := []float64{1, 2.5}
		view, err := Lend(py, values)
		require.NoError(t, err)
		require.NoError(t, py.Exec("def double(view):\n  for i, v in enumerate(view): view[i] = 2 * v"))
		double, err := py.Eval("double")
		require.NoError(t, err)
		_, err = double.Call(py, view)
		require.NoError(t, err)
		assert.Equal(t, []float64{2, 5}, values)

		empty, err := Lend(py, []int16(nil))
		require.NoError(t, err)
		n, err := empty.Len(py)
		assert.Zero(t, n)
		return err
	})
}

// TestLentMemoryLivesAsLongAsPythonHoldsIt keeps a view of a view when everything else is gone.
func TestLentMemoryLivesAsLongAsPythonHoldsIt(t *testing.T) {
	do(t, func(py *Py) error {
		freed := make(chan struct{})
		func() {
			values := make([]int32, 1<<20)
			values[1] = 7
			runtime.AddCleanup(&values[0], func(c chan struct{}) { close(c) }, freed)
			view, err := Lend(py, values)
			require.NoError(t, err)
			main, err := py.Import("__main__")
			require.NoError(t, err)
			require.NoError(t, main.SetAttr(py, "lent", view))
			view.Release(py)
		}()
		require.NoError(t, py.Exec("held = memoryview(lent)[1:]; lent = None"))
		for range 10 {
			runtime.GC()
		}
		select {
		case <-freed:
			t.Error("freed while Python holds it")
		default:
		}
		require.NoError(t, py.Exec("assert held[0] == 7; held = None"))
		for range 1000 {
			runtime.GC()
			select {
			case <-freed:
				return nil
			case <-time.After(time.Millisecond):
			}
		}
		t.Error("not freed when Python dropped it")
		return nil
	})
}
