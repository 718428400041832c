package stat

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/internal/fake"
)

// Stopping at the first narrow interval costs coverage: docs/benchmarking.md has the figures that
// this logs.
func TestStoppingCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	stopping := UntilPrecise(DefaultTarget, 0)
	const runs, median = 2000, 100 * time.Millisecond
	for _, noise := range []float64{0.5, 1, 2, 4} {
		covered, trials := 0, 0
		for range runs {
			var times []time.Duration
			for !stopping.Done(times) {
				t := fake.Times(r, 1, median)[0]
				times = append(times, median+time.Duration(noise*float64(t-median)))
			}
			trials += len(times)
			if m := Median(times); m.Low <= median && median <= m.High {
				covered++
			}
		}
		t.Logf("noise %v %%: the interval covers the median in %.1f %% of runs, of %.1f trials on average",
			noise, 100*float64(covered)/runs, float64(trials)/runs)
		assert.Greater(t, float64(covered)/runs, 0.90)
	}
}
