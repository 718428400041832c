package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"vllmgo/internal/fake"
)

// noise is a way in which times come from a machine. values returns a function that returns the
// next time, in relation to the true median.
type noise struct {
	name string
	// least is the least share of points whose interval must cover the median, and leastReached
	// that of the points that have reached the target.
	least, leastReached float64
	alike               bool
	values              func(r *rand.Rand) (next func() float64)
}

func independent(percent float64) noise {
	return noise{fmt.Sprintf("independent, %v %%", percent), 0.94, 0.9, false, func(r *rand.Rand) func() float64 {
		return func() float64 {
			return 1 + percent*(float64(fake.Times(r, 1, time.Second)[0])/float64(time.Second)-1)
		}
	}}
}

// drifting is an AR(1) process of 2 %: each time has the given correlation with the one before.
func drifting(correlation, least float64) noise {
	return noise{fmt.Sprintf("drift, correlation %v", correlation), least, 0.9, false, func(r *rand.Rand) func() float64 {
		state := r.NormFloat64()
		return func() float64 {
			state = correlation*state + math.Sqrt(1-correlation*correlation)*r.NormFloat64()
			return math.Exp(0.02 * state)
		}
	}}
}

// sticky is a machine with two speeds 5 % apart, which changes its speed in a tenth of the trials.
// The median is among the times of the faster, which it has for 3 trials of 5.
func sticky() noise {
	return noise{"two speeds", 0.55, 0.5, false, func(r *rand.Rand) func() float64 {
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

// alike is a machine that has the same noise for all points of a round, and 0.2 % for each besides.
func alike(n noise) noise {
	n.name += ", the same for all points"
	n.alike = true
	return n
}

// simulatedMedian is the true median of simulated times.
const simulatedMedian = 100 * time.Millisecond

// sources returns what gives the next time of each of some points that share an engine, in relation
// to the true median.
func (n noise) sources(r *rand.Rand, points int) []func() float64 {
	next := make([]func() float64, points)
	values, common := n.values(r), []float64(nil)
	for i := range next {
		if !n.alike {
			next[i] = n.values(r)
			continue
		}
		round := -1
		next[i] = func() float64 {
			if round++; round == len(common) {
				common = append(common, values())
			}
			return common[round] * (1 + 0.002*r.NormFloat64())
		}
	}
	return next
}

// simulation is a run of points that share an engine: their times, and why they have no more.
type simulation struct {
	times   [][]time.Duration
	stopped []StopReason
}

// simulate measures points in rounds until each has its trials.
func simulate(rule Stopping, next []func() float64) simulation {
	s := simulation{make([][]time.Duration, len(next)), make([]StopReason, len(next))}
	for slices.Contains(s.stopped, "") {
		for i := range next {
			if s.stopped[i] == "" {
				s.times[i] = append(s.times[i], time.Duration(next[i]()*float64(simulatedMedian)))
				s.stopped[i] = rule.Stop(s.times[i], s.others(i)...)
			}
		}
	}
	return s
}

// others returns the times of all points but one.
func (s simulation) others(i int) [][]time.Duration {
	return slices.Delete(slices.Clone(s.times), i, i+1)
}

// coverage counts points, their trials, and the points whose interval covers the median.
type coverage struct{ points, trials, covered int }

// share returns the share of points whose interval covers the median.
func (c coverage) share() float64 { return float64(c.covered) / float64(c.points) }

// cell returns the coverage as a table has it, with the share of all points that c counts, unless
// that is below 1 %.
func (c coverage) cell(all int) string {
	if 100*c.points < all {
		return "–"
	}
	return fmt.Sprintf("%.1f %% of %.0f %%", 100*c.share(), 100*float64(c.points)/float64(all))
}

// ends simulates 2,000 points, so many on an engine, and counts them by why they have no more
// trials.
func (n noise) ends(points int) (all coverage, of map[StopReason]coverage) {
	r := rand.New(rand.NewPCG(5, 6))
	of = make(map[StopReason]coverage)
	for all.points < 2000 {
		s := simulate(UntilPrecise(DefaultTarget, 0), n.sources(r, points))
		for i, times := range s.times {
			one := coverage{points: 1, trials: len(times)}
			if m := MedianInOrder(times, s.others(i)...); m.Low <= simulatedMedian && simulatedMedian <= m.High {
				one.covered = 1
			}
			all, of[s.stopped[i]] = all.plus(one), of[s.stopped[i]].plus(one)
		}
	}
	return all, of
}

func (c coverage) plus(d coverage) coverage {
	return coverage{c.points + d.points, c.trials + d.trials, c.covered + d.covered}
}

// Stopping at the first narrow interval costs coverage, and so do trials that depend on those
// before. Points that reach the target all the same are covered as others are, or the reason says
// that nobody knows. docs/benchmarking.md has the table that this logs.
func TestStoppingCoverage(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("takes a minute, and four with the race detector, without which make test runs it")
	}
	const few = 100 // points that say nothing about a share
	noises := []noise{
		independent(0.5), independent(2), independent(4), drifting(0.3, 0.9), drifting(0.5, 0.87), drifting(0.8, 0.75), sticky(),
	}
	for _, points := range []int{1, 6, 16} {
		if points > 1 {
			noises = append(noises[:7:7], alike(noises[5]), alike(noises[6]))
		}
		for _, n := range noises {
			t.Run(fmt.Sprint(points, " points, ", n.name), func(t *testing.T) {
				t.Parallel()
				all, of := n.ends(points)
				reached := of[TargetReached]
				t.Logf("| %d | %s | %.1f | %.1f %% | %s | %s | %s |", points, n.name,
					float64(all.trials)/float64(all.points), 100*all.share(), reached.cell(all.points),
					of[TargetIfIndependent].cell(all.points), of[MostTrials].cell(all.points))
				assert.Greater(t, all.share(), n.least)
				if reached.points >= few {
					assert.Greater(t, reached.share(), n.leastReached)
				}
				if points == 1 || n.alike {
					assert.LessOrEqual(t, reached.points, all.points/8, "one series shows too little")
				}
			})
		}
	}
}

// A calm point needs fewer trials beside others than alone, because together they show that trials
// are independent.
func TestStoppingCalmPoints(t *testing.T) {
	alone, _ := independent(0.5).ends(1)
	among, of := independent(0.5).ends(16)
	assert.Less(t, among.trials*alone.points, alone.trials*among.points*9/10)
	assert.Greater(t, of[TargetReached].points, among.points*9/10)
}

// Only a rule that pools looks at the other points, and marks a target that too few trials show.
func TestStop(t *testing.T) {
	calm := ms(100, 100, 101, 100, 101, 100, 100, 101, 100, 101)
	drift := ms(90, 92, 94, 96, 98, 100, 102, 104, 106, 108)
	var many [][]time.Duration
	for range 8 {
		many = append(many, calm)
	}
	rule := UntilPrecise(0.02, 0)
	earlier := rule
	earlier.Pooled = false
	for name, c := range map[string]struct {
		rule   Stopping
		times  []time.Duration
		others [][]time.Duration
		want   StopReason
	}{
		"too few trials":              {rule, calm[:5], many, ""},
		"alone":                       {rule, calm, nil, TargetIfIndependent},
		"others that are the same":    {rule, calm, many, TargetIfIndependent},
		"others that drift":           {rule, calm, [][]time.Duration{drift}, ""},
		"others, by an earlier rule":  {earlier, calm, [][]time.Duration{drift}, TargetReached},
		"wide":                        {rule, drift, nil, ""},
		"the most trials":             {rule, slices.Concat(drift, drift, drift, drift, drift), nil, MostTrials},
		"fixed":                       {FixedTrials(10), calm, nil, MostTrials},
		"fixed, and another to come":  {FixedTrials(11), calm, nil, ""},
		"as many trials as are equal": {rule, slices.Repeat(calm[:1], 50), nil, TargetReached},
	} {
		assert.Equal(t, c.want, c.rule.Stop(c.times, c.others...), name)
	}
}
