package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/internal/format"
)

// Latency is what a point's latency passes say about its requests.
type Latency struct {
	// Requests is the number of requests, over all passes.
	Requests int `json:"requests"`
	// Queue, TTFT, TPOT and E2E are over requests, ITL over all gaps between tokens. TPOT is the time for each token
	// after the first, (E2E − TTFT) ÷ (tokens − 1), of requests with more than one.
	Queue Percentiles `json:"queue"`
	TTFT  Percentiles `json:"ttft"`
	ITL   Percentiles `json:"itl"`
	TPOT  Percentiles `json:"tpot"`
	E2E   Percentiles `json:"e2e"`
	// Good is the share of the requests that kept the limits of the header's Goodput, and GoodPerSecond their number
	// a second.
	Good          float64 `json:"good"`
	GoodPerSecond float64 `json:"good_per_second"`
	// Slowdown is what measuring cost: the median time of the passes over that of the trials, less 1.
	Slowdown float64 `json:"slowdown"`
	// Running is the number of requests that ran on average in the pass of median time: Σ (E2E − queue) ÷ the pass's time.
	Running float64 `json:"running"`
	// Scheduler sums up what the scheduler did during the passes; nil when they were too short for a reading.
	Scheduler *Scheduler `json:"scheduler,omitempty"`
	// Counters are the scheduler's counts over time in the pass of median time, the lower of two.
	Counters []journal.Counters `json:"counters,omitempty"`
}

// Percentiles of a sample of times, interpolated as by numpy.percentile.
type Percentiles struct {
	P50 time.Duration `json:"p50_ns"`
	P90 time.Duration `json:"p90_ns"`
	P95 time.Duration `json:"p95_ns"`
	P99 time.Duration `json:"p99_ns"`
	// Histogram counts the times by size.
	Histogram []Bin `json:"histogram"`
}

// Bin is a bin of a histogram: the number of times from Low up to but not including the next power of 10^(1/10).
type Bin struct {
	Low   time.Duration `json:"low_ns"`
	Count int           `json:"count"`
}

// newPercentiles computes them; the zero value for no times.
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
	p := Percentiles{P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99)}
	for _, t := range sorted {
		low := time.Duration(math.Ceil(math.Pow(10, math.Floor(10*math.Log10(max(1, t)))/10)))
		if n := len(p.Histogram); n == 0 || p.Histogram[n-1].Low != low {
			p.Histogram = append(p.Histogram, Bin{Low: low})
		}
		p.Histogram[len(p.Histogram)-1].Count++
	}
	return p
}

// newLatency computes a row's latencies; nil when it has no passes.
func newLatency(j *journal.Journal, row Row) *Latency {
	var l Latency
	var queue, ttft, itl, tpot, e2e, elapsed []time.Duration
	good, total := 0, time.Duration(0)
	var passes []journal.LatencyPass
	lengths := row.EachLength()
	for _, pass := range j.Latencies {
		if pass.PointID != row.ID() {
			continue
		}
		passes, elapsed = append(passes, pass), append(elapsed, pass.Elapsed)
		total += pass.Elapsed
		for i, r := range pass.Requests {
			queue, ttft, e2e, itl = append(queue, r.Queue), append(ttft, r.TTFT), append(e2e, r.E2E), append(itl, r.ITL...)
			perToken := time.Duration(0)
			if tokens := lengths[i].Output; tokens > 1 {
				perToken = (r.E2E - r.TTFT) / time.Duration(tokens-1)
				tpot = append(tpot, perToken)
			}
			if keeps(j.Header.Goodput, r, perToken) {
				good++
			}
		}
	}
	if len(e2e) == 0 {
		return nil
	}
	l.Requests = len(e2e)
	l.Queue, l.TTFT, l.ITL, l.TPOT, l.E2E = newPercentiles(queue), newPercentiles(ttft), newPercentiles(itl), newPercentiles(tpot), newPercentiles(e2e)
	l.Good = float64(good) / float64(len(e2e))
	l.GoodPerSecond = float64(good) / total.Seconds()
	slices.SortStableFunc(passes, func(a, b journal.LatencyPass) int { return cmp.Compare(a.Elapsed, b.Elapsed) })
	middle := passes[(len(passes)-1)/2]
	l.Running, l.Counters = running(middle), middle.Counters
	l.Scheduler = newScheduler(j, row.ID())
	l.Slowdown = stat.Median(elapsed).Value.Seconds()/row.Elapsed.Value.Seconds() - 1
	return &l
}

// running is the number of requests that ran on average.
func running(l journal.LatencyPass) float64 {
	var ran time.Duration
	for _, r := range l.Requests {
		ran += r.E2E - r.Queue
	}
	return ran.Seconds() / l.Elapsed.Seconds()
}

// keeps reports whether a request kept the limits.
func keeps(g journal.Goodput, r journal.RequestTimes, perToken time.Duration) bool {
	within := func(t, limit time.Duration) bool { return limit == 0 || t <= limit }
	return within(r.TTFT, g.TTFT) && within(perToken, g.TPOT) && within(r.E2E, g.E2E)
}

// writeLatencyTable prints a study's latencies; nothing when it has none.
func (r *Results) writeLatencyTable(w io.Writer, s StudyResult) error {
	var lines [][]string
	limited := r.Header.Goodput != journal.Goodput{}
	for _, row := range s.Rows {
		l := row.Latency
		if l == nil {
			continue
		}
		line := []string{row.Point.String(), fmt.Sprint(l.Requests)}
		for _, p := range []Percentiles{l.Queue, l.TTFT, l.ITL, l.TPOT, l.E2E} {
			line = append(line, fmt.Sprintf("%s/%s/%s/%s", inMilliseconds(p.P50), inMilliseconds(p.P90), inMilliseconds(p.P95), inMilliseconds(p.P99)))
		}
		if limited {
			line = append(line, fmt.Sprintf("%s (%.0f %%)", format.Rate(l.GoodPerSecond), 100*l.Good))
		}
		lines = append(lines, append(line, fmt.Sprintf("%+.1f %%", 100*l.Slowdown)))
	}
	if lines == nil {
		return nil
	}
	header := []string{"point", "requests", "queue", "TTFT", "ITL", "TPOT", "E2E"}
	if limited {
		header = append(header, "good requests/s")
	}
	caption := format.Title(s.Study.Parameter) + ": latencies in ms, p50/p90/p95/p99, and what measuring them cost"
	return format.Table(w, caption, append(header, "cost"), lines, 1)
}

// inMilliseconds is a time in ms with three digits or more.
func inMilliseconds(t time.Duration) string { return format.Rate(t.Seconds() * 1000) }
