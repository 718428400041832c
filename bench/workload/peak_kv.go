package workload

import (
	"slices"
)

// PeakKVTokens returns the number of KV-cache tokens that the point needs when all sequences that
// run at once have their full length: the sum of
//
//	⌈(input + output) / block size⌉ · block size
//
// over the min(requests · completions, max_num_seqs) longest sequences. An engine whose KV cache
// holds so many tokens never preempts a request of the point. A block size below 1 counts as 1.
func (p Point) PeakKVTokens(maxNumSeqs, blockSize int) int {
	blockSize = max(1, blockSize)
	var demands []int
	for _, l := range p.EachLength() {
		for range p.Completions() {
			demands = append(demands, (l.Input+l.Output+blockSize-1)/blockSize*blockSize)
		}
	}
	slices.Sort(demands)
	peak := 0
	for _, demand := range demands[max(0, len(demands)-maxNumSeqs):] {
		peak += demand
	}
	return peak
}
