package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vllmgo/bench/journal"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// ScalingRun is the results of a run, and what messages call it, such as its directory.
type ScalingRun struct {
	Name string
	*Results
}

// Scaling reports what more devices or engines gain, from points that were measured with different
// tensor_parallel_size or data_parallel_size. [NewScaling] computes it.
type Scaling struct {
	// Studies have the points in the order of the first run.
	Studies []ScalingStudy
	// Notes list what else differs between the runs and may matter, such as versions, and
	// characters that plots lack.
	Notes []string

	runs   []ScalingRun
	common *Results // the first run's header, and the engines of all
}

// ScalingStudy is a study with its points.
type ScalingStudy struct {
	Study  workload.Study
	Points []ScalingPoint
}

// ScalingPoint is a point with a row for each size.
type ScalingPoint struct {
	// Name is what tables call the point.
	Name string
	// Rows are in ascending order of their [ScalingRow.Size], and of TensorParallelSize where that
	// is equal.
	Rows []ScalingRow

	key string // what it has in common with the same point of other runs
}

// ScalingRow is a point as measured with one size. Its figures compare it with the measured row of
// the point that has the smallest one. They are 0 unless the row was measured.
type ScalingRow struct {
	Row
	// TensorParallelSize is the number of devices or, on a CPU, of ranks of one engine.
	// DataParallelSize is the number of engines, which may share devices.
	TensorParallelSize, DataParallelSize int
	// Engine is the engine that measured the row.
	Engine journal.Engine
	// Speedup is the throughput divided by that of the smallest size. SpeedupLow and SpeedupHigh
	// are what the ends of the two intervals give. They cover the true ratio with at least 90 %
	// confidence when each interval has 95 %.
	Speedup, SpeedupLow, SpeedupHigh float64
	// Efficiency is Speedup ÷ (size ÷ smallest size). It is 1 when twice the devices are twice as
	// fast.
	Efficiency float64

	run     string
	results *Results
}

// Size returns TensorParallelSize × DataParallelSize.
func (r ScalingRow) Size() int { return r.TensorParallelSize * r.DataParallelSize }

// compareSize orders rows by their size.
func (r ScalingRow) compareSize(other ScalingRow) int {
	return cmp.Or(cmp.Compare(r.Size(), other.Size()), cmp.Compare(r.TensorParallelSize, other.TensorParallelSize))
}

// label names the row's size: "TP 2", "DP 4" or "TP 2 × DP 4".
func (r ScalingRow) label() string {
	switch {
	case r.DataParallelSize == 1:
		return fmt.Sprintf("TP %d", r.TensorParallelSize)
	case r.TensorParallelSize == 1:
		return fmt.Sprintf("DP %d", r.DataParallelSize)
	}
	return fmt.Sprintf("TP %d × DP %d", r.TensorParallelSize, r.DataParallelSize)
}

// sizeNames are the settings that make the size.
var sizeNames = []string{"tensor_parallel_size", "data_parallel_size"}

// NewScaling compares the points of runs with different tensor_parallel_size or data_parallel_size.
// One run is enough when its points differ in one of them.
//
// The runs must agree in everything else: model, device, every setting, and the prompts of points
// with the same name and value, by the SHA-256 in their ledgers. NewScaling returns an error that
// describes what differs. It also returns an error when a point was measured twice with one size,
// or no point with two sizes. Versions and machines may differ; the notes then say so. A point has
// no row for a run that lacks it.
func NewScaling(runs ...ScalingRun) (*Scaling, error) {
	if len(runs) == 0 {
		return nil, errors.New("bench: scaling over devices needs a run")
	}
	common := *runs[0].Results
	common.Engines = nil
	s := &Scaling{runs: runs, common: &common}
	for _, run := range runs {
		if err := s.addRun(run); err != nil {
			return nil, err
		}
	}
	several := false
	for _, study := range s.Studies {
		for i := range study.Points {
			study.Points[i].relate()
			several = several || len(study.Points[i].measured()) > 1
		}
	}
	if note := lackingNote(s.plotTexts()...); note != "" {
		s.Notes = append(s.Notes, note)
	}
	if !several {
		return nil, errors.New("bench: no point was measured with two tensor_parallel_size or data_parallel_size: " +
			"name runs of the same points with different ones")
	}
	return s, nil
}

// addRun takes in a run.
func (s *Scaling) addRun(run ScalingRun) error {
	if err := s.compareSettings(s.runs[0], run); err != nil {
		return err
	}
	s.common.Engines = append(s.common.Engines, run.Engines...)
	for _, study := range run.Studies {
		for _, row := range study.Rows {
			if err := s.addRow(run, study.Study, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// addRow takes in a row of a run.
func (s *Scaling) addRow(run ScalingRun, study workload.Study, row Row) error {
	args, err := study.EngineArgs(run.Header.EngineArgs, row.Point)
	if err != nil {
		return err
	}
	added := ScalingRow{
		Row: row, TensorParallelSize: max(1, args.TensorParallelSize), DataParallelSize: max(1, args.DataParallelSize),
		run: run.Name, results: run.Results,
	}
	if row.measured() {
		added.Engine = run.engine(row)
	}
	key, err := scalingKey(row.Point, args)
	if err != nil {
		return err
	}
	p := s.study(study).point(key, scalingName(row.Point))
	for _, other := range p.Rows {
		if other.label() == added.label() {
			return fmt.Errorf("bench: both %s and %s have %s with %s: leave one out",
				other.run, run.Name, p.Name, added.label())
		}
		if other.ID() == added.ID() && !samePrompts(other.Trials, added.Trials) {
			return fmt.Errorf("bench: %s and %s measured %s with different prompts: they cannot be compared",
				other.run, run.Name, p.Name)
		}
	}
	elsewhere := func(other ScalingRow) bool { return other.results != added.results && other.measured() }
	if i := slices.IndexFunc(p.Rows, elsewhere); i >= 0 && added.measured() {
		if err := s.compareEngines(p.Rows[i], added); err != nil {
			return err
		}
	}
	p.Rows = append(p.Rows, added)
	return nil
}

// study returns the study of the same name, after adding it if it is new.
func (s *Scaling) study(study workload.Study) *ScalingStudy {
	i := slices.IndexFunc(s.Studies, func(other ScalingStudy) bool { return other.Study.Name == study.Name })
	if i < 0 {
		i = len(s.Studies)
		s.Studies = append(s.Studies, ScalingStudy{Study: study})
	}
	return &s.Studies[i]
}

// point returns the point with the key, after adding it if it is new.
func (s *ScalingStudy) point(key, name string) *ScalingPoint {
	i := slices.IndexFunc(s.Points, func(p ScalingPoint) bool { return p.key == key })
	if i < 0 {
		i = len(s.Points)
		s.Points = append(s.Points, ScalingPoint{Name: name, key: key})
	}
	return &s.Points[i]
}

// scalingName returns a point's name without its size.
func scalingName(p workload.Point) string {
	if len(p.Coordinates) == 0 {
		return p.String()
	}
	others := only(p.Coordinates, func(c workload.Coordinate) bool {
		return !slices.Contains(sizeNames, strings.TrimPrefix(c.Axis, "engine."))
	})
	return cmp.Or(workload.CoordinatesText(others), p.Shape())
}

// scalingKey returns a text that is the same for points that differ in their size alone. args are
// the settings of the point's engine.
func scalingKey(p workload.Point, args vllmgo.EngineArgs) (string, error) {
	// A directory of random weights has another name each time.
	args.Model, args.TensorParallelSize, args.DataParallelSize = "", 0, 0
	p.Coordinates, p.Value, p.Set.Engine = nil, 0, nil // args have the settings
	text, err := json.Marshal([]any{p, args})
	return string(text), err
}

// samePrompts reports whether the trials that two points both have were given the same prompts.
func samePrompts(a, b []journal.Trial) bool {
	prompts := make(map[int]string)
	for _, t := range a {
		prompts[t.Trial] = t.Ledger.PromptsSHA256
	}
	return !slices.ContainsFunc(b, func(t journal.Trial) bool {
		sum, both := prompts[t.Trial]
		return both && sum != t.Ledger.PromptsSHA256
	})
}

// relate sorts the rows, and compares each measured row with the first of them.
func (p *ScalingPoint) relate() {
	slices.SortFunc(p.Rows, ScalingRow.compareSize)
	measured := p.measured()
	for i := range p.Rows {
		if p.Rows[i].measured() {
			p.Rows[i].relate(measured[0])
		}
	}
}

// relate compares a measured row with the one that has the smallest size.
func (r *ScalingRow) relate(base ScalingRow) {
	if r.label() == base.label() {
		r.Speedup, r.SpeedupLow, r.SpeedupHigh, r.Efficiency = 1, 1, 1, 1
		return
	}
	r.Speedup = base.Elapsed.Value.Seconds() / r.Elapsed.Value.Seconds()
	r.SpeedupLow = base.Elapsed.Low.Seconds() / r.Elapsed.High.Seconds()
	r.SpeedupHigh = base.Elapsed.High.Seconds() / r.Elapsed.Low.Seconds()
	r.Efficiency = r.Speedup * float64(base.Size()) / float64(r.Size())
}

// measured returns the rows that have figures.
func (p ScalingPoint) measured() []ScalingRow { return only(p.Rows, ScalingRow.measured) }
