package report

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"vllmgo/bench"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// journalOf is a journal with one engine and, for each study, trials with the given throughputs, in
// generated tokens a second. A throughput of 0 is a failed point, a negative one a missing point.
func journalOf(studies []workload.Study, rates ...[]float64) *journal.Journal {
	j := &journal.Journal{
		Ended: true, Header: journal.Header{Schema: journal.Schema, Model: "a/model", Preset: "quick", Device: "cpu", Stopping: stat.FixedTrials(1), Studies: studies},
		Engines: []journal.Engine{{
			Number: 1, LoadTime: 9 * time.Second, HostMemory: 3 << 29, GPUMemory: new(int64(5 << 30)),
			Info: vllmgo.Info{Device: "cuda", DeviceName: "NVIDIA H100", Dtype: "float16", TensorParallelSize: 2, EngineMode: vllmgo.OwnProcess,
				KVCacheTokens: 1 << 20},
		}},
	}
	for i, study := range studies {
		for k, p := range study.Points {
			switch rate := rates[i][k]; {
			case rate == 0:
				j.Failures = append(j.Failures, journal.Failure{Engine: 1, Point: new(p.ID()), Trial: 1, Reason: "it broke"})
			case rate > 0:
				elapsed := time.Duration(float64(p.OutputTokens()) / rate * float64(time.Second))
				j.Trials = append(j.Trials, journal.Trial{PointID: p.ID(), Trial: 1, Engine: 1, Elapsed: elapsed, PeakKVTokens: p.PeakKVTokens(256, 16),
					Ledger: journal.Ledger{Requests: p.Requests, InputTokens: p.InputTokens(), OutputTokens: p.OutputTokens()}})
			}
		}
	}
	return j
}

func preset(t *testing.T, name string) []workload.Study {
	t.Helper()
	studies, err := workload.Preset(name)
	require.NoError(t, err)
	return studies
}

// resultsOf reads the journal of a run and returns its results.
func resultsOf(t *testing.T, s bench.Settings) *Results {
	t.Helper()
	journal, err := journal.ReadFile(filepath.Join(s.Dir, journal.FileName))
	require.NoError(t, err)
	return New(journal)
}

// scheduled adds a latency pass of one second to a journal, in which all requests run for a share
// of it, and readings.
func scheduled(j *journal.Journal, p workload.Point, share float64, counters ...journal.Counters) {
	pass := journal.LatencyPass{PointID: p.ID(), Engine: 1, Elapsed: time.Second, Counters: counters}
	for range p.Requests {
		pass.Requests = append(pass.Requests, journal.RequestTimes{
			TTFT: time.Millisecond, E2E: time.Duration(share * float64(time.Second)), ITL: []time.Duration{time.Millisecond, time.Minute},
		})
	}
	j.Latencies = append(j.Latencies, pass)
}
