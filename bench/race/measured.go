package race

import (
	"slices"

	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// measured is a journal in the form that results are computed from.
type measured struct {
	Header
	points []workload.Point // of all studies
	passes map[passKey]passes
	loaded []Loaded
}

// passKey identifies the passes of one contender at one point.
type passKey struct {
	contender string
	point     workload.PointID
}

// passes are the trials of one contender at one point, in order of rounds.
type passes []Trial

// newMeasured arranges what a journal has.
func newMeasured(j *Journal) measured {
	m := measured{Header: j.Header, passes: map[passKey]passes{}, loaded: j.Loaded}
	for _, s := range j.Header.Studies {
		m.points = append(m.points, s.Points...)
	}
	for _, t := range j.Trials {
		key := passKey{t.Contender, t.PointID}
		m.passes[key] = append(m.passes[key], t)
	}
	for _, p := range m.passes {
		slices.SortStableFunc(p, func(a, b Trial) int { return a.Round - b.Round })
	}
	return m
}

// first returns the contender that the others are compared with.
func (m measured) first() Contender { return m.Contenders[0] }

// cycle returns the number of rounds that belong together. With Reload, each contender is loaded
// first once in as many rounds as there are contenders.
func (m measured) cycle() int {
	if m.Reload {
		return len(m.Contenders)
	}
	return 1
}

// of returns a contender's passes of a point.
func (m measured) of(c Contender, p workload.Point) passes { return m.passes[passKey{c.Name, p.ID()}] }

// common returns the points that both a contender and the first one have measured.
func (m measured) common(c Contender) []workload.Point {
	var points []workload.Point
	for _, p := range m.points {
		if len(m.of(c, p)) > 0 && len(m.of(m.first(), p)) > 0 {
			points = append(points, p)
		}
	}
	return points
}

// each returns a contender's passes of each of the points.
func (m measured) each(c Contender, points []workload.Point) []passes {
	var all []passes
	for _, p := range points {
		all = append(all, m.of(c, p))
	}
	return all
}

// in returns the trial of a round and reports whether there is one.
func (p passes) in(round int) (Trial, bool) {
	i := slices.IndexFunc(p, func(t Trial) bool { return t.Round == round })
	if i < 0 {
		return Trial{}, false
	}
	return p[i], true
}

// rate returns the generated tokens a second at a point.
func (p passes) rate(point workload.Point) stat.Estimate[float64] {
	var rates []float64
	for _, t := range p {
		rates = append(rates, float64(point.OutputTokens())/t.Wall.Seconds())
	}
	return stat.Median(rates)
}

// outside returns the share of the time outside LLM.generate, over the passes of which it is known.
func (p passes) outside() stat.Estimate[float64] {
	var shares []float64
	for _, t := range p {
		if t.Elapsed > 0 {
			shares = append(shares, 1-t.Elapsed.Seconds()/t.Wall.Seconds())
		}
	}
	return stat.Median(shares)
}

// sameOutputs returns the number of rounds in which two contenders generated the same tokens, and
// the number of rounds in which the tokens of both are known.
func sameOutputs(own, first passes) (same, compared int) {
	for _, t := range own {
		other, found := first.in(t.Round)
		if !found || t.OutputsSHA256 == "" || other.OutputsSHA256 == "" {
			continue
		}
		compared++
		if t.OutputsSHA256 == other.OutputsSHA256 {
			same++
		}
	}
	return same, compared
}
