package vllmgo

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// stepLoop merges the requests of several batches into one continuous batch of the engine. It runs
// on the engine's thread while there are such batches.
//
// An error of one of its methods means that the engine failed. What is wrong with one request ends
// its batch alone.
type stepLoop struct {
	*scheduler
	batches  map[int64]*batch
	order    []*batch // in which the batches take turns; the next one first
	inEngine int
	// adapted is true when the requests in the engine use LoRA adapters, where the engine cannot
	// mix them with others.
	adapted  bool
	reported time.Time // when report last ran
	only     *batch    // the batch that the loop is for; nil if it is for all
}

// maxAddedAtOnce is the most requests that are added between two steps: the requests that run wait
// meanwhile.
const maxAddedAtOnce = 64

// take adds a batch to the loop.
func (l *stepLoop) take(b *batch) {
	l.batches[b.id] = b
	l.order = append(l.order, b)
	if b.stream == nil && b.generation == nil {
		b.generation = &Generation{Outputs: make([]RequestOutput, len(b.prompts)), Shared: true}
	}
}

// run steps the engine until no batch is left.
func (l *stepLoop) run(c caller) error {
	err := l.runUntilIdle(c)
	if err != nil && len(l.order) > 0 && !errors.Is(err, ErrEngineDead) {
		if abortErr := c.call(nil, "abort_all"); abortErr != nil {
			return fmt.Errorf("%w (and aborting its requests: %w)", err, abortErr)
		}
	}
	return err
}

func (l *stepLoop) runUntilIdle(c caller) error {
	for {
		if err := l.admit(c); err != nil {
			return err
		}
		if len(l.order) == 0 {
			return nil
		}
		if err := l.step(c); err != nil {
			return err
		}
		if len(l.order) == 0 {
			return nil // the next call may be alone
		}
		if err := l.report(c); err != nil {
			return err
		}
	}
}

// admit drops batches that must stop, takes new ones from the queue, and adds requests to the
// engine.
func (l *stepLoop) admit(c caller) error {
	var stopped, arrived []*batch
	l.mu.Lock()
	for len(l.queue) > 0 && l.only == nil {
		b, ok := l.queue[0].(*batch)
		if !ok || b.exclusive {
			break // it waits until the loop has ended, and later calls wait for it
		}
		l.take(b)
		l.queue = l.queue[1:]
		if !b.continues {
			arrived = append(arrived, b)
		}
	}
	for _, b := range l.order {
		if l.closed && b.stopped == nil {
			b.stopped = ErrClosed
		}
		if b.stopped != nil {
			stopped = append(stopped, b)
		}
	}
	l.mu.Unlock()
	for _, b := range stopped {
		if err := l.drop(c, b, stoppedError(b.stopped)); err != nil {
			return err
		}
	}
	if err := l.makeRoom(c, arrived); err != nil {
		return err
	}
	return l.add(c, l.choose())
}

// makeRoom sees to it that the first request of each batch that has arrived runs at once, whatever
// the engine has to do.
func (l *stepLoop) makeRoom(c caller, arrived []*batch) error {
	// Some may have been stopped.
	arrived = slices.DeleteFunc(arrived, func(b *batch) bool { return l.batches[b.id] == nil })
	if len(arrived) == 0 || l.inEngine == 0 {
		return nil
	}
	// They are near the end of the order, and come first now.
	rest := slices.DeleteFunc(l.order, func(b *batch) bool { return slices.Contains(arrived, b) })
	l.order = slices.Concat(arrived, rest)
	var taken struct{ Batches, Indices []byte }
	if err := c.call(&taken, "take_back", min(len(arrived), max(l.maxNumSeqs/2, 1))); err != nil {
		return err
	}
	indices := valuesOf[int32](taken.Indices)
	for i, id := range valuesOf[int64](taken.Batches) {
		b := l.batches[id]
		b.returned = append(b.returned, int(indices[i]))
		b.inEngine--
		l.inEngine--
	}
	return nil
}

// request is one prompt of a batch.
type request struct {
	batch *batch
	index int
}

// choose returns the requests to add next. The batches take turns, so that each gets an equal share
// of the engine.
//
// Where the engine cannot mix requests with and without adapters, those of one kind run until the
// others, if any wait, have their turn.
func (l *stepLoop) choose() []request {
	fits := func(b *batch) bool { return b.waits() }
	if !l.mixesAdapters {
		other := slices.ContainsFunc(
			l.order,
			func(b *batch) bool { return b.waits() && b.adapted(b.upcoming()) != l.adapted },
		)
		if l.inEngine > 0 && other {
			return nil
		}
		if first := slices.IndexFunc(l.order, (*batch).waits); l.inEngine == 0 && first >= 0 {
			l.adapted = l.order[first].adapted(l.order[first].upcoming())
		}
		fits = func(b *batch) bool { return b.waits() && b.adapted(b.upcoming()) == l.adapted }
	}
	var chosen []request
	for free := min(maxAddedAtOnce, l.maxInEngine-l.inEngine); len(chosen) < free; {
		i := slices.IndexFunc(l.order, fits)
		if i < 0 {
			break
		}
		b := l.order[i]
		chosen = append(chosen, request{b, b.upcoming()})
		b.advance()
		l.order = append(slices.Delete(l.order, i, i+1), b)
	}
	l.inEngine += len(chosen)
	return chosen
}

// add adds requests to the engine. A request that the engine refuses ends its batch.
func (l *stepLoop) add(c caller, chosen []request) error {
	if len(chosen) == 0 {
		return nil
	}
	ids, indices, streams := make([]int64, len(chosen)), make([]int32, len(chosen)), make([]byte, len(chosen))
	prompts, params, options := make([]Prompt, len(chosen)), make([]string, len(chosen)), make([]string, len(chosen))
	for i, r := range chosen {
		b := r.batch
		ids[i], indices[i], prompts[i] = b.id, int32(r.index), b.prompts[r.index]
		params[i], options[i] = b.paramsOf(r.index), b.optionsOf(r.index)
		if b.stream != nil {
			streams[i] = 1
		}
	}
	var refused []byte
	packed := pack(prompts, params, options)
	if err := c.call(&refused, "add", bytesOf(ids), bytesOf(indices), streams, packed); err != nil {
		return err
	}
	for _, position := range valuesOf[int32](refused) {
		why := c.call(nil, "refuse", int(position))
		r := chosen[position]
		if l.batches[r.batch.id] == nil {
			continue // another of its requests has ended it
		}
		if err := l.drop(c, r.batch, explainPrompt(why, &r.batch.input, r.index)); err != nil {
			return err
		}
	}
	return nil
}

// drop ends a batch early and removes its requests from the engine.
func (l *stepLoop) drop(c caller, b *batch, why error) error {
	l.inEngine -= b.inEngine
	err := c.call(nil, "abort", b.id)
	l.end(b, why)
	return err
}

func (l *stepLoop) end(b *batch, err error) {
	delete(l.batches, b.id)
	l.order = slices.DeleteFunc(l.order, func(other *batch) bool { return other == b })
	b.finish(err)
}

// step runs one step and gives its outputs to their batches.
func (l *stepLoop) step(c caller) error {
	var packed *packedOutput
	if err := c.call(&packed, "step"); err != nil || packed == nil {
		return err
	}
	ids, indices := valuesOf[int64](packed.Batches), valuesOf[int32](packed.Indices)
	for i, output := range packed.unpack(packedInput{}) {
		b := l.batches[ids[i]]
		if b == nil {
			continue // an output of this step has ended it
		}
		if failedInEngine(output) {
			if err := l.drop(c, b, explainPrompt(errFailedInEngine, &b.input, int(indices[i]))); err != nil {
				return err
			}
			continue
		}
		l.give(b, int(indices[i]), output, packed.Finished[i] != 0)
	}
	return nil
}

// errFailedInEngine is the error of a request that the engine's process could not run.
var errFailedInEngine = errors.New("the engine could not run the request, and goes on without it; its log says why")

// failedInEngine reports whether the engine's process could not run a request.
func failedInEngine(output RequestOutput) bool {
	return slices.ContainsFunc(output.Outputs, func(c CompletionOutput) bool { return c.FinishReason == "error" })
}

// give gives an output to its batch.
func (l *stepLoop) give(b *batch, index int, output RequestOutput, finished bool) {
	if b.stream != nil {
		b.stream.push(output, finished)
	} else {
		b.generation.Outputs[index] = output
		b.finishedTokens += output.generatedTokens()
	}
	if !finished {
		return
	}
	l.inEngine--
	b.inEngine--
	b.unfinished--
	b.unload()
	if b.onFinished != nil {
		b.onFinished()
	}
	if b.unfinished == 0 {
		if b.generation != nil {
			b.generation.Elapsed = time.Since(b.started)
		}
		l.end(b, nil)
	}
}

// report reports progress to the batches that asked for it.
func (l *stepLoop) report(c caller) error {
	if time.Since(l.reported) < reportInterval {
		return nil
	}
	l.reported = time.Now()
	if !slices.ContainsFunc(l.order, func(b *batch) bool { return b.report != nil }) {
		return nil
	}
	var tokens map[int64]int
	if err := c.call(&tokens, "generated"); err != nil {
		return err
	}
	for _, b := range l.order {
		if b.report != nil {
			b.report.set(b, len(b.prompts)-b.unfinished, b.finishedTokens+tokens[b.id])
		}
	}
	return nil
}
