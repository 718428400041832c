package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"vllmgo/bench/workload"
)

// custom reports whether the options describe a study of the user's own.
func (o options) custom() bool { return o.requests > 0 }

// studies are what the options ask for: a study of the user's own, or those of a preset with the given names, all
// when there are none. tokenizer measures texts; it may be nil.
func (o options) studies(ctx context.Context, names []string, tokenizer workload.Tokenizer) ([]workload.Study, error) {
	var studies []workload.Study
	var err error
	if o.custom() {
		studies = make([]workload.Study, 1)
		studies[0], err = o.study(ctx, tokenizer)
	} else if studies, err = workload.Preset(o.preset); names != nil {
		studies = slices.DeleteFunc(studies, func(s workload.Study) bool { return !slices.Contains(names, s.Name) })
	}
	if err != nil {
		return nil, err
	}
	for _, text := range o.set {
		name, value, found := strings.Cut(text, "=")
		if !found {
			return nil, fmt.Errorf("no setting %q; an example: max_num_seqs=8", text)
		}
		for i := range studies {
			if studies[i], err = studies[i].With(name, workload.ParseValue(value)); err != nil {
				return nil, err
			}
		}
	}
	return studies, nil
}

// study is the study of the user's own.
func (o options) study(ctx context.Context, tokenizer workload.Tokenizer) (workload.Study, error) {
	base := workload.Point{Requests: o.requests, SharedPrefix: o.sharedPrefix}
	input, err := workload.ParseDistribution(o.inputLen)
	if err != nil {
		return workload.Study{}, err
	}
	output, err := workload.ParseDistribution(o.outputLen)
	if err != nil {
		return workload.Study{}, err
	}
	in, notIn := strconv.Atoi(o.inputLen)
	out, notOut := strconv.Atoi(o.outputLen)
	switch {
	case o.lengths != "":
		file, err := os.Open(o.lengths)
		if err != nil {
			return workload.Study{}, err
		}
		defer file.Close()
		all, err := workload.ReadLengths(ctx, file, tokenizer)
		if err != nil {
			return workload.Study{}, fmt.Errorf("%s: %w", o.lengths, err)
		}
		base.Lengths = workload.PickLengths(o.requests, all, o.seed)
	case notIn == nil && notOut == nil:
		base.InputLen, base.OutputLen = in, out
	default:
		base.Lengths = workload.DrawLengths(o.requests, input, output, o.seed)
	}
	var axes []workload.Axis
	for _, text := range o.axes {
		axis, err := workload.ParseAxis(text)
		if err != nil {
			return workload.Study{}, err
		}
		axes = append(axes, axis)
	}
	return workload.NewStudy(o.name, base, axes...)
}
