// Command sequencelength measures how throughput depends on the length of prompts and outputs, 32 to 512 tokens.
//
// Run it with -h for its flags.
package main

import (
	"vllmgo/bench/workload"
	"vllmgo/internal/cli"
)

func main() { cli.Main(string(workload.SequenceLength)) }
