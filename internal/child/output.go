package child

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Output runs the process that cmd describes, as [Start] does, and returns its standard output.
// When ctx ends, it kills the process with its descendants and returns the cause. A status other
// than 0 is an error with the last line of the standard error.
func Output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	p, err := Start(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
		p.Wait()
		return nil, context.Cause(ctx)
	}
	if exit := p.Wait(); exit.Code != 0 {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return nil, fmt.Errorf("%s: %s", exit, lines[len(lines)-1])
	}
	return stdout.Bytes(), nil
}
