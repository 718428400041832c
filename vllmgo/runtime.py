"""What an engine needs of its process and its machine."""

import contextlib
import os
import threading
import traceback

from vllmgo_bridge import chained


def mixes_adapters():
    """Whether vLLM computes requests with and without LoRA adapters right in one batch.

    On a CPU its kernels apply an adapter to requests without one (punica_cpu.py: index -1 is the last slot).
    """
    from vllm.platforms import current_platform

    return not current_platform.is_cpu()


def wake_when_dead(client):
    """Ends a wait for outputs of an engine core that has died.

    vLLM notices such a death and closes the socket of outputs, but leaves a LLM.generate that waits waiting.
    """
    thread, queue = getattr(client, "output_queue_thread", None), getattr(client, "outputs_queue", None)
    if thread is None:  # in process
        return
    from vllm.v1.engine.exceptions import EngineDeadError

    def watch():
        thread.join()
        queue.put_nowait(EngineDeadError())

    threading.Thread(target=watch, daemon=True, name="vllmgo-wake-when-dead").start()


def forget_engine():
    """Takes back what an in-process engine leaves in this process, so that the next one can start."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()


def allow_amx():
    """On a CPU with AMX, asks the kernel for leave to use its registers: without it they raise SIGILL, which ends the
    program. vLLM leaves it to oneDNN, which it uses for weights above 1 MiB only, while its attention in bfloat16 uses
    AMX whatever the size: models that are tiny throughout would fail. https://docs.kernel.org/arch/x86/xstate.html"""
    import torch
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        torch.cpu._init_amx()  # False where there is none


@contextlib.contextmanager
def cpu_threads(kwargs):
    """On a CPU, gives each rank its own share of the cores, unless the user has said how. Yields the binding."""
    from vllm.platforms import current_platform

    name = "VLLM_CPU_OMP_THREADS_BIND"
    ranks = kwargs.get("tensor_parallel_size", 1) * kwargs.get("pipeline_parallel_size", 1)
    before = os.environ.get(name)
    if not current_platform.is_cpu() or ranks == 1 or before not in (None, "", "auto"):
        yield before or ""
        return
    cores = sorted(os.sched_getaffinity(0))
    share = len(cores) // ranks
    binding = "|".join(",".join(map(str, cores[rank * share : (rank + 1) * share])) for rank in range(ranks))
    os.environ[name] = binding
    try:
        yield binding
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def describe(config):
    """What Go's Info holds of an engine with this configuration."""
    import platform

    import torch
    import vllm
    from vllm.platforms import current_platform

    blocks = config.cache_config.num_gpu_blocks or 0
    block_size = config.cache_config.block_size or 0
    return {
        "VLLMVersion": vllm.__version__,
        "TorchVersion": str(torch.__version__),
        "PythonVersion": platform.python_version(),
        "Device": current_platform.device_type,
        "DeviceName": current_platform.get_device_name(),
        "Model": config.model_config.model,
        "Dtype": str(config.model_config.dtype).removeprefix("torch."),
        "LoadFormat": str(config.load_config.load_format),
        "Runner": config.model_config.runner_type,
        "TensorParallelSize": config.parallel_config.tensor_parallel_size,
        "VocabSize": config.model_config.get_vocab_size(),
        "MaxModelLen": config.model_config.max_model_len,
        "MaxNumSeqs": config.scheduler_config.max_num_seqs,
        "MaxNumBatchedTokens": config.scheduler_config.max_num_batched_tokens,
        "SchedulingPolicy": config.scheduler_config.policy,
        "EnablePrefixCaching": bool(config.cache_config.enable_prefix_caching),
        "KVCacheDtype": config.cache_config.cache_dtype,
        "BlockSize": block_size,
        # vLLM keeps one block for itself (block_pool.py: null_block).
        "KVCacheTokens": max(blocks - 1, 0) * block_size,
    }


def clear_frames(error):
    """Frees the local variables of an exception's frames, and of those that it comes from."""
    for each in chained(error):
        traceback.clear_frames(each.__traceback__)
