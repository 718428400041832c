// Package random has the random streams of the benchmarks.
package random

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Stream returns the ChaCha8 stream whose key is the SHA-256 of a text, which fmt.Sprintf makes.
// The text says all that the stream is for, so that the streams of different purposes are
// independent, and each can be made again.
func Stream(format string, args ...any) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, format, args...))))
}

// Shuffled returns the values in random order.
func Shuffled[T any](random *rand.Rand, values []T) []T {
	values = slices.Clone(values)
	random.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	return values
}
