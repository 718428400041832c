// Command batchsize measures how throughput grows with the number of requests submitted at once, 1 to 32.
//
// Run it with -h for its flags.
package main

import (
	"vllmgo/bench/workload"
	"vllmgo/internal/cli"
)

func main() { cli.Main(string(workload.BatchSize)) }
