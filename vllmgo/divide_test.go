package vllmgo

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLevel: whatever the loads are, the shares add up, and no replica gets any while another one
// has less.
func TestLevel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		loads := make([]int, 1+random.IntN(8))
		for i := range loads {
			loads[i] = random.IntN(20)
		}
		n := random.IntN(60)
		shares, sum := level(loads, n), 0
		lowest := loads[0] + shares[0]
		for i, share := range shares {
			require.GreaterOrEqual(t, share, 0)
			sum += share
			lowest = min(lowest, loads[i]+share)
		}
		require.Equal(t, n, sum)
		for i, share := range shares {
			if share > 0 {
				require.LessOrEqual(t, loads[i]+share, lowest+1, "loads %v, shares %v", loads, shares)
			}
		}
	}
}

// numbered returns n prompts that differ, of one to most tokens.
func numbered(n, most int) []Prompt {
	prompts := make([]Prompt, n)
	for i := range prompts {
		prompts[i].TokenIDs = []int32{int32(i)}
		for len(prompts[i].TokenIDs) < 1+i%most {
			prompts[i].TokenIDs = append(prompts[i].TokenIDs, 7)
		}
	}
	return prompts
}

// answers checks that an output is what fakeEngine answers to a prompt.
func answers(t *testing.T, prompt Prompt, output RequestOutput) {
	t.Helper()
	want := slices.Clone(prompt.TokenIDs)
	slices.Reverse(want)
	require.Equal(t, want, output.Outputs[0].TokenIDs)
}

// TestGenerateOnReplicas: whatever the numbers of replicas, prompts and sequences that run at once,
// each prompt has its own answer, at its place, and is worked on once.
func TestGenerateOnReplicas(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		replicas, seqs, n := 1+random.IntN(5), 1+random.IntN(20), 1+random.IntN(300)
		count, engines := &stepCount{}, make([]*fakeEngine, replicas)
		l := fakeLLM(t, replicas, func(i int) (*fakeEngine, error) {
			engines[i] = &fakeEngine{maxNumSeqs: seqs, steps: count}
			return engines[i], nil
		})
		prompts := numbered(n, 5)
		g, err := l.Generate(t.Context(), prompts, Greedy(5))
		require.NoError(t, err)
		for i, output := range g.Outputs {
			answers(t, prompts[i], output)
		}
		assert.Equal(t, n, count.finished, "%d replicas, %d at once", replicas, seqs)
		for _, e := range engines {
			assert.GreaterOrEqual(t, e.finished, min(n/replicas, seqs), "each has its part")
		}
	}
}

// TestReplicasDie: engines die at random, and each prompt is answered all the same; those that had
// been answered in the step loop are not worked on again.
func TestReplicasDie(t *testing.T) {
	restarts := 0
	for seed := range uint64(50) {
		var deaths atomic.Int32
		count := &stepCount{}
		l := fakeLLM(t, 3, func(i int) (*fakeEngine, error) {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			return &fakeEngine{maxNumSeqs: 4, steps: count, dies: func([]int32) bool {
				return random.IntN(100) == 0 && deaths.Add(1) <= 2
			}}, nil
		})
		prompts := numbered(200, 5)
		g, err := l.Generate(t.Context(), prompts, Greedy(5))
		require.NoError(t, err)
		for i, output := range g.Outputs {
			answers(t, prompts[i], output)
		}
		require.Equal(t, len(prompts), count.finished)
		seen := map[int]bool{}
		for output, err := range l.GenerateSeq(t.Context(), slices.Values(prompts), Greedy(5)) {
			require.NoError(t, err)
			answers(t, prompts[output.Index], output.RequestOutput)
			require.False(t, seen[output.Index])
			seen[output.Index] = true
		}
		require.Len(t, seen, len(prompts))
		restarts += l.restarted()
	}
	assert.Positive(t, restarts, "some have died")
}

// TestInnocentPrompts: calls that are beside a prompt of which engines die have their answers.
func TestInnocentPrompts(t *testing.T) {
	const poison = 50
	for _, replicas := range []int{2, 4} {
		l := fakeLLM(t, replicas, func(int) (*fakeEngine, error) {
			steps := 0
			return &fakeEngine{maxNumSeqs: 8, dies: func(prompt []int32) bool {
				if prompt[0] == poison {
					steps++
				}
				return steps > 3 // so that it has others beside it
			}}, nil
		})
		failed := []int{}
		for output, err := range l.GenerateSeq(t.Context(), slices.Values(numbered(400, 9)), Greedy(9)) {
			if err != nil {
				failed = append(failed, output.Index)
				require.ErrorContains(t, err, "3 replicas died")
			}
		}
		assert.Equal(t, []int{poison}, failed)
	}
}

// TestStragglers: what has ended is no load any more, though other prompts of its call go on.
func TestStragglers(t *testing.T) {
	const short, long = 200, 4
	count := &stepCount{}
	var l *LLM
	loads := -1
	l = fakeLLM(t, 2, func(int) (*fakeEngine, error) {
		return &fakeEngine{maxNumSeqs: 64, steps: count, dies: func(prompt []int32) bool {
			count.mu.Lock()
			defer count.mu.Unlock()
			if len(prompt) <= 5 || loads >= 0 {
				return false
			}
			if count.finished == short {
				l.mu.Lock()
				loads = l.all[0].load + l.all[1].load
				l.mu.Unlock()
			} else {
				time.Sleep(100 * time.Microsecond) // so that the other engine gets on
			}
			return false
		}}, nil
	})
	prompts := numbered(short+long, 5)
	for i := range long {
		prompts[i].TokenIDs = slices.Repeat([]int32{int32(i)}, 900)
	}
	_, err := l.Generate(t.Context(), prompts, Greedy(900))
	require.NoError(t, err)
	assert.Equal(t, long, loads)
}

// TestPrioritiesOnReplicas: the engines have all prompts to choose from.
func TestPrioritiesOnReplicas(t *testing.T) {
	engines := make([]*fakeEngine, 2)
	l := fakeLLM(t, 2, func(i int) (*fakeEngine, error) {
		engines[i] = &fakeEngine{maxNumSeqs: 4}
		return engines[i], nil
	})
	prompts := numbered(100, 5)
	prompts[99].Priority = -10
	_, err := l.Generate(t.Context(), prompts, Greedy(5))
	require.NoError(t, err)
	assert.Equal(t, 50, engines[0].finished)
	assert.Equal(t, 50, engines[1].finished)
}

// TestLoggerMayAsk: what logs the note of a death may call the LLM.
func TestLoggerMayAsk(t *testing.T) {
	died := false
	l := fakeLLM(t, 2, func(int) (*fakeEngine, error) {
		return &fakeEngine{maxNumSeqs: 4, dies: func([]int32) bool {
			first := !died
			died = true
			return first
		}}, nil
	})
	asked := make(chan error, 10)
	SetLogger(slog.New(askingHandler{slog.DiscardHandler, func() {
		_, err := l.Metrics(t.Context())
		asked <- err
	}}))
	_, err := l.Generate(t.Context(), Tokens([]int32{1}), Greedy(1))
	require.NoError(t, err)
	require.NoError(t, <-asked)
}

// askingHandler calls a function for each record.
type askingHandler struct {
	slog.Handler
	ask func()
}

func (askingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h askingHandler) Handle(context.Context, slog.Record) error {
	h.ask()
	return nil
}

// TestReplicasOfPoison: a prompt that every engine dies of ends its call and nothing else.
func TestReplicasOfPoison(t *testing.T) {
	const poison = 13
	l := fakeLLM(t, 4, func(int) (*fakeEngine, error) {
		return &fakeEngine{maxNumSeqs: 4, dies: func(prompt []int32) bool { return prompt[0] == poison }}, nil
	})
	_, err := l.Generate(t.Context(), Tokens([]int32{poison}), Greedy(1))
	require.ErrorContains(t, err, "3 replicas died while they worked on the call, which seems to be the cause")
	assert.NotErrorIs(t, err, ErrEngineDead, "others are alive")
	g, err := l.Generate(t.Context(), Tokens([]int32{1, 2}), Greedy(2))
	require.NoError(t, err)
	assert.Equal(t, []int32{2, 1}, g.Outputs[0].Outputs[0].TokenIDs)
	l.starts.Wait()
	m, err := l.Metrics(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 4, m.Replicas)
	assert.Equal(t, 3, m.ReplicaRestarts)
}

// TestNoReplicaIsLeft: starts are limited, and then the error says why the last one died.
func TestNoReplicaIsLeft(t *testing.T) {
	opened := 0
	l := fakeLLM(t, 1, func(int) (*fakeEngine, error) {
		if opened++; opened > 2 {
			return nil, errors.New("no memory is left")
		}
		return &fakeEngine{maxNumSeqs: 4, dies: func([]int32) bool { return true }}, nil
	})
	_, err := l.Generate(t.Context(), Tokens([]int32{1}, []int32{2}), Greedy(1))
	require.ErrorIs(t, err, ErrEngineDead)
	require.ErrorContains(t, err, "no replica is left: close the LLM and make a new one; the last one's end: no memory is left")
	_, err = l.Generate(t.Context(), Tokens([]int32{1}), Greedy(1))
	require.ErrorIs(t, err, ErrEngineDead)
	assert.Equal(t, 1+maxRestarts, opened)
}

// TestStreamOnReplicas: a stream that has yielded nothing begins again; another one ends with an
// error.
func TestStreamOnReplicas(t *testing.T) {
	for name, c := range map[string]struct {
		steps int // before the death
		fails bool
	}{"before a token": {0, false}, "after a token": {1, true}} {
		t.Run(name, func(t *testing.T) {
			steps, died := 0, false
			l := fakeLLM(t, 2, func(int) (*fakeEngine, error) {
				return &fakeEngine{maxNumSeqs: 4, dies: func([]int32) bool {
					steps++
					dies := steps > c.steps && !died
					died = died || dies
					return dies
				}}, nil
			})
			var tokens []int32
			var failed error
			for delta, err := range l.Stream(t.Context(), Prompt{TokenIDs: []int32{1, 2, 3}}, Greedy(3)) {
				failed = err
				tokens = append(tokens, delta.TokenIDs...)
			}
			if c.fails {
				require.ErrorIs(t, failed, ErrEngineDead)
				return
			}
			require.NoError(t, failed)
			assert.Equal(t, []int32{3, 2, 1}, tokens)
		})
	}
}

// TestWaitForReplica: a call waits for a replica that is being started, as long as its context
// lasts, and Close does not wait for one.
func TestWaitForReplica(t *testing.T) {
	SetLogger(slog.New(slog.DiscardHandler))
	defer SetLogger(nil)
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		r := newReplicas(1)
		l := &LLM{replicas: r, info: Info{MaxModelLen: 1000, VocabSize: 1 << 30}}
		r.open = func(ctx context.Context, i int) error {
			if opened++; opened > 1 {
				select {
				case <-time.After(time.Minute):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			first := opened == 1
			_, err := r.put(i, &fakeEngine{maxNumSeqs: 4, dies: func([]int32) bool { return first }}, make([]int32, 1))
			return err
		}
		require.NoError(t, r.open(t.Context(), 0))
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := l.Generate(short, Tokens([]int32{1}), Greedy(1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "waiting for a replica that is being started")
		begin := time.Now()
		_, err = l.Generate(t.Context(), Tokens([]int32{1}), Greedy(1))
		require.NoError(t, err)
		assert.Equal(t, 59*time.Second, time.Since(begin))
		at := r.all[0]
		r.died(at, errors.New("killed"))
		require.NoError(t, l.Close())
		assert.Equal(t, 59*time.Second, time.Since(begin), "Close ends the start")
	})
}

// TestHungReplica: an engine that hangs holds the calls that it has, and gets no others.
func TestHungReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		r := newReplicas(2)
		l := &LLM{replicas: r, info: Info{MaxModelLen: 1000, VocabSize: 1 << 30}}
		r.open = func(_ context.Context, i int) error {
			_, err := r.put(i, &fakeEngine{maxNumSeqs: 4, dies: func([]int32) bool {
				if i == 0 {
					<-hang
				}
				return false
			}}, make([]int32, 1))
			return err
		}
		for i := range 2 {
			require.NoError(t, r.open(t.Context(), i))
		}
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := l.Generate(short, Tokens([]int32{1}), Greedy(1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "the engine has not finished its step")
		for range 3 {
			begin := time.Now()
			_, err = l.Generate(t.Context(), Tokens([]int32{1}), Greedy(1))
			require.NoError(t, err)
			assert.Zero(t, time.Since(begin))
		}
		close(hang)
		synctest.Wait()
		assert.Zero(t, r.all[0].load, "the call has ended there")
		require.NoError(t, l.Close())
	})
}
