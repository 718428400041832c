package ctxerr

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReason(t *testing.T) {
	assert.NoError(t, Reason(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, context.Canceled, Reason(ctx))
	why := errors.New("the user left")
	caused, end := context.WithCancelCause(t.Context())
	end(why)
	assert.ErrorIs(t, Reason(caused), context.Canceled)
	assert.ErrorIs(t, Reason(caused), why)
	assert.EqualError(t, Reason(caused), "context canceled: the user left")
}
