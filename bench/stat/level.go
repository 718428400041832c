package stat

const (
	// Confidence is the least probability with which an interval covers the true median.
	Confidence = 0.95
	// significance is the greatest probability with which a test may see by chance what it looks
	// for: a difference, a drift or several modes.
	significance = 0.01
)
