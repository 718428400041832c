// Command vllmbench measures how fast vLLM generates text offline, and repeats such measurements.
//
// Run it with --help for its commands.
package main

import "vllmgo/cmd/vllmbench/internal/cli"

func main() { cli.Main() }
