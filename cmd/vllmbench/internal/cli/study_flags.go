package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"vllmgo/bench/workload"
)

// study is the flags that describe a study of the user's own, and the settings of all points.
type study struct {
	name                string
	requests            int // 0: the points are those of a preset
	inputLen, outputLen string
	lengths             string // a file
	sharedPrefix        int
	axes                []string
	set                 []string
	seed                uint64

	// What parse makes of them.
	parsedAxes    []workload.Axis
	settings      []setting
	input, output workload.Distribution
	// shape is the study, with the settings of all points. Its requests have no tokens when lengths
	// are drawn or read.
	shape workload.Study
}

// setting is a setting of all points.
type setting struct {
	name  string
	value any
}

// addFlags defines the flags.
func (s *study) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.name, "name", "study", "`name` of your own study, and of its files")
	f.IntVar(&s.requests, "requests", 0, "`number` of requests of each point of your own study (default 32)")
	s.addLengthFlags(f, "64")
	f.StringVar(
		&s.lengths,
		"lengths",
		"",
		"`file` with lengths or texts of real requests: JSON lines or an array, such as ShareGPT's",
	)
	f.IntVar(&s.sharedPrefix, "shared-prefix", 0, "`number` of tokens that all prompts begin with")
	f.StringArrayVar(&s.axes, "axis", nil, "what to vary, `NAME=VALUE,VALUE…`; repeat it for a grid")
	s.addSetFlag(f)
}

// addLengthFlags defines the flags for the lengths of requests.
func (s *study) addLengthFlags(f *pflag.FlagSet, outputLen string) {
	f.StringVar(
		&s.inputLen,
		"input-len",
		"128",
		"`length` of prompts: a number, uniform:LOW,HIGH, normal:MEAN,SD or lognormal:MEDIAN,SIGMA",
	)
	f.StringVar(&s.outputLen, "output-len", outputLen, "`length` of outputs, likewise")
}

// addSetFlag defines the flag for the settings of all points.
func (s *study) addSetFlag(f *pflag.FlagSet) {
	f.StringArrayVar(&s.set, "set", nil, "what to set for all points, `NAME=VALUE`; repeatable")
}

// checkNoEnv returns an error if an environment variable is set for all points, which the command
// cannot do.
func (s *study) checkNoEnv(remedy string) error {
	for _, setting := range s.settings {
		if strings.HasPrefix(setting.name, "env.") {
			return usagef("--set %s is not possible here; %s", setting.name, remedy)
		}
	}
	return nil
}

// checkTwice returns an error when one setting is given twice, so that one of its values would have
// no effect: by two of --axis and --set, or by one of them and a flag of its own.
func (s *study) checkTwice(f *pflag.FlagSet) error {
	given := make(map[string]bool)
	check := func(flag, name string) error {
		name = workload.SettingName(name)
		// An engine argument and a field of a point have a flag of the same name, except that
		// --seed is the seed of the prompts and engine.seed that of sampling.
		own := strings.ReplaceAll(strings.TrimPrefix(name, "engine."), "_", "-")
		switch {
		case given[name]:
			return usagef("%s %s: the command line sets it twice; leave one out", flag, name)
		case own != "seed" && f.Changed(own):
			return usagef("%s %s and --%s set the same; leave one out", flag, name, own)
		}
		given[name] = true
		return nil
	}
	for _, axis := range s.parsedAxes {
		if err := check("--axis", axis.Name); err != nil {
			return err
		}
	}
	for _, setting := range s.settings {
		if err := check("--set", setting.name); err != nil {
			return err
		}
	}
	return nil
}

// checkUse returns an error when a flag would have no effect: one of a preset with a study of one's
// own, one of such a study with a preset, or lengths beside a file that has them.
func (s *study) checkUse(f *pflag.FlagSet) error {
	if f.Changed("requests") && s.requests < 1 {
		return usagef("--requests is %d; it must be at least 1", s.requests)
	}
	ofPreset, ofStudy := []string{"preset", "sweep"}, []string{"name", "input-len", "output-len", "shared-prefix"}
	if s.custom() {
		for _, name := range ofPreset {
			if f.Changed(name) {
				return usagef(
					"--%s has no effect with a study of your own (--requests, --lengths, --axis); leave one out",
					name,
				)
			}
		}
		if s.lengths != "" && (f.Changed("input-len") || f.Changed("output-len")) {
			return usagef(
				"--input-len and --output-len have no effect with --lengths, whose file has the length of each request; " +
					"leave it or them out",
			)
		}
		return nil
	}
	for _, name := range ofStudy {
		if f.Changed(name) {
			return usagef("--%s has an effect in a study of your own only; add --requests, --lengths or --axis", name)
		}
	}
	return nil
}

// custom reports whether the flags describe a study.
func (s *study) custom() bool { return s.requests > 0 }

// parse parses the flags, so that a wrong one is an error before Python starts. preset are the
// studies that are measured unless the flags describe another one.
func (s *study) parse(preset []workload.Study) (err error) {
	if s.requests == 0 && (len(s.axes) > 0 || s.lengths != "") {
		s.requests = 32
	}
	s.settings = nil
	for _, text := range s.set {
		name, value, found := strings.Cut(text, "=")
		if !found {
			return usagef("no setting %q; an example: max_num_seqs=8", text)
		}
		s.settings = append(s.settings, setting{name, workload.ParseValue(value)})
	}
	if !s.custom() {
		if _, err := s.apply(preset); err != nil {
			return usageError{err}
		}
		return nil
	}
	s.parsedAxes = nil
	for _, text := range s.axes {
		axis, err := workload.ParseAxis(text)
		if err != nil {
			return usageError{err}
		}
		s.parsedAxes = append(s.parsedAxes, axis)
	}
	if s.input, err = workload.ParseDistribution(s.inputLen); err != nil {
		return usageError{err}
	}
	if s.output, err = workload.ParseDistribution(s.outputLen); err != nil {
		return usageError{err}
	}
	if s.lengths != "" {
		if _, err := os.Stat(s.lengths); err != nil {
			return usageError{err}
		}
	}
	point := s.point()
	if input, output, fixed := s.fixedLengths(); fixed {
		point.InputLen, point.OutputLen = input, output
	} else {
		point.Lengths = make([]workload.RequestLength, s.requests)
	}
	made, err := workload.NewStudy(s.name, point, s.parsedAxes...)
	if err != nil {
		return usageError{err}
	}
	shapes, err := s.apply([]workload.Study{made})
	if err != nil {
		return usageError{err}
	}
	s.shape = shapes[0]
	return nil
}

// point returns the point that the axes vary, without lengths.
func (s *study) point() workload.Point {
	return workload.Point{Requests: s.requests, SharedPrefix: s.sharedPrefix}
}

// fixedLengths returns the lengths of all requests, and whether all have the same.
func (s *study) fixedLengths() (input, output int, fixed bool) {
	input, errIn := strconv.Atoi(s.inputLen)
	output, errOut := strconv.Atoi(s.outputLen)
	return input, output, s.lengths == "" && errIn == nil && errOut == nil
}

// plan returns the studies to measure: the study of the flags or the given ones, with the settings
// of all points. t measures texts; nil means that there is no tokenizer.
func (s *study) plan(ctx context.Context, studies []workload.Study, t workload.Tokenizer) ([]workload.Study, error) {
	if _, _, fixed := s.fixedLengths(); s.custom() && !fixed {
		point := s.point()
		if s.lengths == "" {
			point.Lengths = workload.DrawLengths(s.requests, s.input, s.output, s.seed)
		} else {
			var err error
			if point.Lengths, point.LengthsFile, err = s.sampleLengths(ctx, t); err != nil {
				return nil, err
			}
		}
		made, err := workload.NewStudy(s.name, point, s.parsedAxes...)
		if err != nil {
			return nil, err
		}
		studies = []workload.Study{made}
	}
	return s.apply(studies)
}

// sampleLengths takes the lengths of the requests from the file of lengths.
func (s *study) sampleLengths(
	ctx context.Context,
	t workload.Tokenizer,
) ([]workload.RequestLength, workload.LengthsFile, error) {
	file, err := os.Open(s.lengths)
	if err != nil {
		return nil, workload.LengthsFile{}, err
	}
	defer file.Close()
	lengths, from, err := workload.SampleLengths(ctx, file, t, s.requests, s.seed)
	if err != nil {
		return nil, from, fmt.Errorf("%s: %w", s.lengths, err)
	}
	return lengths, from, nil
}

// apply returns the studies with the settings of all points.
func (s *study) apply(studies []workload.Study) (_ []workload.Study, err error) {
	for _, setting := range s.settings {
		for i := range studies {
			if studies[i], err = studies[i].With(setting.name, setting.value); err != nil {
				return nil, err
			}
		}
	}
	return studies, nil
}
