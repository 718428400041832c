"""Plain Python's answer: reads {"args": …, "prompts": […], "params": {…}} and prints the generated token IDs."""

import json
import sys


def main():
    from vllm import LLM, SamplingParams

    job = json.load(sys.stdin)
    llm = LLM(**job["args"])
    outputs = llm.generate(job["prompts"], SamplingParams(**job["params"]), use_tqdm=False)
    print("REFERENCE", json.dumps([list(o.outputs[0].token_ids) for o in outputs]))


if __name__ == "__main__":
    main()
