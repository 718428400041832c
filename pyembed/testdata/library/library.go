// Library is a Go library for a Python program to load.
package main

import "C"

import "vllmgo/pyembed"

// Start tries to start a Python in the process and returns the error.
//
//export Start
func Start() *C.char {
	if _, err := pyembed.Start(pyembed.Config{}); err != nil {
		return C.CString(err.Error())
	}
	return C.CString("started")
}

func main() {}
