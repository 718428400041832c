"""A contender in plain Python: vllm.LLM.generate, as its documentation shows it. protocol.go has the other side.

With data_parallel_size above 1, it does what users of vllm.LLM write themselves: processes, each with an engine, an equal
share of the GPU's memory and an equal part of the prompts.
"""

import hashlib
import json
import os
import platform
import struct
import subprocess
import sys
import time
from multiprocessing.connection import Connection, Pipe


class Engine:
    """One vllm.LLM."""

    def __init__(self, start):
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1" if start["mode"] == "own-process" else "0"
        import torch
        import vllm

        self.detokenize = start["detokenize"]
        self.llm = vllm.LLM(**start["args"])
        self.versions = f"vLLM {vllm.__version__}, torch {torch.__version__}, Python {platform.python_version()}"

    def run(self, prompts, output_lens):
        """The length of each prompt and the token IDs of each output."""
        from vllm import SamplingParams

        params = [
            SamplingParams(temperature=0, ignore_eos=True, min_tokens=n, max_tokens=n, detokenize=self.detokenize)
            for n in output_lens
        ]
        if len(set(output_lens)) == 1:
            params = params[0]
        outputs = self.llm.generate([{"prompt_token_ids": ids} for ids in prompts], params, use_tqdm=False)
        return [(len(output.prompt_token_ids), output.outputs[0].token_ids) for output in outputs]


class Processes:
    """Engines in processes of their own."""

    def __init__(self, start, count):
        args = start["args"]
        args["gpu_memory_utilization"] /= count
        if "kv_cache_memory_bytes" in args:
            args["kv_cache_memory_bytes"] //= count
        self.pipes, self.processes = [], []
        for _ in range(count):
            ours, theirs = Pipe()
            command = [sys.executable, "-c", sys.orig_argv[2], str(theirs.fileno())]
            self.processes.append(subprocess.Popen(command, pass_fds=[theirs.fileno()]))
            self.pipes.append(ours)
            theirs.close()
            ours.send(start)
        for pipe in self.pipes:
            self.versions = pipe.recv()

    def run(self, prompts, output_lens):
        count = len(self.pipes)
        for i, pipe in enumerate(self.pipes):
            pipe.send((prompts[i::count], output_lens[i::count]))
        outputs = [None] * len(prompts)
        for i, pipe in enumerate(self.pipes):
            outputs[i::count] = pipe.recv()
        return outputs


def serve_process(pipe):
    """What each of Processes runs."""
    engine = Engine(pipe.recv())
    pipe.send(engine.versions)
    while True:
        try:
            prompts, output_lens = pipe.recv()
        except EOFError:
            return
        pipe.send(engine.run(prompts, output_lens) if prompts else [])


def main():
    replies = open(3, "w")
    start = json.loads(sys.stdin.readline())
    start["args"].pop("engine_mode", None)
    count = start["args"].pop("data_parallel_size", 1)
    engine = Processes(start, count) if count > 1 else Engine(start)
    answer = {"versions": engine.versions}
    while True:
        print(json.dumps(answer), file=replies, flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        task = json.loads(line)
        began = time.perf_counter_ns()
        outputs = engine.run(task["prompts"], task["output_lens"])
        wall = time.perf_counter_ns() - began
        digest = hashlib.sha256()
        for _, ids in outputs:
            digest.update(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids))
        answer = {
            "wall_ns": wall,
            "input_tokens": sum(length for length, _ in outputs),
            "output_tokens": sum(len(ids) for _, ids in outputs),
            "outputs_sha256": digest.hexdigest(),
        }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_process(Connection(int(sys.argv[1])))
    else:
        main()
