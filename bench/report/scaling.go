package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/internal/format"
	"vllmgo/vllmgo"
)

// Run are the results of a run and what messages call it, such as its folder.
type Run struct {
	Name string
	*Results
}

// Scaling says what more devices gain: points that were measured with different tensor_parallel_size. [NewScaling]
// computes it.
type Scaling struct {
	// Studies have the points in the order of the first run.
	Studies []ScalingStudy
	// Notes say in what the runs differ that may matter, such as versions.
	Notes []string

	runs   []Run
	common *Results // the first run's header, and the engines of all
}

// ScalingStudy is a study with its points.
type ScalingStudy struct {
	Study  workload.Study
	Points []ScalingPoint
}

// ScalingPoint is a point with a row for each tensor_parallel_size.
type ScalingPoint struct {
	// Name is what tables call the point.
	Name string
	// Rows are in ascending order of their tensor_parallel_size.
	Rows []ScalingRow

	key string // what it has in common with the same point of other runs
}

// ScalingRow is a point as measured with one tensor_parallel_size. Its figures relate to the measured row of the point with
// the smallest; they are 0 unless the row was measured.
type ScalingRow struct {
	Row
	// TensorParallelSize is the number of devices or, on a CPU, of ranks.
	TensorParallelSize int
	// Engine is the engine that measured it.
	Engine journal.Engine
	// Speedup is the throughput over that of the smallest size. SpeedupLow to SpeedupHigh is what the ends of both
	// intervals give: it covers the true ratio with at least 90 % when both cover theirs with 95 %.
	Speedup, SpeedupLow, SpeedupHigh float64
	// Efficiency is Speedup ÷ (size ÷ smallest size): 1 when twice the devices are twice as fast.
	Efficiency float64

	run string
}

// NewScaling brings together what runs measured with different tensor_parallel_size. One run suffices when its points
// differ in it.
//
// The runs must agree in all else: model, device, prompts (by the SHA-256 in their ledgers, where points have the same name
// and value) and every setting. NewScaling returns an error that says what differs, also when a point was measured twice
// with one size or no point with two. Versions and machines that differ are notes. A point that a run lacks has
// a row less.
func NewScaling(runs ...Run) (*Scaling, error) {
	if len(runs) == 0 {
		return nil, errors.New("bench: scaling over devices needs a run")
	}
	common := *runs[0].Results
	common.Engines = nil
	s := &Scaling{runs: runs, common: &common}
	for _, run := range runs {
		if err := s.compareSettings(runs[0], run); err != nil {
			return nil, err
		}
		common.Engines = append(common.Engines, run.Engines...)
		for _, study := range run.Studies {
			for _, row := range study.Rows {
				if err := s.add(run, study.Study, row); err != nil {
					return nil, err
				}
			}
		}
	}
	several := false
	for _, study := range s.Studies {
		for i := range study.Points {
			several = study.Points[i].relate() || several
		}
	}
	if !several {
		return nil, errors.New("bench: no point was measured with two tensor_parallel_size: name runs of the same points with different ones")
	}
	return s, nil
}

// add takes in a row of a run.
func (s *Scaling) add(run Run, study workload.Study, row Row) error {
	args, err := study.EngineArgs(run.Header.EngineArgs, row.Point)
	if err != nil {
		return err
	}
	added := ScalingRow{Row: row, TensorParallelSize: max(1, args.TensorParallelSize), run: run.Name}
	if row.Status == Measured {
		added.Engine = run.engine(row)
	}
	name, key, err := scalingPoint(row.Point, args)
	if err != nil {
		return err
	}

	i := slices.IndexFunc(s.Studies, func(other ScalingStudy) bool { return other.Study.Name == study.Name })
	if i < 0 {
		i = len(s.Studies)
		s.Studies = append(s.Studies, ScalingStudy{Study: study})
	}
	points := &s.Studies[i].Points
	k := slices.IndexFunc(*points, func(p ScalingPoint) bool { return p.key == key })
	if k < 0 {
		*points = append(*points, ScalingPoint{Name: name, Rows: []ScalingRow{added}, key: key})
		return nil
	}
	p := &(*points)[k]
	for _, other := range p.Rows {
		if other.TensorParallelSize == added.TensorParallelSize {
			return fmt.Errorf("bench: both %s and %s have %s with tensor_parallel_size %d: leave one out", other.run, run.Name, p.Name, added.TensorParallelSize)
		}
		if other.ID() == added.ID() && !samePrompts(other.Trials, added.Trials) {
			return fmt.Errorf("bench: %s and %s measured %s with different prompts: they cannot be compared", other.run, run.Name, p.Name)
		}
	}
	p.Rows = append(p.Rows, added)
	return nil
}

// scalingPoint is a point's name without its tensor_parallel_size, and a key that is equal for points that differ in
// nothing else. args are the settings of its engine.
func scalingPoint(p workload.Point, args vllmgo.EngineArgs) (name, key string, err error) {
	others := slices.DeleteFunc(slices.Clone(p.Coordinates), func(c workload.Coordinate) bool {
		return strings.TrimPrefix(c.Axis, "engine.") == "tensor_parallel_size"
	})
	name = p.String()
	if len(p.Coordinates) > 0 {
		name = cmp.Or(workload.CoordinatesText(others), p.Shape())
	}
	args.Model, args.TensorParallelSize = "", 0        // the folder of random weights has another name each time
	p.Coordinates, p.Value, p.Set.Engine = nil, 0, nil // args have the settings
	text, err := json.Marshal([]any{p, args})
	return name, string(text), err
}

// samePrompts compares the trials that both have.
func samePrompts(a, b []journal.Trial) bool {
	for i := range min(len(a), len(b)) {
		if a[i].Trial == b[i].Trial && a[i].Ledger.PromptsSHA256 != b[i].Ledger.PromptsSHA256 {
			return false
		}
	}
	return true
}

// relate sorts the rows and relates each that was measured to the first of them. It reports whether there are two.
func (p *ScalingPoint) relate() bool {
	slices.SortFunc(p.Rows, func(a, b ScalingRow) int { return cmp.Compare(a.TensorParallelSize, b.TensorParallelSize) })
	measured := p.measured()
	for i := range p.Rows {
		row := &p.Rows[i]
		if row.Status != Measured {
			continue
		}
		base := measured[0]
		if row.TensorParallelSize == base.TensorParallelSize {
			row.Speedup, row.SpeedupLow, row.SpeedupHigh, row.Efficiency = 1, 1, 1, 1
			continue
		}
		row.Speedup = base.Elapsed.Value.Seconds() / row.Elapsed.Value.Seconds()
		row.SpeedupLow = base.Elapsed.Low.Seconds() / row.Elapsed.High.Seconds()
		row.SpeedupHigh = base.Elapsed.High.Seconds() / row.Elapsed.Low.Seconds()
		row.Efficiency = row.Speedup * float64(base.TensorParallelSize) / float64(row.TensorParallelSize)
	}
	return len(measured) > 1
}

// measured are the rows that have figures.
func (p ScalingPoint) measured() []ScalingRow {
	return slices.DeleteFunc(slices.Clone(p.Rows), func(r ScalingRow) bool { return r.Status != Measured })
}

// compareSettings refuses a run that was asked for other things than the first, and notes what else differs.
func (s *Scaling) compareSettings(first, run Run) error {
	if different := differences(first, run, asked(first.Header), asked(run.Header)); different != nil {
		return fmt.Errorf("bench: only runs that differ in tensor_parallel_size alone can be compared; these differ in %s", format.List(different))
	}
	if len(first.Engines) == 0 || len(run.Engines) == 0 {
		return nil // whose rows have no figures
	}
	if different := differences(first, run, found(first.Results), found(run.Results)); different != nil {
		return fmt.Errorf("bench: only runs on the same device with the same engine can be compared; these differ in %s", format.List(different))
	}
	for _, difference := range differences(first, run, surroundings(first.Results), surroundings(run.Results)) {
		s.Notes = append(s.Notes, "the runs differ in "+difference)
	}
	return nil
}

// differences are the names of facts that two runs do not agree on, with both values.
func differences(first, run Run, a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	var different []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if a[name] != b[name] {
			different = append(different, fmt.Sprintf("%s: %s (%s), %s (%s)", name, cmp.Or(a[name], "–"), first.Name, cmp.Or(b[name], "–"), run.Name))
		}
	}
	return different
}

// asked is what a run was asked for, by name, but for the tensor_parallel_size and the studies.
func asked(h journal.Header) map[string]string {
	vocabulary, _ := json.Marshal(h.Vocabulary) // which came from JSON
	facts := map[string]string{
		"model": h.Model, "random weights": strconv.FormatBool(h.RandomWeights), "device": h.Device,
		"seed": strconv.FormatUint(h.Seed, 10), "vocabulary": string(vocabulary), "prompts as text": strconv.FormatBool(h.Text),
		"warm-up": string(h.WarmUp), "engine_mode": string(h.EngineMode),
	}
	args := h.EngineArgs
	args.Model, args.TensorParallelSize = "", 0 // the folder of random weights has another name each time
	text, _ := json.Marshal(args)
	var settings map[string]json.RawMessage
	_ = json.Unmarshal(text, &settings)
	delete(settings, "model")
	for name, value := range settings {
		facts[name] = string(value)
	}
	return facts
}

// found is what a run's engines say about themselves.
func found(r *Results) map[string]string {
	dtype, device, _, mode := r.info()
	return map[string]string{"dtype": dtype, "device": device, "engine mode": mode}
}

// surroundings are the versions and the machine of a run.
func surroundings(r *Results) map[string]string {
	info := r.Engines[0].Info
	return map[string]string{"vLLM": info.VLLMVersion, "torch": info.TorchVersion, "Python": info.PythonVersion, "machine": r.Header.Machine.String()}
}
