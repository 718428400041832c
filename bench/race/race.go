package race

import (
	"context"
	"errors"
	"fmt"
	"os"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/workload"
	"vllmgo/internal/logfile"
)

// Run runs a race, or what is left of it, and writes the journal.
//
// The contenders that are written in Go are processes of this program, started again with the same
// arguments. There, Run serves the race and ends the process. So the program must come to Run
// without having done anything else, as with [vllm.Run].
//
// A contender that fails is in the journal with its reason. It drops out for the rest of the engine
// group, and the others go on without it.
//
// Run returns an error when the settings are wrong or the journal cannot be written. When ctx ends,
// Run closes the contenders and returns the cause; the journal has what was measured by then.
func Run(ctx context.Context, s Settings) error {
	if kind := os.Getenv(kindVariable); kind != "" {
		os.Exit(serveKind(Kind(kind)))
	}
	if err := s.Check(); err != nil {
		return err
	}
	if s.VLLM.Dir == "" {
		return errors.New("race: Settings.VLLM.Dir is empty")
	}
	p, cleanup, err := s.prepare(ctx)
	defer cleanup()
	if err != nil {
		return err
	}
	return p.run(ctx)
}

// run runs the race.
func (p prepared) run(ctx context.Context) (err error) {
	groups, err := engines.Plan(p.studies, p.args, p.device, p.config)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Env != nil {
			return errors.New("race: the points of a race cannot set environment variables; " +
				"give them to a contender (env.NAME=VALUE)")
		}
	}
	journal, past, err := openJournal(p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	r := &runner{prepared: p, journal: journal, past: past}
	for i, g := range groups {
		if err := r.raceGroup(ctx, i+1, g); err != nil {
			return err
		}
	}
	return nil
}

// runner is a race under way.
type runner struct {
	prepared
	journal *logfile.Writer
	past    *Journal // what the journal held when the call of Run began
}

// line writes a line of progress.
func (r *runner) line(format string, args ...any) {
	fmt.Fprintf(r.progress, format+"\n", args...)
}

// group is the points with the same engine settings, as the race measures them.
type group struct {
	engines.Group
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
func (r *runner) raceGroup(ctx context.Context, number int, engine engines.Group) error {
	g := &group{Group: engine, number: number, failed: map[string]bool{}}
	for _, p := range engine.Points {
		requests, err := r.requests.Point(ctx, p)
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
