"""A contender in plain Python: vllm.LLM.generate, as its documentation shows it. protocol.go has the other side."""

import hashlib
import json
import os
import platform
import struct
import sys
import time


def main():
    replies = open(3, "w")
    start = json.loads(sys.stdin.readline())
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1" if start["mode"] == "own-process" else "0"
    import torch
    import vllm
    from vllm import LLM, SamplingParams

    args = start["args"]
    args.pop("engine_mode", None)
    llm = LLM(**args)
    answer = {"versions": f"vLLM {vllm.__version__}, torch {torch.__version__}, Python {platform.python_version()}"}
    while True:
        print(json.dumps(answer), file=replies, flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        task = json.loads(line)
        params = [
            SamplingParams(temperature=0, ignore_eos=True, min_tokens=n, max_tokens=n, detokenize=start["detokenize"])
            for n in task["output_lens"]
        ]
        if len(set(task["output_lens"])) == 1:
            params = params[0]
        began = time.perf_counter_ns()
        outputs = llm.generate([{"prompt_token_ids": ids} for ids in task["prompts"]], params, use_tqdm=False)
        wall = time.perf_counter_ns() - began
        digest = hashlib.sha256()
        for output in outputs:
            ids = output.outputs[0].token_ids
            digest.update(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids))
        answer = {
            "wall_ns": wall,
            "input_tokens": sum(len(output.prompt_token_ids) for output in outputs),
            "output_tokens": sum(len(output.outputs[0].token_ids) for output in outputs),
            "outputs_sha256": digest.hexdigest(),
        }


if __name__ == "__main__":
    main()
