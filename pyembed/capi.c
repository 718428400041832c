#define _GNU_SOURCE
#include "capi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFINE(result, name, parameters, arguments) result(*pyembed_##name) parameters;
PYEMBED_FUNCTIONS(DEFINE)
PYEMBED_FUNCTIONS_314(DEFINE)
#undef DEFINE
#define DEFINE(name) PyObject *pyembed_##name;
PYEMBED_OBJECTS(DEFINE)
#undef DEFINE

static char *message(const char *format, const char *detail) {
	char *text = NULL;
	if (asprintf(&text, format, detail) < 0) return strdup("out of memory");
	return text;
}

char *pyembed_load(const char *path) {
	void *lib = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (lib == NULL) return message("%s", dlerror());
#define RESOLVE(result, name, parameters, arguments) \
	if ((*(void **)&pyembed_##name = dlsym(lib, #name)) == NULL) \
		return message("the library has no symbol %s", #name);
	PYEMBED_FUNCTIONS(RESOLVE)
#undef RESOLVE
#define RESOLVE(name) \
	if ((*(void **)&pyembed_##name = dlsym(lib, #name)) == NULL) \
		return message("the library has no symbol %s", #name);
	PYEMBED_OBJECTS(RESOLVE)
#undef RESOLVE
#define RESOLVE(result, name, parameters, arguments) *(void **)&pyembed_##name = dlsym(lib, #name);
	PYEMBED_FUNCTIONS_314(RESOLVE)
#undef RESOLVE
	return NULL;
}

char *pyembed_start(const char *program_name, PyThreadState **state) {
	if (pyembed_PyInitConfig_Create != NULL) {
		PyInitConfig *config = py_PyInitConfig_Create();
		if (config == NULL) return message("%s", "out of memory");
		char *failure = NULL;
		// PyInitConfig starts out isolated; this undoes that, so that every release starts alike.
		if (py_PyInitConfig_SetInt(config, "isolated", 0) < 0 ||
		    py_PyInitConfig_SetInt(config, "use_environment", 1) < 0 ||
		    py_PyInitConfig_SetInt(config, "user_site_directory", 1) < 0 ||
		    py_PyInitConfig_SetInt(config, "configure_locale", 1) < 0 ||
		    py_PyInitConfig_SetStr(config, "program_name", program_name) < 0 ||
		    py_Py_InitializeFromInitConfig(config) < 0) {
			const char *reason = "unknown error";
			py_PyInitConfig_GetError(config, &reason);
			failure = message("%s", reason);
		}
		py_PyInitConfig_Free(config);
		if (failure != NULL) return failure;
	} else {
		// CPython keeps the pointer for as long as it runs, so the name is not freed.
		wchar_t *name = py_Py_DecodeLocale(program_name, NULL);
		if (name == NULL) return message("cannot decode the path %s in this locale", program_name);
		py_Py_SetProgramName(name);
		py_Py_InitializeEx(0);
	}
	*state = py_PyEval_SaveThread();
	return NULL;
}

PyThreadState *pyembed_thread_begin(void) {
	// The outstanding Ensure keeps the thread state alive; it is undone in pyembed_thread_end.
	py_PyGILState_Ensure();
	return py_PyEval_SaveThread();
}

void pyembed_thread_end(PyThreadState *state) {
	py_PyEval_RestoreThread(state);
	py_PyGILState_Release(1); // 1 is PyGILState_UNLOCKED: there was no GIL before Ensure
}

static __thread uintptr_t current;
uintptr_t pyembed_current(void) { return current; }
void pyembed_set_current(uintptr_t value) { current = value; }

PyObject *pyembed_list_from_int32(const int32_t *values, Py_ssize_t n) {
	PyObject *list = py_PyList_New(n);
	if (list == NULL) return NULL;
	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *item = py_PyLong_FromLongLong(values[i]);
		if (item == NULL || py_PyList_SetItem(list, i, item) < 0) {
			py_Py_DecRef(list);
			return NULL;
		}
	}
	return list;
}

Py_ssize_t pyembed_list_to_int32(PyObject *list, int32_t *values, Py_ssize_t n) {
	for (Py_ssize_t i = 0; i < n; i++) {
		int overflow = 0;
		PyObject *item = py_PyList_GetItem(list, i);
		if (item == NULL) return i;
		long long value = py_PyLong_AsLongLongAndOverflow(item, &overflow);
		if (overflow != 0 || value < INT32_MIN || value > INT32_MAX) return i;
		if (value == -1 && py_PyErr_Occurred() != NULL) return i;
		values[i] = (int32_t)value;
	}
	return -1;
}

// Exported by function.go.
extern PyObject *pyembedCall(uintptr_t handle, PyObject *args, PyObject *kwargs);
extern void pyembedDrop(uintptr_t handle);

static const char capsule[] = "pyembed.handle";

static void drop_go(PyObject *self) { pyembedDrop((uintptr_t)py_PyCapsule_GetPointer(self, capsule)); }

PyObject *pyembed_capsule(uintptr_t handle) { return py_PyCapsule_New((void *)handle, capsule, drop_go); }

static PyObject *call_go(PyObject *self, PyObject *args, PyObject *kwargs) {
	void *handle = py_PyCapsule_GetPointer(self, capsule);
	return handle == NULL ? NULL : pyembedCall((uintptr_t)handle, args, kwargs);
}

PyObject *pyembed_function(uintptr_t handle) {
	static PyMethodDef def = {"go_function", call_go, 1 | 2 /* METH_VARARGS | METH_KEYWORDS */, NULL};
	PyObject *self = pyembed_capsule(handle);
	if (self == NULL) return NULL;
	PyObject *function = py_PyCFunction_NewEx(&def, self, NULL);
	py_Py_DecRef(self);
	return function;
}
