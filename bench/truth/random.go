package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// trialCounts are numbers of trials, with too few for an interval among them. They are few because
// compare.py simulates the dips of each.
var trialCounts = []int{1, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 10, 12, 12, 20, 50}

// newHeader returns the settings that a pair of runs shares.
func newHeader(r *rand.Rand) journal.Header {
	base := workload.Point{InputLen: 1 + r.IntN(300), OutputLen: 1 + r.IntN(80)}
	if r.IntN(6) == 0 {
		base.OutputLen = 1
	}
	if r.IntN(4) == 0 {
		base.Set.Sampling = map[string]any{"n": 1 + r.IntN(3), "temperature": 1}
	}
	requests, next := []any{}, 0
	for range 2 + r.IntN(3) {
		next += 1 + r.IntN(12)
		requests = append(requests, next)
	}
	study, err := workload.NewStudy("requests", base, workload.Axis{Name: "requests", Values: requests})
	if err != nil {
		panic(err) // these settings are right
	}
	vocabulary, err := workload.NewVocabulary(1000, nil)
	if err != nil {
		panic(err)
	}
	if r.IntN(3) == 0 {
		for i := range study.Points {
			p := &study.Points[i]
			for range p.Requests {
				p.Lengths = append(p.Lengths, workload.RequestLength{Input: 1 + r.IntN(300), Output: 1 + r.IntN(80)})
			}
		}
	}
	h := journal.Header{
		Schema:     journal.Schema,
		Started:    time.Unix(1e9, 0).UTC(),
		Command:    []string{"truth"},
		Model:      "a/model",
		Preset:     "none",
		Device:     "cuda",
		EngineArgs: vllmgo.EngineArgs{Model: "a/model"},
		ModelConfig: vllmgo.ModelConfig{
			VocabSize:         1000,
			MaxModelLen:       2048,
			NumLayers:         1 + r.IntN(40),
			NumKVHeads:        1 + r.IntN(8),
			HeadDim:           64 << r.IntN(2),
			NumAttentionHeads: 8 * (1 + r.IntN(4)),
			ModelType:         "llama",
			HiddenSize:        512,
			IntermediateSize:  2048,
			Dtype:             "bfloat16",
			DtypeBytes:        2,
		},
		ModelSize:  &journal.ModelSize{Layers: 1e6 + r.Int64N(1e9), Head: 1e5 + r.Int64N(1e8)},
		Machine:    journal.Machine{Cores: 8, Memory: 1 << 35, OS: "linux", Go: "go"},
		Vocabulary: vocabulary,
		WarmUp:     journal.WarmUpFull,
		Studies:    []workload.Study{study},
		Stopping:   newStopping(r),
		Latency:    r.IntN(3) == 0 && base.Set.Sampling == nil,
		Cold:       true,
	}
	if r.IntN(3) == 0 {
		h.Device = "cpu"
	}
	if h.Latency && r.IntN(2) == 0 {
		h.Goodput = journal.Goodput{
			TTFT: time.Duration(r.Int64N(2e8)),
			TPOT: time.Duration(r.Int64N(1e7)),
			E2E:  time.Duration(r.Int64N(1e9)),
		}
	}
	return h
}

// newStopping returns a rule, of this version or of an earlier one.
func newStopping(r *rand.Rand) stat.Stopping {
	s := stat.UntilPrecise([]float64{0.005, 0.02, 0.1}[r.IntN(3)], 0)
	s.Pooled = r.IntN(4) > 0
	s.Dependence = s.Pooled || r.IntN(2) == 0
	return s
}

// generator makes one run.
type generator struct {
	*rand.Rand
	// size is the tensor_parallel_size.
	size int
	// scales are the times of the points, about.
	scales []float64
	header journal.Header
	// others are the times of the points before.
	others [][]time.Duration
}

// records returns the lines of a journal: valid in every respect, and random in all figures.
func (g *generator) records(header journal.Header) []journal.Record {
	g.header = header
	g.header.Seed = 1
	g.header.EngineArgs.TensorParallelSize = g.size
	records := []journal.Record{
		{Header: &g.header},
		{Limits: &journal.Limits{Bandwidth: 1e9 * (1 + 1000*g.Float64()), FLOPS: 1e11 * (1 + 1000*g.Float64())}},
	}
	info := vllmgo.Info{
		Device:              header.Device,
		DeviceName:          header.Device,
		EngineMode:          vllmgo.InProcess,
		Dtype:               "bfloat16",
		TensorParallelSize:  g.size,
		MaxModelLen:         2048,
		MaxNumSeqs:          256,
		MaxNumBatchedTokens: 8192,
		BlockSize:           1 + g.IntN(64),
		KVCacheTokens:       1 + g.IntN(20000),
		LoadTime:            time.Second,
	}
	engine := journal.Engine{
		Number:     1,
		Args:       g.header.EngineArgs,
		Info:       info,
		LoadTime:   time.Duration(1 + g.Int64N(1e11)),
		HostMemory: 1 << 30,
	}
	engine.Args.MaxNumSeqs, engine.Args.MaxNumBatchedTokens = info.MaxNumSeqs, info.MaxNumBatchedTokens
	if header.Device != "cpu" {
		engine.GPUMemory = new(int64(1 << 34))
		for gpu := range g.size {
			engine.GPUs = append(engine.GPUs, gpu)
		}
	}
	if g.IntN(8) == 0 {
		engine.OtherLoadAverage = 8 * g.Float64()
	}
	records = append(records, journal.Record{Engine: &engine})
	points := header.Studies[0].Points
	for _, p := range points {
		records = append(records, journal.Record{WarmUp: &journal.WarmUp{
			PointID: p.ID(), Engine: 1, Single: time.Duration(1 + g.Int64N(1e9)), Stable: true,
			Passes: []time.Duration{time.Duration(1 + g.Int64N(1e10)), time.Duration(1 + g.Int64N(1e10))},
		}})
	}
	for _, p := range points {
		records = append(records, g.trials(p, engine)...)
	}
	if !header.Latency {
		return append(records, journal.Record{End: &journal.End{At: header.Started}})
	}
	timed := engine
	timed.Number = 2
	timed.Args.DisableLogStats = new(false)
	records = append(records, journal.Record{Engine: &timed})
	for _, p := range points {
		for pass := range 1 + g.IntN(3) {
			records = append(records, journal.Record{Latency: g.pass(p, pass+1)})
		}
	}
	return append(records, journal.Record{End: &journal.End{At: header.Started}})
}

// ledger accounts for the requests of a point.
func ledger(p workload.Point, trial int) journal.Ledger {
	hash := sha256.Sum256(fmt.Append(nil, p.ID(), trial))
	return journal.Ledger{
		PromptsSHA256: hex.EncodeToString(hash[:]),
		Requests:      p.Requests,
		InputTokens:   p.InputTokens(),
		OutputTokens:  p.OutputTokens(),
	}
}

// trials returns the lines of a point's trials, with the budget's end if it needs one.
func (g *generator) trials(p workload.Point, engine journal.Engine) []journal.Record {
	var records []journal.Record
	same := func(other workload.Point) bool { return other.Value == p.Value }
	scale := g.scales[slices.IndexFunc(g.header.Studies[0].Points, same)]
	times := g.times(trialCounts[g.IntN(len(trialCounts))], scale*[]float64{1, 1, 1.03, 1.2}[g.IntN(4)])
	silent, busy := g.IntN(4) == 0, g.IntN(6) == 0
	for i, elapsed := range times {
		t := journal.Trial{
			PointID:      p.ID(),
			Trial:        i + 1,
			Engine:       1,
			Started:      g.header.Started,
			Elapsed:      elapsed,
			Outside:      time.Duration(g.Int64N(1e7)),
			Ledger:       ledger(p, i+1),
			PeakKVTokens: p.PeakKVTokens(engine.Info.MaxNumSeqs, engine.Info.BlockSize),
			Usage:        journal.Usage{Cores: 1 + g.Float64(), OtherCores: 0.1 * g.Float64(), HostMemory: 1 << 30},
		}
		if busy {
			t.Usage.OtherCores, t.Usage.Steal, t.Usage.Throttled = 0.5*g.Float64(), 0.011*g.Float64(), 0.011*g.Float64()
		}
		for _, gpu := range engine.GPUs {
			usage := journal.GPUUsage{Index: gpu, Busy: g.Float64(), Memory: 1 << 33, LowClock: 1000, HighClock: 2000}
			if !silent && g.IntN(4) > 0 {
				usage.Energy = 1 + 100*g.Float64()
			}
			t.Usage.GPUs = append(t.Usage.GPUs, usage)
		}
		records = append(records, journal.Record{Trial: &t})
	}
	reason := g.header.Stopping.Stop(times, g.others...)
	records[len(records)-1].Trial.Stopped = reason
	if reason == "" {
		records = append(records, journal.Record{Done: new(p.ID())})
	}
	g.others = append(g.others, times)
	return records
}

// times returns n times near scale of one of many kinds: noise of any size, equal times, outliers,
// drift, two modes and coarse clocks.
func (g *generator) times(n int, scale float64) []time.Duration {
	noise := []float64{0.001, 0.01, 0.05, 0.2}[g.IntN(4)]
	kind := g.IntN(8)
	// A round number, so that two runs have equal times.
	step := math.Pow(10, math.Floor(math.Log10(scale*noise*[]float64{0.3, 1, 3}[g.IntN(3)])))
	times := make([]time.Duration, n)
	for i := range times {
		t := scale * math.Exp(noise*g.NormFloat64())
		switch {
		case kind == 1 || kind == 2 && g.IntN(2) == 0: // a coarse clock, always or at times
			t = math.Round(t/step) * step
		case kind == 3: // always the same
			t = math.Round(scale/step) * step
		case kind == 4 && g.IntN(6) == 0:
			t *= 1 + 20*g.Float64()
		case kind == 5:
			t *= 1 + 3*noise*float64(i)/float64(n)
		case kind == 6 && g.IntN(2) == 0:
			t *= 1 + 12*noise
		case kind == 7:
			t = scale * (1 + g.ExpFloat64())
		}
		times[i] = max(1, time.Duration(math.Round(t)))
	}
	return times
}

// pass returns a pass with the times of each request: times of 0 where they can be, and steps that
// gave more than one token.
func (g *generator) pass(p workload.Point, number int) *journal.LatencyPass {
	pass := &journal.LatencyPass{
		PointID: p.ID(),
		Pass:    number,
		Engine:  2,
		Ledger:  ledger(p, number),
		Usage:   journal.Usage{Cores: 1, HostMemory: 1 << 30},
	}
	for _, length := range p.EachLength() {
		var r journal.RequestTimes
		if g.IntN(5) > 0 {
			r.Queue = time.Duration(g.Int64N(1e8))
		}
		r.TTFT = r.Queue + time.Duration(1+g.Int64N(1e8))
		r.E2E = r.TTFT
		for tokens := 1; tokens < length.Output; tokens++ {
			if g.IntN(10) == 0 {
				continue // with the token before
			}
			gap := time.Duration(g.IntN(8) * g.IntN(1e6))
			r.ITL = append(r.ITL, gap)
			r.E2E += gap
		}
		pass.Requests = append(pass.Requests, r)
		pass.Elapsed = max(pass.Elapsed, r.E2E+time.Duration(g.Int64N(1e6)))
	}
	return pass
}
