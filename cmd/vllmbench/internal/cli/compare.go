package cli

import (
	"github.com/spf13/cobra"

	"vllmgo/bench/report"
)

func (v *vllmbench) compareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare FOLDER FOLDER",
		Short: "Say which points of two runs differ, and by how much",
		Long: `Compare tests for each point that two runs have in common whether its times differ by more than
chance explains (Mann-Whitney U test, p ≤ 1 %), and prints the ratio of the medians with a 99 %
interval. Notes name every setting that the journals do not agree on, with both values, and say
which run is unfinished or damaged, which points failed a check, and whose prompts differ.`,
		Example: "  vllmbench compare results/20260101T120000 results/20260102T120000",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			first, err := v.readRun(args[0])
			if err != nil {
				return err
			}
			second, err := v.readRun(args[1])
			if err != nil {
				return err
			}
			return report.Compare(first, second).Write(v.stdout)
		},
	}
}
