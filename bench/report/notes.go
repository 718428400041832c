package report

import (
	"fmt"
	"slices"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
)

// addNote adds a note unless the row has it, and what it says without the row's own figures, so
// that rows can share it.
func (r *Row) addNote(mark, note string) {
	if !slices.Contains(r.Notes, note) {
		r.Notes = append(r.Notes, note)
	}
	if !slices.Contains(r.Marks, mark) {
		r.Marks = append(r.Marks, mark)
	}
}

// addSharedNote adds a note that has no figures of the row's own.
func (r *Row) addSharedNote(note string) { r.addNote(note, note) }

// noteFailedLater notes that a trial failed after others had succeeded.
func (r *Row) noteFailedLater() {
	r.addNote("figures from before a trial failed",
		fmt.Sprintf("figures from the %s before it failed", format.Count(len(r.Trials), "trial")))
}

// noteLight notes a point that is faster than its speed of light.
func (r *Row) noteLight() {
	if r.Light.Share > lightTolerance {
		r.addSharedNote("faster than the speed of light: the limits of the device were measured too low, " +
			"as when others use it at that moment")
	}
}

// noteTimes notes what a median hides: outliers, a drift, a dependence, several modes. The figures
// include all trials.
func (r *Row) noteTimes() {
	times := r.times()
	for _, i := range stat.Outliers(times) {
		r.addNote("outliers, which the figures include",
			fmt.Sprintf("outlier: trial %d took %s s, %s against the median", r.Trials[i].Trial,
				format.Seconds(times[i]), format.Change(times[i].Seconds()/r.Elapsed.Value.Seconds()-1, 0)))
	}
	if r.Trend.Drifts() {
		r.addNote("the time drifts from trial to trial",
			fmt.Sprintf("drift: the time changed by %s from the first trial to the last "+
				"(Mann-Kendall, p = %s)", format.Change(r.Trend.Change, 1), format.P(r.Trend.P)))
	}
	if r.Dependence.Seen {
		r.addNote("trials depend on the ones before, and the interval allows for it",
			fmt.Sprintf("trials depend on the ones before (rank correlation %.2f): %d say as much as %s would "+
				"if independent, and the interval is as wide",
				r.Dependence.Correlation, len(times), format.Count(r.Dependence.Independent, "trial")))
	}
	if r.Stopped == stat.TargetIfIndependent {
		r.addSharedNote("the target is reached if trials are independent: too few on the engine show whether they are")
	}
	if r.Modes.Several() {
		r.addNote("the times have more than one mode",
			fmt.Sprintf("the times have more than one mode (Hartigans' dip %.2f, p = %s)",
				r.Modes.Dip, format.P(r.Modes.P)))
	}
}

// noteLatencyLoad notes what else used the machine while latencies were measured.
func (r *Row) noteLatencyLoad(j *journal.Journal) {
	var usages []journal.Usage
	for _, l := range j.Latencies {
		if l.PointID == r.ID() {
			usages = append(usages, l.Usage)
		}
	}
	for _, seen := range otherUse(j, "latency pass", usages) {
		r.addNote("other load while latencies were measured", "other load while latencies were measured: "+seen)
	}
}

// noteWarmUps notes warm-ups whose times were not stable.
func (r *Row) noteWarmUps(j *journal.Journal) {
	for _, w := range j.WarmUps {
		if w.PointID == r.ID() && !w.Stable {
			r.addNote("times were not stable after the warm-up",
				fmt.Sprintf("times were not stable after %d warm-up passes", len(w.Passes)))
		}
	}
}

// noteChecks notes the checks that failed. violated is already noted, as the reason of a failure.
func (r *Row) noteChecks(violated Check) {
	for _, c := range r.failedChecks() {
		if c != violated {
			r.addNote(fmt.Sprintf("failed the check %q", c.Name), fmt.Sprintf("check %q failed: %s", c.Name, c.Detail))
		}
	}
}
