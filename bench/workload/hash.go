package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// TokenHash is the SHA-256 of lists of token IDs. It covers each list's length and its IDs, as
// little-endian 32-bit integers. Equal hashes show that two runs had the same prompts, or the same
// outputs.
type TokenHash struct{ hash hash.Hash }

// NewTokenHash returns the hash of no lists.
func NewTokenHash() TokenHash { return TokenHash{sha256.New()} }

// Add adds a list.
func (h TokenHash) Add(ids []int32) {
	// A hash never returns an error.
	_, _ = h.hash.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(ids))))
	_, _ = h.hash.Write(tokenBytes(ids))
}

// String returns the hash of all lists so far, in hexadecimal.
func (h TokenHash) String() string { return hex.EncodeToString(h.hash.Sum(nil)) }

// HashRequests returns the [TokenHash] of the requests' prompts.
func HashRequests(requests []Request) string {
	h := NewTokenHash()
	for _, r := range requests {
		h.Add(r.TokenIDs)
	}
	return h.String()
}

// tokenBytes returns token IDs as little-endian 32-bit integers.
func tokenBytes(ids []int32) []byte {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return b
}
