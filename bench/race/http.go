package race

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"vllmgo/internal/child"
)

// pythonVariable names the Python that runs vLLM's server.
const pythonVariable = "VLLMGO_PYTHON"

// servers run passes with vLLM's HTTP server: a request for each prompt, all at once, each on a
// connection that is kept. With several servers, requests go to them in turn.
type servers struct {
	all    []*server
	model  string
	client *http.Client
}

// server is one process of vLLM's server.
type server struct {
	process *child.Process
	url     string
}

// openServers starts as many servers as data_parallel_size says, and waits until all answer. Each
// has an equal share of the GPU's memory.
func openServers(ctx context.Context, s start) (contestant, string, error) {
	n := max(s.Args.DataParallelSize, 1)
	s.Args.DataParallelSize = 0
	s.Args.GPUMemoryUtilization /= float64(n)
	s.Args.KVCacheMemoryBytes /= int64(n)
	h := &servers{
		model:  s.Args.Model,
		client: &http.Client{Transport: &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: 1 << 16}},
	}
	for range n {
		one, err := startServer(s)
		if err != nil {
			return nil, "", errors.Join(err, h.Close())
		}
		h.all = append(h.all, one)
	}
	for _, one := range h.all {
		if err := h.await(ctx, one); err != nil {
			return nil, "", errors.Join(err, h.Close())
		}
	}
	return h, "", nil
}

// startServer starts a server as `vllm serve` does.
func startServer(s start) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	flags, err := commandLine(s.Args)
	if err != nil {
		return nil, err
	}
	args := append([]string{"-m", "vllm.entrypoints.openai.api_server", "--host=127.0.0.1", "--port=" + strconv.Itoa(port),
		"--disable-uvicorn-access-log"}, flags...)
	cmd := exec.Command(os.Getenv(pythonVariable), args...)
	// In seconds: while others work the server is stopped, and it would then close the connections
	// of its client.
	cmd.Env = append(os.Environ(), "VLLM_HTTP_TIMEOUT_KEEP_ALIVE=86400")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	process, err := child.Start(cmd)
	if err != nil {
		return nil, err
	}
	return &server{process: process, url: fmt.Sprintf("http://127.0.0.1:%d", port)}, nil
}

// await waits until a server answers.
func (h *servers) await(ctx context.Context, one *server) error {
	for {
		if response, err := h.client.Get(one.url + "/health"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-one.process.Done():
			return fmt.Errorf("vLLM's server ended before it answered (%s)", one.process.Wait())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// freePort returns a TCP port that no program listens on.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// completionRequest is the body of a request to /v1/completions.
type completionRequest struct {
	Model       string  `json:"model"`
	Prompt      []int32 `json:"prompt"`
	Temperature float64 `json:"temperature"`
	IgnoreEOS   bool    `json:"ignore_eos"`
	MinTokens   int     `json:"min_tokens"`
	MaxTokens   int     `json:"max_tokens"`
}

// completionResponse has the fields of the response that a race needs.
type completionResponse struct {
	Usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
}

// run sends a request for each prompt, all at once, and waits for all responses.
func (h *servers) run(ctx context.Context, p pass) (answer, error) {
	responses := make([]completionResponse, len(p.Prompts))
	errs := make([]error, len(p.Prompts))
	var group sync.WaitGroup
	began := time.Now()
	for i, ids := range p.Prompts {
		group.Go(func() {
			n := p.OutputLens[i]
			responses[i], errs[i] = h.complete(ctx, h.all[i%len(h.all)].url, completionRequest{
				Model: h.model, Prompt: ids, IgnoreEOS: true, MinTokens: n, MaxTokens: n,
			})
		})
	}
	group.Wait()
	a := answer{Wall: time.Since(began)}
	for _, r := range responses {
		a.InputTokens += r.Usage.PromptTokens
		a.OutputTokens += r.Usage.CompletionTokens
	}
	return a, errors.Join(errs...)
}

// complete sends one request and returns its response. Any status but 200 is an error, 429 (too
// many requests) included: nothing is sent twice, because a repeated request would hide in the
// times. The contender then drops out; see heat.dropOut.
func (h *servers) complete(ctx context.Context, url string, r completionRequest) (c completionResponse, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return c, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/completions", bytes.NewReader(body))
	if err != nil {
		return c, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := h.client.Do(request)
	if err != nil {
		return c, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("vLLM's server answers %s: %s", response.Status, text)
	}
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(text, &c)
	return c, err
}

// Close ends the servers as Ctrl-C does, and waits for them.
func (h *servers) Close() error {
	var wait sync.WaitGroup
	for _, one := range h.all {
		wait.Go(func() { one.process.End(grace, syscall.SIGINT) })
	}
	wait.Wait()
	return nil
}
