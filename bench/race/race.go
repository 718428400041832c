package race

import (
	"context"
	"errors"
	"fmt"

	"vllmgo/bench"
	"vllmgo/bench/workload"
	"vllmgo/internal/logfile"
)

// Run runs a race, or what is left of it, and writes the journal.
//
// A contender that fails is in the journal with its reason. It drops out for the rest of the engine
// group, and the others go on without it.
//
// Run returns an error when the settings are wrong or the journal cannot be written. When ctx ends,
// Run closes the contenders and returns the cause; the journal has what was measured by then.
func Run(ctx context.Context, s Settings) (err error) {
	if err := s.Check(); err != nil {
		return err
	}
	groups, err := bench.EngineGroups(s.Studies, s.EngineArgs, s.Device, s.Model)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Env != nil {
			return errors.New("race: the points of a race cannot set environment variables; " +
				"give them to a contender (env.NAME=VALUE)")
		}
	}
	journal, past, err := openJournal(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	r := &runner{Settings: s, journal: journal, past: past}
	for i, g := range groups {
		if err := r.raceGroup(ctx, i+1, g); err != nil {
			return err
		}
	}
	return nil
}

// runner is a race under way.
type runner struct {
	Settings
	journal *logfile.Writer
	past    *Journal // what the journal held when the call of Run began
}

// line writes a line of progress.
func (r *runner) line(format string, args ...any) {
	fmt.Fprintf(r.Progress, format+"\n", args...)
}

// group is the points with the same engine settings, as the race measures them.
type group struct {
	bench.EngineGroup
	number int // counts the groups from 1
	points []drawnPoint
	failed map[string]bool // names of the contenders that dropped out
}

// drawnPoint is a point with its requests.
type drawnPoint struct {
	workload.Point
	*workload.PointRequests
}

// raceGroup races the points of a group: all rounds in one heat or, with Reload, each in a heat.
func (r *runner) raceGroup(ctx context.Context, number int, engine bench.EngineGroup) error {
	g := &group{EngineGroup: engine, number: number, failed: map[string]bool{}}
	for _, p := range engine.Points {
		requests, err := r.Requests.Point(ctx, p)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		}
		g.points = append(g.points, drawnPoint{p, requests})
	}
	rounds := r.Rounds // of a heat
	if r.Reload {
		rounds = 1
	}
	for first := 1; first <= r.Rounds; first += rounds {
		if err := r.runHeat(ctx, g, first, first+rounds-1); err != nil {
			return err
		}
	}
	return nil
}
