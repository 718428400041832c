package journal

// ModelSize is the number of a model's parameters that tokens are multiplied with. Embeddings that
// are only looked up do not count.
type ModelSize struct {
	// Layers is the number of parameters of all layers. Every token passes them.
	Layers int64 `json:"layers"`
	// Head is the number of parameters of the output projection, hidden size times vocabulary.
	// Every generated token passes them.
	Head int64 `json:"head"`
}

// Limits are the measured limits of one device.
type Limits struct {
	// Bandwidth is the bandwidth of the memory, in bytes a second.
	Bandwidth float64 `json:"bandwidth"`
	// FLOPS is the rate of matrix multiplication in the model's type, in floating-point operations
	// a second.
	FLOPS float64 `json:"flops"`
}
