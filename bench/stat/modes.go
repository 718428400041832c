package stat

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Modes reports whether the times of a sample have more than one mode. A machine that switches
// between two speeds gives times with two.
type Modes struct {
	// Dip is the greatest distance between the sample's distribution function and the closest
	// unimodal one (J. A. and P. M. Hartigan, Annals of Statistics 13, 1985). It is between 1/(2n)
	// and ¼.
	Dip float64 `json:"dip"`
	// P is the probability of such a dip or a greater one in a sample of the uniform distribution,
	// which has the greatest dips of all unimodal ones. It is found with 2,000 random samples.
	// Fewer than 6 times show nothing, and few times show little.
	P float64 `json:"p"`
}

// NewModes tests times for more than one mode. It panics when there are no times.
func NewModes(times []time.Duration) Modes {
	sorted := floats(times)
	slices.Sort(sorted)
	dip := hartigansDip(sorted)
	dips := uniformDips(len(times))
	below, _ := slices.BinarySearch(dips, dip)
	return Modes{Dip: dip, P: float64(len(dips)-below+1) / float64(len(dips)+1)}
}

// Several reports whether the times have more modes than chance explains.
func (m Modes) Several() bool { return m.P <= significance }

// uniform holds for each size of a sample the function that returns its uniformDips.
var uniform sync.Map

// uniformDips returns in ascending order the dips of 2,000 random samples of n values of the
// uniform distribution. They are the same each time.
func uniformDips(n int) []float64 {
	dips, _ := uniform.LoadOrStore(n, sync.OnceValue(func() []float64 {
		r := rand.New(rand.NewPCG(0, uint64(n)))
		sample, dips := make([]float64, n), make([]float64, 2000)
		for i := range dips {
			for k := range sample {
				sample[k] = r.Float64()
			}
			slices.Sort(sample)
			dips[i] = hartigansDip(sample)
		}
		slices.Sort(dips)
		return dips
	}))
	return dips.(func() []float64)()
}
