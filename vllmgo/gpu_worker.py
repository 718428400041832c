"""vLLM's worker for engines that share a GPU: the first one measures how much memory the KV cache can have, for all.

vLLM measures what is free before it loads a model and after a trial run, and takes what other processes have allocated
meanwhile for its own: engines that load side by side would give too little to their KV caches, or refuse to start. All of
them have the same model, settings and share of the memory. So one engine measures, and the others wait for its figures
before they allocate anything. They also find in vLLM's compile cache what it has compiled. Whatever comes before and after,
such as imports and the capture of graphs, goes on side by side.
"""

import os
import time

from vllm.v1.worker import gpu_worker


class Worker(gpu_worker.Worker):
    """VLLMGO_MEASURED is the path of a file with a line for each worker of an engine: its rank and the bytes for its KV
    cache. VLLMGO_MEASURES is "1" in the engine that measures, unless it has been started again."""

    def init_device(self):
        if os.environ["VLLMGO_MEASURES"] != "1":
            while self.measured() is None:
                time.sleep(0.02)  # until the program ends all, if the first one fails
        return super().init_device()

    def determine_available_memory(self):
        known = self.measured()
        if known is not None:
            self.cache_config.kv_cache_memory_bytes = known
        available = super().determine_available_memory()
        if known is None:
            with open(os.environ["VLLMGO_MEASURED"], "a") as file:
                file.write(f"{self.rank} {available}\n")
        return available

    def measured(self):
        """What this worker's KV cache can have; None before it was measured."""
        with open(os.environ["VLLMGO_MEASURED"]) as file:
            figures = dict(line.split() for line in file if line.endswith("\n"))
        figure = figures.get(str(self.rank))
        return None if figure is None else int(figure)
