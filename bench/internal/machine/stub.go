package machine

import "vllmgo/bench/journal"

// stubUsage replaces what is seen, in tests.
var stubUsage func() journal.Usage

// Stub makes [Watch] report what usage returns, and [OtherLoadAverage] return 0. It is for tests. A
// nil usage ends that.
func Stub(usage func() journal.Usage) { stubUsage = usage }
