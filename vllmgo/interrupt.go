package vllmgo

import (
	"context"
	"time"

	"vllmgo/pyembed"
)

// interruptLoading raises an exception in the thread that loads an engine once ctx has ended, and
// returns when finished is closed. It never interrupts an import: modules such as torch's cannot be
// imported a second time.
func (l *LLM) interruptLoading(ctx context.Context, finished <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
	}
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		raised, wait := false, retry.C
		err := l.bridge.rt.Do(context.Background(), func(py *pyembed.Py) (err error) {
			raised, err = l.raiseUnlessImporting(py)
			return err
		})
		if err != nil {
			<-finished
			return
		}
		if raised { // unless a callback swallows it, vLLM ends its processes now, which takes seconds
			wait = time.After(15 * time.Second)
		}
		select {
		case <-finished:
			return
		case <-wait:
		}
	}
}

// raiseUnlessImporting raises Cancelled in the thread that loads, unless it is importing. It runs
// no Python code, so that the thread cannot begin an import between the look at its frames and the
// exception.
func (l *LLM) raiseUnlessImporting(py *pyembed.Py) (bool, error) {
	sys, err := py.Import("sys")
	if err != nil {
		return false, err
	}
	frames, err := sys.CallMethod(py, "_current_frames")
	if err != nil {
		return false, err
	}
	defer frames.Release(py)
	id := l.threadID.Load()
	frame, err := frames.Item(py, id)
	for err == nil {
		var file string
		if file, err = codeFile(py, frame); err != nil {
			return false, err
		}
		if file == "<frozen importlib._bootstrap>" {
			return false, nil
		}
		next, err := frame.Attr(py, "f_back")
		if err != nil {
			return false, err
		}
		frame = next
		if outermost, err := frame.Truth(py); err != nil || !outermost {
			break
		}
	}
	result, err := l.bridge.module.CallMethod(py, "raise_in_thread", id, l.bridge.cancelled)
	if err != nil {
		return false, err
	}
	result.Release(py)
	return true, nil
}

// codeFile returns the file of a frame's code.
func codeFile(py *pyembed.Py, frame *pyembed.Object) (string, error) {
	code, err := frame.Attr(py, "f_code")
	if err != nil {
		return "", err
	}
	name, err := code.Attr(py, "co_filename")
	if err != nil {
		return "", err
	}
	return pyembed.As[string](py, name)
}
