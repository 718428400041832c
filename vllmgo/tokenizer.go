package vllmgo

import (
	"context"
	"fmt"

	"vllmgo/pyembed"
)

// Tokenizer turns text into token IDs and back, as a model's own tokenizer does. Any goroutine may
// call its methods.
type Tokenizer struct {
	bridge *bridge
	object *pyembed.Object
	ids    struct {
		VocabSize                          int
		SpecialTokenIDs, MissingTokenIDs   []int32
		BOSTokenID, EOSTokenID, PADTokenID int32
	}
}

// LoadTokenizer loads the tokenizer of args.Tokenizer or, if that is empty, of args.Model. It needs
// no engine.
func LoadTokenizer(ctx context.Context, args EngineArgs) (*Tokenizer, error) {
	kwargs, err := args.kwargs()
	if err != nil {
		return nil, err
	}
	b, err := openVLLM(ctx)
	if err != nil {
		return nil, err
	}
	return b.newTokenizer(ctx, b.module, "load_tokenizer", kwargs)
}

// tokenizer returns the engine's tokenizer.
func (e *embedded) tokenizer(ctx context.Context) (*Tokenizer, error) {
	return e.bridge.newTokenizer(ctx, e.object, "tokenizer")
}

// newTokenizer returns the tokenizer that a method of an object returns.
func (b *bridge) newTokenizer(
	ctx context.Context,
	object *pyembed.Object,
	method string,
	args ...any,
) (*Tokenizer, error) {
	return inBackground(ctx, func() (*Tokenizer, error) {
		t := &Tokenizer{bridge: b}
		err := b.rt.Do(context.Background(), func(py *pyembed.Py) (err error) {
			if t.object, err = object.CallMethod(py, method, args...); err != nil {
				return err
			}
			return t.describe(py)
		})
		if err != nil {
			return nil, explain(err)
		}
		return t, nil
	})
}

func (t *Tokenizer) describe(py *pyembed.Py) error {
	return callInto(py, &t.ids, t.bridge.module, "tokenizer_ids", t.object)
}

// VocabSize returns one more than the highest token ID, special ones included.
func (t *Tokenizer) VocabSize() int { return t.ids.VocabSize }

// SpecialTokenIDs returns the IDs that stand for no text (beginning, end, padding, …), ascending.
func (t *Tokenizer) SpecialTokenIDs() []int32 { return t.ids.SpecialTokenIDs }

// MissingTokenIDs returns the IDs below VocabSize that no token has, ascending. Most tokenizers
// have none.
func (t *Tokenizer) MissingTokenIDs() []int32 { return t.ids.MissingTokenIDs }

// BOSTokenID returns the ID of the token that begins a text; -1 if there is none.
func (t *Tokenizer) BOSTokenID() int32 { return t.ids.BOSTokenID }

// EOSTokenID returns the ID of the token that ends a text; -1 if there is none.
func (t *Tokenizer) EOSTokenID() int32 { return t.ids.EOSTokenID }

// PADTokenID returns the ID of the token that fills a text up; -1 if there is none.
func (t *Tokenizer) PADTokenID() int32 { return t.ids.PADTokenID }

// Encode returns the token IDs of a text, with the special tokens that the tokenizer adds by
// default.
func (t *Tokenizer) Encode(ctx context.Context, text string) ([]int32, error) {
	return tokenizerCall[[]int32](ctx, t, "encode", text, true)
}

// EncodePlain returns the token IDs of a text and adds no special tokens. It is right for the
// result of [Tokenizer.ApplyChatTemplate], which has them already.
func (t *Tokenizer) EncodePlain(ctx context.Context, text string) ([]int32, error) {
	return tokenizerCall[[]int32](ctx, t, "encode", text, false)
}

// Decode returns the text of token IDs, special tokens included.
func (t *Tokenizer) Decode(ctx context.Context, ids []int32) (string, error) {
	return tokenizerCall[string](ctx, t, "decode", ids, false)
}

// DecodePlain returns the text of token IDs without special tokens.
func (t *Tokenizer) DecodePlain(ctx context.Context, ids []int32) (string, error) {
	return tokenizerCall[string](ctx, t, "decode", ids, true)
}

// ApplyChatTemplate returns the text that the model's template makes of a conversation, special
// tokens included. A Prompt with this Text would get them twice from many tokenizers: use
// Prompt.Chat, or the TokenIDs of [Tokenizer.EncodePlain].
func (t *Tokenizer) ApplyChatTemplate(ctx context.Context, chat Chat) (string, error) {
	if chat.AddGenerationPrompt == nil {
		chat.AddGenerationPrompt = new(true)
	}
	encoded, err := encodeJSON(chat)
	if err != nil {
		return "", fmt.Errorf("vllmgo: Chat: %w", err)
	}
	return tokenizerCall[string](ctx, t, "apply_chat_template", encoded)
}

// tokenizerCall calls a function of bridge.py with the tokenizer as first argument.
func tokenizerCall[T any](ctx context.Context, t *Tokenizer, function string, args ...any) (T, error) {
	if err := checkText(args); err != nil {
		var zero T
		return zero, fmt.Errorf("vllmgo: Tokenizer: %w", err)
	}
	return inBackground(ctx, func() (T, error) {
		return callModule[T](t.bridge, function, append([]any{t.object}, args...)...)
	})
}
