package race

import (
	"errors"
	"fmt"
	"slices"

	"vllmgo/bench/vllm"
	"vllmgo/bench/workload"
)

// Settings configures [Run].
type Settings struct {
	// VLLM is what to measure, on which engines, as for [vllm.Run]. If its Dir holds the journal
	// of the same race, Run continues that race; Resume is not needed. GPUMemoryUtilization 0 means
	// an equal share of 0.90 for each contender, because they share the GPU. The settings of a
	// run's trials, such as Stopping and Latency, have no effect.
	VLLM vllm.Settings
	// Points are the points to measure. nil means all points of the studies.
	Points []workload.PointID
	// Contenders take part. The others are compared with the first. Their names differ.
	Contenders []Contender
	// Rounds is how often each contender measures each point.
	Rounds int
	// ProcessRounds is the same for contenders that load a process for each point, which takes
	// long. They take part in the first rounds only, so more than Rounds has no effect.
	ProcessRounds int
	// LoadTogether loads the contenders at the same time. This is faster if there are cores for
	// all, but their start-up times are then not comparable.
	LoadTogether bool
	// Reload loads all contenders for each round, each time with another one first. The number of
	// contenders must divide Rounds and ProcessRounds.
	Reload bool
}

// Check returns an error that names the setting that is wrong. It does not look at VLLM and Points,
// which need the model.
func (s Settings) Check() error {
	if len(s.Contenders) == 0 {
		return errors.New("race: there are no contenders; name at least one")
	}
	if s.Rounds < 1 || s.ProcessRounds < 0 {
		return fmt.Errorf("race: %d rounds and %d process rounds; they must be at least 1 and 0", s.Rounds, s.ProcessRounds)
	}
	names := map[string]bool{}
	for _, c := range s.Contenders {
		if err := c.check(); err != nil {
			return fmt.Errorf("race: %w", err)
		}
		if names[c.Name] {
			return fmt.Errorf("race: two contenders are called %s; give them different names: NAME:KIND", c.Name)
		}
		names[c.Name] = true
		if n := len(s.Contenders); s.Reload && s.rounds(c)%n != 0 {
			return fmt.Errorf("race: %d rounds for %s: with engines loaded again for each, the number of rounds must be a "+
				"multiple of %d, the number of contenders, so that each is loaded first as often as the others",
				s.rounds(c), c.Name, n)
		}
	}
	return nil
}

// rounds returns how often a contender measures each point.
func (s Settings) rounds(c Contender) int {
	if c.Kind.perPoint() {
		return s.ProcessRounds
	}
	return s.Rounds
}

// chosen returns the studies with the given points; all when points is nil.
func chosen(studies []workload.Study, points []workload.PointID) ([]workload.Study, error) {
	if points == nil {
		return studies, nil
	}
	var rest []workload.Study
	left := slices.Clone(points)
	for _, s := range studies {
		var kept []workload.Point
		for _, p := range s.Points {
			if slices.Contains(points, p.ID()) {
				kept = append(kept, p)
				left = slices.DeleteFunc(left, func(id workload.PointID) bool { return id == p.ID() })
			}
		}
		if s.Points = kept; kept != nil {
			rest = append(rest, s)
		}
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("race: %w: %s", ErrNoPoint, left[0])
	}
	return rest, nil
}
