package vllmgo

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// host is what a replica's process may use, as replica.py describes it.
type host struct {
	Device  string // vLLM's name for the platform
	Devices int    // GPUs that are visible; 0 on a CPU
	Cores   []int
}

// placement is where one replica runs.
type placement struct {
	// Environment is what its process gets.
	Environment map[string]string
	// Cores are those that it may use; nil for all.
	Cores []int
	// Sharers is the number of replicas that share its devices.
	Sharers int
	// Measured is the path of the file in which replicas that share GPUs find how much memory their
	// KV caches can have; "" if there are none. Measures is true for the one that measures it. See
	// gpu_worker.py.
	Measured string
	Measures bool
}

// placements are those of all replicas.
type placements []placement

// place divides the devices of a machine among n replicas of so many ranks each. On GPUs, replica i
// gets ranks of its own while there are any, and otherwise shares them with replicas that have the
// same. On a CPU, the cores are divided.
//
// newFile returns the path of a new file.
func place(h host, n, ranks int, newFile func() (string, error)) (placements, error) {
	if h.Devices == 0 {
		return placeOnCores(h.Cores, n, ranks)
	}
	groups := min(h.Devices/ranks, n)
	if groups == 0 {
		return nil, fmt.Errorf(
			"vllmgo: tensor_parallel_size × pipeline_parallel_size is %d, but this machine has %d GPUs%s: "+
				"lower them to a product of at most %d",
			ranks,
			h.Devices,
			visibleShare(),
			h.Devices,
		)
	}
	measured := make([]string, groups)
	for i := range measured {
		if i+groups < n { // another one has the same devices
			var err error
			if measured[i], err = newFile(); err != nil {
				return nil, err
			}
		}
	}
	all := make(placements, n)
	for i := range all {
		group := i % groups
		all[i] = placement{
			Environment: map[string]string{
				visibleDevices: strings.Join(devices(h.Devices)[group*ranks:(group+1)*ranks], ","),
			},
			Sharers:  (n - group + groups - 1) / groups,
			Measured: measured[group],
			Measures: i == group,
		}
	}
	return all, nil
}

// visibleDevices is the variable that says which GPUs CUDA sees.
const visibleDevices = "CUDA_VISIBLE_DEVICES"

// devices returns the names of the GPUs that are visible, of which there are n.
func devices(n int) []string {
	if names := strings.Split(os.Getenv(visibleDevices), ","); os.Getenv(visibleDevices) != "" && len(names) >= n {
		return names[:n]
	}
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

func visibleShare() string {
	if value, set := os.LookupEnv(visibleDevices); set {
		return fmt.Sprintf(" (%s=%s)", visibleDevices, value)
	}
	return ""
}

// threadBinding is vLLM's variable for the cores of each rank on a CPU, with "|" between ranks.
const threadBinding = "VLLM_CPU_OMP_THREADS_BIND"

// placeOnCores divides cores among replicas, unless threadBinding has done so.
func placeOnCores(cores []int, n, ranks int) (placements, error) {
	if n*ranks > len(cores) {
		return nil, fmt.Errorf(
			"vllmgo: data_parallel_size × tensor_parallel_size × pipeline_parallel_size is %d, but this "+
				"machine has %d CPU cores: lower them to a product of at most %d",
			n*ranks,
			len(cores),
			len(cores),
		)
	}
	own := os.Getenv(threadBinding)
	bound := own != "" && own != "auto" && own != "nobind"
	parts := strings.Split(own, "|")
	if bound && len(parts) != n*ranks {
		return nil, fmt.Errorf(
			"vllmgo: %s=%s must have cores for each of the %d ranks (data_parallel_size × "+
				"tensor_parallel_size × pipeline_parallel_size), with | between ranks: correct or unset it",
			threadBinding, own, n*ranks,
		)
	}
	all := make(placements, n)
	for i := range all {
		p := placement{Environment: map[string]string{}, Sharers: n}
		switch {
		case bound:
			p.Environment[threadBinding] = strings.Join(parts[i*ranks:(i+1)*ranks], "|")
		case own != "nobind":
			share := len(cores) / n
			p.Cores = cores[i*share : (i+1)*share]
			p.Environment[threadBinding] = bind(p.Cores, ranks)
		}
		all[i] = p
	}
	return all, nil
}

// bind returns the value of threadBinding that divides cores among ranks.
func bind(cores []int, ranks int) string {
	var parts []string
	for share := range slices.Chunk(cores[:len(cores)/ranks*ranks], len(cores)/ranks) {
		names := make([]string, len(share))
		for i, core := range share {
			names[i] = strconv.Itoa(core)
		}
		parts = append(parts, strings.Join(names, ","))
	}
	return strings.Join(parts, "|")
}

// describe returns the devices of each replica: the names of its GPUs or, on a CPU, its cores.
func (p placements) describe() []string {
	all := make([]string, len(p))
	for i, each := range p {
		all[i] = each.Environment[visibleDevices] + each.Environment[threadBinding]
	}
	return all
}

// usesMPS reports whether NVIDIA's Multi-Process Service runs here, with which kernels of several
// processes run at once on a GPU.
func usesMPS() bool {
	folder := os.Getenv("CUDA_MPS_PIPE_DIRECTORY")
	if folder == "" {
		folder = "/tmp/nvidia-mps"
	}
	pid, err := os.ReadFile(folder + "/nvidia-cuda-mps-control.pid")
	if err != nil {
		return false
	}
	_, err = os.Stat("/proc/" + strings.TrimSpace(string(pid)))
	return err == nil
}
