package workload_test

import (
	"fmt"
	"log"

	"vllmgo/bench/workload"
)

// A grid is a study with a point for each combination of its axes' values.
func ExampleNewStudy() {
	study, err := workload.NewStudy("grid", workload.Point{InputLen: 128, OutputLen: 64},
		workload.Axis{Name: "requests", Values: []any{8, 64}},
		workload.Axis{Name: "max_num_seqs", Values: []any{16, 32}})
	if err != nil {
		log.Fatal(err)
	}
	for _, point := range study.Points {
		fmt.Println(point, point.InputTokens(), point.OutputTokens())
	}
	// Output:
	// requests=8, max_num_seqs=16 1024 512
	// requests=8, max_num_seqs=32 1024 512
	// requests=64, max_num_seqs=16 8192 4096
	// requests=64, max_num_seqs=32 8192 4096
}

func ExamplePreset() {
	studies, err := workload.Preset("full")
	if err != nil {
		log.Fatal(err)
	}
	for _, study := range studies {
		fmt.Print(study.Name, ":")
		for _, point := range study.Points {
			fmt.Print(" ", point.Value)
		}
		fmt.Println()
	}
	// Output:
	// batch-size: 1 2 4 8 16 32
	// sequence-length: 32 64 128 256 512
	// request-count: 10 50 100 200 500
}

func ExampleParseAxis() {
	axis, err := workload.ParseAxis("enforce_eager=true,false")
	fmt.Println(axis.Name, axis.Values, err)
	_, err = workload.ParseAxis("speed")
	fmt.Println(err)
	// Output:
	// enforce_eager [true false] <nil>
	// bench: no axis "speed"; examples: max_num_seqs=8,16,32 or sampling.temperature=0,1 or env.OMP_NUM_THREADS=1,2
}
