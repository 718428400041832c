// Embeddings orders sentences by how well they answer a question: go run ./examples/embeddings
// --model MODEL
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"slices"

	"vllmgo/vllmgo"
)

func main() {
	model := flag.String("model", "sentence-transformers/all-MiniLM-L6-v2", "Hugging Face `ID` or folder")
	flag.Parse()
	ctx := context.Background()
	llm, err := vllmgo.New(ctx, vllmgo.EngineArgs{Model: *model, GPUMemoryUtilization: 0.5, EnforceEager: true})
	if err != nil {
		log.Fatal(err)
	}
	defer llm.Close()
	sentences := []string{
		"How do I bake bread?", // the question
		"The stock market fell on Monday.", "Knead the dough and let it rise.", "Ovens were built of clay.",
	}
	vectors, err := llm.Embed(ctx, vllmgo.Texts(sentences...), vllmgo.PoolingParams{})
	if err != nil {
		log.Print(err)
		return
	}
	type answer struct {
		similarity float32
		sentence   string
	}
	var answers []answer
	for i := 1; i < len(sentences); i++ {
		answers = append(answers, answer{dot(vectors[0], vectors[i]), sentences[i]})
	}
	slices.SortFunc(answers, func(a, b answer) int { return int(1000 * (b.similarity - a.similarity)) })
	for _, a := range answers {
		fmt.Printf("%.2f %s\n", a.similarity, a.sentence)
	}
}

// dot is the cosine of the angle between vectors of length 1.
func dot(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
