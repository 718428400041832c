package vllmgo

import (
	"fmt"
	"slices"
	"time"

	"vllmgo/pyembed"
)

// stepLoop merges the requests of several batches into one continuous batch of the engine. It runs on the engine's
// thread while there are such batches.
type stepLoop struct {
	*scheduler
	batches  map[int64]*batch
	order    []*batch // in which the batches take turns; the next one first
	inEngine int
	reported time.Time // when report last ran
}

// maxAddedAtOnce is the most requests that are added between two steps: the requests that run wait meanwhile.
const maxAddedAtOnce = 64

// take adds a batch to the loop.
func (l *stepLoop) take(b *batch) {
	l.batches[b.id] = b
	l.order = append(l.order, b)
	if b.stream == nil {
		b.generation = &Generation{Outputs: make([]RequestOutput, len(b.prompts)), Shared: true}
	}
}

// run steps the engine until no batch is left. An error means that the engine failed.
func (l *stepLoop) run(py *pyembed.Py) error {
	for {
		if err := l.admit(py); err != nil {
			return err
		}
		if len(l.order) == 0 {
			return nil
		}
		if err := l.step(py); err != nil {
			if _, abortErr := l.engine.CallMethod(py, "abort_all"); abortErr != nil {
				return fmt.Errorf("%w (and aborting its requests: %w)", err, abortErr)
			}
			return err
		}
		if len(l.order) == 0 {
			return nil // the next call may be alone
		}
		if err := l.report(py); err != nil {
			return err
		}
	}
}

// admit drops batches that must stop, takes new ones from the queue, and adds requests to the engine.
func (l *stepLoop) admit(py *pyembed.Py) error {
	var stopped []*batch
	l.mu.Lock()
	for len(l.queue) > 0 {
		b, ok := l.queue[0].(*batch)
		if !ok {
			break // a task waits until the loop has ended, and later calls wait for the task
		}
		l.take(b)
		l.queue = l.queue[1:]
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
		if err := l.drop(py, b, stoppedError(b.stopped)); err != nil {
			return err
		}
	}
	return l.add(py, l.choose())
}

// request is one prompt of a batch.
type request struct {
	batch *batch
	index int
}

// choose returns the requests to add next. The batches take turns, so that each gets an equal share of the engine.
func (l *stepLoop) choose() []request {
	var chosen []request
	for free := min(maxAddedAtOnce, l.maxInEngine-l.inEngine); len(chosen) < free; {
		i := slices.IndexFunc(l.order, func(b *batch) bool { return b.chosen < len(b.prompts) })
		if i < 0 {
			break
		}
		b := l.order[i]
		chosen = append(chosen, request{b, b.chosen})
		b.chosen++
		l.order = append(slices.Delete(l.order, i, i+1), b)
	}
	return chosen
}

// add adds requests to the engine. A request that the engine refuses ends its batch.
func (l *stepLoop) add(py *pyembed.Py, chosen []request) error {
	for len(chosen) > 0 {
		ids, indices, streams := make([]int64, len(chosen)), make([]int32, len(chosen)), make([]byte, len(chosen))
		prompts, params := make([]Prompt, len(chosen)), make([]string, len(chosen))
		for i, r := range chosen {
			b := r.batch
			ids[i], indices[i], prompts[i], params[i] = b.id, int32(r.index), b.prompts[r.index], b.paramsOf(r.index)
			if b.stream != nil {
				streams[i] = 1
			}
		}
		packed, err := pack(prompts, params)
		if err != nil {
			return err
		}
		o, err := l.engine.CallMethod(py, "add", bytesOf(ids), bytesOf(indices), streams, packed)
		if err == nil {
			o.Release(py)
			l.count(chosen)
			return nil
		}
		// The one after those that were added was refused.
		attribute, attrErr := l.engine.Attr(py, "added")
		if attrErr != nil {
			return attrErr
		}
		added, attrErr := pyembed.As[int](py, attribute)
		if attrErr != nil {
			return attrErr
		}
		l.count(chosen[:added])
		refused := chosen[added].batch
		if err := l.drop(py, refused, explain(err)); err != nil {
			return err
		}
		chosen = slices.DeleteFunc(chosen[added+1:], func(r request) bool { return r.batch == refused })
	}
	return nil
}

// count counts requests that the engine has got.
func (l *stepLoop) count(added []request) {
	for _, r := range added {
		r.batch.added++
	}
	l.inEngine += len(added)
}

// drop ends a batch early and removes its requests from the engine. An error means that the engine failed.
func (l *stepLoop) drop(py *pyembed.Py, b *batch, why error) error {
	l.inEngine -= b.added - (len(b.prompts) - b.unfinished)
	_, err := l.engine.CallMethod(py, "abort", b.id)
	l.end(b, why)
	return err
}

func (l *stepLoop) end(b *batch, err error) {
	delete(l.batches, b.id)
	l.order = slices.DeleteFunc(l.order, func(other *batch) bool { return other == b })
	b.finish(err)
}

// step runs one step and gives its outputs to their batches.
func (l *stepLoop) step(py *pyembed.Py) error {
	var packed *packedOutput
	if err := callInto(py, &packed, l.engine, "step"); err != nil || packed == nil {
		return err
	}
	ids, indices := valuesOf[int64](packed.Batches), valuesOf[int32](packed.Indices)
	for i, output := range packed.unpack(packedInput{}) {
		l.give(l.batches[ids[i]], int(indices[i]), output, packed.Finished[i] != 0)
	}
	return nil
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
	if b.unfinished--; b.unfinished == 0 {
		if b.generation != nil {
			b.generation.Elapsed = time.Since(b.started)
		}
		l.end(b, nil)
	}
}

// report tells the batches that asked for it how far they are.
func (l *stepLoop) report(py *pyembed.Py) error {
	if time.Since(l.reported) < reportInterval {
		return nil
	}
	l.reported = time.Now()
	if !slices.ContainsFunc(l.order, func(b *batch) bool { return b.report != nil }) {
		return nil
	}
	var tokens map[int64]int
	if err := callInto(py, &tokens, l.engine, "generated"); err != nil {
		return err
	}
	for _, b := range l.order {
		if b.report != nil {
			b.report.set(b, len(b.prompts)-b.unfinished, b.finishedTokens+tokens[b.id])
		}
	}
	return nil
}
