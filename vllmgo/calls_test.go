package vllmgo_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"vllmgo/vllmgo"
)

// TestCalls is about many calls on one engine, in both modes.
func TestCalls(t *testing.T) {
	for _, mode := range []vllmgo.EngineMode{vllmgo.InProcess, vllmgo.OwnProcess} {
		t.Run(string(mode), func(t *testing.T) {
			args := tiny(t, mode)
			args.DisableLogStats = new(false)
			args.MaxNumSeqs = 16 // so that requests have to wait
			llm := open(t, args)
			c := &calls{llm}
			c.short(t)
			t.Run("merged", c.testMerged)
			t.Run("a lone call is joined", c.testJoined)
			t.Run("cancel alone", c.testCancelAlone)
			t.Run("cancel one of many", c.testCancelOneOfMany)
			t.Run("time-out", c.testTimeout)
			t.Run("cancel while waiting", c.testCancelWhileWaiting)
			t.Run("turns", c.testTurns)
			t.Run("slow consumer", c.testSlowConsumer)
			t.Run("sequence", c.testSeq)
			t.Run("a sequence's end", c.testSeqEnds)
			t.Run("alone between streams", c.testExclusive)
			t.Run("storm", c.testStorm)
			assert.Eventually(t, func() bool { return len(goroutines()) == 0 }, 10*time.Second, 10*time.Millisecond,
				"goroutines are left: %s", goroutines())
			t.Run("close", c.testClose)
		})
	}
}

// goroutines are the stacks of those that run in the package, but for the one that reads vLLM's
// log.
func goroutines() []string {
	buffer := make([]byte, 1<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	var stacks []string
	for _, stack := range strings.Split(string(buffer), "\n\n") {
		if strings.Contains(stack, "vllmgo/vllmgo.") && !strings.Contains(stack, "(*logLines).read") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

type calls struct{ llm *vllmgo.LLM }

// forever is a request that ends only when it is cancelled or has filled the model's context.
var forever = exactly(1000)

// exactly are greedy parameters for n tokens.
func exactly(n int) vllmgo.SamplingParams {
	params := vllmgo.Greedy(n)
	params.IgnoreEOS = true
	return params
}

// short makes a call and sees that nothing but its own comes back, from an engine with nothing else
// to do.
func (c *calls) short(t *testing.T) {
	t.Helper()
	g, err := c.llm.Generate(t.Context(), vllmgo.Tokens([]int32{5, 6}), vllmgo.SamplingParams{MaxTokens: 4, IgnoreEOS: true})
	require.NoError(t, err)
	require.Len(t, g.Outputs, 1, "only the call's own request comes back")
	assert.Equal(t, []int32{5, 6}, g.Outputs[0].PromptTokenIDs)
	assert.Len(t, g.Outputs[0].Outputs[0].TokenIDs, 4)
	assert.False(t, g.Shared, "nothing else is in the engine")
	m, err := c.llm.Metrics(t.Context())
	require.NoError(t, err)
	assert.Zero(t, m.Running+m.Waiting, "nothing else is in the engine")
	assert.Zero(t, m.KVCacheUsage)
}

// numbered are prompts that differ.
func numbered(n int) []vllmgo.Prompt {
	prompts := make([]vllmgo.Prompt, n)
	for i := range prompts {
		prompts[i].TokenIDs = []int32{int32(i%900 + 10), int32(i/900 + 3)}
	}
	return prompts
}

// stream starts a stream and returns when its first token is there. What it returns waits for the
// stream's end.
func (c *calls) stream(t *testing.T, ctx context.Context, params vllmgo.SamplingParams) (wait func() (tokens int, err error)) {
	t.Helper()
	type result struct {
		tokens int
		err    error
	}
	first, ended := make(chan struct{}), make(chan result, 1)
	go func() {
		var r result
		for delta, err := range c.llm.Stream(ctx, vllmgo.Prompt{TokenIDs: []int32{7, 8}}, params) {
			if r.err = err; err == nil && r.tokens == 0 {
				close(first)
			}
			r.tokens += len(delta.TokenIDs)
		}
		ended <- r
	}()
	select {
	case <-first:
	case r := <-ended:
		t.Fatal("the stream ended at once:", r.err)
	}
	return func() (int, error) { r := <-ended; return r.tokens, r.err }
}

// testMerged shows that calls from many goroutines end like one call, each with its own outputs.
func (c *calls) testMerged(t *testing.T) {
	params := exactly(16)
	prompts := numbered(64)
	var group sync.WaitGroup
	var mu sync.Mutex
	shared := 0
	for i := range prompts {
		group.Go(func() {
			g, err := c.llm.Generate(t.Context(), prompts[i:i+1], params)
			if !assert.NoError(t, err) {
				return
			}
			assert.Equal(t, prompts[i].TokenIDs, g.Outputs[0].PromptTokenIDs)
			assert.Len(t, g.Outputs[0].Outputs[0].TokenIDs, 16)
			mu.Lock()
			defer mu.Unlock()
			if g.Shared {
				shared++
			}
		})
	}
	group.Wait()
	assert.Greater(t, shared, 32)
	c.short(t)
}

// testJoined shows that a call that runs alone goes on when another comes, and that both get what
// is theirs.
func (c *calls) testJoined(t *testing.T) {
	params := exactly(300)
	// Some of the requests are over when the other call comes, some run, and some have not begun.
	prompts := numbered(40)
	for i := range prompts[:8] {
		prompts[i].Params = new(exactly(2))
	}
	before, err := c.llm.Metrics(t.Context())
	require.NoError(t, err)
	done := make(chan *vllmgo.Generation)
	go func() {
		g, err := c.llm.Generate(t.Context(), prompts, params)
		assert.NoError(t, err)
		done <- g
	}()
	require.Eventually(t, func() bool {
		m, err := c.llm.Metrics(t.Context())
		return err == nil && m.FinishedRequests >= before.FinishedRequests+8 && m.Waiting > 0
	}, time.Minute, time.Millisecond)
	g, err := c.llm.Generate(t.Context(), vllmgo.Tokens([]int32{77}), vllmgo.SamplingParams{MaxTokens: 3, IgnoreEOS: true, N: 2})
	require.NoError(t, err)
	assert.True(t, g.Shared)
	assert.Equal(t, []int32{77}, g.Outputs[0].PromptTokenIDs)
	assert.Len(t, g.Outputs[0].Outputs, 2)
	first := <-done
	assert.True(t, first.Shared)
	for i, output := range first.Outputs {
		assert.Equal(t, prompts[i].TokenIDs, output.PromptTokenIDs)
		want := params
		if own := prompts[i].Params; own != nil {
			want = *own
		}
		assert.Len(t, output.Outputs[0].TokenIDs, want.MaxTokens)
	}
	c.short(t)
}

func (c *calls) testCancelAlone(t *testing.T) {
	for range 3 {
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		time.AfterFunc(20*time.Millisecond, func() { cancel(enough) })
		_, err := c.llm.Generate(ctx, numbered(64), forever)
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, enough)
		c.short(t)
	}
}

// testCancelOneOfMany looks at the engine's own counts: the cancelled call's requests leave it
// while the other goes on.
func (c *calls) testCancelOneOfMany(t *testing.T) {
	wait := c.stream(t, t.Context(), forever)
	before, err := c.llm.Metrics(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := c.llm.Generate(ctx, numbered(40), forever)
		failed <- err
	}()
	full := vllmgo.Metrics{}
	require.Eventually(t, func() bool {
		full, err = c.llm.Metrics(t.Context())
		return err == nil && full.Running == 16 && full.Waiting > 0
	}, time.Minute, time.Millisecond, "the engine is full")
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	freed := vllmgo.Metrics{}
	require.Eventually(t, func() bool {
		freed, err = c.llm.Metrics(t.Context())
		return err == nil && freed.Running == 1 && freed.Waiting == 0
	}, time.Minute, time.Millisecond, "the other call is alone again")
	assert.Less(t, freed.KVCacheUsage, full.KVCacheUsage)
	tokens, err := wait()
	require.NoError(t, err)
	assert.Equal(t, 1000, tokens, "the other call did not notice")
	after, err := c.llm.Metrics(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before.FinishedRequests+1, after.FinishedRequests, "no cancelled request was run to its end")
	c.short(t)
}

func (c *calls) testTimeout(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	wait := c.stream(t, ctx, vllmgo.SamplingParams{MaxTokens: 1000, IgnoreEOS: true, N: 8})
	_, err := wait()
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = c.llm.Generate(ctx, numbered(1), forever)
	assert.ErrorIs(t, err, context.DeadlineExceeded, "a context that has ended")
	c.short(t)
}

// testCancelWhileWaiting cancels calls that the engine has not begun.
func (c *calls) testCancelWhileWaiting(t *testing.T) {
	wait := c.stream(t, t.Context(), vllmgo.SamplingParams{MaxTokens: 600, IgnoreEOS: true})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.llm.ResetPrefixCache(ctx) }() // which waits for the stream
	time.Sleep(30 * time.Millisecond)                    // and these wait for it
	go func() {
		_, err := c.llm.Generate(ctx, numbered(3), forever)
		ended <- err
	}()
	go func() {
		for _, err := range c.llm.Stream(ctx, numbered(1)[0], forever) {
			ended <- err
		}
	}()
	time.Sleep(30 * time.Millisecond)
	cancel()
	for range 3 {
		assert.ErrorIs(t, <-ended, context.Canceled)
	}
	tokens, err := wait()
	require.NoError(t, err)
	assert.Equal(t, 600, tokens)
	c.short(t)
}

// testTurns shows that a call with many prompts does not keep a small one waiting to its end.
func (c *calls) testTurns(t *testing.T) {
	wait := c.stream(t, t.Context(), vllmgo.SamplingParams{MaxTokens: 100, IgnoreEOS: true})
	order := make(chan string, 2)
	var group sync.WaitGroup
	group.Go(func() {
		_, err := c.llm.Generate(t.Context(), numbered(600), vllmgo.SamplingParams{MaxTokens: 20, IgnoreEOS: true})
		assert.NoError(t, err)
		order <- "large"
	})
	require.Eventually(t, func() bool {
		m, err := c.llm.Metrics(t.Context())
		return err == nil && m.Waiting > 0
	}, time.Minute, time.Millisecond)
	group.Go(func() {
		_, err := c.llm.Generate(t.Context(), numbered(1), vllmgo.SamplingParams{MaxTokens: 20, IgnoreEOS: true})
		assert.NoError(t, err)
		order <- "small"
	})
	group.Wait()
	assert.Equal(t, "small", <-order)
	_, err := wait()
	require.NoError(t, err)
	c.short(t)
}

// testSlowConsumer shows that one who is slow to read gets everything, and holds nobody up.
func (c *calls) testSlowConsumer(t *testing.T) {
	tokens, pieces := 0, 0
	for delta, err := range c.llm.Stream(t.Context(), numbered(1)[0], vllmgo.SamplingParams{MaxTokens: 200, IgnoreEOS: true}) {
		require.NoError(t, err)
		tokens += len(delta.TokenIDs)
		if pieces++; pieces == 1 {
			c.short2(t) // runs to its end meanwhile
			time.Sleep(50 * time.Millisecond)
		}
	}
	assert.Equal(t, 200, tokens)
	assert.Less(t, pieces, 200, "what has waited comes as one")
	c.short(t)
}

// short2 is a short call that need not be alone.
func (c *calls) short2(t *testing.T) {
	t.Helper()
	g, err := c.llm.Generate(t.Context(), vllmgo.Tokens([]int32{9}), vllmgo.SamplingParams{MaxTokens: 4, IgnoreEOS: true})
	require.NoError(t, err)
	assert.Equal(t, []int32{9}, g.Outputs[0].PromptTokenIDs)
}

// testExclusive shows that a call that needs the engine for itself gets it although streams keep
// coming.
func (c *calls) testExclusive(t *testing.T) {
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for delta, err := range c.llm.Stream(t.Context(), numbered(1)[0], vllmgo.SamplingParams{MaxTokens: 30, IgnoreEOS: true}) {
					assert.NoError(t, err)
					_ = delta
				}
			}
		})
	}
	for range 5 {
		assert.NoError(t, c.llm.ResetPrefixCache(t.Context()), "vLLM refuses it while anything runs")
		time.Sleep(20 * time.Millisecond)
	}
	close(stop)
	group.Wait()
	c.short(t)
}

// testStorm is 64 goroutines that call, stream, break off and cancel.
func (c *calls) testStorm(t *testing.T) {
	params := vllmgo.SamplingParams{MaxTokens: 12, IgnoreEOS: true}
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			for j := range 5 {
				prompt := []int32{int32(i + 10), int32(j + 1)}
				switch (i + j) % 4 {
				case 0:
					g, err := c.llm.Generate(t.Context(), vllmgo.Tokens(prompt), params)
					if assert.NoError(t, err) {
						assert.Equal(t, prompt, g.Outputs[0].PromptTokenIDs)
						assert.Len(t, g.Outputs[0].Outputs[0].TokenIDs, 12)
					}
				case 1:
					tokens := 0
					for delta, err := range c.llm.Stream(t.Context(), vllmgo.Prompt{TokenIDs: prompt}, params) {
						assert.NoError(t, err)
						tokens += len(delta.TokenIDs)
						if delta.Request != nil {
							assert.Equal(t, prompt, delta.Request.PromptTokenIDs)
						}
					}
					assert.Equal(t, 12, tokens)
				case 2:
					for _, err := range c.llm.Stream(t.Context(), vllmgo.Prompt{TokenIDs: prompt}, forever) {
						assert.NoError(t, err)
						break
					}
				case 3:
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
					_, err := c.llm.Generate(ctx, numbered(20), forever)
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					cancel()
				}
			}
		})
	}
	group.Wait()
	c.short(t)
}

// testClose closes the engine under calls of every kind.
func (c *calls) testClose(t *testing.T) {
	wait := c.stream(t, context.Background(), forever)
	ended := make(chan error, 2)
	go func() {
		_, err := c.llm.Generate(context.Background(), numbered(40), forever)
		ended <- err
	}()
	require.Eventually(t, func() bool {
		m, err := c.llm.Metrics(t.Context())
		return err == nil && m.Running == 16
	}, time.Minute, time.Millisecond)
	waitSeq := c.sequence(t)
	go func() { ended <- c.llm.ResetPrefixCache(context.Background()) }()
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, c.llm.Close())
	for range 2 {
		assert.ErrorIs(t, <-ended, vllmgo.ErrClosed)
	}
	_, err := wait()
	assert.ErrorIs(t, err, vllmgo.ErrClosed)
	waitSeq()
	_, err = c.llm.Generate(t.Context(), numbered(1), vllmgo.SamplingParams{})
	assert.ErrorIs(t, err, vllmgo.ErrClosed)
	for _, err := range c.llm.Stream(t.Context(), numbered(1)[0], vllmgo.SamplingParams{}) {
		assert.ErrorIs(t, err, vllmgo.ErrClosed)
	}
	errs, taken := 0, 0
	for _, err := range c.llm.GenerateSeq(t.Context(), counted(numbered(300), &taken), forever) {
		assert.ErrorIs(t, err, vllmgo.ErrClosed)
		errs++
	}
	assert.Equal(t, 1, errs)
	_, err = c.llm.Metrics(t.Context())
	assert.ErrorIs(t, err, vllmgo.ErrClosed)
	_, err = c.llm.Tokenizer(t.Context())
	assert.ErrorIs(t, err, vllmgo.ErrClosed)
	require.NoError(t, c.llm.Close())
}

// TestCloseEndsALoneGeneration closes the engine under a call of LLM.generate.
func TestCloseEndsALoneGeneration(t *testing.T) {
	llm := open(t, tiny(t, vllmgo.InProcess))
	ended := make(chan error)
	go func() {
		_, err := llm.Generate(context.Background(), numbered(256), forever)
		ended <- err
	}()
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, llm.Close())
	assert.ErrorIs(t, <-ended, vllmgo.ErrClosed)
}

// TestDeadEngine kills the engine's processes under calls that run and that wait.
func TestDeadEngine(t *testing.T) {
	args := tiny(t, vllmgo.OwnProcess)
	kill := func() {
		for _, child := range descendants(t) {
			if line, err := child.Cmdline(); err == nil && !strings.Contains(line, "resource_tracker") {
				_ = child.Kill() // its parent may have ended it first
			}
		}
	}
	failed := make(chan error, 3)
	expect := func(n int) {
		for range n {
			select {
			case err := <-failed:
				assert.ErrorIs(t, err, vllmgo.ErrEngineDead)
				assert.ErrorContains(t, err, "close the LLM and make a new one:\n\t")
				t.Log(err)
			case <-time.After(time.Minute):
				t.Fatal("a call waits for a dead engine")
			}
		}
	}
	generate := func(llm *vllmgo.LLM) {
		_, err := llm.Generate(context.Background(), numbered(256), forever)
		failed <- err
	}
	llm := open(t, args)
	go generate(llm)
	time.Sleep(100 * time.Millisecond)
	kill()
	expect(1)
	require.NoError(t, llm.Close())

	llm = open(t, args) // New works again
	wait := (&calls{llm}).stream(t, context.Background(), forever)
	go generate(llm)
	go func() { failed <- llm.ResetPrefixCache(context.Background()) }()
	time.Sleep(100 * time.Millisecond)
	kill()
	_, err := wait()
	failed <- err
	expect(3)
	go generate(llm)
	expect(1) // and so does every later call
	require.NoError(t, llm.Close())
}
