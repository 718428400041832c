package vllmgo

import (
	"encoding/json"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"
)

// SchemaOf returns the JSON schema of a Go type, for StructuredOutputs.JSON and Tool.Parameters.
// Properties are in the order of a struct's fields, and have the names that encoding/json uses. A
// field without omitempty or omitzero is required. The tag jsonschema describes a field.
//
//	type City struct {
//		Name       string `json:"name" jsonschema:"the city's English name"`
//		Population int    `json:"population"`
//	}
//	schema, err := vllmgo.SchemaOf[City]()
func SchemaOf[T any]() (json.RawMessage, error) {
	schema, err := jsonschema.For[T](nil)
	if err == nil {
		var encoded []byte
		if encoded, err = json.Marshal(schema); err == nil {
			return encoded, nil
		}
	}
	var zero T
	return nil, fmt.Errorf("vllmgo: a JSON schema of %T: %w", zero, err)
}
