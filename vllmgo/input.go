package vllmgo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// input is what a call gives to the engine, checked and encoded. Nothing that can fail for one
// call's input happens later, when the inputs of several calls are merged.
type input struct {
	prompts []Prompt
	// first is the number that prompts[0] has in errors.
	first int
	// isPart is true when the call has more prompts than these.
	isPart bool
	// params are parameters in JSON: one for all prompts, or one for each.
	params []string
	// options are JSON objects of what few prompts have; "" for a prompt that has none of it. Nil
	// if none has.
	options []string
}

// promptOptions is what few prompts have. packing.py explains it.
type promptOptions struct {
	Chat    json.RawMessage `json:"chat,omitzero"`
	Adapter []string        `json:"adapter,omitzero"`
	// Embeddings are a number of vectors and their length; the values are in packedInput.
	Embeddings   []int          `json:"embeddings,omitzero"`
	Priority     int            `json:"priority,omitzero"`
	CacheSalt    string         `json:"cache_salt,omitzero"`
	Tokenization map[string]int `json:"tokenization_kwargs,omitzero"`
}

// newBatch checks and encodes prompts and sampling parameters. In errors, the prompts count from
// first.
func (l *LLM) newBatch(ctx context.Context, prompts []Prompt, first int, params SamplingParams) (*batch, error) {
	in := input{prompts: prompts, first: first}
	err := in.checkPrompts(l.info.MaxModelLen-1, l.info.VocabSize)
	if err == nil {
		in.params, err = encodeParams(prompts, first, params)
	}
	if err != nil {
		return nil, fmt.Errorf("vllmgo: %w", err)
	}
	return &batch{callBase: callBase{ctx: ctx}, input: in, unfinished: len(prompts)}, nil
}

// checkPrompts returns an error for prompts that are wrong whatever the model, and encodes their
// options. limit is the most tokens that a prompt can have, and vocabSize the number of token IDs
// that the model knows; 0 if that is not known.
func (in *input) checkPrompts(limit, vocabSize int) error {
	if len(in.prompts) == 0 {
		return errors.New("there are no prompts")
	}
	for i, prompt := range in.prompts {
		options, err := prompt.encode(limit)
		if err == nil {
			err = checkVocabulary(prompt.TokenIDs, vocabSize)
		}
		if err != nil {
			return fmt.Errorf("prompt %d %w", in.first+i, err)
		}
		if options == "" {
			continue
		}
		if in.options == nil {
			in.options = make([]string, len(in.prompts))
		}
		in.options[i] = options
	}
	return nil
}

// checkVocabulary returns an error when the model does not know a token ID. vLLM 0.24 does not look
// at IDs above the tokenizer's, and the first of them ends its engine.
func checkVocabulary(ids []int32, vocabSize int) error {
	if vocabSize == 0 {
		return nil
	}
	for _, id := range ids {
		if id < 0 || int(id) >= vocabSize {
			return fmt.Errorf("has the token ID %d, which is out of vocabulary: the model knows 0 to %d", id, vocabSize-1)
		}
	}
	return nil
}

// encode checks a prompt and returns its options in JSON, or "" if it has none. Its errors begin
// with a verb, after the prompt's name.
func (p *Prompt) encode(limit int) (string, error) {
	given := 0
	for _, is := range []bool{p.Text != "", p.TokenIDs != nil, p.Chat != nil, p.Embeddings != nil} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return "", errors.New("has more than one of Text, TokenIDs and Chat, or Embeddings")
	case p.TokenIDs != nil && len(p.TokenIDs) == 0:
		return "", errors.New("is empty: TokenIDs has no elements")
	case len(p.TokenIDs) > limit && p.TruncatePromptTokens == 0:
		return "", fmt.Errorf("has %d tokens; the engine takes at most %d in a prompt (max_model_len): "+
			"shorten it, truncate it with TruncatePromptTokens, or raise MaxModelLen", len(p.TokenIDs), limit)
	case !utf8.ValidString(p.Text):
		return "", errors.New("is not valid UTF-8: convert Text, for instance with strings.ToValidUTF8")
	case p.TruncatePromptTokens < 0:
		return "", fmt.Errorf("has TruncatePromptTokens %d: give a number above 0", p.TruncatePromptTokens)
	}
	if p.Chat == nil && p.Embeddings == nil && p.LoRA == nil && p.Priority == 0 && p.CacheSalt == "" &&
		p.TruncatePromptTokens == 0 {
		return "", nil
	}
	options := promptOptions{Priority: p.Priority, CacheSalt: p.CacheSalt}
	if p.Chat != nil {
		encoded, err := p.Chat.encode()
		if err != nil {
			return "", err
		}
		options.Chat = encoded
	}
	if e := p.Embeddings; e != nil {
		if e.Width < 1 || len(e.Values) == 0 || len(e.Values)%e.Width != 0 {
			return "", fmt.Errorf(
				"has Embeddings of %d values, which is not one or more vectors of length %d",
				len(e.Values),
				e.Width,
			)
		}
		options.Embeddings = []int{len(e.Values) / e.Width, e.Width}
		if options.Embeddings[0] > limit {
			return "", fmt.Errorf(
				"has Embeddings for %d tokens; the engine takes at most %d in a prompt (max_model_len)",
				options.Embeddings[0],
				limit,
			)
		}
	}
	if p.LoRA != nil {
		options.Adapter = []string{p.LoRA.Name, p.LoRA.Path}
	}
	if p.TruncatePromptTokens > 0 {
		options.Tokenization = map[string]int{"truncate_prompt_tokens": p.TruncatePromptTokens}
	}
	encoded, err := encodeJSON(options)
	if err != nil {
		return "", fmt.Errorf("cannot be encoded: %w", err)
	}
	return encoded, nil
}

// encodeParams checks the sampling parameters of prompts and returns them in JSON: one for all
// prompts, or one for each.
func encodeParams(prompts []Prompt, first int, params SamplingParams) ([]string, error) {
	encoded, common := []string(nil), ""
	for i, prompt := range prompts {
		if prompt.Params == nil && common != "" {
			encoded = append(encoded, common)
			continue
		}
		name := "SamplingParams"
		if prompt.Params != nil {
			name = fmt.Sprintf("prompt %d: Params", first+i)
		}
		p := prompt.params(params)
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p.StructuredOutputs = p.StructuredOutputs.normal()
		text, err := encodeJSON(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if prompt.Params == nil {
			common = text
		}
		encoded = append(encoded, text)
	}
	return unlessEqual(encoded), nil
}

// unlessEqual returns the first of texts if all are equal, and otherwise all.
func unlessEqual(texts []string) []string {
	if slices.ContainsFunc(texts, func(text string) bool { return text != texts[0] }) {
		return texts
	}
	return texts[:1]
}

// paramsOf returns the parameters of a prompt, in JSON.
func (in *input) paramsOf(prompt int) string { return in.params[min(prompt, len(in.params)-1)] }

// optionsOf returns the options of a prompt, in JSON; "" for none.
func (in *input) optionsOf(prompt int) string {
	if in.options == nil {
		return ""
	}
	return in.options[prompt]
}

// part returns the input for a range of the prompts.
func (in *input) part(from, to int) input {
	part := input{prompts: in.prompts[from:to], first: in.first + from, params: in.params}
	part.isPart = in.isPart || to-from < len(in.prompts)
	if len(part.params) > 1 {
		part.params = part.params[from:to]
	}
	if in.options != nil {
		part.options = in.options[from:to]
	}
	return part
}

// nameOf returns an error's prefix that names a prompt. A call's only prompt needs none.
func (in *input) nameOf(prompt int) string {
	if len(in.prompts) == 1 && in.first == 0 && !in.isPart || prompt < 0 || prompt >= len(in.prompts) {
		return ""
	}
	return fmt.Sprintf("prompt %d: ", in.first+prompt)
}

// isEmpty reports whether a prompt is an empty text. Tokenizers that add special tokens make a
// prompt of it; the others do not.
func (in *input) isEmpty(prompt int) bool {
	if prompt < 0 || prompt >= len(in.prompts) {
		return false
	}
	p := in.prompts[prompt]
	return p.Text == "" && p.TokenIDs == nil && p.Chat == nil && p.Embeddings == nil
}

// adapted reports whether a prompt uses a LoRA adapter.
func (in *input) adapted(prompt int) bool { return in.prompts[prompt].LoRA != nil }

// mixed reports whether some prompts use an adapter and others none.
func (in *input) mixed() bool {
	return slices.ContainsFunc(in.prompts, func(p Prompt) bool { return (p.LoRA != nil) != in.adapted(0) })
}

// encodeJSON returns v in JSON. Unlike encoding/json alone, it refuses text that is not valid
// UTF-8, which json.Marshal would change, and a []byte, of which it would make base64.
func encodeJSON(v any) (string, error) {
	if err := checkText(v); err != nil {
		return "", err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
