"""Prints what a device is capable of as JSON: its memory bandwidth in bytes a second, and its rate of matrix multiplication
in floating-point operations a second.

usage: limits.py DEVICE DTYPE SECONDS    (cpu or cuda; a torch type; the time for each of the two)
"""

import json
import sys
import time

import torch


def best(work, sync, limit):
    """The least time of a call, after one that does not count."""
    work()
    sync()
    least, end = float("inf"), time.perf_counter() + limit
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        sync()
        least = min(least, time.perf_counter() - start)
    return least


def main():
    device, dtype, limit = sys.argv[1], getattr(torch, sys.argv[2]), float(sys.argv[3])
    sync = torch.cuda.synchronize if device == "cuda" else lambda: None

    # Reading, as an engine reads weights, and copying, half of which is writing: the faster counts. The buffers are
    # far larger than any cache.
    size = 1 << (32 if device == "cuda" else 28)
    source = torch.ones(size // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    bandwidth = max(
        size / best(lambda: source.sum(), sync, limit / 2),
        2 * size / best(lambda: target.copy_(source), sync, limit / 2),
    )
    del source, target

    n = 8192 if device == "cuda" else 2048
    a = torch.randn(n, n, device=device).to(dtype)
    b = torch.randn(n, n, device=device).to(dtype)
    flops = 2 * n**3 / best(lambda: a @ b, sync, limit)
    print(json.dumps({"bandwidth": bandwidth, "flops": flops}))


main()
