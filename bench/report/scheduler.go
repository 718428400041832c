package report

import (
	"fmt"
	"strings"

	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
)

// Scheduler is what vLLM's scheduler did during a point's latency passes. Its counts were read
// every 20 ms, and are those of the last step that had ended.
type Scheduler struct {
	// MaxNumSeqs is the engine's limit on running requests.
	MaxNumSeqs int `json:"max_num_seqs"`
	// MostRunning and MostWaiting are the greatest numbers of running and of waiting requests.
	MostRunning int `json:"most_running"`
	MostWaiting int `json:"most_waiting"`
	// Full is the share of the readings in which requests waited while MaxNumSeqs ran.
	Full float64 `json:"full"`
	// MostKVUse is the greatest share of the KV cache in use.
	MostKVUse float64 `json:"most_kv_use"`
	// Preemptions is the number of preemptions between the first and the last reading of each pass.
	Preemptions int `json:"preemptions"`
}

// newScheduler returns what the scheduler did at a point; nil when there are no readings.
func newScheduler(j *journal.Journal, p workload.PointID) *Scheduler {
	var s Scheduler
	readings, full := 0, 0
	for _, pass := range j.Latencies {
		if pass.PointID != p || len(pass.Counters) == 0 {
			continue
		}
		for _, e := range j.Engines {
			if e.Number == pass.Engine {
				s.MaxNumSeqs = e.Info.MaxNumSeqs
			}
		}
		for _, c := range pass.Counters {
			readings++
			if c.Waiting > 0 && c.Running >= s.MaxNumSeqs {
				full++
			}
			s.MostRunning, s.MostWaiting = max(s.MostRunning, c.Running), max(s.MostWaiting, c.Waiting)
			s.MostKVUse = max(s.MostKVUse, c.KVUse)
		}
		s.Preemptions += pass.Counters[len(pass.Counters)-1].Preemptions - pass.Counters[0].Preemptions
	}
	if readings == 0 {
		return nil
	}
	s.Full = float64(full) / float64(readings)
	return &s
}

// explainDip returns what the scheduler did at a row that is slower than the row before: a sentence
// after a space, or nothing when the scheduler was not watched.
func explainDip(before, after Row) string {
	if before.scheduler() == nil || after.scheduler() == nil {
		return ""
	}
	was, is := before.scheduler(), after.scheduler()
	var causes []string
	if is.Preemptions > was.Preemptions {
		causes = append(causes, fmt.Sprintf("%s, after which requests had to start again, against %d at %s, "+
			"with up to %s of the KV cache in use",
			format.Count(is.Preemptions, "preemption"), was.Preemptions, before.Point, format.Percent(is.MostKVUse, 0)))
	}
	if is.Full > was.Full {
		sequences := after.Requests * after.Completions()
		waves := (sequences + is.MaxNumSeqs - 1) / is.MaxNumSeqs
		causes = append(causes, fmt.Sprintf("up to %d requests waited while max_num_seqs %d ran, "+
			"so that %d sequences went in %d waves, the last of %d; on average %s requests ran, against %s at %s",
			is.MostWaiting, is.MaxNumSeqs, sequences, waves, sequences-(waves-1)*is.MaxNumSeqs,
			format.Fixed(after.Latency.Running, 1), format.Fixed(before.Latency.Running, 1), before.Point))
	}
	if len(causes) > 0 {
		return fmt.Sprintf(" The scheduler at %s: %s.", after.Point, strings.Join(causes, "; "))
	}
	return fmt.Sprintf(" The scheduler's counts show nothing unusual at %s: %s, against %d at %s; "+
		"%s requests running on average, against %s; up to %s of the KV cache in use.",
		after.Point, format.Count(is.Preemptions, "preemption"), was.Preemptions, before.Point,
		format.Fixed(after.Latency.Running, 1), format.Fixed(before.Latency.Running, 1), format.Percent(is.MostKVUse, 0))
}

// scheduler returns what the scheduler did; nil when it was not watched.
func (r Row) scheduler() *Scheduler {
	if r.Latency == nil {
		return nil
	}
	return r.Latency.Scheduler
}

// watched returns the rows with counts of the scheduler over time.
func watched(rows []Row) []Row {
	return only(timed(rows), func(r Row) bool { return len(r.Latency.Counters) > 0 })
}
