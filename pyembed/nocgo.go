//go:build !cgo

package pyembed

// This file does not compile, so that the error explains why the package does not.

var _ = pyembed_needs_cgo__set_CGO_ENABLED_1_and_install_a_C_compiler_such_as_gcc
