package pyembed

/*
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"fmt"
	"reflect"
	"runtime"
	"runtime/cgo"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Number is a type of elements that buffers have.
type Number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// View gives fn the elements of a Python buffer without copying them: of bytes, bytearray, array.array,
// memoryview, a numpy array, or a torch CPU tensor's numpy(). The buffer must be C-contiguous, of any number of
// dimensions, and hold elements of T's kind and size.
//
// While fn runs, Python can neither free nor resize the buffer. The slice must not be used afterwards, nor be
// written to; see [Edit]. In programs built with -race, fn gets a copy in memory that is taken away afterwards,
// and that cannot be written to in a View: misuse is a fault that names the line.
func View[T Number](py *Py, o *Object, fn func(values []T) error) error {
	return view(py, o, 0, fn)
}

// Edit is like [View], for buffers that can be written to: what fn changes, Python sees.
func Edit[T Number](py *Py, o *Object, fn func(values []T) error) error {
	return view(py, o, bufWritable, fn)
}

// Request flags of PyObject_GetBuffer and PyMemoryView_FromMemory; see CPython's pybuffer.h.
const (
	bufWritable    = 0x1
	bufFormat      = 0x4
	bufCContiguous = 0x20 | 0x10 | 0x8
)

func view[T Number](py *Py, o *Object, flags C.int, fn func(values []T) error) error {
	py.check()
	defer runtime.KeepAlive(o)
	// In C's memory, since CPython lets it point to itself.
	buffer := (*C.Py_buffer)(C.calloc(1, C.sizeof_Py_buffer))
	defer C.free(unsafe.Pointer(buffer))
	if C.py_PyObject_GetBuffer(o.pointer(), buffer, bufCContiguous|bufFormat|flags) < 0 {
		return py.raised()
	}
	defer C.py_PyBuffer_Release(buffer)
	format := "B"
	if buffer.format != nil {
		format = C.GoString(buffer.format)
	}
	want := reflect.TypeFor[T]()
	if uintptr(buffer.itemsize) != want.Size() || elementKind(format) != kindOfNumber(want.Kind()) {
		return fmt.Errorf("pyembed: the buffer's elements are of %d bytes in format %q, not %s", buffer.itemsize, format, want)
	}
	values := unsafe.Slice((*T)(buffer.buf), int(buffer.len/buffer.itemsize))
	if raceEnabled {
		return guarded(values, flags&bufWritable != 0, fn)
	}
	return fn(values)
}

// guarded calls fn with a copy of values that faults when it is used afterwards.
func guarded[T Number](values []T, writable bool, fn func(values []T) error) error {
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

// elementKind is what a buffer's format says of its elements: signed, unsigned or floating; see Python's module
// struct for the formats. Another byte order than the machine's, and structures, have none.
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
	}
	return 0
}

var littleEndian = func() bool { one := uint16(1); return *(*byte)(unsafe.Pointer(&one)) == 1 }()

func kindOfNumber(k reflect.Kind) rune {
	switch {
	case k >= reflect.Int && k <= reflect.Int64:
		return 'i'
	case k >= reflect.Uint && k <= reflect.Uint64:
		return 'u'
	}
	return 'f'
}

// formats are the format characters of Python's module struct with the same size on every platform.
var formats = map[reflect.Kind]string{
	reflect.Int8: "b", reflect.Int16: "h", reflect.Int32: "i", reflect.Int64: "q",
	reflect.Uint8: "B", reflect.Uint16: "H", reflect.Uint32: "I", reflect.Uint64: "Q",
	reflect.Float32: "f", reflect.Float64: "d",
}

// Lend makes a memoryview of the elements of a Go slice without copying them. Python may read and write them,
// and numpy.frombuffer and the like build on it. The slice's memory stays where it is until Python has dropped
// the view and everything that was made from it.
func Lend[T Number](py *Py, values []T) (*Object, error) {
	py.check()
	memory := &lent{}
	if len(values) > 0 {
		memory.Pin(unsafe.SliceData(values))
	}
	handle := cgo.NewHandle(memory)
	owner, err := py.own(C.pyembed_capsule(C.uintptr_t(handle)))
	if err != nil {
		pyembedDrop(C.uintptr_t(handle))
		return nil, err
	}
	defer owner.Release(py)
	address := uintptr(unsafe.Pointer(unsafe.SliceData(values)))
	size := len(values) * int(reflect.TypeFor[T]().Size())
	return py.thread.rt.helpers.CallMethod(py, "lend", address, size, formats[reflect.TypeFor[T]().Kind()], owner)
}

// lent is Go memory that Python can reach. It is unpinned when its capsule is freed.
type lent struct{ runtime.Pinner }
