package race

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"vllmgo/bench/internal/valid"
	"vllmgo/bench/workload"
)

// validate returns an error when a header's values are impossible.
func (h Header) validate() error {
	if len(h.Contenders) == 0 {
		return errors.New("the header has no contenders")
	}
	names := map[string]bool{}
	for _, c := range h.Contenders {
		if err := c.check(); err != nil {
			return err
		}
		if names[c.Name] {
			return fmt.Errorf("two contenders are called %s", c.Name)
		}
		names[c.Name] = true
	}
	return cmp.Or(workload.CheckStudies(h.Studies), valid.Fields(
		valid.Positive("rounds", h.Rounds), valid.NotNegative("process_rounds", h.ProcessRounds),
		valid.NotNegative("cores", h.Machine.Cores),
	))
}

// validate returns an error when a line cannot follow those that the journal has.
func (j *Journal) validate(r record) error {
	switch {
	case r.Header != nil:
		return errors.New("another header: the file has the lines of two races")
	case r.Loaded != nil:
		_, err := j.contender(r.Loaded.Contender)
		return cmp.Or(err, r.Loaded.validate())
	case r.Trial != nil:
		return j.validateTrial(*r.Trial)
	case r.Failure != nil:
		_, err := j.contender(r.Failure.Contender)
		return cmp.Or(err, valid.Fields(valid.Positive("group", r.Failure.Group)))
	}
	return nil
}

// contender returns the contender of a name.
func (j *Journal) contender(name string) (Contender, error) {
	i := slices.IndexFunc(j.Header.Contenders, func(c Contender) bool { return c.Name == name })
	if i < 0 {
		return Contender{}, fmt.Errorf("%q, which is no contender of the race", name)
	}
	return j.Header.Contenders[i], nil
}

func (l Loaded) validate() error {
	return valid.Fields(
		valid.Positive("group", l.Group), valid.NotNegative("load_ns", l.Load),
		valid.NotNegative("first_token_ns", l.FirstToken), valid.NotNegative("warm_up_ns", l.WarmUp),
	)
}

func (j *Journal) validateTrial(t Trial) error {
	c, err := j.contender(t.Contender)
	if err != nil {
		return err
	}
	known := func(s workload.Study) bool {
		return slices.ContainsFunc(s.Points, func(p workload.Point) bool { return p.ID() == t.PointID })
	}
	if !slices.ContainsFunc(j.Header.Studies, known) {
		return fmt.Errorf("%s, which is no point of the race", t.PointID)
	}
	if j.has(t.Contender, t.PointID, t.Round) {
		return fmt.Errorf("%s of %s in round %d again", t.PointID, t.Contender, t.Round)
	}
	process := valid.Field{Name: "process_ns of " + string(c.Kind), Value: t.Process, OK: t.Process == 0}
	if c.Kind.perPoint() {
		process = valid.Positive("process_ns", t.Process)
	}
	fields := []valid.Field{
		valid.Positive("round", t.Round), valid.Positive("wall_ns", t.Wall), process,
		{Name: "elapsed_ns", Value: t.Elapsed, OK: t.Elapsed >= 0 && t.Elapsed <= t.Wall},
		valid.NotNegative("cpu_ns", t.CPU), valid.NotNegative("front_end_memory_bytes", t.FrontEndMemory),
	}
	for name, hash := range map[string]string{"prompts_sha256": t.PromptsSHA256, "outputs_sha256": t.OutputsSHA256} {
		if hash != "" {
			fields = append(fields, valid.SHA256(name, hash))
		}
	}
	return valid.Fields(fields...)
}
