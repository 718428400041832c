// Package stat has the statistics of benchmark times: how large a time is, how sure that is, and
// whether two samples differ. Nothing in it assumes that times are distributed normally, because
// they are not: a few passes are often much slower than the others.
//
// # Estimates
//
// [Median] returns the median of a sample with an interval that covers the true median with 95 %
// confidence:
//
//	e := stat.Median(times)
//	fmt.Printf("%v, between %v and %v\n", e.Value, e.Low, e.High)
//
// Fewer than 6 values are too few for that. The interval is then the whole range of the sample, and
// e.Confidence says how sure it is.
//
// [Stopping] is the rule that ends the trials of a point: when the interval is narrow enough, when
// there are enough trials, or when the time is spent. [MedianInOrder] and the rule allow for values
// that depend on the ones before; [Dependence] says how much they do.
//
// # Tests
//
// [Compare] reports whether two samples differ, [NewTrend] whether the times of a sample drift, and
// [NewModes] whether they have more than one mode. A run makes many such tests. Each therefore has
// a false-positive rate of at most 1 %, instead of the usual 5 %. [Outliers] returns the values
// that are far from the others. They belong to the sample: report them, and leave them in.
package stat
