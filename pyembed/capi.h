// The part of CPython's C API that pyembed uses, declared here so that building needs no Python headers.
//
// Every function is in the stable ABI of CPython 3.11 (or, where marked, newer) and is looked up by name in
// the libpython chosen at run time: API(result, name, parameters, arguments) declares the C prototype as
// https://docs.python.org/3/c-api/stable.html lists it, and a wrapper py_name for Go to call.
#ifndef PYEMBED_CAPI_H
#define PYEMBED_CAPI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wchar.h>

typedef struct _object PyObject;
typedef struct _ts PyThreadState;
typedef struct _initconfig PyInitConfig;
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

#define PYEMBED_FUNCTIONS(API) \
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
	API(int, PyException_SetTraceback, (PyObject * exc, PyObject *traceback), (exc, traceback)) \
	/* modules and code */ \
	API(PyObject *, PyImport_ImportModule, (const char *name), (name)) \
	API(PyObject *, PyImport_AddModule, (const char *name), (name)) \
	API(PyObject *, PyModule_GetDict, (PyObject * module), (module)) \
	API(PyObject *, Py_CompileString, (const char *code, const char *file, int start), (code, file, start)) \
	API(PyObject *, PyEval_EvalCode, (PyObject * code, PyObject *globals, PyObject *locals), (code, globals, locals)) \
	/* objects */ \
	API(PyObject *, PyObject_Type, (PyObject * o), (o)) \
	API(unsigned long, PyType_GetFlags, (PyObject * type), (type)) \
	API(int, PyObject_IsInstance, (PyObject * o, PyObject *cls), (o, cls)) \
	API(PyObject *, PyObject_GetAttrString, (PyObject * o, const char *name), (o, name)) \
	API(int, PyObject_SetAttrString, (PyObject * o, const char *name, PyObject *value), (o, name, value)) \
	API(PyObject *, PyObject_GetItem, (PyObject * o, PyObject *key), (o, key)) \
	API(int, PyObject_SetItem, (PyObject * o, PyObject *key, PyObject *value), (o, key, value)) \
	API(PyObject *, PyObject_Call, (PyObject * f, PyObject *args, PyObject *kwargs), (f, args, kwargs)) \
	API(PyObject *, PyObject_Repr, (PyObject * o), (o)) \
	API(int, PyObject_IsTrue, (PyObject * o), (o)) \
	API(Py_ssize_t, PyObject_Size, (PyObject * o), (o)) \
	API(PyObject *, PyCFunction_NewEx, (PyMethodDef * def, PyObject *self, PyObject *module), (def, self, module)) \
	API(PyObject *, PyCapsule_New, (void *pointer, const char *name, void (*destructor)(PyObject *)), (pointer, name, destructor)) \
	API(void *, PyCapsule_GetPointer, (PyObject * o, const char *name), (o, name)) \
	API(PyObject *, PyObject_GetIter, (PyObject * o), (o)) \
	API(PyObject *, PyIter_Next, (PyObject * o), (o)) \
	/* values */ \
	API(PyObject *, PyBool_FromLong, (long v), (v)) \
	API(PyObject *, PyLong_FromLongLong, (long long v), (v)) \
	API(PyObject *, PyLong_FromUnsignedLongLong, (unsigned long long v), (v)) \
	API(PyObject *, PyLong_FromString, (const char *s, char **end, int base), (s, end, base)) \
	API(long long, PyLong_AsLongLongAndOverflow, (PyObject * o, int *overflow), (o, overflow)) \
	API(PyObject *, PyNumber_ToBase, (PyObject * o, int base), (o, base)) \
	API(PyObject *, PyFloat_FromDouble, (double v), (v)) \
	API(double, PyFloat_AsDouble, (PyObject * o), (o)) \
	API(PyObject *, PyUnicode_DecodeUTF8, (const char *s, Py_ssize_t n, const char *errors), (s, n, errors)) \
	API(PyObject *, PyUnicode_AsEncodedString, (PyObject * o, const char *encoding, const char *errors), (o, encoding, errors)) \
	API(const char *, PyUnicode_AsUTF8AndSize, (PyObject * o, Py_ssize_t *n), (o, n)) \
	API(PyObject *, PyBytes_FromStringAndSize, (const char *s, Py_ssize_t n), (s, n)) \
	API(int, PyBytes_AsStringAndSize, (PyObject * o, char **s, Py_ssize_t *n), (o, s, n)) \
	API(int, PyObject_GetBuffer, (PyObject * o, Py_buffer *view, int flags), (o, view, flags)) \
	API(void, PyBuffer_Release, (Py_buffer * view), (view)) \
	API(PyObject *, PyList_New, (Py_ssize_t n), (n)) \
	API(int, PyList_SetItem, (PyObject * o, Py_ssize_t i, PyObject *item), (o, i, item)) \
	API(PyObject *, PyList_GetItem, (PyObject * o, Py_ssize_t i), (o, i)) \
	API(PyObject *, PyTuple_New, (Py_ssize_t n), (n)) \
	API(int, PyTuple_SetItem, (PyObject * o, Py_ssize_t i, PyObject *item), (o, i, item)) \
	API(PyObject *, PyTuple_GetItem, (PyObject * o, Py_ssize_t i), (o, i)) \
	API(PyObject *, PyDict_New, (void), ()) \
	API(int, PyDict_SetItem, (PyObject * o, PyObject *key, PyObject *value), (o, key, value)) \
	API(int, PyDict_Next, (PyObject * o, Py_ssize_t *pos, PyObject **key, PyObject **value), (o, pos, key, value))

// CPython's own initialization interface since 3.14 (PEP 741); absent before. Py_SetProgramName and
// Py_InitializeEx serve the releases before it.
#define PYEMBED_FUNCTIONS_314(API) \
	API(PyInitConfig *, PyInitConfig_Create, (void), ()) \
	API(void, PyInitConfig_Free, (PyInitConfig * config), (config)) \
	API(int, PyInitConfig_SetInt, (PyInitConfig * config, const char *name, int64_t value), (config, name, value)) \
	API(int, PyInitConfig_SetStr, (PyInitConfig * config, const char *name, const char *value), (config, name, value)) \
	API(int, PyInitConfig_GetError, (PyInitConfig * config, const char **message), (config, message)) \
	API(int, Py_InitializeFromInitConfig, (PyInitConfig * config), (config))

// Data symbols: the singleton None and the types that are told apart by address.
#define PYEMBED_OBJECTS(API) \
	API(_Py_NoneStruct) \
	API(PyBool_Type) \
	API(PyFloat_Type)

#define PYEMBED_DECLARE(result, name, parameters, arguments) \
	extern result(*pyembed_##name) parameters; \
	static inline result py_##name parameters { return pyembed_##name arguments; }
PYEMBED_FUNCTIONS(PYEMBED_DECLARE)
PYEMBED_FUNCTIONS_314(PYEMBED_DECLARE)
#undef PYEMBED_DECLARE

#define PYEMBED_DECLARE(name) extern PyObject *pyembed_##name;
PYEMBED_OBJECTS(PYEMBED_DECLARE)
#undef PYEMBED_DECLARE

// Opens libpython with its symbols global (extension modules need them) and resolves every name above.
// Returns NULL, or an error message to free.
char *pyembed_load(const char *path);

// Starts the interpreter with the given program name on the calling thread and leaves the GIL released.
// Returns NULL, or an error message to free. *state is the calling thread's state.
char *pyembed_start(const char *program_name, PyThreadState **state);

// Makes a thread state for the calling OS thread that lasts until pyembed_thread_end, detached.
PyThreadState *pyembed_thread_begin(void);
void pyembed_thread_end(PyThreadState *state);

// The value that pyembed_set_current gave to the calling OS thread, or 0.
uintptr_t pyembed_current(void);
void pyembed_set_current(uintptr_t value);

// Makes an object that calls pyembedDrop with the handle when it is freed, and a callable that besides calls
// pyembedCall.
PyObject *pyembed_capsule(uintptr_t handle);
PyObject *pyembed_function(uintptr_t handle);

// list[int] from and to int32 values. pyembed_list_to_int32 returns the index of the first item that is no
// int or does not fit, with a Python exception set where CPython set one, or -1.
PyObject *pyembed_list_from_int32(const int32_t *values, Py_ssize_t n);
Py_ssize_t pyembed_list_to_int32(PyObject *list, int32_t *values, Py_ssize_t n);

#endif
