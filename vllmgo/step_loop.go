package vllmgo

import (
	"fmt"
	"slices"
	"time"

	"vllmgo/pyembed"
)

// stepLoop merges the requests of several calls into one continuous batch. It lives on the engine's thread while
// there are such calls.
type stepLoop struct {
	*scheduler
	calls    map[int64]*call
	order    []*call // in which the calls take turns; the next one first
	inEngine int
}

// maxAddedAtOnce is the most requests that are added between two steps, so that those that run are not kept
// waiting for long.
const maxAddedAtOnce = 64

// take makes a call take part.
func (l *stepLoop) take(c *call) {
	l.calls[c.id] = c
	l.order = append(l.order, c)
	if c.stream == nil {
		c.generation = &Generation{Outputs: make([]RequestOutput, len(c.prompts)), Shared: true}
	}
}

// run steps the engine until no call is left. An error is the engine's own.
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
			return nil // and a call that has come meanwhile can have the engine for itself
		}
		if err := l.report(py); err != nil {
			return err
		}
	}
}

// admit drops calls that are to stop, takes new ones from the queue, and adds requests to the engine.
func (l *stepLoop) admit(py *pyembed.Py) error {
	var stopped []*call
	l.mu.Lock()
	for len(l.queue) > 0 && l.queue[0].exclusive == nil {
		l.take(l.queue[0])
		l.queue = l.queue[1:]
	}
	for _, c := range l.order {
		if l.closed && c.stopped == nil {
			c.stopped = ErrClosed
		}
		if c.stopped != nil {
			stopped = append(stopped, c)
		}
	}
	l.mu.Unlock()
	for _, c := range stopped {
		if err := l.drop(py, c, stoppedError(c.stopped)); err != nil {
			return err
		}
	}
	return l.add(py, l.choose())
}

// request is one prompt of a call.
type request struct {
	call  *call
	index int
}

// choose takes the requests that are to be added next. Calls take turns, so that they share evenly what the engine
// takes.
func (l *stepLoop) choose() []request {
	var chosen []request
	for free := min(maxAddedAtOnce, l.maxInEngine-l.inEngine); len(chosen) < free; {
		i := slices.IndexFunc(l.order, func(c *call) bool { return c.chosen < len(c.prompts) })
		if i < 0 {
			break
		}
		c := l.order[i]
		chosen = append(chosen, request{c, c.chosen})
		c.chosen++
		l.order = append(slices.Delete(l.order, i, i+1), c)
	}
	return chosen
}

// add adds requests to the engine. Those that it refuses end their calls.
func (l *stepLoop) add(py *pyembed.Py, chosen []request) error {
	for len(chosen) > 0 {
		ids, indices, streams := make([]int64, len(chosen)), make([]int32, len(chosen)), make([]byte, len(chosen))
		prompts, params := make([]Prompt, len(chosen)), make([]string, len(chosen))
		for i, r := range chosen {
			c := r.call
			ids[i], indices[i], prompts[i] = c.id, int32(r.index), c.prompts[r.index]
			if len(c.params) > 0 { // else the model's defaults: an empty string
				params[i] = c.params[min(r.index, len(c.params)-1)]
			}
			if c.stream != nil {
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
		refused := chosen[added].call
		if err := l.drop(py, refused, explain(err)); err != nil {
			return err
		}
		chosen = slices.DeleteFunc(chosen[added+1:], func(r request) bool { return r.call == refused })
	}
	return nil
}

// count counts requests that the engine has got.
func (l *stepLoop) count(added []request) {
	for _, r := range added {
		r.call.added++
	}
	l.inEngine += len(added)
}

// drop ends a call before its time and takes its requests out of the engine. The error is the engine's.
func (l *stepLoop) drop(py *pyembed.Py, c *call, why error) error {
	l.inEngine -= c.added - (len(c.prompts) - c.unfinished)
	_, err := l.engine.CallMethod(py, "abort", c.id)
	l.end(c, why)
	return err
}

func (l *stepLoop) end(c *call, err error) {
	delete(l.calls, c.id)
	l.order = slices.DeleteFunc(l.order, func(other *call) bool { return other == c })
	c.finish(err)
}

// step runs one step and hands out what came of it.
func (l *stepLoop) step(py *pyembed.Py) error {
	var packed *packedOutput
	if err := callInto(py, &packed, l.engine, "step"); err != nil || packed == nil {
		return err
	}
	ids, indices := valuesOf[int64](packed.Calls), valuesOf[int32](packed.Indices)
	for i, output := range packed.unpack(packedInput{}) {
		c := l.calls[ids[i]]
		finished := packed.Finished[i] != 0
		if c.stream != nil {
			c.stream.push(output, finished)
		} else {
			c.generation.Outputs[indices[i]] = output
			if c.report != nil {
				c.report.finishedTokens += output.generatedTokens()
			}
		}
		if !finished {
			continue
		}
		l.inEngine--
		if c.unfinished--; c.unfinished == 0 {
			if c.generation != nil {
				c.generation.Elapsed = time.Since(c.started)
			}
			l.end(c, nil)
		}
	}
	return nil
}

// report tells calls that asked for it how far they are.
func (l *stepLoop) report(py *pyembed.Py) error {
	for _, c := range l.order {
		if c.report == nil || time.Since(c.report.last) < reportInterval {
			continue
		}
		var tokens int
		if err := callInto(py, &tokens, l.engine, "generated", c.id); err != nil {
			return err
		}
		c.report.set(len(c.prompts)-c.unfinished, c.report.finishedTokens+tokens)
	}
	return nil
}
