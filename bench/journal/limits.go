package journal

// ModelSize is the number of a model's parameters that tokens are multiplied with. Embeddings that are looked up do not
// count.
type ModelSize struct {
	// Layers are those of all layers, which every token passes.
	Layers int64 `json:"layers"`
	// Head are those of the output projection, hidden size times vocabulary, which every generated token passes.
	Head int64 `json:"head"`
}

// Limits are what one device was measured to be capable of.
type Limits struct {
	// Bandwidth is the memory's, in bytes a second.
	Bandwidth float64 `json:"bandwidth"`
	// FLOPS is the rate of matrix multiplication in the model's type, in floating-point operations a second.
	FLOPS float64 `json:"flops"`
}
