package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// Latency has the latencies of a point's requests, from the passes that timed each request.
type Latency struct {
	// Requests is the number of requests of all passes.
	Requests int `json:"requests"`
	// Queue, TTFT, TPOT and E2E are those of the requests, ITL those of all gaps between tokens.
	// TPOT is the time for each token after the first, (E2E − TTFT) ÷ (tokens − 1), of requests
	// with more than one token. Without such requests there is no ITL and no TPOT, and JSON has
	// neither.
	Queue Percentiles `json:"queue"`
	TTFT  Percentiles `json:"ttft"`
	ITL   Percentiles `json:"itl,omitzero"`
	TPOT  Percentiles `json:"tpot,omitzero"`
	E2E   Percentiles `json:"e2e"`
	// Good is the share of the requests that kept the limits of [journal.Header.Goodput], and
	// GoodPerSecond is the number of such requests a second.
	Good          float64 `json:"good"`
	GoodPerSecond float64 `json:"good_per_second"`
	// Slowdown is what timing the requests cost: the median time of the passes divided by that of
	// the trials, minus 1.
	Slowdown float64 `json:"slowdown"`
	// Running is the number of requests that ran on average in the pass of median time:
	// Σ (E2E − queue) ÷ the time of the pass.
	Running float64 `json:"running"`
	// Scheduler is what the scheduler did during the passes; nil when they were too short for a
	// reading.
	Scheduler *Scheduler `json:"scheduler,omitempty"`
	// Counters are the scheduler's counts over time in the pass of median time, the faster of two.
	Counters []journal.Counters `json:"counters,omitempty"`
}

// Percentiles are percentiles of a sample of times, interpolated as by [stat.Quantile].
type Percentiles struct {
	P50 time.Duration `json:"p50_ns"`
	P90 time.Duration `json:"p90_ns"`
	P95 time.Duration `json:"p95_ns"`
	P99 time.Duration `json:"p99_ns"`
	// Histogram counts the times by size.
	Histogram []Bin `json:"histogram"`
}

// exist reports whether there are times.
func (p Percentiles) exist() bool { return len(p.Histogram) > 0 }

// Bin is a bin of a histogram. It counts the times from Low up to but not including the next power
// of 10^(1/10).
type Bin struct {
	Low   time.Duration `json:"low_ns"`
	Count int           `json:"count"`
}

// newLatency returns the latencies of a measured row; nil when its requests were not timed.
func newLatency(j *journal.Journal, row Row) *Latency {
	var passes []journal.LatencyPass
	for _, pass := range j.Latencies {
		if pass.PointID == row.ID() {
			passes = append(passes, pass)
		}
	}
	times := timesOf(passes, row.EachLength(), j.Header.Goodput)
	requests := len(times.e2e)
	if requests == 0 {
		return nil
	}
	slices.SortStableFunc(passes, func(a, b journal.LatencyPass) int { return cmp.Compare(a.Elapsed, b.Elapsed) })
	middle := passes[(len(passes)-1)/2]
	return &Latency{
		Requests:      requests,
		Queue:         newPercentiles(times.queue),
		TTFT:          newPercentiles(times.ttft),
		ITL:           newPercentiles(times.itl),
		TPOT:          newPercentiles(times.tpot),
		E2E:           newPercentiles(times.e2e),
		Good:          float64(times.good) / float64(requests),
		GoodPerSecond: float64(times.good) / times.total.Seconds(),
		Slowdown:      stat.Median(times.passes).Value.Seconds()/row.Elapsed.Value.Seconds() - 1,
		Running:       running(middle),
		Scheduler:     newScheduler(j, row.ID()),
		Counters:      middle.Counters,
	}
}

// requestTimes are the times of the requests of several passes.
type requestTimes struct {
	queue, ttft, itl, tpot, e2e []time.Duration
	good                        int // requests that kept the limits
	passes                      []time.Duration
	total                       time.Duration // of the passes
}

// timesOf returns the times of the requests of passes. lengths are the lengths of the requests of a
// pass.
func timesOf(passes []journal.LatencyPass, lengths []workload.RequestLength, limits journal.Goodput) requestTimes {
	var t requestTimes
	for _, pass := range passes {
		t.passes = append(t.passes, pass.Elapsed)
		t.total += pass.Elapsed
		for i, r := range pass.Requests {
			t.queue, t.ttft, t.e2e = append(t.queue, r.Queue), append(t.ttft, r.TTFT), append(t.e2e, r.E2E)
			t.itl = append(t.itl, r.ITL...)
			perToken := time.Duration(0)
			if tokens := lengths[i].Output; tokens > 1 {
				perToken = (r.E2E - r.TTFT) / time.Duration(tokens-1)
				t.tpot = append(t.tpot, perToken)
			}
			if keeps(limits, r, perToken) {
				t.good++
			}
		}
	}
	return t
}

// keeps reports whether a request kept the limits.
func keeps(limits journal.Goodput, r journal.RequestTimes, perToken time.Duration) bool {
	within := func(t, limit time.Duration) bool { return limit == 0 || t <= limit }
	return within(r.TTFT, limits.TTFT) && within(perToken, limits.TPOT) && within(r.E2E, limits.E2E)
}

// running returns the number of requests that ran on average in a pass.
func running(pass journal.LatencyPass) float64 {
	var ran float64
	for _, r := range pass.Requests {
		ran += (r.E2E - r.Queue).Seconds()
	}
	return ran / pass.Elapsed.Seconds()
}

// newPercentiles returns the percentiles of times; the zero value when there are no times.
func newPercentiles(times []time.Duration) Percentiles {
	if len(times) == 0 {
		return Percentiles{}
	}
	sorted := make([]float64, len(times))
	for i, t := range times {
		sorted[i] = float64(t)
	}
	slices.Sort(sorted)
	at := func(q float64) time.Duration { return time.Duration(math.Round(stat.Quantile(sorted, q))) }
	return Percentiles{P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99), Histogram: histogram(sorted)}
}

// histogram returns the bins of times in ascending order.
func histogram(sorted []float64) []Bin {
	var bins []Bin
	for _, t := range sorted {
		low := time.Duration(math.Ceil(math.Pow(10, math.Floor(10*math.Log10(max(1, t)))/10)))
		if n := len(bins); n == 0 || bins[n-1].Low != low {
			bins = append(bins, Bin{Low: low})
		}
		bins[len(bins)-1].Count++
	}
	return bins
}

// timed returns the rows with latencies.
func timed(rows []Row) []Row { return only(rows, func(r Row) bool { return r.Latency != nil }) }
