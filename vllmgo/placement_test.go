package vllmgo

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlace(t *testing.T) {
	gpus := func(n int) host { return host{Device: "cuda", Devices: n, Cores: []int{0, 1, 2, 3}} }
	cores := func(cores ...int) host { return host{Device: "cpu", Cores: cores} }
	for name, c := range map[string]struct {
		host     host
		n, ranks int
		env      map[string]string
		want     []string // the devices of each replica
		sharers  []int
		refused  string
	}{
		"a GPU each":           {gpus(4), 4, 1, nil, []string{"0", "1", "2", "3"}, []int{1, 1, 1, 1}, ""},
		"two GPUs each":        {gpus(4), 2, 2, nil, []string{"0,1", "2,3"}, []int{1, 1}, ""},
		"one GPU for all":      {gpus(1), 3, 1, nil, []string{"0", "0", "0"}, []int{3, 3, 3}, ""},
		"two GPUs for five":    {gpus(2), 5, 1, nil, []string{"0", "1", "0", "1", "0"}, []int{3, 2, 3, 2, 3}, ""},
		"more GPUs than used":  {gpus(4), 2, 1, nil, []string{"0", "1"}, []int{1, 1}, ""},
		"an odd GPU is left":   {gpus(3), 2, 2, nil, []string{"0,1", "0,1"}, []int{2, 2}, ""},
		"GPUs that are chosen": {gpus(2), 2, 1, map[string]string{visibleDevices: "5,GPU-7"}, []string{"5", "GPU-7"}, []int{1, 1}, ""},
		"too few GPUs": {gpus(2), 2, 4, map[string]string{visibleDevices: "6,7"}, nil, nil,
			"tensor_parallel_size × pipeline_parallel_size is 4, but this machine has 2 GPUs (CUDA_VISIBLE_DEVICES=6,7): " +
				"lower them to a product of at most 2"},
		"a core each":      {cores(3, 5), 2, 1, nil, []string{"3", "5"}, []int{2, 2}, ""},
		"cores for ranks":  {cores(0, 1, 2, 3, 4, 5, 6, 7, 8), 2, 2, nil, []string{"0,1|2,3", "4,5|6,7"}, []int{2, 2}, ""},
		"cores are bound":  {cores(0, 1, 2), 2, 1, map[string]string{threadBinding: "2|0-1"}, []string{"2", "0-1"}, []int{2, 2}, ""},
		"not bound at all": {cores(0, 1), 2, 1, map[string]string{threadBinding: "nobind"}, []string{"", ""}, []int{2, 2}, ""},
		"too few cores": {cores(0, 1), 2, 2, nil, nil, nil,
			"data_parallel_size × tensor_parallel_size × pipeline_parallel_size is 4, but this machine has 2 CPU cores"},
		"bound for fewer": {cores(0, 1, 2), 3, 1, map[string]string{threadBinding: "0|1"}, nil, nil, "must have cores for each of the 3 ranks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(visibleDevices, c.env[visibleDevices])
			t.Setenv(threadBinding, c.env[threadBinding])
			files := 0
			got, err := place(c.host, c.n, c.ranks, func() (string, error) { files++; return "file " + strconv.Itoa(files), nil })
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got.describe())
			measure, sharing := map[string]int{}, map[string]bool{} // by devices
			for i, p := range got {
				assert.Equal(t, c.sharers[i], p.Sharers)
				shares := c.host.Devices > 0 && p.Sharers > 1
				assert.Equal(t, shares, p.Measured != "")
				if p.Measures {
					measure[c.want[i]]++
				}
				sharing[c.want[i]] = sharing[c.want[i]] || shares
			}
			for devices, shared := range sharing {
				if shared {
					assert.Equal(t, 1, measure[devices], "one replica on %s measures", devices)
				}
			}
		})
	}
}

func TestDataParallelIsRefused(t *testing.T) {
	for want, args := range map[string]EngineArgs{
		"data_parallel_size is -1; it must be at least 1":              {DataParallelSize: -1},
		`data_parallel_backend "ray" is not supported yet`:             {DataParallelSize: 2, DataParallelBackend: "ray"},
		`data_parallel_backend "nccl" is not "mp"`:                     {DataParallelBackend: "nccl"},
		"data_parallel_rank, data_parallel_size: set DataParallelSize": {Extra: map[string]any{"data_parallel_size": 2, "data_parallel_rank": 1}},
		"data_parallel_size is 1000000, but this machine has":          {DataParallelSize: 1e6},
	} {
		args.Model = "m"
		_, err := New(t.Context(), args)
		assert.ErrorContains(t, err, want)
	}
}
