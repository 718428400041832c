package report

import (
	"fmt"
	"slices"
	"strings"

	"vllmgo/bench/workload"
	"vllmgo/internal/format"
)

const (
	// doublingPays is the least gain in throughput, as a fraction, for which a doubling of the batch counts
	// as paying.
	doublingPays = 0.25
	// dip is the least loss against the point before, as a fraction, that counts as a dip when the intervals agree.
	dip = 0.05
)

// finding says in words what the rows of a study show, with the rows it rests on.
func (s StudyResult) finding() string {
	rows := measured(s.Rows)
	var text string
	switch {
	case len(rows) == 0:
		return "No row was measured, so there is no finding."
	case s.Study.Sweep == workload.BatchSize:
		text = batchSizeFinding(rows)
	case s.Study.Sweep == workload.SequenceLength:
		text = sequenceLengthFinding(rows)
	default:
		text = peakAndDips(rows)
	}
	if missing := unmeasured(s.Rows); missing != "" {
		text += " Without figures: " + missing + "."
	}
	return text
}

// batchSizeFinding computes the scaling efficiency, (tok/s at N / tok/s at 1) / N, and the first doubling from
// which on none pays.
func batchSizeFinding(rows []Row) string {
	var b strings.Builder
	if first := rows[0]; first.Value == 1 {
		b.WriteString("Scaling efficiency, (tok/s at N ÷ tok/s at 1) ÷ N:")
		for i, r := range rows {
			if i > 0 {
				b.WriteString(",")
			}
			efficiency := r.GeneratedPerSecond / first.GeneratedPerSecond / float64(r.Value)
			fmt.Fprintf(&b, " %d: %.0f %%", r.Value, 100*efficiency)
		}
		b.WriteString(".")
	} else {
		b.WriteString("Scaling efficiency needs the row batch size 1, which has no figures.")
	}

	var gains []string
	stops := "" // the first of the doublings at the end that do not pay
	for i := 1; i < len(rows); i++ {
		before, after := rows[i-1], rows[i]
		if after.Value != 2*before.Value {
			continue
		}
		gain := after.GeneratedPerSecond/before.GeneratedPerSecond - 1
		gains = append(gains, fmt.Sprintf("%d→%d: %+.0f %%", before.Value, after.Value, 100*gain))
		if gain >= doublingPays {
			stops = ""
		} else if stops == "" {
			stops = fmt.Sprintf("%d→%d", before.Value, after.Value)
		}
	}
	if len(gains) == 0 {
		return b.String() + " No two measured rows are a doubling apart."
	}
	verdict := fmt.Sprintf("doubling stops paying at %s: none from there on adds %.0f %%", stops, 100*doublingPays)
	if stops == "" {
		verdict = fmt.Sprintf("the last adds at least %.0f %%, so doubling pays as far as this sweep goes", 100*doublingPays)
	}
	return fmt.Sprintf("%s Gains by doubling: %s; %s.", b.String(), strings.Join(gains, ", "), verdict)
}

func sequenceLengthFinding(rows []Row) string {
	best, worst := fastest(rows), slices.MinFunc(rows, byRate)
	text := fmt.Sprintf("Best length: %d, with %s generated tok/s", best.Value, format.Rate(best.GeneratedPerSecond))
	if len(rows) == 1 {
		return text + "; it is the only row with figures."
	}
	return fmt.Sprintf("%s; the slowest is %d, with %s, %.0f %% less.", text, worst.Value,
		format.Rate(worst.GeneratedPerSecond), 100*(1-worst.GeneratedPerSecond/best.GeneratedPerSecond))
}

func peakAndDips(rows []Row) string {
	peak := fastest(rows)
	text := fmt.Sprintf("Peak: %s, with %s generated tok/s. ", peak.Point, format.Rate(peak.GeneratedPerSecond))
	var dips []string
	why := ""
	for i := 1; i < len(rows); i++ {
		before, after := rows[i-1], rows[i]
		if loss := 1 - after.GeneratedPerSecond/before.GeneratedPerSecond; loss > dip && after.slowerThan(before) {
			dips = append(dips, fmt.Sprintf("%s (%.0f %% below %s)", after.Name(), 100*loss, before.Name()))
			why += explainDip(before, after)
		}
	}
	if len(dips) == 0 {
		return text + fmt.Sprintf("No dips: no row is more than %.0f %% below the row before, beyond the intervals.", 100*dip)
	}
	return text + fmt.Sprintf("Dips, more than %.0f %% below the row before, beyond the intervals: %s.%s", 100*dip, format.List(dips), why)
}

// byRate orders rows by generated tokens a second.
func byRate(a, b Row) int {
	switch {
	case a.GeneratedPerSecond < b.GeneratedPerSecond:
		return -1
	case a.GeneratedPerSecond > b.GeneratedPerSecond:
		return 1
	}
	return 0
}

// fastest is the first row with the most generated tokens a second. It panics on no rows.
func fastest(rows []Row) Row { return slices.MaxFunc(rows, byRate) }
