"""Plain Python's answers, which vllmgo must give too.

Reads a list of {"args": …, "calls": […]} from stdin, makes a vllm.LLM of each args, one after the other, and prints a
list with an element for each call: of generations, what each RequestOutput holds; of poolings, the numbers.
"""

import gc
import json
import sys


def main():
    from vllm import LLM
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    results = []
    for job in json.load(sys.stdin):
        llm = LLM(**job["args"])
        results += [answer(llm, call) for call in job["calls"]]
        llm.llm_engine.engine_core.shutdown()
        del llm
        gc.collect()
        cleanup_dist_env_and_memory()
    print("REFERENCE", json.dumps(results))


def answer(llm, call):
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest
    from vllm.sampling_params import BeamSearchParams, StructuredOutputsParams

    def params(fields):
        fields = dict(fields)
        if "structured_outputs" in fields:
            fields["structured_outputs"] = StructuredOutputsParams(**fields["structured_outputs"])
        if "logit_bias" in fields:
            fields["logit_bias"] = {int(token): bias for token, bias in fields["logit_bias"].items()}
        return SamplingParams(**fields)

    match call["method"]:
        case "generate":
            prompts = [p if isinstance(p, str) else {"prompt_token_ids": p} for p in call["prompts"]]
            lora = LoRARequest(call["lora"][0], 1, call["lora"][1]) if call.get("lora") else None
            sampling = [params(p) for p in call.get("params") or ()] or [None]
            outputs = llm.generate(
                prompts, sampling[0] if len(sampling) == 1 else sampling, lora_request=lora, use_tqdm=False
            )
            return [request(output) for output in outputs]
        case "truncate":
            outputs = llm.generate(
                call["prompts"], params(call["params"][0]), use_tqdm=False,
                tokenization_kwargs={"truncate_prompt_tokens": 4},
            )  # fmt: skip
            return [request(output) for output in outputs]
        case "chat":
            more = call.get("chat") or {"messages": call["messages"]}
            outputs = llm.chat(sampling_params=params(call["params"][0]), use_tqdm=False, **more)
            return [request(output) for output in outputs]
        case "beam_search":
            prompts = [{"prompt": prompt} for prompt in call["prompts"]]
            outputs = llm.beam_search(prompts, BeamSearchParams(**call["params"][0]))
            return [
                [{"text": s.text, "token_ids": list(s.tokens), "cumulative": s.cum_logprob} for s in o.sequences]
                for o in outputs
            ]
        case "embed":
            return [output.outputs.embedding for output in llm.embed(call["prompts"], use_tqdm=False)]
        case "score":
            outputs = llm.score(call["prompts"][0], call["prompts"][1:], use_tqdm=False)
            return [output.outputs.score for output in outputs]


def request(output):
    return {
        "prompt_token_ids": list(output.prompt_token_ids),
        "prompt_logprobs": positions(output.prompt_logprobs),
        "outputs": [
            {
                "index": c.index,
                "text": c.text,
                "token_ids": list(c.token_ids),
                "logprobs": positions(c.logprobs),
                "cumulative": c.cumulative_logprob or 0.0,
                "finish_reason": c.finish_reason,
                "stop_reason": "" if c.stop_reason is None else str(c.stop_reason),
            }
            for c in output.outputs
        ],
    }


def positions(logprobs):
    return [
        [
            {"token_id": token, "logprob": p.logprob, "rank": p.rank or 0, "token": p.decoded_token or ""}
            for token, p in (position or {}).items()
        ]
        for position in logprobs or []
    ]


if __name__ == "__main__":
    main()
