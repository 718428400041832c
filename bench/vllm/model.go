package vllm

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/shirou/gopsutil/v4/cpu"

	"vllmgo/bench/internal/files"
	"vllmgo/vllmgo"
)

// Llama8B is the name of a model that is a shape only: that of Llama 3.1 8B, with random weights.
const Llama8B = "llama-8b"

// opt125mConfig is the configuration file of facebook/opt-125m.
//
//go:embed opt-125m.json
var opt125mConfig []byte

// llama8BConfig is the configuration file of meta-llama/Llama-3.1-8B.
//
//go:embed llama-8b.json
var llama8BConfig []byte

// model is a model to measure.
type model struct {
	name          string // in tables
	randomWeights bool
	folder        string // with the configuration file, when the weights are random
	temporary     bool   // whether folder goes with the run
}

// findModel finds a model. It takes random weights for llama-8b, and for the default model when
// that is neither here nor on the hub. Any other model that is missing is an error.
func findModel(ctx context.Context, name string, log io.Writer, lib Library) (model, error) {
	if name == Llama8B {
		return randomModel(name, llama8BConfig)
	}
	err := lib.FindModel(ctx, name)
	if err == nil {
		return model{name: name}, nil
	}
	if name != DefaultModel || !errors.Is(err, vllmgo.ErrModelNotFound) {
		return model{}, err
	}
	fmt.Fprintf(log, "%s is neither in the local cache nor on the hub: measuring its shape with random weights\n", name)
	return randomModel(name, opt125mConfig)
}

// randomModel returns a model with random weights and the given configuration file.
func randomModel(name string, config []byte) (model, error) {
	m := model{name: name, randomWeights: true}
	var err error
	if m.folder, err = cachedFolder(name, config); err == nil {
		return m, nil
	}
	if m.folder, err = os.MkdirTemp("", "vllmgo-"+filepath.Base(name)+"-"); err != nil {
		return model{}, err
	}
	m.temporary = true
	if err := writeConfig(m.folder, config); err != nil {
		m.remove()
		return model{}, err
	}
	return m, nil
}

// cachedFolder returns a folder with a configuration file in the user's cache. Its path is always
// the same, by which vLLM finds what it has compiled for a model.
func cachedFolder(name string, config []byte) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "vllmgo", fmt.Sprintf("%s-%.8x", filepath.Base(name), sha256.Sum256(config)))
	path := filepath.Join(dir, "config.json")
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, config) {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, writeConfig(dir, config)
}

// writeConfig writes a configuration file into a folder.
func writeConfig(dir string, config []byte) error {
	return files.Write(dir, []files.File{{Name: "config.json", Write: func(w io.Writer) error {
		_, err := w.Write(config)
		return err
	}}})
}

// apply returns engine settings with the model.
func (m model) apply(args vllmgo.EngineArgs) vllmgo.EngineArgs {
	args.Model = m.name
	if m.randomWeights {
		args.Model, args.LoadFormat, args.SkipTokenizerInit = m.folder, "dummy", true
	}
	return args
}

// remove removes the model's folder, if it was made for it.
func (m model) remove() {
	if m.temporary {
		_ = os.RemoveAll(m.folder) // a temporary folder, which somebody else may have removed
	}
}

// hasFloat16 reports whether the processor has float16 arithmetic: AVX512-FP16 on x86-64, FEAT_FP16
// on 64-bit Arm. Without it, vLLM computes float16 more than ten times slower than bfloat16.
func hasFloat16() bool {
	cpus, err := cpu.Info()
	return err == nil && len(cpus) > 0 &&
		(slices.Contains(cpus[0].Flags, "avx512_fp16") || slices.Contains(cpus[0].Flags, "asimdhp"))
}
