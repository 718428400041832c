package journal

// The names of the checks of a point, in the order of report.Row.Checks.
const (
	// CheckPrompts: the engine saw the prompts that were sent, token for token.
	CheckPrompts = "prompts"
	// CheckCounts: the engine generated exactly as many tokens as were asked for.
	CheckCounts = "counts"
	// CheckFinish: each request finished because it reached its length.
	CheckFinish = "finish reason"
	// CheckCache: no prompt token came from the prefix cache, unless the point switches it on.
	CheckCache = "prefix cache"
	// CheckPreemption: the KV cache holds what the point needs at its peak, so no request was
	// preempted.
	CheckPreemption = "preemption"
	// CheckEngine: one engine ran all trials.
	CheckEngine = "one engine"
	// CheckLoad: nothing else used the machine's cores and GPUs noticeably, and neither the
	// hypervisor nor a quota held the program up; docs/benchmarking.md has the limits.
	CheckLoad = "other load"
	// CheckClocks: heat or a power limit slowed no GPU down. Without a GPU there is no such check.
	CheckClocks = "clocks"
)
