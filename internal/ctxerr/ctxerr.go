// Package ctxerr returns why a context ended, as an error.
package ctxerr

import (
	"context"
	"fmt"
)

// Reason returns why ctx ended: its error, with its cause if that is another. It returns nil while
// ctx has not ended.
func Reason(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}
