package race

import (
	"time"

	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// passTime returns the time of one pass of each point, as the sum of the points' medians. For
// contenders with a process for each point, it is the time of the processes.
func passTime(c Contender, points []passes) time.Duration {
	var total time.Duration
	for _, p := range points {
		total += medianTime(p, func(t Trial) float64 {
			if c.Kind.perPoint() {
				return t.Process.Seconds()
			}
			return t.Wall.Seconds()
		})
	}
	return total
}

// loadingTime returns the time that a contender takes to load and to warm up each point with one
// pass, as the sum of the medians of the groups.
func (m measured) loadingTime(c Contender) time.Duration {
	groups := map[int][]Loaded{}
	for _, l := range m.loadedBy(c) {
		groups[l.Group] = append(groups[l.Group], l)
	}
	var total time.Duration
	for _, loaded := range groups {
		total += medianTime(loaded, func(l Loaded) float64 { return l.Load.Seconds() + l.WarmUp.Seconds() })
	}
	return total
}

// startUp returns the medians of a contender's start-up times: until its engine can generate, and
// until the engine's first token.
func (m measured) startUp(c Contender) (load, firstToken time.Duration) {
	loaded := m.loadedBy(c)
	return medianTime(loaded, func(l Loaded) float64 { return l.Load.Seconds() }),
		medianTime(loaded, func(l Loaded) float64 { return l.FirstToken.Seconds() })
}

// loadedBy returns the records of the engines that a contender loaded. Kinds with a process for
// each point load none.
func (m measured) loadedBy(c Contender) []Loaded {
	var loaded []Loaded
	for _, l := range m.loaded {
		if l.Contender == c.Name && l.FirstToken > 0 {
			loaded = append(loaded, l)
		}
	}
	return loaded
}

// frontEndMemory returns the peak of the front end's memory over all passes.
func frontEndMemory(points []passes) int64 {
	var peak int64
	for _, p := range points {
		for _, t := range p {
			peak = max(peak, t.FrontEndMemory)
		}
	}
	return peak
}

// cpuPerToken returns the processor time for each generated token, over all passes of the points.
func cpuPerToken(points []workload.Point, each []passes) time.Duration {
	tokens, cpu := 0, time.Duration(0)
	for i, p := range each {
		tokens += len(p) * points[i].OutputTokens()
		for _, t := range p {
			cpu += t.CPU
		}
	}
	if tokens == 0 {
		return 0
	}
	return cpu / time.Duration(tokens)
}

// medianTime returns the median of a time of the records, which of returns in seconds; 0 if there
// are no records.
func medianTime[T any](records []T, of func(T) float64) time.Duration {
	var times []float64
	for _, r := range records {
		times = append(times, of(r))
	}
	return time.Duration(stat.Median(times).Value * float64(time.Second))
}
