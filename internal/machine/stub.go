package machine

import (
	"vllmgo/bench/journal"
)

// stubUsage replaces what is seen, in tests.
var stubUsage func() journal.Usage

// Stub makes watchMachine report what usage returns and otherLoadAverage 0, for tests; nil ends that.
func Stub(usage func() journal.Usage) { stubUsage = usage }
