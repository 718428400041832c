package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vllmgo/bench/report"
)

func (v *vllmbench) scalingCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "scaling FOLDER…",
		Short: "Compare runs of the same points with different numbers of devices or engines",
		Long: `Scaling makes a table from the journals of runs that differ in
tensor_parallel_size or data_parallel_size alone, or of one run that varies
them: speed-up over the smallest size and scaling efficiency and, where known,
memory for each GPU and energy a token. It needs neither vLLM nor the machine.`,
		Example: `  vllmbench run --tensor-parallel-size 1 --out tp1
  vllmbench run --tensor-parallel-size 2 --out tp2
  vllmbench scaling --out scaling tp1 tp2
  vllmbench run --axis data_parallel_size=1,2,4 --out sizes
  vllmbench scaling sizes`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return v.scaling(args, out) },
	}
	c.Flags().StringVar(&out, "out", "", "also write table, CSV and plots into this `folder`")
	return c
}

// scaling prints how the runs in folders scale. Unless out is empty, it also writes the files of
// that into it.
func (v *vllmbench) scaling(folders []string, out string) error {
	var runs []report.ScalingRun
	for _, path := range folders {
		results, err := v.readRun(path)
		if err != nil {
			return err
		}
		runs = append(runs, report.ScalingRun{Name: folderOf(path), Results: results})
	}
	s, err := report.NewScaling(runs...)
	if err != nil {
		return err
	}
	if err := s.WriteReport(v.stdout); err != nil || out == "" {
		return err
	}
	err = errors.Join(os.MkdirAll(out, 0o755), s.WriteFiles(out))
	fmt.Fprintf(v.stderr, "table, CSV and plots are in %s\n", out)
	return err
}
