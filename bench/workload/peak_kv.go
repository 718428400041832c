package workload

import (
	"slices"
)

// PeakKVTokens is the number of KV-cache tokens that a point demands when every sequence that runs at once
// has reached its full length: the sum of
//
//	⌈(input + output) / block size⌉ · block size
//
// over the min(requests · completions, max_num_seqs) longest of all sequences. An engine whose KV cache holds that many never
// preempts a request of the point. A block size below 1, of an engine that does not tell it, counts as 1.
func PeakKVTokens(p Point, maxNumSeqs, blockSize int) int {
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
