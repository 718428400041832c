package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"vllmgo/bench/internal/format"
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
	// Requests is what the requests of all rows are that were compared, such as "128 input and 64
	// output tokens".
	Requests string `json:"requests"`
	// Text is the advice, with how certain it is.
	Text string `json:"text"`
	// Detail is what else to know about it.
	Detail string `json:"detail"`
	// Rows are the rows that it rests on, such as "batch size 8".
	Rows []string `json:"rows"`
}

// recommend returns a recommendation for each goal and each kind of requests, from the rows of all
// studies that have figures and no failed trial. Rows with requests of other lengths are not
// compared, and a row without another of its kind is no choice.
func (r *Results) recommend() []Recommendation {
	var all []Recommendation
	for _, rows := range alike(sound(r.rows())) {
		if len(rows) < 2 {
			continue
		}
		of := requestsText(rows[0])
		for _, rec := range []Recommendation{
			r.recommendThroughput(rows), recommendLatency(rows), r.recommendEfficiency(rows),
		} {
			rec.Requests = of
			all = append(all, rec)
		}
	}
	return all
}

// alike returns rows in groups whose requests have the same lengths, in the order of the rows.
func alike(rows []Row) [][]Row {
	var keys []string
	var groups [][]Row
	for _, row := range rows {
		key := requestsText(row)
		i := slices.Index(keys, key)
		if i < 0 {
			i = len(keys)
			keys, groups = append(keys, key), append(groups, nil)
		}
		groups[i] = append(groups[i], row)
	}
	return groups
}

// requestsText returns what the requests of a row are in words. It is the same for rows with
// requests of the same lengths.
func requestsText(row Row) string {
	text := fmt.Sprintf("%d input and %d output tokens", row.InputLen, row.OutputLen)
	if row.Lengths != nil {
		text = row.Shape()
	}
	if n := row.Completions(); n > 1 {
		text += fmt.Sprintf(", %d completions", n)
	}
	if row.SharedPrefix > 0 {
		text += fmt.Sprintf(", %d of them shared", row.SharedPrefix)
	}
	return text
}

// recommendThroughput recommends the row with the most throughput.
func (r *Results) recommendThroughput(rows []Row) Recommendation {
	c := newContest(rows, generated)
	return Recommendation{
		Goal: "maximum throughput",
		Text: fmt.Sprintf("%s: %s generated tok/s, the most of %d rows, %s.", c.best.Point,
			format.Rate(c.best.GeneratedPerSecond), len(rows), c.certainty()) + doubtful([]Row{c.best}),
		Detail: fmt.Sprintf("The batch completes in %s s and demands %d KV tokens; loading its engine took %s.",
			format.Seconds(c.best.Elapsed.Value), c.best.PeakKVTokens, loadCost(r.engine(c.best))),
		Rows: []string{c.best.Point.String()},
	}
}

// recommendLatency recommends the row with the least completion time for each token of a request,
// and of the rows that are about as quick, the one with the most throughput.
func recommendLatency(rows []Row) Recommendation {
	c := newContest(rows, requestRate)
	rec := Recommendation{
		Goal: "lower latency",
		Text: fmt.Sprintf("%s: %s for each token of a request, the least of %d rows, %s.", c.best.Point,
			milliseconds(c.best.perToken()), len(rows), c.certainty()) + doubtful([]Row{c.best}),
		Rows: []string{c.best.Point.String()},
	}
	near := only(rows, func(row Row) bool {
		return float64(row.perToken()) <= nearQuickest*float64(c.best.perToken())
	})
	best := newContest(near, generated).best
	if best.ID() == c.best.ID() {
		rec.Detail = fmt.Sprintf("No row has more throughput within %.1f times that.", nearQuickest)
		return rec
	}
	rec.Detail = fmt.Sprintf("Within %.1f times that, by the medians, %s gives %.1f times the throughput: "+
		"%s a token and %s generated tok/s.", nearQuickest, best.Point,
		best.GeneratedPerSecond/c.best.GeneratedPerSecond, milliseconds(best.perToken()),
		format.Rate(best.GeneratedPerSecond))
	rec.Rows = append(rec.Rows, best.Point.String())
	return rec
}

// recommendEfficiency recommends, of the rows that are about as fast as the fastest, the one with
// the least demand for KV cache, and of several such rows the one that completes first.
func (r *Results) recommendEfficiency(rows []Row) Recommendation {
	best := newContest(rows, generated).best
	near := only(rows, func(row Row) bool { return row.GeneratedPerSecond >= nearFastest*best.GeneratedPerSecond })
	leanest := slices.MinFunc(near, compareDemand)
	rec := Recommendation{
		Goal: "resource efficiency",
		Text: fmt.Sprintf("%s: demands %d KV tokens, the least of the rows with %s of the most throughput or more, %s.",
			leanest.Point, leanest.PeakKVTokens, format.Percent(nearFastest, 0),
			nearCertainty(leanest, best)) + doubtful([]Row{leanest}),
		Detail: fmt.Sprintf("It completes in %s s, with %s generated tok/s; loading its engine took %s.",
			format.Seconds(leanest.Elapsed.Value), format.Rate(leanest.GeneratedPerSecond), loadCost(r.engine(leanest))),
		Rows: []string{leanest.Point.String()},
	}
	if leanest.ID() != best.ID() {
		rec.Detail += fmt.Sprintf(" That is %s of %s, which demands %d KV tokens and completes in %s s.",
			format.Percent(leanest.GeneratedPerSecond/best.GeneratedPerSecond, 0), best.Point, best.PeakKVTokens,
			format.Seconds(best.Elapsed.Value))
		rec.Rows = append(rec.Rows, best.Point.String())
	}
	return rec
}

// compareDemand orders rows by their demand for KV cache, and then by their time.
func compareDemand(a, b Row) int {
	return cmp.Or(cmp.Compare(a.PeakKVTokens, b.PeakKVTokens), cmp.Compare(a.Elapsed.Value, b.Elapsed.Value))
}

// nearCertainty returns how sure it is that a row has at least nearFastest of the throughput of the
// best.
func nearCertainty(row, best Row) string {
	b, e := best.estimate(generated), row.estimate(generated)
	switch need := max(row.neededForInterval(), best.neededForInterval()); {
	case need > 0:
		return undecided("", need, row, best)
	case row.ID() == best.ID() || e.Low >= nearFastest*b.High:
		return beyond
	default:
		n := max(len(row.Trials), len(best.Trials))
		reach := e.Value - e.Low + nearFastest*(b.High-b.Value)
		return undecided("", neededFor(n, reach, e.Value-nearFastest*b.Value), row, best)
	}
}

// recommendations returns the recommendations in words, each with what it compares.
func (r *Results) recommendations(detail bool) []string {
	var texts []string
	for _, rec := range r.Recommendations {
		text := fmt.Sprintf("%s (%s): %s", format.Title(rec.Goal), rec.Requests, rec.Text)
		if detail {
			text += " " + rec.Detail
		}
		texts = append(texts, text)
	}
	rows := r.rows()
	switch failed := failedLater(rows); {
	case failed != "":
		texts = append(texts, "Not recommended, because a trial failed: "+failed+".")
	case len(measured(rows)) == 0:
		texts = append(texts, "None: no row was measured.")
	case len(texts) == 0:
		texts = append(texts, "None: no two rows have requests of the same lengths.")
	}
	return texts
}

// milliseconds returns a time in milliseconds, with the unit.
func milliseconds(d time.Duration) string {
	if d < time.Millisecond {
		return format.Milliseconds(d) + " ms"
	}
	return format.Fixed(d.Seconds()*1000, 1) + " ms"
}
