// Package race runs the same requests through vLLM in several ways and compares how long they take: vllmgo, plain
// Python, vLLM's own throughput benchmark, and a Go client of vLLM's HTTP server.
//
// Each contender is a process of its own, so that none has a share in another's memory or threads. They take turns, in
// random order, and while one works the others are stopped.
package race

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vllmgo/bench"
	"vllmgo/bench/workload"
	"vllmgo/internal/logfile"
	"vllmgo/vllmgo"
)

// Settings are what a race is made of.
type Settings struct {
	// Dir is the results directory. When it holds the journal of the same race, that goes on.
	Dir string
	// Contenders are who takes part. The first is the one with whom the others are compared.
	Contenders []Contender
	// Studies are what to measure.
	Studies []workload.Study
	// EngineArgs are the settings of all engines, but for those of the studies. The engine mode must be given.
	EngineArgs vllmgo.EngineArgs
	// Model is the model's configuration, and Device the platform, as for bench.Run.
	Model  vllmgo.ModelConfig
	Device string
	// Requests say what prompts are drawn from.
	Requests workload.Requests
	// Rounds is how often each contender measures each point.
	Rounds int
	// ProcessRounds is the same for contenders that load a process for each point, which takes long; at most Rounds.
	ProcessRounds int
	// LoadTogether loads the contenders at the same time. It saves time where there are cores for all, and their
	// start-up times are then no fair ones.
	LoadTogether bool
	// Reload loads all contenders anew for each round, each time another one first. Engines of one contender differ, by
	// the memory that they happen to get for one; without this, each contender has one engine for all rounds, and the
	// intervals do not tell of that. Rounds must be a multiple of the number of contenders.
	Reload bool
	// Python is the path of the Python that has vLLM.
	Python string
	// Tokenizer is a tokenizer for the contenders that cannot do without one, when EngineArgs.SkipTokenizerInit is set.
	Tokenizer string

	// Name is the model's name, Preset that of the points; RandomWeights says that the weights are random. For tables.
	Name, Preset  string
	RandomWeights bool
	// Command is the command line, for the record.
	Command []string
	// Progress is told what happens.
	Progress io.Writer
}

// Run runs a race, or what is left of it, and writes the journal. A contender that fails is in the journal with its
// reason, and the others go on without it. The error is the journal's, or the cause when ctx is cancelled.
func Run(ctx context.Context, s Settings) (err error) {
	groups, err := bench.EngineGroups(s.Studies, s.EngineArgs, s.Device, s.Model)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Env != nil {
			return errors.New("race: points with environment variables of their own cannot race; give them to a contender")
		}
	}
	r := &runner{Settings: s, out: map[string]int{}}
	for _, c := range s.Contenders {
		if n := len(s.Contenders); s.Reload && r.rounds(c)%n != 0 {
			return fmt.Errorf("race: %d rounds for %s: with engines loaded anew for each, it must be a multiple of %d, the number of "+
				"contenders, so that each is loaded first as often as the others (--rounds, --process-rounds)", r.rounds(c), c.Name, n)
		}
	}
	journal, past, err := openJournal(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	r.journal, r.past = journal, past
	for i, g := range groups {
		if err := r.group(ctx, i+1, g); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// runner is a race under way.
type runner struct {
	Settings
	journal *logfile.Writer
	past    *Journal       // what the journal held before
	out     map[string]int // the last engine settings with which a contender failed
}

func (r *runner) line(format string, args ...any) {
	fmt.Fprintf(r.Progress, format+"\n", args...)
}

// rounds is how often a contender measures each point.
func (r *runner) rounds(c Contender) int {
	if c.Kind.perPoint() {
		return r.ProcessRounds
	}
	return r.Rounds
}

// group runs the points of one engine.
func (r *runner) group(ctx context.Context, number int, g bench.EngineGroup) error {
	points, err := r.draw(ctx, g.Points)
	if err != nil {
		return err
	}
	rounds := r.Rounds // of one loading
	if r.Reload {
		rounds = 1
	}
	for first := 1; first <= r.Rounds && ctx.Err() == nil; first += rounds {
		if err := r.stint(ctx, number, g, points, first, first+rounds-1); err != nil {
			return err
		}
	}
	return nil
}

// stint loads the contenders that have anything to measure in the rounds from first to last, and runs these rounds.
func (r *runner) stint(ctx context.Context, number int, g bench.EngineGroup, points []drawnPoint, first, last int) error {
	var racers []*racer
	for i := range r.Contenders {
		c := r.Contenders[(first-1+i)%len(r.Contenders)]
		if r.out[c.Name] != number && r.left(c, g.Points, first, last) {
			racers = append(racers, &racer{Contender: c, settings: r.Settings, group: number, args: g.Args})
		}
	}
	racers, err := r.load(ctx, racers, points)
	if err != nil {
		return err
	}
	defer func() {
		for _, c := range racers {
			c.close()
		}
	}()
	for round := first; round <= last && len(racers) > 0 && ctx.Err() == nil; round++ {
		order := r.order(number, round)
		order.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		for _, p := range points {
			order.Shuffle(len(racers), func(i, j int) { racers[i], racers[j] = racers[j], racers[i] })
			for _, c := range slices.Clone(racers) {
				if round > r.rounds(c.Contender) || r.past.has(c.Name, p.ID(), round) {
					continue
				}
				t, err := c.trial(ctx, p, round)
				if ctx.Err() != nil {
					return nil
				}
				if err != nil {
					racers = slices.DeleteFunc(racers, func(d *racer) bool { return d == c })
					c.close()
					if err := r.fail(c, err); err != nil {
						return err
					}
					continue
				}
				if err := r.journal.Append(record{Trial: &t}); err != nil {
					return err
				}
			}
		}
		r.line("engine settings %d, round %d of %d", number, round, r.Rounds)
	}
	return nil
}

// drawnPoint is a point and its requests.
type drawnPoint struct {
	workload.Point
	*workload.PointRequests
}

func (r *runner) draw(ctx context.Context, points []workload.Point) ([]drawnPoint, error) {
	var drawn []drawnPoint
	for _, p := range points {
		requests, err := r.Requests.Point(ctx, p)
		if err != nil {
			return nil, err
		}
		drawn = append(drawn, drawnPoint{p, requests})
	}
	return drawn, nil
}

// left reports whether a contender has anything to measure at these points in the rounds from first to last.
func (r *runner) left(c Contender, points []workload.Point, first, last int) bool {
	for round := first; round <= min(last, r.rounds(c)); round++ {
		for _, p := range points {
			if !r.past.has(c.Name, p.ID(), round) {
				return true
			}
		}
	}
	return false
}

// order is the random order of a round, which depends on the seed, the engine settings and the round alone.
func (r *runner) order(group, round int) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "vllmgo/race order seed=%d group=%d round=%d", r.Requests.Seed, group, round))))
}

const (
	// warmUps is the number of untimed passes of each point's full shape.
	warmUps = 2
	// firstWarmUp is the number of the first one's prompts, which is no round's.
	firstWarmUp = 1 << 20
)

// load starts contenders and warms them up, one after the other unless they are to be loaded together. It returns those
// that are ready; all but the one that works are stopped.
func (r *runner) load(ctx context.Context, racers []*racer, points []drawnPoint) ([]*racer, error) {
	starts := make([]func() (Loaded, error), len(racers))
	for i, c := range racers {
		wait := make(chan struct{})
		var loaded Loaded
		var err error
		start := func() {
			loaded, err = c.start(ctx, points[0])
			close(wait)
		}
		starts[i] = func() (Loaded, error) {
			if !r.LoadTogether {
				start()
			}
			<-wait
			return loaded, err
		}
		if r.LoadTogether {
			go start()
		}
	}
	var ready []*racer
	for i, c := range racers {
		r.line("engine settings %d: loading %s …", c.group, c.Name)
		loaded, err := starts[i]()
		if err == nil && !c.Kind.perPoint() {
			c.resume()
			loaded.WarmUp, err = r.warmUp(ctx, c, points)
		}
		if err == nil {
			c.stop()
			ready = append(ready, c)
			loaded.Together = r.LoadTogether
			if err := r.journal.Append(record{Loaded: &loaded}); err != nil {
				return ready, err
			}
			continue
		}
		c.close()
		if ctx.Err() != nil {
			continue // those that load meanwhile must be waited for
		}
		if err := r.fail(c, err); err != nil {
			return ready, err
		}
	}
	return ready, nil
}

// warmUp runs each point's full shape a few times, and says how long the first pass of all points took.
func (r *runner) warmUp(ctx context.Context, c *racer, points []drawnPoint) (time.Duration, error) {
	first := time.Duration(0)
	for i := range warmUps {
		for _, p := range points {
			t, err := c.pass(ctx, p, firstWarmUp+i)
			if err != nil {
				return 0, err
			}
			if i == 0 {
				first += t.Wall
			}
		}
	}
	return first, nil
}

// fail records that a contender is out, for the engine's settings.
func (r *runner) fail(c *racer, reason error) error {
	r.out[c.Name] = c.group
	r.line("%s is out: %v", c.Name, reason)
	return r.journal.Append(record{Failure: &Failure{Contender: c.Name, Group: c.group, Reason: reason.Error()}})
}

// logPath is where the output of a contender's processes goes.
func (s Settings) logPath(c Contender, group int) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%s-%d.log", strings.ReplaceAll(c.Name, "/", "-"), group))
}
