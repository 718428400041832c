package stat_test

import (
	"fmt"
	"time"

	"vllmgo/bench/stat"
)

// milliseconds returns times.
func milliseconds(values ...int) []time.Duration {
	times := make([]time.Duration, len(values))
	for i, v := range values {
		times[i] = time.Duration(v) * time.Millisecond
	}
	return times
}

func ExampleMedian() {
	e := stat.Median(milliseconds(101, 98, 103, 100, 131, 99, 102))
	fmt.Printf("%v, between %v and %v with %.1f %% confidence\n", e.Value, e.Low, e.High, 100*e.Confidence)
	fmt.Println("within 2 %:", e.Within(0.02))
	// Output:
	// 101ms, between 98ms and 131ms with 98.4 % confidence
	// within 2 %: false
}

// Fewer than 6 values are too few for 95 % confidence.
func ExampleMedian_fewValues() {
	e := stat.Median([]float64{412, 398, 405})
	fmt.Printf("%v, between %v and %v with %.0f %% confidence\n", e.Value, e.Low, e.High, 100*e.Confidence)
	// Output: 405, between 398 and 412 with 75 % confidence
}

func ExampleCompare() {
	before := milliseconds(100, 103, 99, 101, 102, 98, 104, 100)
	after := milliseconds(94, 91, 96, 93, 95, 92, 97, 93)
	c := stat.Compare(before, after)
	fmt.Printf("differ: %v; the second takes %.2f times as long, between %.2f and %.2f\n", c.Differ, c.Ratio, c.Low, c.High)
	// Output: differ: true; the second takes 0.93 times as long, between 0.90 and 0.96
}

func ExampleNewTrend() {
	trend := stat.NewTrend(milliseconds(100, 101, 103, 104, 106, 107, 109))
	fmt.Printf("drifts: %v, by %+.1f %% from the first to the last\n", trend.Drifts(), 100*trend.Change)
	// Output: drifts: true, by +8.7 % from the first to the last
}

// A machine that switches between two speeds gives times with two modes. The median then describes
// neither.
func ExampleNewModes() {
	modes := stat.NewModes(milliseconds(72, 74, 81, 80, 73, 120, 118, 125, 119, 77))
	fmt.Printf("several: %v (dip %.3f)\n", modes.Several(), modes.Dip)
	// Output: several: true (dip 0.168)
}

func ExampleOutliers() {
	times := milliseconds(100, 101, 190, 99, 102, 100, 101)
	for _, i := range stat.Outliers(times) {
		fmt.Printf("trial %d took %v\n", i+1, times[i])
	}
	// Output: trial 3 took 190ms
}

func ExampleStopping() {
	rule := stat.UntilPrecise(0.02, 10*time.Minute)
	fmt.Println(rule)
	var times []time.Duration
	for i := 0; rule.Stop(times) == ""; i++ {
		times = append(times, time.Duration(1000+i%3)*time.Millisecond) // a measurement
	}
	fmt.Printf("%d trials: %s\n", len(times), rule.Stop(times))
	// Output:
	// 6 to 50 trials a point, until the 95 % interval is within 2 % of the median or 10m0s are spent
	// 7 trials: target reached if trials are independent
}
