package pyembed

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTorchTensors shares memory with torch CPU tensors both ways, where torch is installed, as it
// is next to vLLM.
func TestTorchTensors(t *testing.T) {
	do(t, func(py *Py) error {
		spec, err := py.Eval("__import__('importlib.util').util.find_spec('torch') is not None")
		require.NoError(t, err)
		if installed, err := spec.Truth(py); err != nil || !installed {
			t.Skip("this Python has no torch")
		}
		torch, err := py.Import("torch")
		require.NoError(t, err)

		values := []int32{1, 2, 3}
		view, err := Lend(py, values)
		require.NoError(t, err)
		dtype, err := torch.Attr(py, "int32")
		require.NoError(t, err)
		tensor, err := torch.CallMethod(py, "frombuffer", view, Kw{"dtype": dtype})
		require.NoError(t, err)
		view.Release(py) // the tensor keeps the memory
		_, err = tensor.CallMethod(py, "mul_", 10)
		require.NoError(t, err)
		assert.Equal(t, []int32{10, 20, 30}, values)

		zeros, err := torch.CallMethod(py, "zeros", 2, 3)
		require.NoError(t, err)
		array, err := zeros.CallMethod(py, "numpy")
		require.NoError(t, err)
		require.NoError(t, Edit(py, array, func(values []float32) error {
			require.Len(t, values, 6)
			values[5] = 7
			return nil
		}))
		sum, err := zeros.CallMethod(py, "sum")
		require.NoError(t, err)
		item, err := sum.CallMethod(py, "item")
		require.NoError(t, err)
		seven, err := As[float64](py, item)
		assert.Equal(t, 7.0, seven)
		return err
	})
}
