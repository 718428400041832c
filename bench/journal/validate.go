package journal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"vllmgo/bench/internal/valid"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// validate returns an error when a header's values are impossible.
func (h Header) validate() error {
	if err := cmp.Or(workload.CheckStudies(h.Studies), h.Stopping.Validate()); err != nil {
		return err
	}
	if s := h.ModelSize; s != nil {
		if err := valid.Fields(valid.Positive("layers", s.Layers), valid.Positive("head", s.Head)); err != nil {
			return err
		}
	}
	return valid.Fields(
		valid.Field{Name: "warm_up", Value: h.WarmUp, OK: h.WarmUp == WarmUpFull || h.WarmUp == WarmUpNotebook},
		valid.Positive("vocabulary", h.Vocabulary.Size()),
		valid.NotNegative("goodput ttft_ns", h.Goodput.TTFT),
		valid.NotNegative("goodput tpot_ns", h.Goodput.TPOT),
		valid.NotNegative("goodput e2e_ns", h.Goodput.E2E),
		valid.NotNegative("cores", h.Machine.Cores),
	)
}

// validate returns an error when a line cannot follow those that the journal has.
func (j *Journal) validate(r Record) error {
	switch {
	case r.Header != nil:
		return errors.New("another header: the file has the lines of two runs")
	case j.Ended:
		return errors.New("a line after the end of the run")
	case r.Engine != nil:
		return j.validateEngine(*r.Engine)
	case r.WarmUp != nil:
		return j.validateWarmUp(*r.WarmUp)
	case r.Trial != nil:
		return j.validateTrial(*r.Trial)
	case r.Latency != nil:
		return j.validateLatency(*r.Latency)
	case r.Failure != nil:
		return j.validateFailure(*r.Failure)
	case r.Limits != nil:
		if j.Limits != nil {
			return errors.New("the limits of the device again")
		}
		return r.Limits.Validate()
	case r.Begin != nil:
		return j.validateBegin(*r.Begin)
	case r.Done != nil:
		if slices.Contains(j.OutOfBudget, *r.Done) {
			return fmt.Errorf("the end of %s again", *r.Done)
		}
		_, err := j.point(*r.Done)
		return err
	}
	return nil
}

// point returns the point of the header with an ID.
func (j *Journal) point(id workload.PointID) (workload.Point, error) {
	for _, s := range j.Header.Studies {
		for _, p := range s.Points {
			if p.ID() == id {
				return p, nil
			}
		}
	}
	return workload.Point{}, fmt.Errorf("%s, which is no point of the run", id)
}

// engine returns an engine that opened.
func (j *Journal) engine(number int) (Engine, error) {
	i := slices.IndexFunc(j.Engines, func(e Engine) bool { return e.Number == number })
	if i < 0 {
		return Engine{}, fmt.Errorf("engine %d, which did not open", number)
	}
	return j.Engines[i], nil
}

// measured returns the point and the engine of a line that says what an engine did.
func (j *Journal) measured(id workload.PointID, engine int) (workload.Point, Engine, error) {
	p, err := j.point(id)
	if err != nil {
		return p, Engine{}, err
	}
	e, err := j.engine(engine)
	return p, e, err
}

// mostDevices is more devices than an engine can have.
const mostDevices = 1 << 20

func (j *Journal) validateEngine(e Engine) error {
	if _, err := j.engine(e.Number); err == nil {
		return fmt.Errorf("engine %d again", e.Number)
	}
	devices := func(name string, n int) valid.Field {
		return valid.Field{Name: name, Value: n, OK: n >= 0 && n <= mostDevices}
	}
	return valid.Fields(
		valid.Positive("engine", e.Number),
		valid.NotNegative("load_time_ns", e.LoadTime),
		valid.NotNegative("other_gpu_processes", e.OtherGPUProcesses),
		valid.NotNegative("other_load_average", e.OtherLoadAverage),
		valid.Positive("max_num_seqs", e.Args.MaxNumSeqs),
		valid.Positive("max_num_batched_tokens", e.Args.MaxNumBatchedTokens),
		devices("tensor_parallel_size", e.Args.TensorParallelSize),
		devices("pipeline_parallel_size", e.Args.PipelineParallelSize),
		devices("tensor_parallel_size of the engine", e.Info.TensorParallelSize),
		devices("data_parallel_size", e.Args.DataParallelSize),
		devices("data_parallel_size of the engine", e.Info.DataParallelSize),
		valid.NotNegative("max_num_seqs of the engine", e.Info.MaxNumSeqs),
		valid.NotNegative("kv_cache_tokens", e.Info.KVCacheTokens),
		valid.NotNegative("block_size", e.Info.BlockSize),
	)
}

func (j *Journal) validateWarmUp(w WarmUp) error {
	if _, _, err := j.measured(w.PointID, w.Engine); err != nil {
		return err
	}
	same := func(other WarmUp) bool { return other.PointID == w.PointID && other.Engine == w.Engine }
	if slices.ContainsFunc(j.WarmUps, same) {
		return fmt.Errorf("the warm-up of %s on engine %d again", w.PointID, w.Engine)
	}
	fields := []valid.Field{valid.Positive("single_ns", w.Single)}
	for _, pass := range w.Passes {
		fields = append(fields, valid.Positive("passes_ns", pass))
	}
	return valid.Fields(fields...)
}

func (j *Journal) validateTrial(t Trial) error {
	p, e, err := j.measured(t.PointID, t.Engine)
	if err != nil {
		return err
	}
	if before := len(j.Times(t.PointID)); t.Trial != before+1 {
		return fmt.Errorf("trial %d of %s after %d others", t.Trial, t.PointID, before)
	}
	ended := func(other Trial) bool { return other.PointID == t.PointID && other.Stopped != "" }
	if slices.ContainsFunc(j.Trials, ended) {
		return fmt.Errorf("trial %d of %s, which had no more", t.Trial, t.PointID)
	}
	reasons := []stat.StopReason{"", stat.TargetReached, stat.TargetIfIndependent, stat.MostTrials}
	if err := t.Ledger.validate(p, e); err != nil {
		return err
	}
	peak := p.PeakKVTokens(e.Args.MaxNumSeqs, e.Info.BlockSize)
	return cmp.Or(valid.Fields(
		valid.Positive("elapsed_ns", t.Elapsed),
		// A clock that differs can make it negative by itself.
		valid.Positive("elapsed_ns + outside_ns", t.Elapsed+t.Outside),
		valid.Field{Name: "peak_kv_tokens", Value: t.PeakKVTokens, OK: t.PeakKVTokens == peak},
		valid.Field{Name: "stopped", Value: fmt.Sprintf("%q", t.Stopped), OK: slices.Contains(reasons, t.Stopped)},
	), t.Usage.validate())
}

func (j *Journal) validateLatency(l LatencyPass) error {
	p, e, err := j.measured(l.PointID, l.Engine)
	if err != nil {
		return err
	}
	if before := j.Passes(l.PointID); l.Pass != before+1 {
		return fmt.Errorf("latency pass %d of %s after %d others", l.Pass, l.PointID, before)
	}
	if err := l.Ledger.validate(p, e); err != nil {
		return err
	}
	if len(l.Requests) != p.Requests {
		return fmt.Errorf("the times of %d requests of %s, which has %d", len(l.Requests), l.PointID, p.Requests)
	}
	fields := []valid.Field{valid.Positive("elapsed_ns", l.Elapsed)}
	for _, r := range l.Requests {
		fields = append(fields, valid.NotNegative("queue_ns", r.Queue), valid.Positive("ttft_ns", r.TTFT),
			valid.NotNegative("e2e_ns − ttft_ns", r.E2E-r.TTFT))
		for _, gap := range r.ITL {
			fields = append(fields, valid.NotNegative("itl_ns", gap))
		}
	}
	if l.Counters != nil {
		fields = append(fields, valid.Positive("max_num_seqs of the engine", e.Info.MaxNumSeqs))
	}
	var before Counters
	for _, c := range l.Counters {
		fields = append(fields,
			valid.Field{Name: "at_ns", Value: c.At, OK: c.At >= before.At},
			valid.NotNegative("running", c.Running), valid.NotNegative("waiting", c.Waiting),
			valid.Field{Name: "preemptions", Value: c.Preemptions, OK: c.Preemptions >= before.Preemptions},
			valid.Share("kv_use", c.KVUse))
		before = c
	}
	return cmp.Or(valid.Fields(fields...), l.Usage.validate())
}

// validate returns an error when a pass of a point on an engine cannot have the ledger.
func (l Ledger) validate(p workload.Point, e Engine) error {
	caching := e.Args.EnablePrefixCaching != nil && *e.Args.EnablePrefixCaching
	count := func(name string, n, want int) valid.Field {
		return valid.Field{Name: name, Value: fmt.Sprintf("%d for the %d of %s", n, want, p), OK: n == want && n > 0}
	}
	return valid.Fields(
		count("requests", l.Requests, p.Requests),
		count("input_tokens", l.InputTokens, p.InputTokens()),
		count("output_tokens", l.OutputTokens, p.OutputTokens()),
		valid.Field{
			Name: "cached_tokens", Value: l.CachedTokens,
			OK: l.CachedTokens >= -1 && l.CachedTokens <= l.InputTokens && (l.CachedTokens <= 0 || caching),
		},
		valid.SHA256("prompts_sha256", l.PromptsSHA256),
	)
}

// validate returns an error when a machine cannot be used so.
func (u Usage) validate() error {
	fields := []valid.Field{
		valid.NotNegative("cores", u.Cores), valid.NotNegative("other_cores", u.OtherCores),
		valid.Share("steal", u.Steal), valid.NotNegative("throttled", u.Throttled),
		valid.NotNegative("host_memory_bytes", u.HostMemory),
	}
	seen := make(map[int]bool)
	for _, g := range u.GPUs {
		fields = append(
			fields,
			valid.Field{Name: "gpu", Value: g.Index, OK: g.Index >= 0 && !seen[g.Index]},
			valid.Share("busy", g.Busy),
			valid.NotNegative("memory_bytes", g.Memory),
			valid.NotNegative("energy_j", g.Energy),
			valid.NotNegative("low_clock_mhz", g.LowClock),
			valid.NotNegative("high_clock_mhz − low_clock_mhz", g.HighClock-g.LowClock),
			valid.NotNegative("other_processes", g.OtherProcesses),
		)
		seen[g.Index] = true
	}
	return valid.Fields(fields...)
}

func (j *Journal) validateFailure(f Failure) error {
	if f.Point != nil {
		if _, err := j.point(*f.Point); err != nil {
			return err
		}
	}
	same := func(other Failure) bool {
		if f.Point == nil || other.Point == nil {
			return f.Point == other.Point && f.Engine == other.Engine
		}
		return *f.Point == *other.Point && f.Latency == other.Latency
	}
	if slices.ContainsFunc(j.Failures, same) {
		return fmt.Errorf("the failure of engine %d or its point again", f.Engine)
	}
	checks := []string{"", CheckPrompts, CheckCounts, CheckFinish, CheckCache}
	return valid.Fields(
		valid.Positive("engine", f.Engine), valid.NotNegative("trial", f.Trial),
		valid.Field{Name: "check", Value: fmt.Sprintf("%q", f.Check), OK: slices.Contains(checks, f.Check)},
	)
}

func (j *Journal) validateBegin(b Begin) error {
	for _, id := range b.Points {
		if _, err := j.point(id); err != nil {
			return err
		}
	}
	return valid.Fields(valid.Positive("engine", b.Engine), valid.NotNegative("trial", b.Trial))
}

// Validate returns an error when a device cannot have the limits; nil when it can.
func (l Limits) Validate() error {
	rate := func(name string, perSecond float64) valid.Field {
		return valid.Field{Name: name, Value: perSecond, OK: perSecond >= 1 && perSecond <= 1e24}
	}
	return valid.Fields(rate("bandwidth", l.Bandwidth), rate("flops", l.FLOPS))
}
