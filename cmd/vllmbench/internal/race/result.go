package race

import (
	"slices"
	"time"

	gonum "gonum.org/v1/gonum/stat"

	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// Result is what a race says about its contenders.
type Result struct {
	Header Header `json:"header"`
	// Points have each contender's figures at each point.
	Points []PointResult `json:"points"`
	// Overall has each contender's figures over all points that it finished.
	Overall []Overall `json:"overall"`
	// Failures are contenders that are out.
	Failures []Failure `json:"failures,omitempty"`
}

// PointResult is a point and its contenders, in the header's order.
type PointResult struct {
	workload.Point
	Contenders []Figures `json:"contenders"`
}

// Figures are a contender's at a point.
type Figures struct {
	Contender string `json:"contender"`
	// Rate is in generated tokens a second.
	Rate stat.Estimate[float64] `json:"rate"`
	// Ratio is the first contender's rate over this one's, round for round: above 1 the first is faster. See
	// [Journal.perCycle].
	Ratio stat.Estimate[float64] `json:"ratio"`
	// Outside is the share of the time outside LLM.generate, when it is known.
	Outside stat.Estimate[float64] `json:"outside,omitzero"`
	// SameOutputs is the number of rounds in which the contender generated the same tokens as the first, and Compared
	// that of rounds in which both are known.
	SameOutputs int `json:"same_outputs"`
	Compared    int `json:"compared"`
}

// Overall are a contender's figures over all points.
type Overall struct {
	Contender string `json:"contender"`
	// Points is the number of points that both it and the first contender have.
	Points int `json:"points"`
	// Ratio is the geometric mean over the points of the first contender's rate over this one's: its median over the
	// rounds that have all points. See [Journal.perCycle].
	Ratio stat.Estimate[float64] `json:"ratio"`
	// Table is the time of the whole table, each point once: loading, a warm-up pass of each point and one measured pass
	// or, for contenders with a process for each point, all processes.
	Table time.Duration `json:"table_ns"`
	// Load and FirstToken are the medians of start-up times: to an engine that can generate, and to its first token.
	Load       time.Duration `json:"load_ns"`
	FirstToken time.Duration `json:"first_token_ns"`
	// FrontEndMemory is the peak of the resident memory of the processes that are not vLLM's engine cores or workers.
	FrontEndMemory int64 `json:"front_end_memory_bytes"`
	// CPUPerToken is the processor time of all processes for each generated token; for contenders with a process for
	// each point, loading included.
	CPUPerToken time.Duration `json:"cpu_per_token_ns"`
}

// NewResult computes a race's results from its journal.
func NewResult(j *Journal) *Result {
	r := &Result{Header: j.Header, Failures: j.Failures}
	var points []workload.Point
	for _, s := range j.Header.Studies {
		points = append(points, s.Points...)
	}
	for _, p := range points {
		row := PointResult{Point: p}
		for _, c := range j.Header.Contenders {
			row.Contenders = append(row.Contenders, j.figures(p, c.Name))
		}
		r.Points = append(r.Points, row)
	}
	for _, c := range j.Header.Contenders {
		r.Overall = append(r.Overall, j.overall(points, c))
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

// first is the name of the contender with whom the others are compared.
func (j *Journal) first() string { return j.Header.Contenders[0].Name }

// trials are a contender's trials of a point, in order of rounds.
func (j *Journal) trials(p workload.PointID, contender string) []Trial {
	var trials []Trial
	for _, t := range j.Trials {
		if t.PointID == p && t.Contender == contender {
			trials = append(trials, t)
		}
	}
	slices.SortFunc(trials, func(a, b Trial) int { return a.Round - b.Round })
	return trials
}

func (j *Journal) figures(p workload.Point, contender string) Figures {
	f := Figures{Contender: contender}
	var rates, outside []float64
	ratios := map[int]float64{}
	for _, t := range j.trials(p.ID(), contender) {
		rates = append(rates, float64(p.OutputTokens())/t.Wall.Seconds())
		if t.Elapsed > 0 {
			outside = append(outside, 1-t.Elapsed.Seconds()/t.Wall.Seconds())
		}
		if first, found := j.trial(j.first(), p.ID(), t.Round); found {
			ratios[t.Round] = t.Wall.Seconds() / first.Wall.Seconds()
			if t.OutputsSHA256 != "" && first.OutputsSHA256 != "" {
				f.Compared++
				if t.OutputsSHA256 == first.OutputsSHA256 {
					f.SameOutputs++
				}
			}
		}
	}
	f.Rate, f.Ratio, f.Outside = stat.Median(rates), stat.Median(j.perCycle(ratios)), stat.Median(outside)
	return f
}

// perCycle makes of each round's ratio the values to take the median of. They are the rounds' own or, with engines loaded
// anew for each round, the geometric means of cycles: as many rounds as there are contenders, in which each is loaded first
// once. The place in that order can make more than the contender; over a cycle it cancels out. Cycles with a round missing
// count for nothing.
func (j *Journal) perCycle(ratios map[int]float64) []float64 {
	length := 1
	if j.Header.Reload {
		length = len(j.Header.Contenders)
	}
	cycles := map[int][]float64{}
	for round, ratio := range ratios {
		cycle := (round - 1) / length
		cycles[cycle] = append(cycles[cycle], ratio)
	}
	var values []float64
	for _, cycle := range cycles {
		if len(cycle) == length {
			values = append(values, gonum.GeometricMean(cycle, nil))
		}
	}
	return values
}

func (j *Journal) overall(points []workload.Point, c Contender) Overall {
	o := Overall{Contender: c.Name}
	var finished []workload.Point
	for _, p := range points {
		if len(j.trials(p.ID(), c.Name)) > 0 && len(j.trials(p.ID(), j.first())) > 0 {
			finished = append(finished, p)
		}
	}
	o.Points = len(finished)
	means := map[int]float64{}
	for round := 1; o.Points > 0; round++ {
		var ratios []float64
		some := false
		for _, p := range finished {
			first, found := j.trial(j.first(), p.ID(), round)
			own, ownFound := j.trial(c.Name, p.ID(), round)
			some = some || ownFound
			if found && ownFound {
				ratios = append(ratios, own.Wall.Seconds()/first.Wall.Seconds())
			}
		}
		if !some {
			break
		}
		if len(ratios) == o.Points {
			means[round] = gonum.GeometricMean(ratios, nil)
		}
	}
	o.Ratio = stat.Median(j.perCycle(means))

	tokens, cpu := 0, time.Duration(0)
	for _, p := range finished {
		var walls []float64
		for _, t := range j.trials(p.ID(), c.Name) {
			wall := t.Wall
			if c.Kind.perPoint() {
				wall = t.Process
			}
			walls = append(walls, wall.Seconds())
			tokens += p.OutputTokens()
			cpu += t.CPU
			o.FrontEndMemory = max(o.FrontEndMemory, t.FrontEndMemory)
		}
		o.Table += seconds(stat.Median(walls).Value)
	}
	if tokens > 0 {
		o.CPUPerToken = cpu / time.Duration(tokens)
	}
	var loads, firsts []float64
	groups := map[int]bool{}
	for _, l := range j.Loaded {
		if l.Contender == c.Name && l.FirstToken > 0 {
			groups[l.Group] = true
			loads, firsts = append(loads, l.Load.Seconds()), append(firsts, l.FirstToken.Seconds())
		}
	}
	o.Load, o.FirstToken = seconds(stat.Median(loads).Value), seconds(stat.Median(firsts).Value)
	for group := range groups {
		var both []float64
		for _, l := range j.Loaded {
			if l.Contender == c.Name && l.Group == group {
				both = append(both, l.Load.Seconds()+l.WarmUp.Seconds())
			}
		}
		o.Table += seconds(stat.Median(both).Value)
	}
	return o
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
