package race_test

import (
	"fmt"
	"log"

	"vllmgo/bench/race"
)

// A race's figures come from its journal alone.
func ExampleNewResult() {
	journal, err := race.ReadJournal("../../docs/results/h100-race-opt-125m-0.32/race.jsonl")
	if err != nil {
		log.Fatal(err)
	}
	result := race.NewResult(journal)
	for _, o := range result.Overall {
		fmt.Printf("%s: %d points, vllmgo is %.3f [%.3f, %.3f] times as fast\n",
			o.Contender, o.Points, o.Ratio.Value, o.Ratio.Low, o.Ratio.High)
	}
	// Output:
	// vllmgo: 16 points, vllmgo is 1.000 [1.000, 1.000] times as fast
	// python: 16 points, vllmgo is 0.970 [0.864, 1.123] times as fast
	// http: 16 points, vllmgo is 1.254 [1.208, 1.293] times as fast
}

func ExampleParseContender() {
	contender, err := race.ParseContender("small:vllmgo,max_num_seqs=64,env.OMP_NUM_THREADS=2")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contender.Name, contender.Kind, contender.Engine, contender.Env)
	// Output:
	// small vllmgo map[max_num_seqs:64] map[OMP_NUM_THREADS:2]
}
