package bench

// What tests outside the package look at.
var (
	PassesFor        = passesFor
	WatchCounters    = watchCounters
	CountersInterval = countersInterval
)
