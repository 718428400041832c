"""An engine that computes nothing: each request ends in the step after it came, with its prompt's first token."""

from array import array
from types import SimpleNamespace

from vllmgo_packing import pack, unpack


class Engine:
    max_num_seqs = 256

    def __init__(self, arguments, own_process, signal):
        self.waiting = []

    def attribute(self, name):
        return getattr(self, name)

    def mixes_adapters(self):
        return True

    def add(self, batches, indices, streams, packed):
        prompts, _, _ = unpack(packed)
        self.waiting += zip(memoryview(batches).cast("q"), memoryview(indices).cast("i"), prompts)
        return b""

    def step(self):
        running, self.waiting = self.waiting[: self.max_num_seqs], self.waiting[self.max_num_seqs :]
        packed = pack([answer(prompt) for _, _, prompt in running], 0)
        return packed | {
            "Batches": array("q", [batch for batch, _, _ in running]).tobytes(),
            "Indices": array("i", [index for _, index, _ in running]).tobytes(),
            "Finished": b"\1" * len(running),
        }

    def generate(self, batch, packed, report):
        prompts, _, _ = unpack(packed)
        return pack([answer(prompt) for prompt in prompts], 1, prompts)

    def take_back(self, need):
        return {"Batches": b"", "Indices": b""}

    def tidy(self):
        pass

    def close(self):
        pass


def answer(prompt):
    """What pack takes of a RequestOutput."""
    ids = prompt["prompt_token_ids"]
    completion = SimpleNamespace(
        index=0, token_ids=ids[:1], cumulative_logprob=None, text="", finish_reason="length", stop_reason=None, logprobs=None
    )
    return SimpleNamespace(
        finished=True, prompt_token_ids=ids, num_cached_tokens=None, outputs=[completion], prompt_logprobs=None, metrics=None
    )
