"""Inputs and outputs cross between Go and Python as a few buffers, not as an object for each token.

Buffers hold int32 ("i"), int64 ("q") or float64 ("d") values in the machine's byte order. packing.go has the other side.

Engine.generate (engine.py) packs the outputs of a whole batch. Engine.step packs the new tokens of each step: so the
tokens of a stream leave Python, and step_loop.go takes them and hands them to the streams.
"""

import json
import struct
from array import array


def unpack(packed):
    """Lists of prompts, parameters and options.

    A prompt is text, a dict with prompt_token_ids or prompt_embeds, or None for a chat. Parameters are JSON: one for all prompts, or one for
    each. Options are empty, or have an element for each prompt: None, or a dict with what it has of chat, adapter (a name
    and a path), priority, cache_salt and tokenization_kwargs.
    """
    prompts, start, texts = [], 0, iter(packed["Texts"])
    ids = memoryview(packed["TokenIDs"]).cast("i")
    for length in memoryview(packed["Lengths"]).cast("i"):
        if length > 0:
            prompts.append({"prompt_token_ids": ids[start : start + length].tolist()})
            start += length
        else:
            prompts.append(next(texts) if length == 0 else None)
    options = json.loads(packed["Options"]) if packed["Options"] else []
    if packed["Embeddings"]:
        add_embeddings(prompts, options, packed["Embeddings"])
    return prompts, packed["Params"], options


def add_embeddings(prompts, options, values):
    """Makes prompts of embeddings, whose options have their shape."""
    import torch

    rest = torch.frombuffer(bytearray(values), dtype=torch.float32)
    for i, own in enumerate(options):
        if own and (shape := own.get("embeddings")):
            size = shape[0] * shape[1]
            prompts[i], rest = {"prompt_embeds": rest[:size].reshape(shape)}, rest[size:]


class Logprobs:
    """Candidates of positions: for each position their number, and for each candidate ID, logprob, rank, token."""

    def __init__(self):
        self.counts, self.ids, self.values, self.ranks, self.tokens = array("i"), array("i"), array("d"), array("i"), []

    def add(self, positions):
        for position in positions:
            self.counts.append(0 if position is None else len(position))
            for token_id, logprob in (position or {}).items():
                self.ids.append(token_id)
                self.values.append(logprob.logprob)
                self.ranks.append(logprob.rank or 0)
                self.tokens.append(logprob.decoded_token or "")

    def packed(self):
        return {
            "Counts": self.counts.tobytes(),
            "IDs": self.ids.tobytes(),
            "Values": self.values.tobytes(),
            "Ranks": self.ranks.tobytes(),
            "Tokens": self.tokens,
        }


def pack(outputs, elapsed_ns, sent=None):
    """RequestOutputs as buffers. Prompts are left out of outputs that are not the request's last, and of those whose
    prompt is the token IDs that Go sent, as unpack gave them: their length is -1. What few calls have is empty, or
    None, when none has.
    """
    prompt_lengths, prompt_ids, cached, completions = [], [], [], []
    indices, lengths, ids, cumulative, texts, reasons, stops = [], [], [], [], [], [], []
    for i, output in enumerate(outputs):
        if not output.finished:
            prompt_lengths.append(0)
        elif sent is not None and output.prompt_token_ids and sent[i] == {"prompt_token_ids": output.prompt_token_ids}:
            prompt_lengths.append(-1)
        else:
            ids_of_prompt = output.prompt_token_ids or ()  # none for embeddings
            prompt_lengths.append(len(ids_of_prompt))
            prompt_ids += ids_of_prompt
        cached.append(-1 if output.num_cached_tokens is None else output.num_cached_tokens)
        completions.append(len(output.outputs))
        for c in output.outputs:
            indices.append(c.index)
            lengths.append(len(c.token_ids))
            ids += c.token_ids
            cumulative.append(c.cumulative_logprob or 0.0)
            texts.append(c.text)
            reasons.append(c.finish_reason or "")
            stops.append(c.stop_reason)
    return {
        "PromptLengths": as_bytes("i", prompt_lengths),
        "PromptIDs": as_bytes("i", prompt_ids),
        "Cached": as_bytes("i", cached),
        "Completions": as_bytes("i", completions),
        "CompletionIndices": as_bytes("i", indices),
        "Lengths": as_bytes("i", lengths),
        "IDs": as_bytes("i", ids),
        "Cumulative": as_bytes("d", cumulative),
        "Texts": texts if any(texts) else [],
        "Reasons": "\n".join(reasons),
        "Stops": [] if stops.count(None) == len(stops) else ["" if stop is None else str(stop) for stop in stops],
        "Logprobs": pack_logprobs(outputs),
        "Metrics": pack_metrics(outputs),
        "ElapsedNs": elapsed_ns,
    }


def as_bytes(code, values):
    """A list of numbers as a buffer. struct converts it 1.5 times as fast as array does."""
    return struct.pack(f"{len(values)}{code}", *values)


def pack_logprobs(outputs):
    """The logprobs of all prompts and completions; None when there are none."""
    if not any(output.prompt_logprobs or any(c.logprobs for c in output.outputs) for output in outputs):
        return None
    logprobs, prompt_positions, positions = Logprobs(), array("i"), array("i")
    for output in outputs:
        # DELTA outputs give them once, with the first.
        prompt_positions.append(len(output.prompt_logprobs or ()))
        logprobs.add(output.prompt_logprobs or ())
        for completion in output.outputs:
            positions.append(len(completion.logprobs or ()))
            logprobs.add(completion.logprobs or ())
    return logprobs.packed() | {"PromptPositions": prompt_positions.tobytes(), "Positions": positions.tobytes()}


# In the order of packing.go.
TIMES = ("arrival_time", "queued_ts", "scheduled_ts", "first_token_ts", "last_token_ts", "first_token_latency")


def pack_metrics(outputs):
    """The times of the requests that have ended; None when the engine keeps no statistics."""
    if all(output.metrics is None for output in outputs):
        return None
    times, token_counts, token_times = array("d"), array("i"), array("d")
    for output in outputs:
        if output.metrics is None or not output.finished:
            token_counts.append(-1)
            continue
        times.extend(getattr(output.metrics, name) for name in TIMES)
        own = getattr(output.metrics, "token_times", ())
        token_counts.append(len(own))
        token_times.extend(own)
    return {"Times": times.tobytes(), "TokenCounts": token_counts.tobytes(), "TokenTimes": token_times.tobytes()}


def pack_beams(prompts, outputs, elapsed_ns):
    """BeamSearchOutputs, whose sequences begin with the prompt."""
    return {
        "ElapsedNs": elapsed_ns,
        "Beams": [
            {
                "PromptIDs": as_bytes("i", prompt),
                "Beams": [
                    {
                        "Text": sequence.text or "",
                        "TokenIDs": as_bytes("i", sequence.tokens[len(prompt) :]),
                        "CumulativeLogprob": sequence.cum_logprob,
                        "FinishReason": sequence.finish_reason or "",
                    }
                    for sequence in output.sequences
                ],
            }
            for prompt, output in zip(prompts, outputs, strict=True)
        ],
    }


def pack_pooled(outputs):
    import torch

    tensors = [output.outputs.data.to("cpu", torch.float32).contiguous() for output in outputs]
    return {
        "PromptLengths": as_bytes("i", [len(output.prompt_token_ids) for output in outputs]),
        "Shapes": [list(tensor.shape) for tensor in tensors],
        "Values": b"".join(tensor.numpy().tobytes() for tensor in tensors),
    }
