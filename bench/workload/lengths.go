package workload

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"vllmgo/bench/internal/random"
)

// RequestLength is the length of one request, in tokens. In JSON it is [input, output].
type RequestLength struct {
	Input, Output int
}

// MarshalJSON encodes the length as [input, output].
func (l RequestLength) MarshalJSON() ([]byte, error) { return json.Marshal([2]int{l.Input, l.Output}) }

// UnmarshalJSON decodes what MarshalJSON encodes.
func (l *RequestLength) UnmarshalJSON(text []byte) error {
	var pair [2]int
	err := json.Unmarshal(text, &pair)
	l.Input, l.Output = pair[0], pair[1]
	return err
}

// Distribution is the distribution of the lengths of requests. [ParseDistribution] makes one; the
// zero value is not usable.
type Distribution struct {
	text string
	draw func(*rand.Rand) float64
}

// ParseDistribution parses a distribution of lengths, in tokens:
//
//	128                every length is 128
//	uniform:64,256     every length from 64 to 256 is equally likely
//	normal:128,32      mean 128, standard deviation 32
//	lognormal:128,0.5  median 128; the logarithms have a standard deviation of 0.5
//
// Lengths are rounded, and drawn again when they are below 1. Any other text is an error, and so is
// a lognormal distribution so wide that most lengths would be 1 or astronomic.
func ParseDistribution(text string) (Distribution, error) {
	fail := func() (Distribution, error) {
		return Distribution{}, fmt.Errorf(
			"bench: no length distribution %q; examples: 128, uniform:64,256, normal:128,32, lognormal:128,0.5",
			text,
		)
	}
	kind, rest, found := strings.Cut(text, ":")
	if !found {
		kind, rest = "fixed", text+",0"
	}
	first, second, _ := strings.Cut(rest, ",")
	a, errA := strconv.ParseFloat(first, 64)
	b, errB := strconv.ParseFloat(second, 64)
	if errA != nil || errB != nil || !(a >= 1 && a <= math.MaxInt32) || !(b >= 0 && b <= math.MaxInt32) {
		return fail()
	}
	d := Distribution{text: text}
	switch kind {
	case "fixed":
		d.draw = func(*rand.Rand) float64 { return a }
	case "uniform":
		if a != math.Trunc(a) || b != math.Trunc(b) || b < a {
			return fail()
		}
		d.draw = func(r *rand.Rand) float64 { return a + float64(r.IntN(int(b-a)+1)) }
	case "normal":
		d.draw = func(r *rand.Rand) float64 { return a + b*r.NormFloat64() }
	case "lognormal":
		if b > 5 { // most lengths would be 1 or astronomic
			return fail()
		}
		d.draw = func(r *rand.Rand) float64 { return a * math.Exp(b*r.NormFloat64()) }
	default:
		return fail()
	}
	return d, nil
}

// String returns the text that was parsed.
func (d Distribution) String() string { return d.text }

// length returns a random length.
func (d Distribution) length(r *rand.Rand) int {
	for {
		if n := math.Round(d.draw(r)); n >= 1 && n <= math.MaxInt32 {
			return int(n)
		}
	}
}

// DrawLengths returns random lengths of n requests. Equal arguments give equal lengths.
func DrawLengths(n int, input, output Distribution, seed uint64) []RequestLength {
	r := lengthStream(seed)
	lengths := make([]RequestLength, n)
	for i := range lengths {
		lengths[i] = RequestLength{Input: input.length(r), Output: output.length(r)}
	}
	return lengths
}

// lengthStream returns the random stream of lengths.
func lengthStream(seed uint64) *rand.Rand {
	return random.Stream("vllmgo/bench lengths seed=%d", seed)
}
