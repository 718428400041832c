#include "capi.h"

static int kind_of_class(PyObject *class) {
	if (class == pyembed_PyBool_Type) return PYEMBED_BOOL;
	// The bits that mark subclasses of built-in types; see CPython's object.h.
	unsigned long flags = py_PyType_GetFlags(class);
	if (flags & 1ul << 24) return PYEMBED_INT;
	if (flags & 1ul << 25) return PYEMBED_LIST;
	if (flags & 1ul << 26) return PYEMBED_TUPLE;
	if (flags & 1ul << 27) return PYEMBED_BYTES;
	if (flags & 1ul << 28) return PYEMBED_STR;
	if (flags & 1ul << 29) return PYEMBED_DICT;
	if (flags & 1ul << 30) return PYEMBED_EXCEPTION;
	const struct {
		PyObject *class;
		int kind;
	} others[] = {
	    {pyembed_PyFloat_Type, PYEMBED_FLOAT},         {pyembed_PyComplex_Type, PYEMBED_COMPLEX},
	    {pyembed_PyByteArray_Type, PYEMBED_BYTEARRAY}, {pyembed_PyMemoryView_Type, PYEMBED_MEMORYVIEW},
	    {pyembed_PySet_Type, PYEMBED_SET},             {pyembed_PyFrozenSet_Type, PYEMBED_SET},
	};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (py_PyType_IsSubtype(class, others[i].class)) return others[i].kind;
	}
	return PYEMBED_OTHER;
}

int pyembed_kind(PyObject *o) {
	if (o == pyembed__Py_NoneStruct) return PYEMBED_NONE;
	PyNew class = py_PyObject_Type(o); // of an object, it cannot fail
	int kind = kind_of_class(class.or_null);
	py_Py_DecRef(class.or_null);
	return kind;
}

PyStatus pyembed_as_int64(PyObject *o, int64_t *value) {
	int overflow = 0;
	long long n = py_PyLong_AsLongLongAndOverflow(o, &overflow);
	if (n == -1 && py_PyErr_Occurred() != NULL) return (PyStatus){-1};
	*value = n;
	return (PyStatus){overflow != 0};
}

PyStatus pyembed_as_double(PyObject *o, double *value) {
	*value = py_PyFloat_AsDouble(o);
	return (PyStatus){*value == -1 && py_PyErr_Occurred() != NULL ? -1 : 0};
}

PyStatus pyembed_as_complex(PyObject *o, double *real, double *imag) {
	*real = py_PyComplex_RealAsDouble(o);
	if (*real == -1 && py_PyErr_Occurred() != NULL) return (PyStatus){-1};
	*imag = py_PyComplex_ImagAsDouble(o);
	return (PyStatus){*imag == -1 && py_PyErr_Occurred() != NULL ? -1 : 0};
}

PyStatus pyembed_next(PyObject *iterator, PyObject **item) {
	*item = py_PyIter_Next(iterator);
	if (*item != NULL) return (PyStatus){1};
	return (PyStatus){py_PyErr_Occurred() != NULL ? -1 : 0};
}

PyNew pyembed_getattr(PyObject *o, const char *name, Py_ssize_t n) {
	PyNew text = py_PyUnicode_DecodeUTF8(name, n, "surrogatepass");
	if (text.or_null == NULL) return text;
	PyNew value = py_PyObject_GetAttr(o, text.or_null);
	py_Py_DecRef(text.or_null);
	return value;
}

PyStatus pyembed_utf8(PyObject *o, const char **text, Py_ssize_t *n) {
	*text = py_PyUnicode_AsUTF8AndSize(o, n);
	return (PyStatus){*text == NULL ? -1 : 0};
}

static PyNew kept(PyObject *borrowed) {
	if (borrowed != NULL) py_Py_IncRef(borrowed);
	return (PyNew){borrowed};
}

PyNew pyembed_list_item(PyObject *o, Py_ssize_t i) { return kept(py_PyList_GetItem(o, i)); }
PyNew pyembed_tuple_item(PyObject *o, Py_ssize_t i) { return kept(py_PyTuple_GetItem(o, i)); }
PyNew pyembed_module(PyObject *name) { return kept(py_PyImport_AddModuleObject(name)); }
PyNew pyembed_globals(PyObject *module) { return kept(py_PyModule_GetDict(module)); }
PyNew pyembed_modules(void) { return kept(py_PyImport_GetModuleDict()); }

#define LIST_FROM(make) \
	PyNew list = py_PyList_New(n); \
	for (Py_ssize_t i = 0; i < n && list.or_null != NULL; i++) { \
		PyNew item = make; \
		if (item.or_null == NULL || py_PyList_SetItem(list.or_null, i, item.or_null).or_negative < 0) { \
			py_Py_DecRef(list.or_null); \
			list.or_null = NULL; \
		} \
	} \
	return list;

PyNew pyembed_list_from_int32(const int32_t *values, Py_ssize_t n) { LIST_FROM(py_PyLong_FromLongLong(values[i])) }
PyNew pyembed_list_from_int64(const int64_t *values, Py_ssize_t n) { LIST_FROM(py_PyLong_FromLongLong(values[i])) }
PyNew pyembed_list_from_double(const double *values, Py_ssize_t n) { LIST_FROM(py_PyFloat_FromDouble(values[i])) }

PyNew pyembed_list_from_strings(const char *text, const Py_ssize_t *lengths, Py_ssize_t n) {
	Py_ssize_t at = 0;
	LIST_FROM((at += lengths[i], py_PyUnicode_DecodeUTF8(text + at - lengths[i], lengths[i], NULL)))
}

// An item that is not read as it should leaves no exception: Go reads it again, for its error. Reading may run Python
// code, which may change the list.
#define LIST_TO(read, fits) \
	for (Py_ssize_t i = 0; i < n; i++) { \
		PyObject *item = py_PyList_GetItem(list, i); \
		if (item != NULL) py_Py_IncRef(item); \
		int failed = item == NULL || (read).or_negative != 0 || !(fits); \
		if (failed) py_PyErr_Clear(); \
		if (item != NULL) py_Py_DecRef(item); \
		if (failed) return i; \
	} \
	return n;

Py_ssize_t pyembed_list_to_int32(PyObject *list, int32_t *values, Py_ssize_t n) {
	int64_t wide;
	LIST_TO(pyembed_as_int64(item, &wide), (values[i] = (int32_t)wide) == wide)
}

Py_ssize_t pyembed_list_to_int64(PyObject *list, int64_t *values, Py_ssize_t n) {
	LIST_TO(pyembed_as_int64(item, &values[i]), 1)
}

Py_ssize_t pyembed_list_to_double(PyObject *list, double *values, Py_ssize_t n) {
	LIST_TO(pyembed_as_double(item, &values[i]), 1)
}

Py_ssize_t pyembed_list_to_strings(PyObject *list, const char **texts, Py_ssize_t *lengths, Py_ssize_t n) {
	LIST_TO(pyembed_utf8(item, &texts[i], &lengths[i]), 1)
}
