package race

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

func TestParseContender(t *testing.T) {
	c, err := ParseContender("tuned:vllmgo,program=/other,max_num_seqs=64,enforce_eager=true,engine_mode=own-process,env.OMP_NUM_THREADS=2")
	require.NoError(t, err)
	assert.Equal(t, "tuned", c.Name)
	assert.Equal(t, "/other", c.Program)
	assert.Equal(t, map[string]string{"OMP_NUM_THREADS": "2"}, c.Env)
	args, err := c.args(vllmgo.EngineArgs{Model: "m", MaxNumSeqs: 8})
	require.NoError(t, err)
	assert.Equal(t, vllmgo.EngineArgs{Model: "m", MaxNumSeqs: 64, EnforceEager: true, EngineMode: vllmgo.OwnProcess}, args)
	for _, bad := range []string{"", "rust", "x:y", "vllmgo,max_num_seqs"} {
		_, err := ParseContender(bad)
		assert.Error(t, err, bad)
	}
}

// The contender's own arguments leave the race's as they are, also in a map that all share.
func TestContenderArgs(t *testing.T) {
	c, err := ParseContender("tuned:python,seed=7,swap_space=2")
	require.NoError(t, err)
	base := vllmgo.EngineArgs{Model: "m", Extra: map[string]any{"swap_space": 1.0}}
	args, err := c.args(base)
	require.NoError(t, err)
	assert.EqualValues(t, 2, args.Extra["swap_space"])
	assert.Equal(t, map[string]any{"swap_space": 1.0}, base.Extra)
}

func TestParseContenderErrors(t *testing.T) {
	for text, message := range map[string]string{
		"":                                 `no contender "": kind "" is not one of [vllmgo python`,
		"x:rust":                           `no contender "x": kind "rust" is not one of`,
		"x:vllmgo:python":                  `no contender "x": kind "vllmgo:python" is not one of`,
		"x:vllmgo,max_num_seqs":            `contender x: no setting "max_num_seqs"`,
		"x:vllmgo,":                        `contender x: no setting ""`,
		"x:vllmgo,=1":                      `contender x: no setting "=1"`,
		"x:vllmgo,env.=1":                  "contender x: env. lacks the name of a variable",
		"x:vllmgo,max_num_seqs=many":       "contender x: bench: engine setting max_num_seqs=many: ",
		"x:vllmgo,seed=1,max_num_seqs=1.5": "contender x: bench: engine setting max_num_seqs=1.5: ",
		"python,enforce_eager=1":           "contender python: bench: engine setting enforce_eager=1: ",
	} {
		_, err := ParseContender(text)
		assert.ErrorContains(t, err, message, text)
	}
}

func TestContenderNames(t *testing.T) {
	for name, allowed := range map[string]bool{
		"tuned":                  true,
		"v0.24_b-2":              true,
		"-":                      true,
		"_":                      true,
		"2":                      true,
		"a..b":                   true,
		strings.Repeat("a", 100): true,
		strings.Repeat("a", 101): false,
		"":                       false,
		".":                      false,
		"..":                     false,
		".hidden":                false,
		"../precious":            false,
		"a/b":                    false,
		"/a":                     false,
		`a\b`:                    false,
		"a b":                    false,
		"a\n":                    false,
		"a\x00":                  false,
		"a\x1b[2J":               false,
		"é":                      false,
		"a÷b":                    false,
		"$(id)":                  false,
		"'a'":                    false,
	} {
		c, err := ParseContender(name + ":throughput")
		if allowed {
			assert.NoError(t, err, "%q", name)
			assert.Equal(t, name, c.Name)
			continue
		}
		assert.ErrorContains(t, err, `must be 1 to 100 letters (A to Z, a to z), digits, ".", "_" and "-"`, "%q", name)
	}
}

// Whatever a contender is called, its files are in the results directory.
func FuzzParseContender(f *testing.F) {
	for _, text := range []string{"vllmgo", "../precious:throughput", "a/../..:http,env.A=b", "x:python,program=/y,seed=1", "..:http", "%2e%2e:http"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseContender(text)
		if err != nil {
			return
		}
		s := prepared{dir: "dir"}
		for _, path := range []string{s.logPath(c, 1), filepath.Join(s.dir, c.resultFile())} {
			name, inside := strings.CutPrefix(path, "dir/")
			if !inside || filepath.Base(name) != name || !filepath.IsLocal(name) || name == JournalName || name == "race.json" {
				t.Errorf("%q has the file %q", text, path)
			}
		}
	})
}

// A race with wrong settings ends before it writes or removes a file.
func TestRunRefuses(t *testing.T) {
	for message, change := range map[string]func(s *prepared){
		"there are no contenders":                 func(s *prepared) { s.Contenders = nil },
		`contender "../precious": the name`:       func(s *prepared) { s.Contenders[0] = Contender{Name: "../precious", Kind: Throughput} },
		`kind "rust" is not one of`:               func(s *prepared) { s.Contenders[0].Kind = "rust" },
		"two contenders are called python":        func(s *prepared) { s.Contenders[0].Name = "python" },
		"0 rounds and 2 process rounds":           func(s *prepared) { s.Rounds = 0 },
		"6 rounds and -1 process rounds":          func(s *prepared) { s.ProcessRounds = -1 },
		"5 rounds for vllmgo":                     func(s *prepared) { s.Rounds, s.Reload = 5, true },
		"Settings.VLLM.Dir is empty":              func(s *prepared) { s.VLLM.Dir = "" },
		"points of a race cannot set environment": func(s *prepared) { s.studies[0].Points[0].Set.Env = map[string]string{"A": "b"} },
	} {
		t.Run(message, func(t *testing.T) {
			s := testRace(t, "vllmgo", "python")
			precious := filepath.Join(s.dir, "precious.json")
			require.NoError(t, os.WriteFile(precious, []byte("{}"), 0o600))
			s.dir = filepath.Join(s.dir, "results")
			s.VLLM.Dir = s.dir
			change(&s)
			run := func() error { return Run(t.Context(), s.Settings) }
			if s.studies[0].Points[0].Set.Env != nil {
				run = func() error { return s.run(t.Context()) }
			}
			require.ErrorContains(t, run(), message)
			assert.NoDirExists(t, s.dir)
			assert.FileExists(t, precious)
		})
	}
}
