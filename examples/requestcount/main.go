// Command requestcount measures how throughput depends on the number of requests queued at once, 10 to 500.
//
// Run it with -h for its flags.
package main

import (
	"vllmgo/bench/workload"
	"vllmgo/internal/cli"
)

func main() { cli.Main(string(workload.RequestCount)) }
