package journal

// The names of the checks, in the order of Row.Checks.
const (
	// CheckPrompts: the engine saw the prompts that were sent, token for token.
	CheckPrompts = "prompts"
	// CheckCounts: it generated exactly as many tokens as were asked for.
	CheckCounts = "counts"
	// CheckFinish: each request finished because it had its length.
	CheckFinish = "finish reason"
	// CheckCache: no token came from the prefix cache.
	CheckCache = "prefix cache"
	// CheckPreemption: the KV cache holds the point's peak demand, so that no request was preempted.
	CheckPreemption = "preemption"
	// CheckEngine: one engine ran all trials.
	CheckEngine = "one engine"
	// CheckLoad: nothing else used the machine: its cores, its GPUs, the hypervisor's share of it.
	CheckLoad = "other load"
	// CheckClocks: no GPU ran slower than it could because of heat or a power limit. Without a GPU there is no
	// such check.
	CheckClocks = "clocks"
)
