package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"vllmgo/bench/internal/format"
	"vllmgo/internal/plain"
)

// WriteReport writes the whole report of the run: the setting, tables and a finding for each study,
// the summary, the recommendations, and what is missing.
func (r *Results) WriteReport(w io.Writer) error {
	var b bytes.Buffer // whose writes do not fail
	r.writeSetting(&b)
	b.WriteString(explanation)
	for _, s := range r.Studies {
		b.WriteString("\n")
		if err := r.writeStudy(&b, s); err != nil {
			return fmt.Errorf("bench: writing a table: %w", err)
		}
	}
	b.WriteString("\n")
	if err := r.writeSummary(&b, fmt.Sprintf("Results summary: %s, %s", r.model(), r.setting()), tableWidth); err != nil {
		return fmt.Errorf("bench: writing the summary: %w", err)
	}
	r.writeRecommendations(&b)
	r.writeProblems(&b)
	_, err := plain.Writer(w).Write(b.Bytes())
	return err
}

// explanation explains how to read the tables.
const explanation = `Elapsed is the time of vLLM's LLM.generate alone, for the whole batch; loading is not part of it.
Figures are medians of a point's trials. The interval is for the median, with 95 % confidence or what is said. It
assumes that a trial depends on none before, or, where a note says so, on the one before alone.
Checks: prompts and counts exact, finish reason length, nothing from the prefix cache, no preemption, one engine for all
trials, no other load on the machine, GPU clocks not held down. A point that fails one is marked.
`

// writeSetting writes what was measured, how and where.
func (r *Results) writeSetting(b *bytes.Buffer) {
	h := r.Header
	fmt.Fprintf(b, "Model: %s\n", r.model())
	eager := ""
	if h.EngineArgs.EnforceEager {
		eager = ", eager (no compilation)"
	}
	fmt.Fprintf(b, "Setting: %s%s, seed %d\n", r.setting(), eager, h.Seed)
	fmt.Fprintf(b, "Trials: %s; points in random order; warm-up %s\n", h.Stopping, h.WarmUp)
	if versions := r.versions(); versions != "" {
		fmt.Fprintf(b, "Versions: %s\n", versions)
	}
	fmt.Fprintf(b, "Machine: %s\n", h.Machine)
	fmt.Fprintf(b, "Command: %s\n", strings.Join(h.Command, " "))
	r.writeEngines(b)
	if r.Limits != nil {
		fmt.Fprintf(b, "Limits of a device, as measured: memory %s GB/s, matrix multiplication %.3g TFLOP/s\n",
			format.Fixed(r.Limits.Bandwidth/1e9, 1), r.Limits.FLOPS/1e12)
	}
}

// writeEngines writes the settings of the engines, and what it took to load them.
func (r *Results) writeEngines(b *bytes.Buffer) {
	for _, e := range r.Engines {
		fmt.Fprintf(
			b,
			"Engine %d: max_num_batched_tokens %d, max_num_seqs %d, KV cache of %d tokens; loading took %s\n",
			e.Number,
			e.Args.MaxNumBatchedTokens,
			e.Args.MaxNumSeqs,
			e.Info.KVCacheTokens,
			loadCost(e),
		)
		if e.Number == 1 && e.OtherLoadAverage > 0 {
			fmt.Fprintf(b, "  others' load average in the minute before: %.2f\n", e.OtherLoadAverage)
		}
		if e.Notice != "" {
			fmt.Fprintf(b, "  %s\n", e.Notice)
		}
		if e.Info.CPUThreads != "" {
			fmt.Fprintf(b, "  threads of each rank bound to the cores %s\n", e.Info.CPUThreads)
		}
	}
}

// writeStudy writes the tables and the finding of a study.
func (r *Results) writeStudy(b *bytes.Buffer, s StudyResult) error {
	if s.Study.Scaled != "" {
		fmt.Fprintf(b, "Preset %s scales this sweep: %s.\n", r.Header.Preset, s.Study.Scaled)
	}
	if err := r.writeTable(b, s); err != nil {
		return err
	}
	fmt.Fprintf(b, "%s\n", strings.TrimSpace(s.Finding+" "+s.Detail))
	return errors.Join(r.writeLatencyTable(b, s), r.writeMachineTable(b, s))
}

// writeRecommendations writes the recommendations as a list.
func (r *Results) writeRecommendations(b *bytes.Buffer) {
	b.WriteString("\nRecommendations\n")
	for _, text := range r.recommendations(true) {
		fmt.Fprintf(b, "- %s\n", text)
	}
}

// writeProblems writes what was not measured, and the problems.
func (r *Results) writeProblems(b *bytes.Buffer) {
	if missing := unmeasured(r.rows()); missing != "" {
		fmt.Fprintf(b, "\nWithout figures: %s.\n", missing)
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(b, "Problem: %s.\n", problem)
	}
}
