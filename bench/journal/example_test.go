package journal_test

import (
	"fmt"
	"log"

	"vllmgo/bench/journal"
)

// A journal has a line for each thing that happened. ReadFile sorts them by kind.
func ExampleReadFile() {
	j, err := journal.ReadFile("../../docs/results/h100-opt-125m-0.32/journal.jsonl")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("model:", j.Header.Model)
	fmt.Println("failures:", len(j.Failures))
	first := j.Trials[0]
	fmt.Println(first.PointID, "trial", first.Trial, "generated", first.Ledger.OutputTokens, "tokens")
	// Output:
	// model: facebook/opt-125m
	// failures: 0
	// batch size 8 trial 1 generated 512 tokens
}
