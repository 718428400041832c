"""`vllm bench throughput` with the arguments that follow. The command itself requires an installed
distribution that is called vllm, which builds of vLLM for CPUs lack."""

import sys

from vllm.benchmarks import throughput
from vllm.utils.argparse_utils import FlexibleArgumentParser

if __name__ == "__main__":
    parser = FlexibleArgumentParser()
    throughput.add_cli_args(parser)
    throughput.main(parser.parse_args(sys.argv[1:]))
