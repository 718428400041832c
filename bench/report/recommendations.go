package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/workload"
)

const (
	// A row is about as fast as the fastest if it reaches nearFastest of the highest throughput.
	nearFastest = 0.90
	// A row is about as quick as the quickest if its latency is at most nearQuickest times the
	// least.
	nearQuickest = 1.5
)

// Recommendation is a setting to choose for a goal, with the figures that it rests on.
type Recommendation struct {
	// Goal is "maximum throughput", "lower latency" or "resource efficiency".
	Goal string `json:"goal"`
	// Text is the advice.
	Text string `json:"text"`
	// Rows are the rows that it rests on, such as "batch size 8".
	Rows []string `json:"rows"`
}

// recommend returns a recommendation for each goal, from the rows of all studies that have figures
// and no failed trial; none without such rows.
func (r *Results) recommend() []Recommendation {
	all := r.rows()
	rows := sound(all)
	if len(rows) == 0 {
		return nil
	}
	among := fmt.Sprintf("of all %d rows", len(rows))
	switch {
	case len(rows) < len(measured(all)):
		among = fmt.Sprintf("of the %s without a failed trial", format.Count(len(rows), "row"))
	case len(rows) < len(all):
		among = fmt.Sprintf("of the %d rows that have figures", len(rows))
	}
	return []Recommendation{
		r.recommendThroughput(rows, among),
		r.recommendLatency(rows, among),
		r.recommendEfficiency(rows),
	}
}

// recommendThroughput recommends the row with the most throughput.
func (r *Results) recommendThroughput(rows []Row, among string) Recommendation {
	best := fastest(rows)
	text := fmt.Sprintf("%s (%s): %s generated tok/s, the most %s.", best.Point, best.Shape(),
		format.Rate(best.GeneratedPerSecond), among)
	text += fmt.Sprintf(" The batch completes in %s s and demands %d KV tokens; loading its engine took %s.",
		format.Seconds(best.Elapsed.Value), best.PeakKVTokens, loadCost(r.engine(best)))
	return Recommendation{Goal: "maximum throughput", Text: text, Rows: []string{best.Point.String()}}
}

// recommendLatency recommends the row with the least completion time for each token of a request,
// and of the rows of its study that are about as quick, the one with the most throughput. It
// prefers the rows of the batch-size study: their requests are alike, while a shorter prompt is
// quicker by itself.
func (r *Results) recommendLatency(rows []Row, among string) Recommendation {
	alike := only(rows, func(row Row) bool { return r.study(row).Sweep == workload.BatchSize })
	if len(alike) > 0 && len(alike) < len(rows) {
		rows, among = alike, fmt.Sprintf("of the %s that differ in batch size only", format.Count(len(alike), "row"))
	}
	quickest := slices.MinFunc(rows, func(a, b Row) int { return cmp.Compare(a.perToken(), b.perToken()) })
	text := fmt.Sprintf("%s (%s): completes in %s s, %s for each token of a request, the least %s.", quickest.Point,
		quickest.Shape(), format.Seconds(quickest.Elapsed.Value), milliseconds(quickest.perToken()), among)
	near := only(rows, func(row Row) bool {
		return row.Study == quickest.Study && float64(row.perToken()) <= nearQuickest*float64(quickest.perToken())
	})
	names := []string{quickest.Point.String()}
	if best := fastest(near); best.ID() == quickest.ID() {
		text += fmt.Sprintf(" No row of its study gives more throughput within %.1f times that.", nearQuickest)
	} else {
		text += fmt.Sprintf(" Within %.1f times that, %s gives %.1f times the throughput: "+
			"%s a token and %s generated tok/s.",
			nearQuickest, best.Point, best.GeneratedPerSecond/quickest.GeneratedPerSecond,
			milliseconds(best.perToken()), format.Rate(best.GeneratedPerSecond))
		names = append(names, best.Point.String())
	}
	return Recommendation{Goal: "lower latency", Text: text, Rows: names}
}

// recommendEfficiency recommends, of the rows that are about as fast as the fastest, the one with
// the least demand for KV cache, and of several such rows the one that completes first.
func (r *Results) recommendEfficiency(rows []Row) Recommendation {
	best := fastest(rows)
	near := only(rows, func(row Row) bool { return row.GeneratedPerSecond >= nearFastest*best.GeneratedPerSecond })
	leanest := slices.MinFunc(near, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.PeakKVTokens, b.PeakKVTokens), cmp.Compare(a.Elapsed.Value, b.Elapsed.Value))
	})
	text := fmt.Sprintf(
		"%s (%s): demands %d KV tokens and completes in %s s; loading its engine took %s.",
		leanest.Point,
		leanest.Shape(),
		leanest.PeakKVTokens,
		format.Seconds(leanest.Elapsed.Value),
		loadCost(r.engine(leanest)),
	)
	text += fmt.Sprintf(" Of the rows with at least %s of the most throughput it demands the least: "+
		"%s generated tok/s",
		format.Percent(nearFastest, 0), format.Rate(leanest.GeneratedPerSecond))
	names := []string{leanest.Point.String()}
	if leanest.ID() == best.ID() {
		text += ", which is the most."
	} else {
		text += fmt.Sprintf(", %s of %s, which demands %d KV tokens and completes in %s s.",
			format.Percent(leanest.GeneratedPerSecond/best.GeneratedPerSecond, 0), best.Point, best.PeakKVTokens,
			format.Seconds(best.Elapsed.Value))
		names = append(names, best.Point.String())
	}
	return Recommendation{Goal: "resource efficiency", Text: text, Rows: names}
}

// milliseconds returns a time in milliseconds, with the unit.
func milliseconds(d time.Duration) string {
	if d < time.Millisecond {
		return format.Milliseconds(d) + " ms"
	}
	return format.Fixed(d.Seconds()*1000, 1) + " ms"
}
