package bench

import (
	"errors"
	"fmt"
)

// mismatch is an output that is not what was asked for: a check that failed, and with it the point.
type mismatch struct {
	check string
	error
}

func mismatchf(check, format string, args ...any) error {
	return mismatch{check, fmt.Errorf(format, args...)}
}

// checkOf is the check that an error says has failed; empty when it is an error of another kind.
func checkOf(err error) string {
	m, _ := errors.AsType[mismatch](err)
	return m.check
}
