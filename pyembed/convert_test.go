package pyembed

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// uuid is as the packages for UUIDs define it.
type uuid [16]byte

func (u uuid) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}

func (u *uuid) UnmarshalText(text []byte) error {
	digits, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	if err == nil && copy(u[:], digits) != len(u) {
		err = fmt.Errorf("%q is not a UUID", text)
	}
	return err
}

// celsius converts itself.
type celsius float64

func (c celsius) MarshalPython(py *Py) (*Object, error) {
	return py.From(fmt.Sprintf("%v C", float64(c)))
}

func (c *celsius) UnmarshalPython(py *Py, o *Object) error {
	text, err := As[string](py, o)
	if err != nil {
		return err
	}
	_, err = fmt.Sscanf(text, "%f C", (*float64)(c))
	return err
}

type inner struct {
	A int `py:"a"`
	B int `py:"b"`
}

type Outer struct {
	inner
	B     string        `py:"b"` // hides inner's
	Empty []int         `py:"empty,omitempty"`
	Zero  time.Duration `py:",omitzero"`
	Named int           `py:",omitempty"`
	_     int           // has no Python form
}

// TestGoValuesInPython compares the repr of what From makes.
func TestGoValuesInPython(t *testing.T) {
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	moment := time.Date(2024, 2, 29, 12, 30, 15, 123456789, time.UTC)
	for _, c := range []struct {
		value any
		want  string
	}{
		{moment, "datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.timezone.utc)"},
		{&moment, "datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.timezone.utc)"},
		{moment.In(time.FixedZone("x", -5400)), "datetime.datetime(2024, 2, 29, 11, 0, 15, 123456, " +
			"tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=81000)))"},
		{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "datetime.datetime(1, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)"},
		{90 * time.Second, "datetime.timedelta(seconds=90)"},
		{-time.Microsecond, "datetime.timedelta(days=-1, seconds=86399, microseconds=999999)"},
		{huge, "123456789012345678901234567890"},
		{*huge, "123456789012345678901234567890"},
		{big.NewFloat(1.5), "'1.5'"},
		{netip.MustParseAddr("10.0.0.1"), "'10.0.0.1'"},
		{uuid{15: 1}, "'00000000-0000-0000-0000-000000000001'"},
		{json.RawMessage(`{"a": [1, 2.5, null]}`), "{'a': [1, 2.5, None]}"},
		{json.Number("12345678901234567890123"), "12345678901234567890123"},
		{json.Number("1.5"), "1.5"},
		{celsius(20), "'20 C'"},
		{[]celsius{1}, "['1 C']"},
		{1 + 2i, "(1+2j)"},
		{complex64(3), "(3+0j)"},
		{map[string]struct{}{"a": {}}, "{'a'}"},
		{map[[2]int]string{{1, 2}: "x"}, "{(1, 2): 'x'}"},
		{Outer{inner: inner{A: 1, B: 2}, B: "outer"}, "{'a': 1, 'b': 'outer'}"},
		{Outer{Empty: []int{1}, Zero: time.Second, Named: 3}, "{'a': 0, 'b': '', 'empty': [1], 'Zero': datetime.timedelta(seconds=1), 'Named': 3}"},
		{struct{}{}, "{}"},
		{(*time.Time)(nil), "None"},
		{(*big.Int)(nil), "None"},
		{(*uuid)(nil), "None"},
		{errors.New("an error"), "GoError('an error')"},
		{[]error{io.EOF}, "[GoError('EOF')]"},
		{[]string{"a", "é", ""}, "['a', 'é', '']"},
		{[]float64{1, math.Inf(1)}, "[1.0, inf]"},
		{[]int{-1 << 63, 1<<63 - 1}, "[-9223372036854775808, 9223372036854775807]"},
		{[]int64{}, "[]"},
		{[]float32{0.5}, "[0.5]"},
	} {
		do(t, func(py *Py) error {
			o, err := py.From(c.value)
			if !assert.NoError(t, err, "%T", c.value) {
				return nil
			}
			got, err := o.Repr(py)
			assert.Equal(t, c.want, got, "%T", c.value)
			return err
		})
	}
}

func TestGoValuesWithoutPythonForm(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{*big.NewFloat(1), "it has no exported fields"},
		{sync.Mutex{}, "it has no exported fields"},
		{[]any{&sync.Once{}}, "[0]: a Go sync.Once has no Python form"},
		{make(chan int), "has no Python form"},
		{map[any]string{1: "int", 1.0: "float"}, "2 in Go, 1 in Python"},
		{map[any]struct{}{1: {}, true: {}}, "2 in Go, 1 in Python"},
		{[]any{map[any]int{"a": 1, [1]string{"a"}: 2, uint8(3): 3, int16(3): 4}}, "[0]: some keys are equal"},
		{func() {}, "has no Python form"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "OverflowError"},
		{json.RawMessage("{"), "JSONDecodeError"},
		{json.RawMessage("[NaN]"), "JSON has no NaN"},
		{json.Number("-Infinity"), "JSON has no -Infinity"},
		{struct {
			A int `py:"a,omitemtpy"`
		}{}, `unknown option "omitemtpy"`},
		{struct {
			A int `py:"x"`
			B int `py:"x"`
		}{}, `two fields of`},
	} {
		do(t, func(py *Py) error {
			_, err := py.From(c.value)
			assert.ErrorContains(t, err, c.want, "%T", c.value)
			return nil
		})
	}
}

// check converts what an expression evaluates to and compares it.
func check[T any](t *testing.T, py *Py, expression string, want T) {
	t.Helper()
	o, err := py.Eval(expression)
	if !assert.NoError(t, err, expression) {
		return
	}
	got, err := As[T](py, o)
	assert.NoError(t, err, expression)
	assert.Equal(t, want, got, expression)
}

func refuse[T any](t *testing.T, py *Py, expression, want string) {
	t.Helper()
	o, err := py.Eval(expression)
	if !assert.NoError(t, err, expression) {
		return
	}
	got, err := As[T](py, o)
	assert.ErrorContains(t, err, want, "%s became %v", expression, got)
}

const conversionTypes = `
import datetime, decimal, enum, fractions, ipaddress, uuid as uuids
class Index:
    def __index__(self): return 7
class Float:
    def __float__(self): return 2.5
class Raises:
    def __index__(self): raise LookupError("no index")
    def __float__(self): raise LookupError("no float")
class Color(enum.Enum):
    RED = "red"
    TWO = 2
class Level(enum.IntEnum):
    HIGH = 3
utc = datetime.timezone.utc
`

func TestPythonValuesInGo(t *testing.T) {
	do(t, func(py *Py) error {
		require.NoError(t, py.Exec(conversionTypes))
		check(t, py, "Index()", 7)
		check(t, py, "Index()", uint8(7))
		check(t, py, "Index()", 7.0)
		check(t, py, "Index()", big.NewInt(7))
		check(t, py, "[Index(), 1]", []int{7, 1})
		check(t, py, "[Index(), 1]", []int32{7, 1})
		check(t, py, "Float()", 2.5)
		check(t, py, "[Float(), 1, 0.5]", []float64{2.5, 1, 0.5})
		check(t, py, "decimal.Decimal('1.25')", 1.25)
		check(t, py, "decimal.Decimal('1.25')", float32(1.25))
		check(t, py, "fractions.Fraction(1, 4)", 0.25)
		check(t, py, "True", 1)
		check(t, py, "Color.RED", "red")
		check(t, py, "Color.TWO", 2)
		check(t, py, "[Color.RED]", []string{"red"})
		check(t, py, "Level.HIGH", 3)
		check[any](t, py, "Color.RED", "red")
		check[any](t, py, "Level.HIGH", int64(3))
		check[any](t, py, "{(1, 'a'): 2}", map[any]any{[2]any{int64(1), "a"}: int64(2)})
		check[any](t, py, "{((1, 2), 3): 4, 'x': b'y'}", map[any]any{[2]any{[2]any{int64(1), int64(2)}, int64(3)}: int64(4), "x": []byte("y")})
		check[any](t, py, "{1, 2}", map[any]struct{}{int64(1): {}, int64(2): {}})
		check[any](t, py, "frozenset('a')", map[any]struct{}{"a": {}})
		check(t, py, "{'a'}", map[string]struct{}{"a": {}})
		check(t, py, "{5}", []int{5})
		check[any](t, py, "bytearray(b'ab')", []byte("ab"))
		check(t, py, "bytearray(b'ab')", []byte("ab"))
		check(t, py, "memoryview(b'ab')", []byte("ab"))
		check(t, py, "b'ab'", [2]byte{'a', 'b'})
		check[any](t, py, "1+2j", 1+2i)
		check(t, py, "3", complex128(3))
		moment := time.Date(2024, 2, 29, 12, 30, 15, 123456000, time.UTC)
		check[any](t, py, "datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, utc)", moment)
		check(t, py, "datetime.datetime(1, 1, 1, tzinfo=utc)", time.Time{}.UTC())
		check(t, py, "None", (*time.Time)(nil))
		check[any](t, py, "datetime.timedelta(days=-1, microseconds=3)", -24*time.Hour+3*time.Microsecond)
		check(t, py, "datetime.timedelta(seconds=1.5)", 1500*time.Millisecond)
		check(t, py, "1_500", 1500*time.Nanosecond)
		check(t, py, "'10.0.0.1'", netip.MustParseAddr("10.0.0.1"))
		check(t, py, "ipaddress.ip_address('10.0.0.1')", netip.MustParseAddr("10.0.0.1"))
		check(t, py, "uuids.UUID(int=1)", uuid{15: 1})
		check(t, py, "{'a': [1, None]}", json.RawMessage(`{"a": [1, null]}`))
		check(t, py, "12", json.Number("12"))
		check(t, py, "decimal.Decimal('1.5')", complex(1.5, 0))
		check(t, py, "type('C', (), {'__complex__': lambda self: 1+2j})()", 1+2i)
		check(t, py, "type('F', (), {'__float__': lambda self: 0.5})()", complex64(0.5))
		check(t, py, "'21.5 C'", celsius(21.5))
		check(t, py, "['1 C']", []celsius{1})
		check(t, py, "{'a': 1, 'b': 'x', 'empty': [1]}", Outer{inner: inner{A: 1}, B: "x", Empty: []int{1}})
		check(t, py, "float('inf')", float32(math.Inf(1)))
		check(t, py, "['a', 'é', '\\ud800']", []string{"a", "é", "\xed\xa0\x80"})
		check(t, py, "-2**63", int64(-1<<63))
		check(t, py, "2**64-1", uint64(1<<64-1))

		return nil
	})
}

func TestPythonValuesWithoutGoForm(t *testing.T) {
	do(t, func(py *Py) error {
		require.NoError(t, py.Exec(conversionTypes))
		refuse[float32](t, py, "1e300", "does not fit into float32")
		refuse[json.RawMessage](t, py, "{'a': float('nan')}", "not JSON compliant")
		refuse[complex64](t, py, "type('C', (), {'__complex__': lambda self: 1e300j})()", "does not fit into complex64")
		refuse[complex128](t, py, "type('C', (), {'__complex__': lambda self: 1/0})()", "ZeroDivisionError")
		refuse[complex128](t, py, "'1'", "a Python str has no Go form as complex128")
		refuse[int](t, py, "1.0", "a Python float has no Go form as int")
		refuse[int](t, py, "'1'", "a Python str has no Go form as int")
		refuse[int](t, py, "decimal.Decimal(1)", "a Python Decimal has no Go form as int")
		refuse[float64](t, py, "'1.5'", "a Python str has no Go form as float64")
		refuse[float64](t, py, "object()", "a Python object has no Go form as float64")
		refuse[float64](t, py, "10**400", "OverflowError")
		refuse[int](t, py, "Raises()", "LookupError: no index")
		refuse[float64](t, py, "Raises()", "LookupError: no float")
		refuse[[]int32](t, py, "[1, Raises()]", "[1]: LookupError: no index")
		refuse[[]float64](t, py, "[1, 'x']", "[1]: a Python str has no Go form as float64")
		refuse[[]string](t, py, "['a', 1]", "[1]: a Python int has no Go form as string")
		refuse[[]int64](t, py, "[2**63]", "[0]: the int does not fit into int64")
		refuse[uint8](t, py, "256", "does not fit into uint8")
		refuse[uint](t, py, "-1", "does not fit into uint")
		refuse[bool](t, py, "1", "a Python int has no Go form as bool")
		refuse[time.Time](t, py, "datetime.datetime(2024, 1, 1)", "no time zone")
		refuse[time.Time](t, py, "datetime.date(2024, 1, 1)", "is not a datetime")
		refuse[time.Duration](t, py, "datetime.timedelta.max", "does not fit into time.Duration")
		refuse[time.Duration](t, py, "1.5", "a Python float has no Go form as time.Duration")
		refuse[time.Duration](t, py, "object()", "a Python object is not a timedelta")
		refuse[netip.Addr](t, py, "'x'", "unable to parse IP")
		refuse[[2]byte](t, py, "b'abc'", "there are 3 bytes, [2]uint8 has 2")
		refuse[struct{ sync.Mutex }](t, py, "{}", "no exported fields")

		naive, err := py.Eval("datetime.datetime(2024, 1, 1)")
		require.NoError(t, err)
		opaque, err := As[any](py, naive)
		assert.IsType(t, &Object{}, opaque)
		return err
	})
}

func TestNumpyScalarsInGo(t *testing.T) {
	do(t, func(py *Py) error {
		if _, err := py.Import("numpy"); errors.Is(err, Class("ModuleNotFoundError")) {
			t.Skip("this Python has no numpy")
		}
		require.NoError(t, py.Exec("import numpy as np"))
		check(t, py, "np.int64(5)", 5)
		check(t, py, "np.uint8(5)", uint8(5))
		check(t, py, "np.float32(1.5)", 1.5)
		check(t, py, "np.float64(1.5)", float32(1.5))
		check(t, py, "np.bool_(True)", true)
		check(t, py, "np.str_('x')", "x")
		check(t, py, "[np.int32(1), np.int64(2)]", []int{1, 2})
		check(t, py, "[np.float32(1), 2]", []float64{1, 2})
		check[any](t, py, "np.int64(5)", int64(5))
		check[any](t, py, "np.float32(1.5)", 1.5)
		check[any](t, py, "np.bool_(False)", false)
		check(t, py, "np.timedelta64(3, 'ns')", 3*time.Nanosecond)
		check(t, py, "np.timedelta64(3, 'D')", 72*time.Hour)
		check(t, py, "np.timedelta64(-2, '5m')", -10*time.Minute)
		refuse[time.Duration](t, py, "np.timedelta64(3, 'M')", "in units of M")
		refuse[time.Duration](t, py, "np.timedelta64(3)", "in units of generic")
		refuse[time.Duration](t, py, "np.timedelta64('NaT', 's')", "NaT")
		refuse[time.Duration](t, py, "np.timedelta64(300000, 'D')", "does not fit into time.Duration")
		refuse[int](t, py, "np.timedelta64(3, 'M')", "has no Go form as int")
		opaque, err := py.Eval("np.timedelta64(3, 'M')")
		require.NoError(t, err)
		month, err := As[any](py, opaque)
		require.NoError(t, err)
		assert.IsType(t, &Object{}, month, "a number would have no unit")
		check[any](t, py, "{np.int64(5): np.float32(2)}", map[any]any{int64(5): 2.0})
		o, err := py.Eval("np.array([True, False])")
		require.NoError(t, err)
		require.NoError(t, View(py, o, func(values []bool) error { assert.Equal(t, []bool{true, false}, values); return nil }))
		o, err = py.Eval("np.array([0, 1.5, -2, 65504, 2**-24, np.inf, -0.0, 0.1], dtype=np.float16)")
		require.NoError(t, err)
		wide, err := py.Eval("np.array([0, 1.5, -2, 65504, 2**-24, np.inf, -0.0, 0.1], dtype=np.float16).astype(np.float32)")
		require.NoError(t, err)
		return View(py, o, func(half []Float16) error {
			assert.ErrorContains(t, View(py, o, func([]uint16) error { return nil }), `format "e", not uint16`)
			return View(py, wide, func(want []float32) error {
				for i, h := range half {
					assert.Equal(t, math.Float32bits(want[i]), math.Float32bits(h.Float32()))
				}
				return nil
			})
		})
	})
}

func TestViewOfBytesThatAreNoBools(t *testing.T) {
	do(t, func(py *Py) error {
		o, err := py.Eval("memoryview(bytes([0, 1, 2])).cast('?')")
		require.NoError(t, err)
		assert.ErrorContains(t, View(py, o, func([]bool) error { return nil }), "element 2 is the byte 2, which is not a bool")
		lent, err := Lend(py, []bool{true, false})
		require.NoError(t, err)
		got, err := lent.CallMethod(py, "tolist")
		require.NoError(t, err)
		values, err := As[[]bool](py, got)
		assert.Equal(t, []bool{true, false}, values)
		return err
	})
}

// TestNULDoesNotCutText tries a NUL wherever text goes to Python.
func TestNULDoesNotCutText(t *testing.T) {
	do(t, func(py *Py) error {
		_, err := py.Eval("1\x00+1")
		assert.ErrorContains(t, err, "NUL character at byte 1")
		assert.ErrorContains(t, py.Exec("pass\x00"), "NUL character")
		_, err = py.Import("math\x00x")
		assert.ErrorIs(t, err, Class("ModuleNotFoundError"))
		_, err = py.Module("nul_module", "file\x00", "")
		assert.ErrorContains(t, err, "NUL character")
		_, err = py.Module("nul_module", "file", "a = 1\x00")
		assert.ErrorContains(t, err, "NUL character")
		module, err := py.Module("nul\x00module", "file", "")
		require.NoError(t, err)
		name, err := module.Attr(py, "__name__")
		require.NoError(t, err)
		text, err := As[string](py, name)
		require.NoError(t, err)
		assert.Equal(t, "nul\x00module", text)
		require.NoError(t, module.SetAttr(py, "a\x00b", 1))
		_, err = module.Attr(py, "a")
		assert.ErrorIs(t, err, Class("AttributeError"))
		_, err = module.Attr(py, "a\x00b")
		assert.NoError(t, err)
		_, err = module.CallMethod(py, "__str__\x00")
		assert.ErrorIs(t, err, Class("AttributeError"))
		assert.Error(t, py.Setenv("A\x00B", "x"))
		return nil
	})
}

func TestExceptionsInGo(t *testing.T) {
	do(t, func(py *Py) error {
		o, err := py.Eval("[ValueError('x')]")
		require.NoError(t, err)
		exceptions, err := As[[]*Error](py, o)
		require.NoError(t, err)
		assert.Equal(t, "ValueError", exceptions[0].Type)
		asErrors, err := As[[]error](py, o)
		require.NoError(t, err)
		assert.ErrorIs(t, asErrors[0], Class("ValueError"))
		none, err := py.Eval("None")
		require.NoError(t, err)
		nothing, err := As[*Error](py, none)
		assert.NoError(t, err)
		assert.Nil(t, nothing)
		number, err := py.Eval("1")
		require.NoError(t, err)
		_, err = As[*Error](py, number)
		assert.ErrorContains(t, err, "a Python int has no Go form as pyembed.Error")
		return nil
	})
}

// TestKeysThatBecomeEqual converts dicts and sets whose keys are different in Python alone.
func TestKeysThatBecomeEqual(t *testing.T) {
	do(t, func(py *Py) error {
		dict, err := py.Eval("{0.1: 1, 0.1000000001: 2}")
		require.NoError(t, err)
		_, err = As[map[float32]int](py, dict)
		assert.ErrorContains(t, err, "1 in Go, 2 in Python")
		same, err := As[map[float64]int](py, dict)
		assert.NoError(t, err)
		assert.Equal(t, map[float64]int{0.1: 1, 0.1000000001: 2}, same)
		set, err := py.Eval("{0.1, 0.1000000001}")
		require.NoError(t, err)
		_, err = As[map[float32]struct{}](py, set)
		assert.ErrorContains(t, err, "1 in Go, 2 in Python")
		return nil
	})
}
