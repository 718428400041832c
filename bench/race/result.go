package race

import (
	"time"

	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// Result has the figures of a race.
type Result struct {
	Header Header `json:"header"`
	// Points have each contender's figures at each point.
	Points []PointResult `json:"points"`
	// Overall has each contender's figures over all points that it has measured.
	Overall []Overall `json:"overall"`
	// Failures are the contenders that dropped out of a group.
	Failures []Failure `json:"failures,omitempty"`
	// Damaged is true when the last line of the journal was damaged and left out, as after a crash.
	Damaged bool `json:"damaged,omitempty"`
	// Unverified is true when the journal has no checksums; see [Journal]. It is not in
	// race.json, which an older program wrote without it.
	Unverified bool `json:"-"`
}

// PointResult is a point with its contenders, in the header's order.
type PointResult struct {
	workload.Point
	Contenders []Figures `json:"contenders"`
}

// Figures are a contender's figures at a point.
type Figures struct {
	Contender string `json:"contender"`
	// Rate is in generated tokens a second.
	Rate stat.Estimate[float64] `json:"rate"`
	// Ratio is the first contender's rate over this one's in the same round. If it is above 1, the
	// first contender is faster. With Reload, a value is the geometric mean over a
	// cycle: as many rounds in a row as there are contenders, in which each is loaded first once.
	// Cycles that lack a round are left out.
	Ratio stat.Estimate[float64] `json:"ratio"`
	// Outside is the share of the time outside LLM.generate, if that is known.
	Outside stat.Estimate[float64] `json:"outside,omitzero"`
	// SameOutputs is the number of rounds in which the contender generated the same tokens as the
	// first. Compared is the number of rounds in which the tokens of both are known.
	SameOutputs int `json:"same_outputs"`
	Compared    int `json:"compared"`
}

// Overall are a contender's figures over all points.
type Overall struct {
	Contender string `json:"contender"`
	// Points is the number of points that both it and the first contender have measured.
	Points int `json:"points"`
	// Ratio is the geometric mean over the points of the first contender's rate over this one's.
	// Each round with all points gives a value. With Reload, each cycle of such rounds does, as in
	// [Figures].Ratio.
	Ratio stat.Estimate[float64] `json:"ratio"`
	// Table is the time to measure every point once: to load, to warm up each point with one pass
	// and to measure one. For contenders with a process for each point, it is the time of all
	// processes.
	Table time.Duration `json:"table_ns"`
	// Load and FirstToken are medians of start-up times: until the engine can generate, and until
	// its first token.
	Load       time.Duration `json:"load_ns"`
	FirstToken time.Duration `json:"first_token_ns"`
	// FrontEndMemory is the peak of the resident memory of the contender's processes, without
	// vLLM's engine cores and workers, in bytes.
	FrontEndMemory int64 `json:"front_end_memory_bytes"`
	// CPUPerToken is the processor time of all processes for each generated token. For contenders
	// with a process for each point, it includes loading.
	CPUPerToken time.Duration `json:"cpu_per_token_ns"`
}

// NewResult computes a race's results from its journal.
func NewResult(j *Journal) *Result {
	r := &Result{Header: j.Header, Failures: j.Failures, Damaged: j.Damaged, Unverified: j.Unverified}
	m := newMeasured(j)
	for _, p := range m.points {
		row := PointResult{Point: p}
		for _, c := range m.Contenders {
			row.Contenders = append(row.Contenders, m.figures(p, c))
		}
		r.Points = append(r.Points, row)
	}
	for _, c := range m.Contenders {
		r.Overall = append(r.Overall, m.overall(c))
	}
	return r
}

// Complete reports whether every contender has a figure at every point.
func (r *Result) Complete() bool {
	for _, p := range r.Points {
		for _, f := range p.Contenders {
			if f.Rate.N == 0 {
				return false
			}
		}
	}
	return true
}

// figures returns a contender's figures at a point.
func (m measured) figures(p workload.Point, c Contender) Figures {
	own, first := m.of(c, p), m.of(m.first(), p)
	f := Figures{Contender: c.Name, Rate: own.rate(p), Outside: own.outside()}
	f.Ratio = stat.Median(perCycle(roundRatios(own, first), m.cycle()))
	f.SameOutputs, f.Compared = sameOutputs(own, first)
	return f
}

// overall returns a contender's figures over all points that both it and the first contender have.
func (m measured) overall(c Contender) Overall {
	points := m.common(c)
	own := m.each(c, points)
	o := Overall{Contender: c.Name, Points: len(points)}
	o.Ratio = stat.Median(perCycle(meanRatios(own, m.each(m.first(), points)), m.cycle()))
	o.Table = m.loadingTime(c) + passTime(c, own)
	o.Load, o.FirstToken = m.startUp(c)
	o.FrontEndMemory = frontEndMemory(own)
	o.CPUPerToken = cpuPerToken(points, own)
	return o
}
