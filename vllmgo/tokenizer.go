package vllmgo

import (
	"context"

	"vllmgo/pyembed"
)

// Tokenizer turns text into token IDs and back, as a model's own tokenizer does. Its methods may be called
// from any goroutine.
type Tokenizer struct {
	bridge *bridge
	object *pyembed.Object
	ids    struct {
		VocabSize       int
		SpecialTokenIDs []int32
	}
}

// LoadTokenizer loads the tokenizer of args.Tokenizer or, when that is empty, of args.Model, without an engine.
func LoadTokenizer(ctx context.Context, args EngineArgs) (*Tokenizer, error) {
	kwargs, err := args.kwargs()
	if err != nil {
		return nil, err
	}
	b, err := openBridge(ctx)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{bridge: b}
	err = b.rt.Do(ctx, func(py *pyembed.Py) error {
		if t.object, err = b.module.CallMethod(py, "load_tokenizer", kwargs); err != nil {
			return err
		}
		ids, err := b.module.CallMethod(py, "tokenizer_ids", t.object)
		if err != nil {
			return err
		}
		return py.Into(ids, &t.ids)
	})
	if err != nil {
		return nil, explain(err)
	}
	return t, nil
}

// VocabSize is the number of token IDs that the tokenizer knows, special ones included.
func (t *Tokenizer) VocabSize() int { return t.ids.VocabSize }

// SpecialTokenIDs are the IDs that stand for no text (beginning, end, padding, …), ascending.
func (t *Tokenizer) SpecialTokenIDs() []int32 { return t.ids.SpecialTokenIDs }

// Encode turns text into token IDs, with the special tokens that the tokenizer adds by default.
func (t *Tokenizer) Encode(ctx context.Context, text string) ([]int32, error) {
	return tokenizerCall[[]int32](ctx, t, "encode", text)
}

// Decode turns token IDs into text.
func (t *Tokenizer) Decode(ctx context.Context, ids []int32) (string, error) {
	return tokenizerCall[string](ctx, t, "decode", ids)
}

func tokenizerCall[T any](ctx context.Context, t *Tokenizer, method string, arg any) (T, error) {
	var result T
	err := t.bridge.rt.Do(ctx, func(py *pyembed.Py) error {
		o, err := t.object.CallMethod(py, method, arg)
		if err != nil {
			return err
		}
		return py.Into(o, &result)
	})
	return result, explain(err)
}
