package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"vllmgo/bench/internal/files"
	"vllmgo/bench/internal/format"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/internal/plain"
)

// PublishSoak writes the report of the soak test in a directory to w, and to soak.txt in the
// directory. It reads the journal there. It is what a program does after a soak test.
func PublishSoak(dir string, w io.Writer) (*journal.Soak, error) {
	s, err := journal.ReadSoak(filepath.Join(dir, journal.SoakFileName))
	if err != nil {
		return nil, err
	}
	write := func(w io.Writer) error { return WriteSoak(w, s) }
	return s, errors.Join(files.Write(dir, []files.File{{Name: "soak.txt", Write: write}}), write(w))
}

// WriteSoak writes the report of a soak test: its setting, a table of its windows, and how
// throughput and memory changed from the second window to the last but one. The first and the last
// window do not count, because the engine fills in the first and empties in the last.
func WriteSoak(w io.Writer, s *journal.Soak) error {
	var b bytes.Buffer // whose writes do not fail
	h := s.Header
	fmt.Fprintf(&b, "%s\n%s\n%s, max_num_seqs %d, max_num_batched_tokens %d\n",
		strings.Join(h.Command, " "), h.Machine, h.Engine.Versions(), h.Engine.MaxNumSeqs, h.Engine.MaxNumBatchedTokens)
	rows := soakRows(s.Windows)
	if err := writeWindows(&b, h, rows); err != nil {
		return fmt.Errorf("bench: writing a table: %w", err)
	}
	if len(rows) >= 4 {
		writeChange(&b, rows[1:len(rows)-1])
	}
	if s.End != nil {
		fmt.Fprintf(&b, "all outputs are what was asked for; SHA-256 of the prompts %s\n", s.End.PromptsSHA256)
	}
	if s.Damaged {
		b.WriteString(format.Damaged)
	}
	_, err := plain.Writer(w).Write(b.Bytes())
	return err
}

// soakRow is a window with the number of requests that ended in it.
type soakRow struct {
	journal.SoakWindow
	requests float64
}

// soakRows returns the rows of windows.
func soakRows(windows []journal.SoakWindow) []soakRow {
	var rows []soakRow
	before := 0
	for _, window := range windows {
		rows = append(rows, soakRow{window, float64(window.Requests - before)})
		before = window.Requests
	}
	return rows
}

// perSecond returns the rate of a number in the window.
func (r soakRow) perSecond(n float64) string { return format.Rate(n / r.Elapsed.Seconds()) }

// writeWindows writes the table of the windows.
func writeWindows(w io.Writer, h journal.SoakHeader, rows []soakRow) error {
	var columns format.Columns[soakRow]
	columns.Add("requests so far", func(r soakRow) string { return strconv.Itoa(r.Requests) })
	columns.Add("elapsed s", func(r soakRow) string { return format.Seconds(r.Elapsed) })
	columns.Add("requests/s", func(r soakRow) string { return r.perSecond(r.requests) })
	columns.Add("generated tok/s", func(r soakRow) string { return r.perSecond(float64(r.OutputTokens)) })
	columns.Add("total tok/s", func(r soakRow) string { return r.perSecond(float64(r.InputTokens + r.OutputTokens)) })
	columns.Add("Go heap MiB", func(r soakRow) string { return format.Fixed(float64(r.GoHeap)/(1<<20), 1) })
	columns.Add("process MiB", func(r soakRow) string { return format.MiB(r.Process) })
	columns.Add("children MiB", func(r soakRow) string { return format.MiB(r.Children) })
	caption := fmt.Sprintf("Soak, %s: %s, dtype %s, %s, TP %d, engine %s", h.Point.Shape(),
		format.ModelTitle(h.Model, h.RandomWeights), h.Engine.Dtype, h.Engine.Device,
		h.Engine.TensorParallelSize, h.Engine.EngineMode)
	return columns.WriteTable(w, caption, rows, 0)
}

// writeChange writes how throughput and memory changed from the first of some rows to the last.
func writeChange(b *bytes.Buffer, rows []soakRow) {
	var times []time.Duration // for 100 requests, which are exact enough and not too long for a time
	for _, r := range rows {
		times = append(times, max(1, time.Duration(100*float64(r.Elapsed)/r.requests)))
	}
	trend := stat.NewTrend(times)
	first, last := rows[0], rows[len(rows)-1]
	change := func(before, after int64) string { return fmt.Sprintf("%+.1f MiB", float64(after-before)/(1<<20)) }
	fmt.Fprintf(b, "from request %d to %d: time for a request %s (Theil-Sen; Mann-Kendall: p = %s), "+
		"Go heap %s, process %s, children %s\n",
		first.Requests, last.Requests, format.Change(trend.Change, 1), format.P(trend.P), change(first.GoHeap, last.GoHeap),
		change(first.Process, last.Process), change(first.Children, last.Children))
}
