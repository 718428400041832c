package vllm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"vllmgo/bench"
	"vllmgo/bench/internal/engines"
	"vllmgo/bench/internal/machine"
	"vllmgo/bench/journal"
	"vllmgo/internal/plain"
)

// Soak sends the requests of one point through an engine on vLLM, in this process, and writes the
// journal of a soak test into s.Dir: a window for each of so many equal parts of the requests. See
// [bench.Soak] for what is checked.
//
// The studies must have one point. The settings of a run's trials, such as Stopping and Latency,
// have no effect, and a soak test cannot be resumed. When Soak returns an error, the journal has
// the windows that ended.
func Soak(ctx context.Context, s Settings, windows int) (err error) {
	path := filepath.Join(s.Dir, journal.SoakFileName)
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s: %w; choose another folder", s.Dir, ErrInUse)
	}
	setDefaultEnv("VLLM_LOGGING_LEVEL", "WARNING") // before Python starts
	settings, cleanup, err := Prepare(ctx, s)
	defer cleanup()
	if err != nil {
		return err
	}
	groups, err := engines.Plan(settings.Studies, settings.EngineArgs, settings.Device, settings.ModelConfig)
	if err != nil {
		return err
	}
	if len(groups) != 1 || len(groups[0].Points) != 1 {
		return errors.New("bench: a soak test has one point; the studies have another number")
	}
	if missing := groups[0].Missing(); missing != "" {
		return fmt.Errorf("bench: the point needs %s in the environment; set it before the program starts", missing)
	}
	point, progress := groups[0].Points[0], plain.Writer(cmp.Or[io.Writer](s.Progress, io.Discard))
	if err := settings.CheckLengths(point); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	fmt.Fprintf(progress, "loading %s …\n", settings.ModelName)
	opened, err := settings.Open(ctx, groups[0].Args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	engine, ok := opened.(bench.SeqEngine)
	if !ok {
		return errors.New("bench: the engine of a soak test must be a SeqEngine")
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	w, err := journal.CreateSoak(path, journal.SoakHeader{
		Started: time.Now().UTC(), Command: s.Command, Model: settings.ModelName, RandomWeights: settings.RandomWeights,
		Engine: engine.Info(), Point: point, Seed: s.Seed, Machine: machine.Describe(),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	sum, err := bench.Soak(ctx, engine, bench.SoakSettings{
		Point: point, Requests: settings.Requests, Windows: windows,
		Window: func(window journal.SoakWindow) error {
			fmt.Fprintf(progress, "%d of %d requests\n", window.Requests, point.Requests)
			return w.Append(journal.SoakRecord{Window: &window})
		},
	})
	if err != nil {
		return err
	}
	return w.Append(journal.SoakRecord{End: &journal.SoakEnd{PromptsSHA256: sum}})
}
