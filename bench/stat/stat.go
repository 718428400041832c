package stat

const (
	// confidence is the least probability with which an interval covers the true median.
	Confidence = 0.95
	// significance is the greatest probability with which a test may see by chance what it looks for: a
	// difference, a drift or two modes. It is 1 % and not the usual 5 %, since a run makes many tests.
	significance = 0.01
)
