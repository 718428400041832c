package bench

import (
	"time"

	"vllmgo/bench/workload"
)

// eta predicts how long work takes from the passes so far. Its model of a pass is
//
//	time = a · engine steps + b · tokens
//
// It fits a and b to all passes by least squares on relative errors. Steps dominate small batches,
// and tokens large ones.
type eta struct {
	// Sums over passes, with s = steps/time and k = tokens/time: the normal equations of a·s + b·k
	// = 1.
	ss, sk, kk, s, k float64

	loads int           // engines still to load
	load  time.Duration // what the latest load took
}

// work returns the number of engine steps and of tokens of a pass with so many of a point's
// requests. A step decodes one token of every running sequence.
func work(requests int, p workload.Point, maxNumSeqs int) (steps, tokens float64) {
	waves := (requests + maxNumSeqs - 1) / maxNumSeqs
	_, output := p.Longest()
	share := float64(requests) / float64(p.Requests)
	return float64(waves * output), share * float64(p.InputTokens()+p.OutputTokens())
}

// observe takes in one measured pass.
func (e *eta) observe(steps, tokens float64, elapsed time.Duration) {
	s, k := steps/elapsed.Seconds(), tokens/elapsed.Seconds()
	e.ss += s * s
	e.sk += s * k
	e.kk += k * k
	e.s += s
	e.k += k
}

// left returns the predicted time of so many steps and tokens, and of the loads that are left. ok
// is false before the first pass, and when all passes had one shape and what is left has another.
func (e *eta) left(steps, tokens float64) (d time.Duration, ok bool) {
	if e.kk == 0 {
		return 0, false
	}
	bySteps, byTokens := e.s/e.ss*steps, e.k/e.kk*tokens
	seconds, ok := byTokens, true
	if det := e.ss*e.kk - e.sk*e.sk; det > 1e-6*e.ss*e.kk {
		a, b := (e.s*e.kk-e.k*e.sk)/det, (e.k*e.ss-e.s*e.sk)/det
		switch {
		case a < 0: // tokens alone explain the times best
		case b < 0: // steps alone do
			seconds = bySteps
		default:
			seconds = a*steps + b*tokens
		}
	} else {
		ok = byTokens < 2*bySteps && bySteps < 2*byTokens
	}
	return time.Duration(seconds*float64(time.Second)) + time.Duration(e.loads)*e.load, ok
}
