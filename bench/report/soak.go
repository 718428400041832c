package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/internal/format"
)

// WriteSoak writes the report of a soak test: its setting, a table of the windows, and how throughput and
// memory changed from the second window to the last but one. The engine fills in the first window and
// empties in the last.
func WriteSoak(w io.Writer, s *journal.Soak) error {
	h := s.Header
	fmt.Fprintf(w, "%s\n%s\nvLLM %s, torch %s, Python %s, max_num_seqs %d, max_num_batched_tokens %d\n", strings.Join(h.Command, " "), h.Machine,
		h.Engine.VLLMVersion, h.Engine.TorchVersion, h.Engine.PythonVersion, h.Engine.MaxNumSeqs, h.Engine.MaxNumBatchedTokens)
	caption := fmt.Sprintf("Soak, %s: %s, dtype %s, %s, TP %d, engine %s", h.Point.Shape(), ModelTitle(h.Model, h.RandomWeights),
		h.Engine.Dtype, h.Engine.Device, h.Engine.TensorParallelSize, h.Engine.EngineMode)
	if err := writeWindows(w, caption, s.Windows); err != nil || s.End == nil {
		return err
	}
	_, err := fmt.Fprintf(w, "all outputs are what was asked for; SHA-256 of the prompts %s\n", s.End.PromptsSHA256)
	return err
}

// writeWindows writes the table of windows, and how throughput and memory changed.
func writeWindows(w io.Writer, caption string, windows []journal.SoakWindow) error {
	var rows [][]string
	var times []time.Duration // for a million requests
	before := 0
	for _, window := range windows {
		requests, seconds := float64(window.Requests-before), window.Elapsed.Seconds()
		before = window.Requests
		rows = append(rows, []string{
			fmt.Sprint(window.Requests), format.Seconds(window.Elapsed), format.Rate(requests / seconds),
			format.Rate(float64(window.OutputTokens) / seconds), format.Rate(float64(window.InputTokens+window.OutputTokens) / seconds),
			fmt.Sprintf("%.1f", float64(window.GoHeap)/(1<<20)), fmt.Sprint(window.Process >> 20), fmt.Sprint(window.Children >> 20),
		})
		times = append(times, time.Duration(seconds*1e6/requests*float64(time.Second)))
	}
	header := []string{"requests so far", "elapsed s", "requests/s", "generated tok/s", "total tok/s", "Go heap MiB", "process MiB", "children MiB"}
	if err := format.Table(w, caption, header, rows, 0); err != nil || len(windows) < 4 {
		return err
	}
	trend := stat.NewTrend(times[1 : len(times)-1])
	first, last := windows[1], windows[len(windows)-2]
	change := func(f func(journal.SoakWindow) int64) string {
		return fmt.Sprintf("%+.1f MiB", float64(f(last)-f(first))/(1<<20))
	}
	_, err := fmt.Fprintf(w, "from request %d to %d: time for a request %+.1f %% (Theil-Sen; Mann-Kendall: p = %.2g), Go heap %s, process %s, children %s\n",
		first.Requests, last.Requests, 100*trend.Change, trend.P,
		change(func(w journal.SoakWindow) int64 { return w.GoHeap }), change(func(w journal.SoakWindow) int64 { return w.Process }),
		change(func(w journal.SoakWindow) int64 { return w.Children }))
	return err
}
