package pyembed

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLargeResultsDoNotPileUp makes 3,000 results of 1 MiB that nobody releases, in one call and in
// many.
func TestLargeResultsDoNotPileUp(t *testing.T) {
	rt := python(t)
	make1MiB := func(py *Py) error {
		o, err := py.Eval("b'x' * (1 << 20)")
		if err != nil {
			return err
		}
		_, err = o.Len(py)
		return err
	}
	for name, run := range map[string]func() error{
		"one call": func() error {
			return rt.Do(context.Background(), func(py *Py) error {
				for range 3000 {
					if err := make1MiB(py); err != nil {
						return err
					}
				}
				return nil
			})
		},
		"many calls": func() error {
			for range 3000 {
				if err := rt.Do(context.Background(), make1MiB); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := residentKiB(t)
			most := make(chan int)
			done := make(chan struct{})
			go func() {
				peak := 0
				for {
					select {
					case <-done:
						most <- peak
						return
					default:
						peak = max(peak, residentKiB(t))
					}
				}
			}()
			require.NoError(t, run())
			close(done)
			growth := <-most - before
			t.Logf("grew by %d MiB at most", growth/1024)
			assert.Less(t, growth, 600<<10, "KiB")
		})
	}
}
