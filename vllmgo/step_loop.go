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
	for added := 0; added < maxAddedAtOnce && l.inEngine < l.maxInEngine; {
		i := slices.IndexFunc(l.order, func(c *call) bool { return c.added < len(c.prompts) })
		if i < 0 {
			return nil
		}
		c := l.order[i]
		// The call's next turn comes after the others'.
		l.order = append(slices.Delete(l.order, i, i+1), c)
		// A few at a time, so that calls share evenly what the engine takes.
		n := min(len(c.prompts)-c.added, 8, l.maxInEngine-l.inEngine)
		if err := l.add(py, c, n); err != nil {
			if err := l.drop(py, c, explain(err)); err != nil {
				return err
			}
			continue
		}
		added += n
	}
	return nil
}

// add adds the next n requests of a call to the engine.
func (l *stepLoop) add(py *pyembed.Py, c *call, n int) error {
	params := c.params
	if len(params) > 1 {
		params = params[c.added : c.added+n]
	}
	packed, err := pack(c.prompts[c.added:c.added+n], params)
	if err != nil {
		return err
	}
	if _, err := l.engine.CallMethod(py, "add", c.id, c.added, packed, c.stream != nil); err != nil {
		return err
	}
	c.added += n
	l.inEngine += n
	return nil
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
	o, err := l.engine.CallMethod(py, "step")
	if err != nil {
		return err
	}
	defer o.Release(py)
	var packed *packedOutput
	if err := py.Into(o, &packed); err != nil || packed == nil {
		return err
	}
	ids, indices := valuesOf[int64](packed.Calls), valuesOf[int32](packed.Indices)
	for i, output := range packed.unpack() {
		c := l.calls[ids[i]]
		finished := packed.Finished[i] != 0
		if c.stream != nil {
			c.stream.push(output, finished)
		} else {
			c.generation.Outputs[indices[i]] = output
			if c.report != nil {
				for _, completion := range output.Outputs {
					c.report.finishedTokens += len(completion.TokenIDs)
				}
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
		o, err := l.engine.CallMethod(py, "generated", c.id)
		if err != nil {
			return err
		}
		tokens, err := pyembed.As[int](py, o)
		if err != nil {
			return err
		}
		c.report.set(len(c.prompts)-c.unfinished, c.report.finishedTokens+tokens)
	}
	return nil
}
