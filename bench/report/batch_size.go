package report

import (
	"fmt"
	"strings"

	"vllmgo/bench/internal/format"
)

// doublingPays is the least gain in throughput, as a fraction, with which a doubling of the batch
// pays.
const doublingPays = 0.25

// doubling is what twice the batch size gains in generated tokens a second, as a fraction.
type doubling struct {
	before, after Row
	// gain is that of the medians; low and high are what the ends of both intervals allow.
	gain, low, high float64
}

// batchSizeFinding returns where doubling the batch stops paying, and in detail what each doubling
// gains and how well each batch size scales.
func batchSizeFinding(rows []Row) (finding, detail string) {
	var all []doubling
	var gains []string
	for i, after := range rows[1:] {
		if before := rows[i]; after.Value == 2*before.Value {
			d := newDoubling(before, after)
			all = append(all, d)
			gains = append(gains, d.String())
		}
	}
	efficiency := batchEfficiency(rows)
	if len(all) == 0 {
		return "No two measured rows are a doubling apart.", efficiency
	}
	return doublingsFinding(all), fmt.Sprintf("Gains by doubling: %s. %s", strings.Join(gains, ", "), efficiency)
}

// newDoubling compares two rows.
func newDoubling(before, after Row) doubling {
	b, a := before.estimate(generated), after.estimate(generated)
	return doubling{before, after, a.Value/b.Value - 1, a.Low/b.High - 1, a.High/b.Low - 1}
}

// name returns what was doubled, such as "4→8".
func (d doubling) name() string { return fmt.Sprintf("%d→%d", d.before.Value, d.after.Value) }

// certain reports whether both rows have intervals with 95 % confidence.
func (d doubling) certain() bool { return d.before.certain() && d.after.certain() }

// String returns the gain, with its range where the intervals have 95 % confidence.
func (d doubling) String() string {
	text := d.name() + ": " + format.Change(d.gain, 0)
	if d.certain() {
		text += fmt.Sprintf(" [%s, %s]", format.Change(d.low, 0), format.Change(d.high, 0))
	}
	return text
}

// pays and stops report whether the doubling surely pays, and whether it surely does not. Neither
// may hold.
func (d doubling) pays() bool  { return d.certain() && d.low >= doublingPays }
func (d doubling) stops() bool { return d.certain() && d.high < doublingPays }

// needed returns how many trials decide whether the doubling pays.
func (d doubling) needed() int {
	if need := max(d.before.neededForInterval(), d.after.neededForInterval()); need > 0 {
		return need
	}
	n := max(len(d.before.Trials), len(d.after.Trials))
	if d.gain >= doublingPays {
		return neededFor(n, d.gain-d.low, d.gain-doublingPays)
	}
	return neededFor(n, d.high-d.gain, doublingPays-d.gain)
}

// doublingsFinding returns up to which doubling the batch pays: the last that surely does, if all
// after it surely do not.
func doublingsFinding(all []doubling) string {
	last, first := -1, len(all) // the last that pays, and the first from which on none does
	for i, d := range all {
		if d.pays() {
			last = i
		}
	}
	for first > last+1 && all[first-1].stops() {
		first--
	}
	limit := format.Percent(doublingPays, 0)
	up, open := "", all[last+1:first]
	if last >= 0 {
		up = fmt.Sprintf("Doubling the batch adds %s or more up to %s", limit, all[last].name())
	}
	switch {
	case len(open) > 0:
		text := ""
		if up != "" {
			text = up + ", " + beyond + ". "
		}
		return text + openDoublings(open)
	case up == "":
		return fmt.Sprintf("No doubling of the batch adds %s, %s.", limit, beyond)
	case first == len(all):
		return fmt.Sprintf("%s, %s: it pays as far as this sweep goes.", up, beyond)
	}
	return fmt.Sprintf("%s and less from %s on, %s.", up, all[first].name(), beyond)
}

// openDoublings returns that it is not decided whether some doublings pay.
func openDoublings(open []doubling) string {
	var names []string
	var rows []Row
	need := 0
	for _, d := range open {
		if d.stops() {
			continue
		}
		names, rows = append(names, d.name()), append(rows, d.before, d.after)
		need = max(need, d.needed())
	}
	return fmt.Sprintf("Whether doubling adds %s at %s is %s.",
		format.Percent(doublingPays, 0), format.List(names), undecided("", need, rows...))
}

// batchEfficiency returns the scaling efficiency of each batch size: (tok/s at N ÷ tok/s at 1) ÷ N.
func batchEfficiency(rows []Row) string {
	first := rows[0]
	if first.Value != 1 {
		return "Scaling efficiency needs the row batch size 1, which is missing."
	}
	var parts []string
	for _, r := range rows {
		efficiency := r.GeneratedPerSecond / first.GeneratedPerSecond / float64(r.Value)
		parts = append(parts, fmt.Sprintf("%d: %s", r.Value, format.Percent(efficiency, 0)))
	}
	return "Scaling efficiency of the medians, (tok/s at N ÷ tok/s at 1) ÷ N: " + strings.Join(parts, ", ") + "."
}
