// Numpy solves a system of linear equations with Python's numpy, copying no number either way: go
// run ./examples/numpy
package main

import (
	"context"
	"fmt"
	"log"

	"vllmgo/pyembed"
)

func main() {
	rt, err := pyembed.Start(pyembed.Config{Variable: "VLLMGO_PYTHON"})
	if err != nil {
		log.Fatal(err)
	}
	coefficients := []float64{
		2, 1, -1,
		-3, -1, 2,
		-2, 1, 2,
	}
	constants := []float64{8, -11, -3}
	err = rt.Do(context.Background(), func(py *pyembed.Py) error {
		return solve(py, coefficients, constants, func(solution []float64) error {
			fmt.Printf("x = %.3f, y = %.3f, z = %.3f\n", solution[0], solution[1], solution[2])
			return nil
		})
	})
	if err != nil {
		log.Fatal(err)
	}
}

// solve gives use the x of a·x = b, where a holds the rows of a square matrix. It is valid until
// use returns.
func solve(py *pyembed.Py, a, b []float64, use func(x []float64) error) error {
	linalg, err := py.Module("equations", "equations.py", `
import numpy

def solve(a, b):
    b = numpy.frombuffer(b)
    return numpy.linalg.solve(numpy.frombuffer(a).reshape(len(b), len(b)), b)
`)
	if err != nil {
		return err
	}
	matrix, err := pyembed.Lend(py, a)
	if err != nil {
		return err
	}
	vector, err := pyembed.Lend(py, b)
	if err != nil {
		return err
	}
	x, err := linalg.CallMethod(py, "solve", matrix, vector)
	if err != nil {
		return err
	}
	return pyembed.View(py, x, use)
}
