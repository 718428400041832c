package vllmgo

import (
	"encoding/json"
	"errors"
	"fmt"
)

// SamplingParams control how the tokens of a completion are chosen and when it ends. The names are
// vLLM's (https://docs.vllm.ai/en/latest/api/vllm/sampling_params/).
//
// A zero field means vLLM's default: SamplingParams{} is Python's SamplingParams(), which samples
// 16 tokens at temperature 1. A field whose zero has another meaning is a pointer, and nil means
// the default. [Greedy] returns parameters for greedy decoding. [LLM.DefaultSamplingParams] returns
// those that the model's authors recommend, which Python uses when it is given none.
type SamplingParams struct {
	// N is the number of completions for each prompt; 0 means 1.
	N int `json:"n,omitzero"`

	// Temperature scales randomness: 0 is greedy, nil means 1.
	Temperature *float64 `json:"temperature,omitzero"`
	// TopP keeps the most likely tokens whose probabilities add up to it, in (0, 1]; 0 means 1.
	TopP float64 `json:"top_p,omitzero"`
	// TopK keeps the K most likely tokens; 0 keeps all.
	TopK int `json:"top_k,omitzero"`
	// MinP drops tokens less likely than MinP times the likeliest, in [0, 1].
	MinP float64 `json:"min_p,omitzero"`
	// Seed seeds this request's sampling; nil means none.
	Seed *int `json:"seed,omitzero"`

	// PresencePenalty makes tokens that the completion has less likely, in [-2, 2].
	PresencePenalty float64 `json:"presence_penalty,omitzero"`
	// FrequencyPenalty makes tokens less likely by how often the completion has them, in [-2, 2].
	FrequencyPenalty float64 `json:"frequency_penalty,omitzero"`
	// RepetitionPenalty makes tokens that the prompt or the completion has less likely when above
	// 1, more likely below; 0 means 1.
	RepetitionPenalty float64 `json:"repetition_penalty,omitzero"`
	// LogitBias is added to tokens' logits, by token ID.
	LogitBias map[int32]float64 `json:"logit_bias,omitzero"`
	// AllowedTokenIDs are the only tokens to choose from; empty means all.
	AllowedTokenIDs []int32 `json:"allowed_token_ids,omitzero"`
	// BadWords are never generated: of each, its last token is barred after its others.
	BadWords []string `json:"bad_words,omitzero"`
	// StructuredOutputs forces the completion into a form; nil means none.
	StructuredOutputs *StructuredOutputs `json:"structured_outputs,omitzero"`

	// MaxTokens is the most tokens to generate; 0 means vLLM's default (16), [Unlimited] as many as
	// fit into the model's length.
	MaxTokens int `json:"max_tokens,omitzero"`
	// MinTokens is the fewest tokens to generate before a stop is honoured.
	MinTokens int `json:"min_tokens,omitzero"`
	// Stop ends a completion when one of the strings is generated.
	Stop []string `json:"stop,omitzero"`
	// StopTokenIDs ends a completion when one of the tokens is generated.
	StopTokenIDs []int32 `json:"stop_token_ids,omitzero"`
	// IncludeStopStrInOutput leaves the stop string in the text.
	IncludeStopStrInOutput bool `json:"include_stop_str_in_output,omitzero"`
	// IgnoreEOS goes on after the end-of-sequence token.
	IgnoreEOS bool `json:"ignore_eos,omitzero"`
	// RepetitionDetection ends a completion that repeats itself; nil means never.
	RepetitionDetection *RepetitionDetection `json:"repetition_detection,omitzero"`
	// ThinkingTokenBudget is the most tokens that a reasoning model may think for; nil means no
	// limit.
	ThinkingTokenBudget *int `json:"thinking_token_budget,omitzero"`

	// Logprobs is the number of likeliest tokens whose logprobs are returned at each place of a
	// completion, with the chosen one's: 0 is the chosen one alone, -1 the whole vocabulary, nil
	// none. More than 20 need the engine argument max_logprobs.
	Logprobs *int `json:"logprobs,omitzero"`
	// PromptLogprobs is the same for the tokens of the prompt.
	PromptLogprobs *int `json:"prompt_logprobs,omitzero"`
	// LogprobTokenIDs are tokens whose logprobs are returned, instead of the likeliest ones.
	LogprobTokenIDs []int32 `json:"logprob_token_ids,omitzero"`

	// Detokenize turns token IDs into text; nil means true. False saves time when nobody reads
	// text.
	Detokenize *bool `json:"detokenize,omitzero"`
	// SkipSpecialTokens leaves special tokens out of the text; nil means true.
	SkipSpecialTokens *bool `json:"skip_special_tokens,omitzero"`
	// SpacesBetweenSpecialTokens puts spaces between special tokens in the text; nil means true.
	SpacesBetweenSpecialTokens *bool `json:"spaces_between_special_tokens,omitzero"`

	// SkipReadingPrefixCache computes the prompt even if the prefix cache has it; nil means only if
	// PromptLogprobs needs that.
	SkipReadingPrefixCache *bool `json:"skip_reading_prefix_cache,omitzero"`
	// ExtraArgs are for custom logits processors and the like.
	ExtraArgs map[string]any `json:"extra_args,omitzero"`
	// Extra holds every other parameter of vLLM's SamplingParams by its Python name, as
	// [EngineArgs].Extra does.
	Extra map[string]any `json:"-"`
}

// Greedy returns parameters for greedy decoding: the likeliest token at each place, and at most
// maxTokens of them.
func Greedy(maxTokens int) SamplingParams {
	return SamplingParams{Temperature: new(0.0), MaxTokens: maxTokens}
}

// Unlimited is a SamplingParams.MaxTokens that generates until the model ends or its length is
// reached.
const Unlimited = -1

// RepetitionDetection ends a completion whose end is one pattern of tokens, repeated.
type RepetitionDetection struct {
	// MaxPatternSize and MinPatternSize are the lengths of patterns, in tokens; a MinPatternSize of
	// 0 means 1.
	MaxPatternSize int `json:"max_pattern_size"`
	MinPatternSize int `json:"min_pattern_size,omitzero"`
	// MinCount is how often the pattern must come, at least 2.
	MinCount int `json:"min_count"`
}

// StructuredOutputs forces a completion into a form. Exactly one of JSON, JSONObject, Regex,
// Choice, Grammar and StructuralTag must be set.
type StructuredOutputs struct {
	// JSON is a JSON schema: a string, json.RawMessage or []byte of JSON, or a value that
	// encoding/json turns into a schema. The model answers in the order of the schema's properties.
	// The keys of a Go map are in alphabetical order; [SchemaOf] keeps the order of a struct's
	// fields.
	JSON any `json:"json,omitzero"`
	// JSONObject asks for any JSON object.
	JSONObject bool `json:"json_object,omitzero"`
	// Regex is a regular expression that the whole completion matches.
	Regex string `json:"regex,omitzero"`
	// Choice is a list of texts, of which the completion is one.
	Choice []string `json:"choice,omitzero"`
	// Grammar is a context-free grammar in EBNF.
	Grammar string `json:"grammar,omitzero"`
	// StructuralTag is a structural tag, in JSON
	// (https://xgrammar.mlc.ai/docs/tutorials/structural_tag).
	StructuralTag string `json:"structural_tag,omitzero"`

	// DisableAnyWhitespace, DisableAdditionalProperties and WhitespacePattern refine JSON.
	DisableAnyWhitespace        bool   `json:"disable_any_whitespace,omitzero"`
	DisableAdditionalProperties bool   `json:"disable_additional_properties,omitzero"`
	WhitespacePattern           string `json:"whitespace_pattern,omitzero"`
}

// mostTokens returns the most tokens that a prompt's completions can have; 0 if the parameters do
// not bound them.
func (p SamplingParams) mostTokens() int {
	switch {
	case p.MaxTokens < 0:
		return 0
	case p.MaxTokens == 0:
		p.MaxTokens = 16 // vLLM's default
	}
	return p.MaxTokens * max(p.N, 1)
}

// check returns an error for parameters that are wrong whatever the model.
func (p SamplingParams) check() error {
	if p.MaxTokens < Unlimited {
		return fmt.Errorf("MaxTokens is %d: give a number above 0, 0 for vLLM's default, or Unlimited", p.MaxTokens)
	}
	if s := p.StructuredOutputs; s != nil {
		given := 0
		for _, is := range []bool{
			s.JSON != nil, s.JSONObject, s.Regex != "", s.Choice != nil, s.Grammar != "", s.StructuralTag != "",
		} {
			if is {
				given++
			}
		}
		if given != 1 {
			return errors.New(
				"StructuredOutputs needs exactly one of JSON, JSONObject, Regex, Choice, Grammar and StructuralTag",
			)
		}
	}
	return nil
}

// MarshalJSON returns the object that vLLM's SamplingParams is made from: what is set, and Extra.
func (p SamplingParams) MarshalJSON() ([]byte, error) {
	type typed SamplingParams
	p.StructuredOutputs = p.StructuredOutputs.normal()
	return marshalWith(typed(p), p.Extra, "SamplingParams")
}

// normal returns the same with a []byte schema as JSON.
func (s *StructuredOutputs) normal() *StructuredOutputs {
	if s == nil {
		return nil
	}
	normal := *s
	normal.JSON = asJSON(s.JSON)
	return &normal
}

// marshalWith adds what extra holds to a struct's JSON object.
func marshalWith(typed any, extra map[string]any, name string) ([]byte, error) {
	encoded, err := json.Marshal(typed)
	if err != nil || len(extra) == 0 {
		return encoded, err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(encoded, &all); err != nil {
		return nil, err
	}
	for key, value := range extra {
		if _, set := all[key]; set {
			return nil, fmt.Errorf("%s sets %s twice: by its field and in Extra", name, key)
		}
		if all[key], err = json.Marshal(value); err != nil {
			return nil, fmt.Errorf("%s.Extra[%q]: %w", name, key, err)
		}
	}
	return json.Marshal(all)
}
