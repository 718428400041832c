package bench

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"vllmgo/vllmgo"
)

// Workload is the prompts of one trial, for its three passes. All of them have exactly the point's input
// length, and no two are alike, within a pass or across passes.
type Workload struct {
	// Single is the one untimed request that comes first.
	Single []vllmgo.Prompt
	// WarmUp is the untimed pass of the point's full shape.
	WarmUp []vllmgo.Prompt
	// Measured is the measured pass.
	Measured []vllmgo.Prompt
}

// Workload draws the prompts of a point's trial, as token IDs: each uniformly and independently from the
// vocabulary, a prompt that was drawn before being drawn again. The same seed, point and trial number give
// the same prompts, whatever else a run measures; each pass has a random stream of its own.
//
// It returns an error when the vocabulary cannot give that many distinct prompts of that length, or when
// the point asks for no request, no input or no output.
func (v Vocabulary) Workload(p Point, trial int, seed uint64) (Workload, error) {
	if p.Requests < 1 || p.InputLen < 1 || p.OutputLen < 1 {
		return Workload{}, fmt.Errorf("bench: %s has %d requests of %d input and %d output tokens; each must be at least 1",
			p, p.Requests, p.InputLen, p.OutputLen)
	}
	if need := 1 + 2*p.Requests; !v.canGive(need, p.InputLen) {
		return Workload{}, fmt.Errorf("bench: %s needs %d distinct prompts of %d tokens, warm-up included, more than a vocabulary of %d tokens can give",
			p, need, p.InputLen, v.Size())
	}
	seen := make(map[string]bool)
	draw := func(pass string, n int) []vllmgo.Prompt {
		return vllmgo.Tokens(v.draw(randomStream(seed, p, trial, pass), n, p.InputLen, seen)...)
	}
	return Workload{
		Single:   draw("single", 1),
		WarmUp:   draw("warm-up", p.Requests),
		Measured: draw("measured", p.Requests),
	}, nil
}

// draw returns n sequences of token IDs that are not in seen, and adds them to it.
func (v Vocabulary) draw(r *rand.Rand, n, length int, seen map[string]bool) [][]int32 {
	sequences := make([][]int32, 0, n)
	for len(sequences) < n {
		ids := make([]int32, length)
		for i := range ids {
			ids[i] = v.ids[r.IntN(len(v.ids))]
		}
		key := string(tokenBytes(ids))
		if !seen[key] {
			seen[key] = true
			sequences = append(sequences, ids)
		}
	}
	return sequences
}

// randomStream is the ChaCha8 stream of one pass. Its key is a SHA-256 of everything that identifies the
// pass, so that streams of different passes are independent.
func randomStream(seed uint64, p Point, trial int, pass string) *rand.Rand {
	key := sha256.Sum256(fmt.Appendf(nil, "vllmgo/bench seed=%d study=%s value=%d trial=%d pass=%s",
		seed, p.Study, p.Value, trial, pass))
	return rand.New(rand.NewChaCha8(key))
}

// hashPrompts is the hexadecimal SHA-256 of the prompts' token IDs, each prompt preceded by its length, as
// little-endian 32-bit integers. It tells whether two runs measured the same prompts.
func hashPrompts(prompts []vllmgo.Prompt) string {
	h := sha256.New()
	for _, p := range prompts {
		h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(p.TokenIDs))))
		h.Write(tokenBytes(p.TokenIDs))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func tokenBytes(ids []int32) []byte {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return b
}
