package report

import (
	"time"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
)

// Cold is the time of a point when it is measured once, after a warm-up of a single request of the
// same lengths. It therefore includes everything that the shape needs only once. The notebook that
// the presets come from measures in this way; see [journal.WarmUpNotebook].
type Cold struct {
	// Elapsed is the time of the first pass of the full shape on the first engine that measured the
	// point.
	Elapsed time.Duration `json:"elapsed_ns"`
	// StartUp is (Elapsed − median of the trials) / Elapsed: the share that was start-up. It is
	// negative if the median is larger.
	StartUp float64 `json:"start_up"`
}

// newCold returns the cold time of a measured row: that of its first warm-up or, when that was the
// notebook's, of its first trial. It returns the zero value when there was no warm-up.
func newCold(j *journal.Journal, row Row) Cold {
	var c Cold
	for _, w := range j.WarmUps {
		if w.PointID == row.ID() && c.Elapsed == 0 {
			c.Elapsed = row.Trials[0].Elapsed
			if len(w.Passes) > 0 {
				c.Elapsed = w.Passes[0]
			}
		}
	}
	if c.Elapsed > 0 {
		c.StartUp = 1 - row.Elapsed.Value.Seconds()/c.Elapsed.Seconds()
	}
	return c
}

// String returns in words which share of the time was start-up.
func (c Cold) String() string {
	if c.StartUp < 0.05 {
		return "under 5 % was start-up"
	}
	return format.Percent(c.StartUp, 0) + " was start-up"
}
