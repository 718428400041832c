package pyembed

// maxDepth bounds the nesting of converted values, so that a cycle is an error and not a crash.
const maxDepth = 500

// From converts a Go value to a new Python object; see the package comment for the rules. The error names
// the path of the element that cannot be converted, such as ["prompts"][3].
func (py *Py) From(value any) (*Object, error) {
	ptr, err := py.toPython(value)
	if err != nil {
		return nil, err
	}
	return py.own(ptr)
}

// As converts a Python object to a Go value of type T; see the package comment for the rules. Numbers that
// do not fit, and values of another kind, are errors that name the element's path.
func As[T any](py *Py, o *Object) (T, error) {
	var result T
	return result, py.Into(o, &result)
}
