package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Element is a type of elements that buffers have.
type Element interface {
	~bool | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Float16 is an IEEE 754 number of 16 bits, as numpy's float16.
type Float16 uint16

// Float32 returns the number as a float32, which holds it exactly.
func (f Float16) Float32() float32 {
	sign, exponent, fraction := uint32(f)>>15<<31, uint32(f)>>10&0x1f, uint32(f)&0x3ff
	switch exponent {
	case 0x1f: // infinity, or not a number
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	case 0: // zero, or a fraction of the smallest
		return math.Float32frombits(sign|127<<23) * float32(fraction) / (1 << 24)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// View gives fn the elements of a Python buffer without copying them: of bytes, bytearray,
// array.array, memoryview, a numpy array, or a torch CPU tensor's numpy(). The buffer must be
// C-contiguous, of any number of dimensions, and hold elements of T's kind and size.
//
// While fn runs, Python can neither free nor resize the buffer. The slice must not be used
// afterwards, nor be written to; see [Edit]. In programs built with -race, fn gets a copy in memory
// that is taken away afterwards, and that cannot be written to in a View: misuse is a fault that
// names the line.
func View[T Element](py *Py, o *Object, fn func(values []T) error) error {
	return view(py, o, 0, fn)
}

// Edit is like [View], for buffers that can be written to: what fn changes, Python sees.
func Edit[T Element](py *Py, o *Object, fn func(values []T) error) error {
	return view(py, o, bufWritable, fn)
}

// Request flags of PyObject_GetBuffer and PyMemoryView_FromMemory; see CPython's pybuffer.h.
const (
	bufWritable    = 0x1
	bufFormat      = 0x4
	bufCContiguous = 0x20 | 0x10 | 0x8
)

func view[T Element](py *Py, o *Object, flags C.int, fn func(values []T) error) error {
	py.check()
	defer runtime.KeepAlive(o)
	// In C's memory, since CPython lets it point to itself.
	buffer := (*C.Py_buffer)(C.calloc(1, C.sizeof_Py_buffer))
	defer C.free(unsafe.Pointer(buffer))
	if err := py.status(C.py_PyObject_GetBuffer(o.pointer(), buffer, bufCContiguous|bufFormat|flags)); err != nil {
		return err
	}
	defer C.py_PyBuffer_Release(buffer)
	format := "B"
	if buffer.format != nil {
		format = C.GoString(buffer.format)
	}
	want := reflect.TypeFor[T]()
	if uintptr(buffer.itemsize) != want.Size() || elementKind(format) != elementKindOf(want) {
		return fmt.Errorf(
			"pyembed: the buffer's elements are of %d bytes in format %q, not %s",
			buffer.itemsize,
			format,
			want,
		)
	}
	n := int(buffer.len / buffer.itemsize)
	if want.Kind() == reflect.Bool {
		for i, b := range unsafe.Slice((*byte)(buffer.buf), n) {
			if b > 1 {
				return fmt.Errorf("pyembed: the buffer's element %d is the byte %d, which is not a bool", i, b)
			}
		}
	}
	values := unsafe.Slice((*T)(buffer.buf), n)
	if raceEnabled {
		return guarded(values, flags&bufWritable != 0, fn)
	}
	return fn(values)
}

// guarded calls fn with a copy of values that faults when it is used afterwards.
func guarded[T Element](values []T, writable bool, fn func(values []T) error) error {
	if len(values) == 0 {
		return fn(nil)
	}
	size := len(values) * int(unsafe.Sizeof(values[0]))
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("pyembed: mmap of %d bytes: %w", size, err)
	}
	guardedValues := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory))), len(values))
	copy(guardedValues, values)
	defer func() {
		if writable {
			copy(values, guardedValues)
		}
		_ = unix.Munmap(memory) // of a mapping that is there, it cannot fail
	}()
	if !writable {
		if err := unix.Mprotect(memory, unix.PROT_READ); err != nil {
			return fmt.Errorf("pyembed: mprotect: %w", err)
		}
	}
	return fn(guardedValues)
}

// elementKind returns the kind of a buffer's elements from its format: signed, unsigned, floating,
// half precision or boolean; see Python's module struct for the formats. Another byte order than
// the machine's, and structures, have none.
func elementKind(format string) rune {
	if len(format) == 2 && (format[0] == '@' || format[0] == '=' || format[0] == '<' && littleEndian) {
		format = format[1:]
	}
	switch format {
	case "b", "h", "i", "l", "q", "n":
		return 'i'
	case "B", "H", "I", "L", "Q", "N", "c":
		return 'u'
	case "f", "d":
		return 'f'
	case "e":
		return 'e'
	case "?":
		return '?'
	}
	return 0
}

var littleEndian = func() bool { one := uint16(1); return *(*byte)(unsafe.Pointer(&one)) == 1 }()

var float16Type = reflect.TypeFor[Float16]()

func elementKindOf(t reflect.Type) rune {
	switch k := t.Kind(); {
	case t == float16Type:
		return 'e'
	case k == reflect.Bool:
		return '?'
	case k >= reflect.Int && k <= reflect.Int64:
		return 'i'
	case k >= reflect.Uint && k <= reflect.Uint64:
		return 'u'
	}
	return 'f'
}

// formatOf returns the format of elements of a type.
func formatOf(t reflect.Type) string {
	if t == float16Type {
		return "e"
	}
	return formats[t.Kind()]
}

// formats are the format characters of Python's module struct with the same size on every platform.
var formats = map[reflect.Kind]string{
	reflect.Int8: "b", reflect.Int16: "h", reflect.Int32: "i", reflect.Int64: "q",
	reflect.Uint8: "B", reflect.Uint16: "H", reflect.Uint32: "I", reflect.Uint64: "Q",
	reflect.Float32: "f", reflect.Float64: "d", reflect.Bool: "?",
}

// Lend makes a memoryview of the elements of a Go slice without copying them. Python may read and
// write them, and numpy.frombuffer and the like build on it. The slice's memory stays where it is
// until Python has dropped the view and everything that was made from it.
func Lend[T Element](py *Py, values []T) (*Object, error) {
	py.check()
	memory := &lent{}
	if len(values) > 0 {
		memory.Pin(unsafe.SliceData(values))
	}
	owner, err := py.carry(memory)
	if err != nil {
		memory.Unpin()
		return nil, err
	}
	defer owner.Release(py)
	address := uintptr(unsafe.Pointer(unsafe.SliceData(values)))
	size := len(values) * int(reflect.TypeFor[T]().Size())
	return py.thread.rt.helpers.CallMethod(py, "lend", address, size, formatOf(reflect.TypeFor[T]()), owner)
}

// lent is Go memory that Python can reach. It is unpinned when its capsule is freed.
type lent struct{ runtime.Pinner }
