#define _GNU_SOURCE
#include "capi.h"

#include <dlfcn.h>
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFINE(result, name, parameters, arguments) result(*pyembed_##name) parameters;
#define DEFINE_CHECKED(result, name, parameters, arguments) RAW_##result(*pyembed_##name) parameters;
PYEMBED_FUNCTIONS(DEFINE, DEFINE_CHECKED)
PYEMBED_FUNCTIONS_PUBLIC(DEFINE, DEFINE_CHECKED)
#undef DEFINE
#undef DEFINE_CHECKED
#define DEFINE(name) PyObject *pyembed_##name;
PYEMBED_OBJECTS(DEFINE)
#undef DEFINE
#define DEFINE(name) PyObject **pyembed_##name;
PYEMBED_EXCEPTIONS(DEFINE)
#undef DEFINE

static char *message(const char *format, const char *detail) {
	char *text = NULL;
	if (asprintf(&text, format, detail) < 0) return strdup("out of memory");
	return text;
}

char *pyembed_load(const char *path) {
	// It also makes the symbols global of a library that is loaded already with RTLD_LOCAL.
	void *lib = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (lib == NULL) return message("%s", dlerror());
#define RESOLVE_NAME(name) \
	if ((*(void **)&pyembed_##name = dlsym(lib, #name)) == NULL) \
		return message("the library has no symbol %s", #name);
#define RESOLVE(result, name, parameters, arguments) RESOLVE_NAME(name)
	PYEMBED_FUNCTIONS(RESOLVE, RESOLVE)
	PYEMBED_FUNCTIONS_PUBLIC(RESOLVE, RESOLVE)
#undef RESOLVE
	PYEMBED_OBJECTS(RESOLVE_NAME)
	PYEMBED_EXCEPTIONS(RESOLVE_NAME)
#undef RESOLVE_NAME
	return NULL;
}

const char *pyembed_hidden_by(void) {
	Dl_info first;
	void *global = dlsym(RTLD_DEFAULT, "Py_InitializeEx");
	if (global == (void *)pyembed_Py_InitializeEx || dladdr(global, &first) == 0) return NULL;
	return first.dli_fname;
}

int pyembed_foreign(void) {
	int found = 0;
	void *program = dlopen(NULL, RTLD_LAZY);
	struct link_map *map = NULL;
	if (program == NULL || dlinfo(program, RTLD_DI_LINKMAP, &map) != 0) return 0;
	for (; map != NULL && !found; map = map->l_next) {
		void *lib = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
		if (lib == NULL) continue;
		int (*initialized)(void) = (int (*)(void))dlsym(lib, "Py_IsInitialized");
		found = initialized != NULL && initialized() != 0;
		dlclose(lib);
	}
	dlclose(program);
	return found;
}

int pyembed_forked;

// Go's handler of signals, which is one for all of them. In a forked process it would do nothing.
static void (*go_handler)(int, siginfo_t *, void *);

static void after_fork(void) {
	pyembed_forked = 1;
	for (int signal = 1; signal < NSIG; signal++) {
		struct sigaction action;
		if (sigaction(signal, NULL, &action) != 0 || !(action.sa_flags & SA_SIGINFO)) continue;
		if (action.sa_sigaction != go_handler) continue;
		memset(&action, 0, sizeof action);
		action.sa_handler = signal == SIGPIPE ? SIG_IGN : SIG_DFL; // as Python has them
		sigaction(signal, &action, NULL);
	}
}

static PyObject *end_child;
void pyembed_set_end_child(PyObject *function) {
	py_Py_IncRef(function);
	end_child = function;
}

void pyembed_end_child(void) {
	static int ending; // the functions below come here, too
	if (ending) return;
	ending = 1;
	PyObject *exception = pyembed_raised().or_none;
	if (exception == NULL) py_Py_IncRef(exception = pyembed__Py_NoneStruct);
	PyObject *arguments = py_PyTuple_New(1).or_null;
	if (end_child != NULL && arguments != NULL && py_PyTuple_SetItem(arguments, 0, exception).or_negative == 0)
		(void)!py_PyObject_Call(end_child, arguments, NULL).or_null;
	_exit(1);
}

static char *initialize(const pyembed_settings *settings) {
	// The interface of 3.14 (PyInitConfig) starts out isolated, and has no way back for a good part of the environment
	// variables. This older one is in the stable ABI and obeys them all.
	int *utf8_mode = (int *)dlsym(RTLD_DEFAULT, "Py_UTF8Mode");
	if (utf8_mode == NULL) return message("the library has no symbol %s", "Py_UTF8Mode");
	*utf8_mode = settings->utf8_mode;
	const wchar_t *name = settings->utf8_program_name;
	// CPython keeps the pointer while it runs, so the name is not freed.
	if (name == NULL) name = py_Py_DecodeLocale(settings->program_name, NULL);
	if (name == NULL) return message("cannot decode the path %s in this locale", settings->program_name);
	py_Py_SetProgramName(name);
	py_Py_InitializeEx(0);
	return NULL;
}

char *pyembed_start(const pyembed_settings *settings, PyThreadState **state) {
	// What C code prints must reach the file as it is printed: Go programs end without flushing C's buffers.
	fflush(stdout);
	setvbuf(stdout, NULL, _IONBF, 0);
	setlocale(LC_CTYPE, "");
	struct sigaction go;
	if (sigaction(SIGURG, NULL, &go) == 0) go_handler = go.sa_sigaction; // Go's scheduler always handles SIGURG
	pthread_atfork(NULL, NULL, after_fork);
	// faulthandler, which the environment may turn on, replaces the stack that Go handles signals on.
	stack_t stack;
	sigaltstack(NULL, &stack);
	char *failure = initialize(settings);
	sigaltstack(&stack, NULL);
	if (failure == NULL) *state = py_PyEval_SaveThread();
	return failure;
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

PyNew pyembed_context_enter(void) {
	PyNew context = py_PyContext_New();
	if (context.or_null != NULL && py_PyContext_Enter(context.or_null) < 0) {
		py_Py_DecRef(context.or_null);
		context.or_null = NULL;
	}
	return context;
}

void pyembed_context_exit(PyObject *context) {
	// It fails when Python code left its own context entered, which is then this thread's.
	if (py_PyContext_Exit(context) < 0) py_PyErr_Clear();
	py_Py_DecRef(context);
}

PyOptional pyembed_raised(void) {
	PyObject *kind, *value, *traceback;
	py_PyErr_Fetch(&kind, &value, &traceback);
	if (kind == NULL) return (PyOptional){NULL};
	py_PyErr_NormalizeException(&kind, &value, &traceback);
	if (traceback != NULL && value != NULL) py_PyException_SetTraceback(value, traceback);
	if (traceback != NULL) py_Py_DecRef(traceback);
	py_Py_DecRef(kind);
	return (PyOptional){value};
}

void pyembed_raise(PyObject *exception) {
	PyNew class = py_PyObject_Type(exception);
	if (class.or_null == NULL) return; // with an exception set
	py_PyErr_SetObject(class.or_null, exception);
	py_Py_DecRef(class.or_null);
}

// Exported by function.go.
extern PyObject *pyembedCall(uintptr_t handle, PyObject *args, PyObject *kwargs);
extern void pyembedDrop(uintptr_t handle);

static const char capsule[] = "pyembed.handle";

uintptr_t pyembed_handle(PyObject *o) {
	return py_PyCapsule_IsValid(o, capsule) ? (uintptr_t)py_PyCapsule_GetPointer(o, capsule) : 0;
}

static void drop_go(PyObject *self) {
	uintptr_t handle = pyembed_handle(self);
	if (handle != 0 && !pyembed_forked) pyembedDrop(handle);
}

PyNew pyembed_capsule(uintptr_t handle) { return py_PyCapsule_New((void *)handle, capsule, drop_go); }

// The stack frame of the innermost Go function that Python calls on the thread.
static __thread char *innermost;

void pyembed_begin(void) { innermost = NULL; }

// Reports whether the thread's stack is nearly used up: sys.setrecursionlimit may allow more calls than fit.
static int stack_is_low(const char *frame) {
	enum { enough = 512 << 10 };
	static __thread const char *low;
	if (low == NULL) {
		pthread_attr_t attributes;
		if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
		void *end;
		size_t size;
		if (pthread_attr_getstack(&attributes, &end, &size) == 0) low = (char *)end + enough;
		pthread_attr_destroy(&attributes);
	}
	return frame < low;
}

static PyObject *call_go(PyObject *self, PyObject *args, PyObject *kwargs) {
	char frame;
	// Calls lie below each other on the stack, unless a greenlet has put the stack of another in its place. Go's own
	// stack does not take part in that.
	if (innermost != NULL && &frame >= innermost) {
		py_PyErr_SetString(*pyembed_PyExc_RuntimeError,
		                   "a greenlet calls a Go function while another greenlet has switched inside one: "
		                   "a Go function must return before its greenlet switches");
		return NULL;
	}
	if (stack_is_low(&frame)) {
		py_PyErr_SetString(*pyembed_PyExc_RecursionError, "maximum depth of the stack exceeded while calling a Go function");
		return NULL;
	}
	if (pyembed_forked) {
		py_PyErr_SetString(*pyembed_PyExc_RuntimeError,
		                   "a Go function cannot be called in a forked process, where Go does not run: "
		                   "start processes by spawn or forkserver instead of fork");
		return NULL;
	}
	void *handle = py_PyCapsule_GetPointer(self, capsule);
	if (handle == NULL) return NULL;
	char *outer = innermost;
	innermost = &frame;
	PyObject *result = pyembedCall((uintptr_t)handle, args, kwargs);
	innermost = outer;
	return result;
}

PyNew pyembed_function(uintptr_t handle) {
	static PyMethodDef def = {"go_function", call_go, 1 | 2 /* METH_VARARGS | METH_KEYWORDS */, NULL};
	PyNew self = pyembed_capsule(handle);
	if (self.or_null == NULL) return self;
	PyNew function = py_PyCFunction_NewEx(&def, self.or_null, NULL);
	py_Py_DecRef(self.or_null);
	return function;
}
