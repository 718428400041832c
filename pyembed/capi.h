// The part of CPython's C API that pyembed uses, declared here so that building needs no Python headers.
//
// Every function is in the stable ABI of CPython 3.11 (or, where marked, is not), and pyembed looks it up by name in
// the libpython chosen at run time: API(result, name, parameters, arguments) declares the C prototype as
// https://docs.python.org/3/c-api/stable.html lists it, and a wrapper py_name for Go to call.
//
// A function that can fail is declared with CHECKED_API, and its result says how it fails. Such a result is a struct,
// which Go code cannot use before a function in check.go has turned the failure into an error:
//
//	PyNew       a new reference, or NULL with an exception set
//	PyStatus    a number that is negative with an exception set
//	PySize      a size that is negative with an exception set
//	PyOptional  a new reference, or NULL for "there is none"
#ifndef PYEMBED_CAPI_H
#define PYEMBED_CAPI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wchar.h>

typedef struct _object PyObject;
typedef struct _ts PyThreadState;
typedef ssize_t Py_ssize_t;
typedef PyObject *(*PyCFunctionWithKeywords)(PyObject *self, PyObject *args, PyObject *kwargs);
typedef struct { // in the stable ABI since 3.11
	void *buf;
	PyObject *obj;
	Py_ssize_t len, itemsize;
	int readonly, ndim;
	char *format;
	Py_ssize_t *shape, *strides, *suboffsets;
	void *internal;
} Py_buffer;
typedef struct {
	const char *name;
	PyCFunctionWithKeywords method;
	int flags;
	const char *doc;
} PyMethodDef;

typedef struct {
	PyObject *or_null;
} PyNew;
typedef struct {
	PyObject *or_none;
} PyOptional;
typedef struct {
	int or_negative;
} PyStatus;
typedef struct {
	Py_ssize_t or_negative;
} PySize;

// The C types that CPython returns for them.
#define RAW_PyNew PyObject *
#define RAW_PyOptional PyObject *
#define RAW_PyStatus int
#define RAW_PySize Py_ssize_t

#define PYEMBED_FUNCTIONS(API, CHECKED_API) \
	/* start-up */ \
	API(void, Py_InitializeEx, (int initsigs), (initsigs)) \
	API(void, Py_SetProgramName, (const wchar_t *name), (name)) \
	API(wchar_t *, Py_DecodeLocale, (const char *arg, size_t *size), (arg, size)) \
	/* threads */ \
	API(int, PyGILState_Ensure, (void), ()) \
	API(void, PyGILState_Release, (int state), (state)) \
	API(PyThreadState *, PyEval_SaveThread, (void), ()) \
	API(void, PyEval_RestoreThread, (PyThreadState * state), (state)) \
	API(unsigned long, PyThread_get_thread_ident, (void), ()) \
	API(int, PyThreadState_SetAsyncExc, (unsigned long id, PyObject *exc), (id, exc)) \
	/* references */ \
	API(void, Py_IncRef, (PyObject * o), (o)) \
	API(void, Py_DecRef, (PyObject * o), (o)) \
	/* exceptions */ \
	API(PyObject *, PyErr_Occurred, (void), ()) \
	API(void, PyErr_Clear, (void), ()) \
	API(void, PyErr_Fetch, (PyObject * *type, PyObject **value, PyObject **traceback), (type, value, traceback)) \
	API(void, PyErr_NormalizeException, (PyObject * *type, PyObject **value, PyObject **traceback), (type, value, traceback)) \
	API(void, PyErr_SetObject, (PyObject * type, PyObject *value), (type, value)) \
	API(void, PyErr_SetString, (PyObject * type, const char *message), (type, message)) \
	API(int, PyException_SetTraceback, (PyObject * exc, PyObject *traceback), (exc, traceback)) \
	CHECKED_API(PyOptional, PyException_GetTraceback, (PyObject * exc), (exc)) \
	CHECKED_API(PyOptional, PyException_GetCause, (PyObject * exc), (exc)) \
	CHECKED_API(PyOptional, PyException_GetContext, (PyObject * exc), (exc)) \
	/* modules and code */ \
	CHECKED_API(PyNew, PyImport_Import, (PyObject * name), (name)) \
	API(PyObject *, PyImport_AddModuleObject, (PyObject * name), (name)) \
	CHECKED_API(PyOptional, PyImport_GetModule, (PyObject * name), (name)) \
	API(PyObject *, PyImport_GetModuleDict, (void), ()) \
	API(PyObject *, PyModule_GetDict, (PyObject * module), (module)) \
	CHECKED_API(PyNew, Py_CompileString, (const char *code, const char *file, int start), (code, file, start)) \
	CHECKED_API(PyNew, PyEval_EvalCode, (PyObject * code, PyObject *globals, PyObject *locals), (code, globals, locals)) \
	/* objects */ \
	CHECKED_API(PyNew, PyObject_Type, (PyObject * o), (o)) \
	API(unsigned long, PyType_GetFlags, (PyObject * type), (type)) \
	API(int, PyType_IsSubtype, (PyObject * a, PyObject *b), (a, b)) \
	CHECKED_API(PyNew, PyObject_GetAttr, (PyObject * o, PyObject *name), (o, name)) \
	CHECKED_API(PyStatus, PyObject_SetAttr, (PyObject * o, PyObject *name, PyObject *value), (o, name, value)) \
	CHECKED_API(PyNew, PyObject_GetItem, (PyObject * o, PyObject *key), (o, key)) \
	CHECKED_API(PyStatus, PyObject_SetItem, (PyObject * o, PyObject *key, PyObject *value), (o, key, value)) \
	CHECKED_API(PyStatus, PyObject_DelItem, (PyObject * o, PyObject *key), (o, key)) \
	CHECKED_API(PyNew, PyObject_Call, (PyObject * f, PyObject *args, PyObject *kwargs), (f, args, kwargs)) \
	CHECKED_API(PyNew, PyObject_Str, (PyObject * o), (o)) \
	CHECKED_API(PyNew, PyObject_Repr, (PyObject * o), (o)) \
	CHECKED_API(PyNew, PyObject_RichCompare, (PyObject * a, PyObject *b, int op), (a, b, op)) \
	CHECKED_API(PyStatus, PySequence_Contains, (PyObject * o, PyObject *value), (o, value)) \
	CHECKED_API(PyStatus, PyObject_IsTrue, (PyObject * o), (o)) \
	CHECKED_API(PyStatus, PyObject_IsInstance, (PyObject * o, PyObject *cls), (o, cls)) \
	CHECKED_API(PySize, PyObject_Size, (PyObject * o), (o)) \
	CHECKED_API(PyNew, PyCFunction_NewEx, (PyMethodDef * def, PyObject *self, PyObject *module), (def, self, module)) \
	CHECKED_API(PyNew, PyCapsule_New, (void *pointer, const char *name, void (*destructor)(PyObject *)), (pointer, name, destructor)) \
	API(void *, PyCapsule_GetPointer, (PyObject * o, const char *name), (o, name)) \
	API(int, PyCapsule_IsValid, (PyObject * o, const char *name), (o, name)) \
	CHECKED_API(PyNew, PyObject_GetIter, (PyObject * o), (o)) \
	API(PyObject *, PyIter_Next, (PyObject * o), (o)) \
	/* values */ \
	CHECKED_API(PyNew, PyBool_FromLong, (long v), (v)) \
	CHECKED_API(PyNew, PyLong_FromLongLong, (long long v), (v)) \
	CHECKED_API(PyNew, PyLong_FromUnsignedLongLong, (unsigned long long v), (v)) \
	CHECKED_API(PyNew, PyLong_FromString, (const char *s, char **end, int base), (s, end, base)) \
	API(long long, PyLong_AsLongLongAndOverflow, (PyObject * o, int *overflow), (o, overflow)) \
	API(int, PyIndex_Check, (PyObject * o), (o)) \
	CHECKED_API(PyNew, PyNumber_Index, (PyObject * o), (o)) \
	CHECKED_API(PyNew, PyNumber_ToBase, (PyObject * o, int base), (o, base)) \
	CHECKED_API(PyNew, PyFloat_FromDouble, (double v), (v)) \
	API(double, PyFloat_AsDouble, (PyObject * o), (o)) \
	CHECKED_API(PyNew, PyComplex_FromDoubles, (double real, double imag), (real, imag)) \
	API(double, PyComplex_RealAsDouble, (PyObject * o), (o)) \
	API(double, PyComplex_ImagAsDouble, (PyObject * o), (o)) \
	CHECKED_API(PyNew, PyUnicode_DecodeUTF8, (const char *s, Py_ssize_t n, const char *errors), (s, n, errors)) \
	CHECKED_API(PyNew, PyUnicode_AsEncodedString, (PyObject * o, const char *encoding, const char *errors), (o, encoding, errors)) \
	API(const char *, PyUnicode_AsUTF8AndSize, (PyObject * o, Py_ssize_t *n), (o, n)) \
	CHECKED_API(PyNew, PyBytes_FromStringAndSize, (const char *s, Py_ssize_t n), (s, n)) \
	CHECKED_API(PyStatus, PyBytes_AsStringAndSize, (PyObject * o, char **s, Py_ssize_t *n), (o, s, n)) \
	CHECKED_API(PyStatus, PyObject_GetBuffer, (PyObject * o, Py_buffer *view, int flags), (o, view, flags)) \
	API(void, PyBuffer_Release, (Py_buffer * view), (view)) \
	CHECKED_API(PyNew, PyList_New, (Py_ssize_t n), (n)) \
	CHECKED_API(PyStatus, PyList_SetItem, (PyObject * o, Py_ssize_t i, PyObject *item), (o, i, item)) \
	API(PyObject *, PyList_GetItem, (PyObject * o, Py_ssize_t i), (o, i)) \
	CHECKED_API(PyNew, PyTuple_New, (Py_ssize_t n), (n)) \
	CHECKED_API(PyStatus, PyTuple_SetItem, (PyObject * o, Py_ssize_t i, PyObject *item), (o, i, item)) \
	API(PyObject *, PyTuple_GetItem, (PyObject * o, Py_ssize_t i), (o, i)) \
	CHECKED_API(PyNew, PyDict_New, (void), ()) \
	CHECKED_API(PyNew, PyDict_Items, (PyObject * o), (o)) \
	CHECKED_API(PyStatus, PyDict_SetItem, (PyObject * o, PyObject *key, PyObject *value), (o, key, value)) \
	CHECKED_API(PyStatus, PyDict_DelItem, (PyObject * o, PyObject *key), (o, key)) \
	CHECKED_API(PyNew, PySet_New, (PyObject * iterable), (iterable)) \
	CHECKED_API(PyStatus, PySet_Add, (PyObject * o, PyObject *item), (o, item)) \
	CHECKED_API(PyNew, PySequence_List, (PyObject * o), (o))

// Data symbols: singletons, types that are told apart by address, and exceptions that C code raises.
#define PYEMBED_OBJECTS(API) \
	API(_Py_NoneStruct) \
	API(PyBool_Type) \
	API(PyFloat_Type) \
	API(PyComplex_Type) \
	API(PyByteArray_Type) \
	API(PyMemoryView_Type) \
	API(PySet_Type) \
	API(PyFrozenSet_Type)

// Functions that are documented and public in every release from 3.11 to 3.14 without being in the stable ABI.
#define PYEMBED_FUNCTIONS_PUBLIC(API, CHECKED_API) \
	CHECKED_API(PyNew, PyContext_New, (void), ()) \
	API(int, PyContext_Enter, (PyObject * context), (context)) \
	API(int, PyContext_Exit, (PyObject * context), (context)) \
	CHECKED_API(PyNew, PyContextVar_Set, (PyObject * var, PyObject *value), (var, value)) \
	CHECKED_API(PyStatus, PyContextVar_Reset, (PyObject * var, PyObject *token), (var, token)) \
	CHECKED_API(PyStatus, PyContextVar_Get, (PyObject * var, PyObject *otherwise, PyObject **value), (var, otherwise, value))

// Exceptions that C code raises or tells apart: variables that point to the classes.
#define PYEMBED_EXCEPTIONS(API) \
	API(PyExc_BaseExceptionGroup) \
	API(PyExc_RuntimeError) \
	API(PyExc_RecursionError)

// Set in a process that was forked from this one, where Go does not run. Code that would return to Go there ends the
// process instead.
extern int pyembed_forked;
void pyembed_end_child(void);

#define PYEMBED_DECLARE(result, name, parameters, arguments) \
	extern result(*pyembed_##name) parameters; \
	static inline result py_##name parameters { return pyembed_##name arguments; }
#define PYEMBED_DECLARE_CHECKED(result, name, parameters, arguments) \
	extern RAW_##result(*pyembed_##name) parameters; \
	__attribute__((warn_unused_result)) static inline result py_##name parameters { \
		result result_ = {pyembed_##name arguments}; \
		if (pyembed_forked) pyembed_end_child(); \
		return result_; \
	}
PYEMBED_FUNCTIONS(PYEMBED_DECLARE, PYEMBED_DECLARE_CHECKED)
PYEMBED_FUNCTIONS_PUBLIC(PYEMBED_DECLARE, PYEMBED_DECLARE_CHECKED)
#undef PYEMBED_DECLARE
#undef PYEMBED_DECLARE_CHECKED

#define PYEMBED_DECLARE(name) extern PyObject *pyembed_##name;
PYEMBED_OBJECTS(PYEMBED_DECLARE)
#undef PYEMBED_DECLARE
#define PYEMBED_DECLARE(name) extern PyObject **pyembed_##name;
PYEMBED_EXCEPTIONS(PYEMBED_DECLARE)
#undef PYEMBED_DECLARE

// Opens libpython with its symbols global (extension modules need them) and resolves every name above.
// Returns NULL, or an error message to free.
char *pyembed_load(const char *path);

// Returns the file of another Python whose symbols extension modules would find instead of those of the library that is
// loaded, or NULL.
const char *pyembed_hidden_by(void);

// How to start the interpreter: what the same python did when it ran by itself.
typedef struct {
	const char *program_name;
	const wchar_t *utf8_program_name; // in UTF-8 mode, the same decoded; it must stay in memory
	int utf8_mode;
} pyembed_settings;

// Starts the interpreter on the calling thread and leaves the GIL released. Returns NULL, or an error message to
// free. *state is the calling thread's state.
char *pyembed_start(const pyembed_settings *settings, PyThreadState **state);

// Reports whether the process already runs a Python that pyembed did not start. It looks into each loaded library,
// since a plugin may have loaded Python for itself, with RTLD_LOCAL.
int pyembed_foreign(void);

// Names the function that ends a forked process, helpers.py's end_child. It keeps a reference.
void pyembed_set_end_child(PyObject *function);

// Makes a thread state for the calling OS thread that lasts until pyembed_thread_end, detached.
PyThreadState *pyembed_thread_begin(void);
void pyembed_thread_end(PyThreadState *state);

// The value that pyembed_set_current gave to the calling OS thread, or 0.
uintptr_t pyembed_current(void);
void pyembed_set_current(uintptr_t value);

// Enters a new contextvars context, or returns NULL with an exception set. pyembed_context_exit leaves it and drops it.
PyNew pyembed_context_enter(void);
void pyembed_context_exit(PyObject *context);

// Takes the current exception, normalized and with its traceback.
PyOptional pyembed_raised(void);
// Makes an exception object the current exception. The reference stays the caller's.
void pyembed_raise(PyObject *exception);

// Begins a call of Python that is not inside another one.
void pyembed_begin(void);

// Makes an object that calls pyembedDrop with the handle when it is freed, and a callable that also calls
// pyembedCall. The third returns the handle of an object of the first kind, or 0.
PyNew pyembed_capsule(uintptr_t handle);
PyNew pyembed_function(uintptr_t handle);
uintptr_t pyembed_handle(PyObject *capsule);

// Tells objects apart by Python's built-in types, subclasses included. Go has the same numbers.
enum pyembed_kind {
	PYEMBED_OTHER,
	PYEMBED_NONE,
	PYEMBED_BOOL,
	PYEMBED_INT,
	PYEMBED_FLOAT,
	PYEMBED_COMPLEX,
	PYEMBED_STR,
	PYEMBED_BYTES,
	PYEMBED_BYTEARRAY,
	PYEMBED_MEMORYVIEW,
	PYEMBED_LIST,
	PYEMBED_TUPLE,
	PYEMBED_SET,
	PYEMBED_DICT,
	PYEMBED_EXCEPTION,
};
int pyembed_kind(PyObject *o);

// Reads a number through __index__ (1 when it does not fit into 64 bits, else 0) or __float__.
PyStatus pyembed_as_int64(PyObject *o, int64_t *value);
PyStatus pyembed_as_double(PyObject *o, double *value);
PyStatus pyembed_as_complex(PyObject *o, double *real, double *imag);
// Returns the next item of an iterator: 1, or 0 at its end.
PyStatus pyembed_next(PyObject *iterator, PyObject **item);
// Gets an attribute whose name is UTF-8, lone surrogates as their WTF-8 bytes.
PyNew pyembed_getattr(PyObject *o, const char *name, Py_ssize_t n);
// Finds the UTF-8 text of a str; the str keeps it.
PyStatus pyembed_utf8(PyObject *o, const char **text, Py_ssize_t *n);
// The items of a list or tuple, and a module's globals and sys.modules, as references of the caller's.
PyNew pyembed_list_item(PyObject *o, Py_ssize_t i);
PyNew pyembed_tuple_item(PyObject *o, Py_ssize_t i);
PyNew pyembed_module(PyObject *name);
PyNew pyembed_globals(PyObject *module);
PyNew pyembed_modules(void);

// list[int], list[float] and list[str] from and to arrays. Those that read a list return how many items they read:
// fewer than n when an item has another type or does not fit.
PyNew pyembed_list_from_int32(const int32_t *values, Py_ssize_t n);
PyNew pyembed_list_from_int64(const int64_t *values, Py_ssize_t n);
PyNew pyembed_list_from_double(const double *values, Py_ssize_t n);
PyNew pyembed_list_from_strings(const char *text, const Py_ssize_t *lengths, Py_ssize_t n);
Py_ssize_t pyembed_list_to_int32(PyObject *list, int32_t *values, Py_ssize_t n);
Py_ssize_t pyembed_list_to_int64(PyObject *list, int64_t *values, Py_ssize_t n);
Py_ssize_t pyembed_list_to_double(PyObject *list, double *values, Py_ssize_t n);
Py_ssize_t pyembed_list_to_strings(PyObject *list, const char **texts, Py_ssize_t *lengths, Py_ssize_t n);

#endif
