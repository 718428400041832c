package report

import (
	"math"

	"vllmgo/bench/stat"
)

// GeometricMean is the geometric mean of the ratios of several points: by which factor the times of
// the second run are longer, over all points alike.
type GeometricMean struct {
	Ratio float64 `json:"ratio"`
	// Low and High are the ends of its interval. The distances from the logarithm of the ratio to
	// those of its ends are the roots of the sums of the squares of the points' own, divided by the
	// number of points: the propagation of independent errors (JCGM 100:2008, section 5.1). Both
	// are 0 when a point has no interval.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
}

// newGeometricMean returns the mean of points; the zero value for none.
func newGeometricMean(points []PointComparison) GeometricMean {
	if len(points) == 0 {
		return GeometricMean{}
	}
	sum, below, above, known := 0.0, 0.0, 0.0, true
	for _, p := range points {
		sum += math.Log(p.Ratio)
		known = known && p.High > 0
		// The ratio of the medians can be outside the interval of the test, at an end of it then.
		below += square(max(0, math.Log(p.Ratio/p.Low)))
		above += square(max(0, math.Log(p.High/p.Ratio)))
	}
	n := float64(len(points))
	m := GeometricMean{Ratio: math.Exp(sum / n)}
	if known {
		m.Low, m.High = m.Ratio*math.Exp(-math.Sqrt(below)/n), m.Ratio*math.Exp(math.Sqrt(above)/n)
	}
	return m
}

func square(v float64) float64 { return v * v }

// Judgement is what a comparison says about a limit.
type Judgement string

const (
	// NotSlower means that the second run is not slower than the first by the limit.
	NotSlower Judgement = "not slower"
	// Slower means that the second run is slower than the first, and may be by the limit.
	Slower Judgement = "slower"
	// Undecided means that the second run may be as fast as the first and slower by the limit.
	Undecided Judgement = "not decided"
	// NothingInCommon means that no point was measured in both runs.
	NothingInCommon Judgement = "nothing in common"
)

// Judge reports whether the second run is slower than the first by a limit, a fraction such as
// 0.03. The interval of the geometric mean decides: [NotSlower] when it ends below 1 + limit,
// [Slower] when it does not and begins above 1, and [Undecided] when it has both.
func (c *Comparison) Judge(limit float64) Judgement {
	switch {
	case len(c.Points) == 0:
		return NothingInCommon
	case c.Mean.High == 0:
		return Undecided
	case c.Mean.High < 1+limit:
		return NotSlower
	case c.Mean.Low > 1:
		return Slower
	}
	return Undecided
}

// TrialsFor returns how many trials of each point show a difference by a fraction such as 0.03: so
// many that the interval of the mean reaches no further to either side. It returns 0 when the
// trials at hand do.
func (c *Comparison) TrialsFor(difference float64) int {
	if len(c.Points) == 0 {
		return 0
	}
	reach := c.Mean.reach()
	if c.Mean.High > 0 && reach <= math.Log1p(difference) {
		return 0
	}
	return c.trialsUntil(reach, math.Log1p(difference))
}

// TrialsToJudge returns how many trials of each point let [Comparison.Judge] decide about a limit,
// whatever the second run is: the interval of the mean is then too short to have both 1 and the
// limit.
func (c *Comparison) TrialsToJudge(limit float64) int {
	return c.trialsUntil(c.Mean.reach(), math.Log1p(limit)/2)
}

// trialsUntil returns how many trials make a reach of the interval as short as is asked for.
func (c *Comparison) trialsUntil(reach, wanted float64) int {
	n := 0
	for _, p := range c.Points {
		n = max(n, p.First.N, p.Second.N)
	}
	if c.Mean.High == 0 {
		return max(n+1, leastTrials)
	}
	return max(leastTrials, neededFor(n, reach, wanted))
}

// reach returns the greater distance of the mean to an end of its interval, as a logarithm.
func (m GeometricMean) reach() float64 { return math.Log(max(m.High/m.Ratio, m.Ratio/m.Low)) }

// differs reports whether the interval shows that the runs differ.
func (m GeometricMean) differs() bool { return m.High > 0 && (m.Low > 1 || m.High < 1) }

// comparison returns the mean as the comparison of a point, whose words tables share.
func (m GeometricMean) comparison() stat.Comparison {
	return stat.Comparison{Ratio: m.Ratio, Low: m.Low, High: m.High, Differ: m.differs()}
}
