package workload

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"

	"vllmgo/bench/internal/format"
)

// maxLength is the highest length that a request may have, in tokens. It is far above what any
// model can hold, and low enough to compute with.
const maxLength = 100_000_000

// LengthsFile describes a file of requests that lengths were taken from.
type LengthsFile struct {
	// Requests is the number of requests that the file has, without those of LeftOut.
	Requests int `json:"requests"`
	// LeftOut is the number of requests without a prompt or without a completion, which were left
	// out.
	LeftOut int `json:"left_out,omitempty"`
}

// Notes returns what is to be said about the lengths of a number of requests that were taken from
// the file.
func (f LengthsFile) Notes(requests int) []string {
	var notes []string
	if f.Requests > 0 && requests > f.Requests {
		notes = append(notes, fmt.Sprintf(
			"the file of lengths has %s, so its lengths are used up to %d times each",
			format.Count(f.Requests, "request"),
			(requests+f.Requests-1)/f.Requests,
		))
	}
	if f.LeftOut > 0 {
		notes = append(notes, fmt.Sprintf(
			"%s of the file of lengths left out, for want of a prompt or a completion",
			format.Count(f.LeftOut, "request"),
		))
	}
	return notes
}

// SampleLengths returns the lengths of n requests, chosen at random from a file of real requests,
// each once before any twice. Equal arguments give equal lengths. The requests are JSON objects,
// one after the other or in an array, of the forms
//
//	{"input_len": 128, "output_len": 64}
//	{"prompt": "…", "completion": "…"}
//	{"conversations": [{"value": "…"}, {"value": "…"}, …]}
//
// The last is that of ShareGPT: the first turn is the prompt and the second the completion. The
// tokenizer measures texts: prompts with the special tokens that it adds, completions without.
// SampleLengths leaves out requests whose prompt or completion is missing or empty, and counts
// them.
//
// It reads the file as a stream, and keeps and measures only what it may need. It returns an error
// for an object of another form, a length that is not an integer from 1 to a hundred million, a
// text when there is no tokenizer, and a file without requests.
func SampleLengths(
	ctx context.Context,
	r io.Reader,
	t Tokenizer,
	n int,
	seed uint64,
) ([]RequestLength, LengthsFile, error) {
	s := sample{tokenizer: t, n: max(n, 1), random: lengthStream(seed)}
	err := eachRequest(r, func(request sampleRequest) error { return s.add(ctx, request) })
	switch {
	case ctx.Err() != nil:
		return nil, s.file, context.Cause(ctx)
	case err != nil:
		return nil, s.file, fmt.Errorf("bench: reading lengths: %w", err)
	case len(s.kept) == 0 && s.file.LeftOut > 0:
		return nil, s.file, fmt.Errorf("bench: reading lengths: none of the file's %s has a prompt and a completion",
			format.Count(s.file.LeftOut, "request"))
	case len(s.kept) == 0:
		return nil, s.file, errors.New("bench: reading lengths: the file has no request")
	}
	s.cut()
	lengths := make([]RequestLength, n)
	for i := range lengths {
		lengths[i] = s.kept[i%len(s.kept)].length
	}
	return lengths, s.file, nil
}

// sample is a random sample of requests under way. Each request draws a number; those with the n
// lowest are kept.
type sample struct {
	tokenizer Tokenizer
	n         int
	random    *rand.Rand
	file      LengthsFile
	kept      []drawnLength // up to 2n
	full      bool          // n are kept whose numbers are at most the highest
	highest   uint64
}

// drawnLength is a length with the number that it drew.
type drawnLength struct {
	number uint64
	length RequestLength
}

// add takes in a request.
func (s *sample) add(ctx context.Context, request sampleRequest) error {
	empty, err := request.check()
	if err != nil {
		return err
	}
	if empty {
		s.file.LeftOut++
		return nil
	}
	s.file.Requests++
	number := s.random.Uint64()
	if s.full && number > s.highest {
		return nil
	}
	length, err := request.measure(ctx, s.tokenizer)
	if err != nil {
		return err
	}
	if length.Input == 0 || length.Output == 0 { // a text of no token
		s.file.Requests--
		s.file.LeftOut++
		return nil
	}
	if s.kept = append(s.kept, drawnLength{number, length}); len(s.kept) >= 2*s.n {
		s.cut()
	}
	return nil
}

// cut keeps the n requests with the lowest numbers, in their order.
func (s *sample) cut() {
	slices.SortStableFunc(s.kept, func(a, b drawnLength) int { return cmp.Compare(a.number, b.number) })
	if len(s.kept) >= s.n {
		s.kept = s.kept[:s.n]
		s.full, s.highest = true, s.kept[s.n-1].number
	}
}

// eachRequest calls f with each request of a file.
func eachRequest(r io.Reader, f func(sampleRequest) error) error {
	reader := bufio.NewReaderSize(r, 1<<16)
	if mark, err := reader.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = reader.Discard(len(mark)) // which were peeked at
	}
	array, err := beginsArray(reader)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(reader)
	if array {
		_, _ = decoder.Token() // the bracket
	}
	number := 1
	for ; !array || decoder.More(); number++ {
		var request sampleRequest
		err := decoder.Decode(&request)
		if errors.Is(err, io.EOF) && !array {
			return nil
		}
		if err == nil {
			err = f(request)
		}
		if err != nil {
			return fmt.Errorf("request %d: %w", number, endOfFile(err))
		}
	}
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("after request %d: %w", number-1, endOfFile(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the array of requests")
	}
	return nil
}

// endOfFile returns err, or the reason for the end of a file where something must follow.
func endOfFile(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// beginsArray reports whether the next character of a JSON text begins an array. It reads the space
// before it.
func beginsArray(r *bufio.Reader) (bool, error) {
	for {
		next, err := r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case !bytes.ContainsRune([]byte(" \t\r\n"), rune(next)):
			return next == '[', r.UnreadByte()
		}
	}
}

// sampleRequest is a request in a file of lengths, in any of the forms.
type sampleRequest struct {
	InputLen      *fileLength `json:"input_len"`
	OutputLen     *fileLength `json:"output_len"`
	Prompt        *string     `json:"prompt"`
	Completion    *string     `json:"completion"`
	Conversations *[2]struct {
		Value string `json:"value"`
	} `json:"conversations"` // further turns are dropped, and missing ones are empty
}

// fileLength is a length in a file.
type fileLength int

// UnmarshalJSON decodes an integer from 1 to maxLength.
func (l *fileLength) UnmarshalJSON(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > maxLength {
		return fmt.Errorf("a length is %.40s; it must be an integer from 1 to %d", text, maxLength)
	}
	*l = fileLength(n)
	return nil
}

// texts returns the request's texts, and whether it has them.
func (s sampleRequest) texts() (prompt, completion string, ok bool) {
	switch {
	case s.Conversations != nil:
		return s.Conversations[0].Value, s.Conversations[1].Value, true
	case s.Prompt != nil && s.Completion != nil:
		return *s.Prompt, *s.Completion, true
	}
	return "", "", false
}

// check returns an error when the request has none of the forms, and reports whether it lacks a
// text.
func (s sampleRequest) check() (empty bool, err error) {
	prompt, completion, ok := s.texts()
	if !ok && (s.InputLen == nil || s.OutputLen == nil) {
		return false, errors.New("it has neither input_len and output_len, nor prompt and completion, nor conversations")
	}
	return ok && (prompt == "" || completion == ""), nil
}

// measure returns the request's length.
func (s sampleRequest) measure(ctx context.Context, t Tokenizer) (RequestLength, error) {
	prompt, completion, ok := s.texts()
	if !ok {
		return RequestLength{int(*s.InputLen), int(*s.OutputLen)}, nil
	}
	if t == nil {
		return RequestLength{}, errors.New("it is text, and there is no tokenizer to measure it with")
	}
	input, err := t.Encode(ctx, prompt)
	if err != nil {
		return RequestLength{}, err
	}
	output, err := t.EncodePlain(ctx, completion)
	return RequestLength{len(input), len(output)}, err
}
