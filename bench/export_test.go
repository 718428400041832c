package bench

// What tests outside the package look at.
var (
	WatchCounters    = watchCounters
	CountersInterval = countersInterval
)
