package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/internal/fake"
)

// series is a way in which times come from a machine. next returns the next time, in relation to
// the true median.
type series struct {
	name   string
	least  float64 // the least share of runs whose interval must cover the median
	values func(r *rand.Rand) (next func() float64)
}

func independent(noise float64) series {
	return series{fmt.Sprintf("independent, %v %%", noise), 0.94, func(r *rand.Rand) func() float64 {
		return func() float64 {
			return 1 + noise*(float64(fake.Times(r, 1, time.Second)[0])/float64(time.Second)-1)
		}
	}}
}

// drifting is an AR(1) process of 2 %: each time has the given correlation with the one before.
func drifting(correlation, least float64) series {
	return series{fmt.Sprintf("drift, correlation %v", correlation), least, func(r *rand.Rand) func() float64 {
		state := r.NormFloat64()
		return func() float64 {
			state = correlation*state + math.Sqrt(1-correlation*correlation)*r.NormFloat64()
			return math.Exp(0.02 * state)
		}
	}}
}

// sticky is a machine with two speeds 5 % apart, which changes its speed in a tenth of the trials.
// The median is among the times of the faster, which it has for 3 trials of 5.
func sticky() series {
	return series{"two speeds", 0.6, func(r *rand.Rand) func() float64 {
		slow := r.Float64() < 0.4
		return func() float64 {
			if slow && r.Float64() < 0.12 || !slow && r.Float64() < 0.08 {
				slow = !slow
			}
			noise := 0.005 * (r.NormFloat64() - 0.9674) // 0.9674 is the normal quantile of 0.5/0.6
			if slow {
				return 1.05 + noise
			}
			return 1 + noise
		}
	}}
}

// Stopping at the first narrow interval costs coverage, and so do trials that depend on those
// before: docs/benchmarking.md has the figures that this logs.
func TestStoppingCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	stopping := UntilPrecise(DefaultTarget, 0)
	const runs, median = 2000, 100 * time.Millisecond
	for _, s := range []series{
		independent(0.5), independent(1), independent(2), independent(4),
		drifting(0.3, 0.88), drifting(0.5, 0.85), drifting(0.8, 0.75), sticky(),
	} {
		covered, trials, reached, reachedCovered := 0, 0, 0, 0
		for range runs {
			next := s.values(r)
			var times []time.Duration
			for !stopping.Done(times) {
				times = append(times, time.Duration(next()*float64(median)))
			}
			trials += len(times)
			m := MedianInOrder(times)
			covers := m.Low <= median && median <= m.High
			if covers {
				covered++
			}
			if stopping.Reason(times, false) == TargetReached {
				reached++
				if covers {
					reachedCovered++
				}
			}
		}
		share := float64(covered) / runs
		t.Logf("%s: the interval covers the median in %.1f %% of runs, of %.1f trials on average; "+
			"%.0f %% reach the target, and cover it in %.1f %%", s.name, 100*share, float64(trials)/runs,
			100*float64(reached)/runs, 100*float64(reachedCovered)/float64(reached))
		assert.Greater(t, share, s.least, s.name)
	}
}
