package report

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/bench/benchtest"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
)

// eachLeaf calls visit for each value in v that has no fields of its own, by a name such as
// ".Stopping.Target". Pointers and slices get an element when they have none.
func eachLeaf(v reflect.Value, name string, visit func(name string, leaf reflect.Value)) {
	_, vocabulary := v.Interface().(workload.Vocabulary)
	_, moment := v.Interface().(time.Time)
	switch {
	case vocabulary || moment:
		visit(name, v)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			eachLeaf(v.Field(i), name+"."+v.Type().Field(i).Name, visit)
		}
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		eachLeaf(v.Elem(), name, visit)
	case v.Kind() == reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		eachLeaf(v.Index(0), name, visit)
	default:
		visit(name, v)
	}
}

// set gives a leaf its first or second value, and returns the second as notes have it. The first of
// a bool is false.
func set(t *testing.T, leaf reflect.Value, name string, second bool) (text string) {
	n := 11
	text = "before"
	if second {
		n, text = 12, "after"
	}
	switch value := leaf.Interface().(type) {
	case workload.Vocabulary:
		leaf.Set(reflect.ValueOf(benchtest.Vocabulary(t, n)))
		return "12"
	case time.Time:
		leaf.Set(reflect.ValueOf(value.Add(time.Duration(n) * time.Hour)))
		return ""
	case map[string]any:
		leaf.Set(reflect.ValueOf(map[string]any{name: text}))
		return text
	case map[string]string:
		leaf.Set(reflect.ValueOf(map[string]string{name: text}))
		return text
	}
	switch {
	case leaf.Kind() == reflect.Interface:
		leaf.Set(reflect.ValueOf(text))
	case leaf.Kind() == reflect.String:
		leaf.SetString(text)
	case leaf.Kind() == reflect.Bool:
		leaf.SetBool(second)
		return "true"
	case leaf.CanInt():
		leaf.SetInt(int64(n))
		return "12"
	case leaf.CanUint():
		leaf.SetUint(uint64(n))
		return "12"
	case leaf.CanFloat():
		leaf.SetFloat(float64(n))
		return "12"
	default:
		require.Fail(t, "a type that this test cannot change", "%s: %s", name, leaf.Type())
	}
	return text
}

// records are what the settings of a run come from.
type records struct {
	Header journal.Header
	Engine journal.Engine
}

// results returns the results of a run of one point with the records, of which one value is
// changed. The engine has the arguments that the header gives it, unless they are what is changed.
// text is the changed value as notes have it.
func (records) results(t *testing.T, size int, change string) (r *Results, text string) {
	var all records
	eachLeaf(reflect.ValueOf(&all).Elem(), "", func(name string, leaf reflect.Value) {
		if value := set(t, leaf, name, name == change); name == change {
			text = value
		}
	})
	if change != ".Header.EngineArgs.TensorParallelSize" {
		all.Header.EngineArgs.TensorParallelSize = size
	}
	study := all.Header.Studies[0]
	if change == ".Header.Studies.Name" {
		study.Points[0].Study = study.Name // which Study.Validate asks for
	}
	j := journalOf(all.Header.Studies, []float64{100})
	if !strings.HasPrefix(change, ".Engine.Args.") {
		var err error
		all.Engine.Args, err = study.EngineArgs(all.Header.EngineArgs, study.Points[0])
		require.NoError(t, err)
	}
	j.Header, j.Engines = all.Header, []journal.Engine{all.Engine}
	j.Trials[0].Engine, j.Trials[0].PeakKVTokens = all.Engine.Number, 0
	return New(j), text
}

// names returns the names of all values.
func (records) names() (names []string) {
	var all records
	eachLeaf(reflect.ValueOf(&all).Elem(), "", func(name string, _ reflect.Value) { names = append(names, name) })
	return names
}

// A changed value of each field of a run's header, and of its engine's record, is noted with both
// values, or its point has no match in the other run.
func TestCompareNotesEverySetting(t *testing.T) {
	never := []string{".Header.Schema", ".Header.Started", ".Header.Command", ".Engine.Number", ".Engine.Notice", ".Engine.LoadTime", ".Engine.Info.LoadTime",
		".Engine.HostMemory", ".Engine.GPUMemory", ".Engine.OtherGPUProcesses", ".Engine.OtherLoadAverage"}
	first, _ := records{}.results(t, 1, "")
	again, _ := records{}.results(t, 1, "")
	require.Len(t, Compare(first, again).Points, 1)
	// notes leaves out the note on checks: the records have others' processes on a GPU.
	notes := func(c *Comparison) []string {
		return only(c.Notes, func(note string) bool { return !strings.HasPrefix(note, "points that failed a check") })
	}
	require.Empty(t, notes(Compare(first, again)))
	names := records{}.names()
	assert.Greater(t, len(names), 100)
	for _, name := range names {
		second, text := records{}.results(t, 1, name)
		c := Compare(first, second)
		noted := strings.Join(notes(c), "\n")
		if slices.Contains(never, name) {
			assert.Empty(t, noted, name)
			continue
		}
		if len(c.Points) == 0 {
			assert.Contains(t, noted, "without a match", name)
			continue
		}
		assert.Contains(t, noted, text, name)
		assert.NotEmpty(t, noted, name)
		for _, note := range notes(c) {
			assert.Contains(t, note, " in the first run, ", name)
		}
	}
}

// The same holds for runs whose scaling is reported: what differs is an error or a note.
func TestScalingNotesEverySetting(t *testing.T) {
	never := []string{".Header.Schema", ".Header.Started", ".Header.Command", ".Header.Preset", ".Header.Cold", ".Header.Latency",
		".Header.Goodput.TTFT", ".Header.Goodput.TPOT", ".Header.Goodput.E2E", ".Header.Stopping.Target", ".Header.Stopping.Dependence", ".Header.Stopping.Pooled", ".Header.Stopping.MinTrials",
		".Header.Stopping.MaxTrials", ".Header.Stopping.Budget", ".Header.EngineArgs.TensorParallelSize", ".Header.EngineArgs.DataParallelSize",
		".Header.Studies.Sweep", ".Header.Studies.Parameter", ".Header.Studies.Unit", ".Header.Studies.Scaled",
		".Engine.Info.TensorParallelSize", ".Engine.Info.DataParallelSize", ".Engine.Info.Placement", ".Engine.Info.KVCacheTokens", ".Engine.Info.CPUThreads", ".Engine.Info.LoadTime",
		".Engine.Info.Model", ".Header.Studies.Points.Value", ".Header.Studies.Points.Coordinates.Axis", ".Header.Studies.Points.Coordinates.Value",
	}
	first, _ := records{}.results(t, 1, "")
	for _, name := range (records{}).names() {
		if strings.HasPrefix(name, ".Engine.") && !strings.HasPrefix(name, ".Engine.Info.") {
			continue // follows from the header, or is measured
		}
		second, _ := records{}.results(t, 2, name)
		s, err := NewScaling(ScalingRun{"one", first}, ScalingRun{"two", second})
		quiet := err == nil && len(s.Notes) == 0
		assert.Equal(t, slices.Contains(never, name), quiet, "%s: %v", name, err)
	}
}

// The prompts of every trial are compared, and a run that is damaged or unfinished is noted.
func TestCompareNotesTrialsAndProblems(t *testing.T) {
	of := func(change func(*journal.Journal)) *Results {
		j := journalOf(preset(t, "full")[:1], []float64{1, 2, 3, 4, 5, 6})
		for _, trial := range slices.Clone(j.Trials) {
			for n := 2; n <= 4; n++ {
				trial.Trial, trial.Ledger.PromptsSHA256 = n, fmt.Sprint(trial.Value, n)
				j.Trials = append(j.Trials, trial)
			}
		}
		j.Header.Stopping = stat.FixedTrials(4)
		change(j)
		return New(j)
	}
	first := of(func(*journal.Journal) {})
	for want, change := range map[string]func(*journal.Journal){
		"": func(*journal.Journal) {},
		"points whose prompts differ: batch size 32": func(j *journal.Journal) { j.Trials[len(j.Trials)-1].Ledger.PromptsSHA256 = "another" },
		"points whose prompts differ: batch size 1": func(j *journal.Journal) {
			j.Trials[8].Ledger.PromptsSHA256 = "another" // its trial 4
			j.Trials = slices.Delete(j.Trials, 6, 7)
		},
		"points whose trials may depend on the ones before, so that their p may be too small: " +
			"batch size 1, batch size 2, batch size 4, batch size 8, batch size 16 and batch size 32": func(j *journal.Journal) {
			slow := j.Trials[0]
			for n := 5; n <= 12; n++ { // 4 at one speed and 8 at another
				slow.Trial, slow.Elapsed = n, 2*j.Trials[0].Elapsed
				j.Trials = append(j.Trials, slow)
			}
		},
		"the second run: the run did not come to its end":                     func(j *journal.Journal) { j.Ended = false },
		"the second run: the journal's last line is damaged and was left out": func(j *journal.Journal) { j.Damaged = true },
		"the second run: engine 1: it did not close": func(j *journal.Journal) {
			j.Failures = append(j.Failures, journal.Failure{Engine: 1, Reason: "it did not close"})
		},
	} {
		c := Compare(first, of(change))
		if want == "" {
			assert.Empty(t, c.Notes)
			continue
		}
		assert.Equal(t, []string{want}, c.Notes)
	}
	assert.Equal(t, []string{"the first run: the run did not come to its end"},
		Compare(of(func(j *journal.Journal) { j.Ended = false }), first).Notes)
}

// What only some points differ in names them.
func TestCompareNamesThePoints(t *testing.T) {
	of := func(change func(*workload.Study, *journal.Journal)) *Results {
		studies := preset(t, "full")[:1]
		studies[0].Points = studies[0].Points[:3]
		j := journalOf(studies, []float64{1, 2, 3})
		change(&studies[0], j)
		return New(j)
	}
	first := of(func(*workload.Study, *journal.Journal) {})
	c := Compare(first, of(func(s *workload.Study, _ *journal.Journal) {
		s.Points[0].Set.Sampling = map[string]any{"temperature": 0.5}
		s.Points[2].Set.Sampling = map[string]any{"temperature": 0.5}
	}))
	assert.Equal(t, []string{"point.set.sampling.temperature: not set in the first run, 0.5 in the second, at batch size 1 and batch size 4"}, c.Notes)
	c = Compare(first, of(func(_ *workload.Study, j *journal.Journal) { j.Engines[0].Args.MaxNumSeqs = 8 }))
	assert.Equal(t, []string{"engine.args.max_num_seqs: not set in the first run, 8 in the second"}, c.Notes)
}
