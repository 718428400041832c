"""The only lines of vllmgo that know vLLM's Python API. Go calls these functions; see bridge.go."""

import array
import contextlib
import dataclasses
import difflib
import gc
import inspect
import json
import multiprocessing
import os
import sys
import threading
import time
import typing


class Refused(ValueError):
    """A setting or an input that cannot work. The message is complete; Go shows it without a traceback."""


class ModelNotFound(Refused):
    """No such model here, in the local cache, or on the hub."""


class Cancelled(Exception):
    """Raised between two engine steps when the caller's context ended."""


# ---- settings ----


def check_args(kwargs):
    """Refuses what can be seen to be wrong before anything is loaded."""
    import vllm
    from vllm.config.model import ModelDType
    from vllm.engine.arg_utils import EngineArgs

    known = {field.name for field in dataclasses.fields(EngineArgs)}
    known |= inspect.signature(vllm.LLM.__init__).parameters.keys() - {"self", "kwargs"}
    for name in kwargs:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Refused(f"vLLM {vllm.__version__} has no engine argument {name}{hint}")
    dtypes = typing.get_args(ModelDType)
    dtype = kwargs.get("dtype", "auto")
    if dtype not in dtypes:
        raise Refused(f"dtype {dtype!r} is none of {', '.join(dtypes)}")
    if kwargs.get("data_parallel_size", 1) > 1:
        raise Refused(
            "data_parallel_size above 1 does not work with vLLM's offline engine: "
            "run one process per replica, each with its own share of the prompts"
        )
    find_model(kwargs["model"], kwargs.get("revision"))
    check_ranks(kwargs)


def check_ranks(kwargs):
    from vllm.platforms import current_platform

    ranks = kwargs.get("tensor_parallel_size", 1) * kwargs.get("pipeline_parallel_size", 1)
    if kwargs.get("distributed_executor_backend") == "ray" or ranks == 1:
        return
    if current_platform.is_cpu():
        count, unit = len(os.sched_getaffinity(0)), "CPU cores"
    else:
        count, unit = current_platform.device_count(), "devices"
    if ranks > count:
        raise Refused(
            f"tensor_parallel_size × pipeline_parallel_size is {ranks}, but this machine has {count} {unit}: "
            "set them to fit"
        )


def find_model(model, revision=None):
    """Raises ModelNotFound unless the model is a folder, in the local cache, or on the hub."""
    if os.path.isdir(model):
        if not any(os.path.exists(os.path.join(model, name)) for name in ("config.json", "params.json")):
            raise ModelNotFound(f"the folder {model} holds no model: it has neither config.json nor params.json")
        return
    if model.startswith(("/", "./", "../", "~")) or model.count("/") > 1:
        raise ModelNotFound(f"there is no model folder {model}")
    from huggingface_hub import HfApi, constants, try_to_load_from_cache

    cached = try_to_load_from_cache(model, "config.json", revision=revision)
    if isinstance(cached, str) and any(
        name.endswith((".safetensors", ".bin", ".pt", ".gguf")) for name in os.listdir(os.path.dirname(cached))
    ):
        return  # a configuration without weights is what an interrupted download leaves
    advice = "name a folder that holds the model, or make the hub reachable"
    if constants.HF_HUB_OFFLINE:
        raise ModelNotFound(f"the model {model} is not in the local cache and HF_HUB_OFFLINE is set: {advice}")
    # Clients retry an unreachable hub for minutes; a daemon thread bounds the question.
    answer = []

    def ask():
        try:
            HfApi().model_info(model, revision=revision, timeout=4)
            answer.append(None)
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(4.5)
    if not answer:
        raise ModelNotFound(f"the model {model} is not in the local cache and the hub does not answer: {advice}")
    if answer[0] is not None:
        reason = str(answer[0]).strip().splitlines()[0] if str(answer[0]).strip() else type(answer[0]).__name__
        raise ModelNotFound(
            f"the model {model} is not in the local cache and the hub does not give it ({reason}): {advice}"
        )


def detect_device():
    from vllm.platforms import current_platform

    return current_platform.device_type


def model_config(arguments):
    """What Go's ModelConfig holds, from the configuration file alone."""
    from vllm.engine.arg_utils import EngineArgs

    kwargs = json.loads(arguments)
    find_model(kwargs["model"], kwargs.get("revision"))
    known = {field.name for field in dataclasses.fields(EngineArgs)}
    config = EngineArgs(**{k: v for k, v in kwargs.items() if k in known}).create_model_config()
    hf = config.hf_text_config
    special = set()
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "cls_token_id", "unk_token_id"):
        value = getattr(hf, name, None)
        special.update(value if isinstance(value, list) else [] if value is None else [value])
    return {
        "VocabSize": config.get_vocab_size(),
        "SpecialTokenIDs": sorted(special),
        "MaxModelLen": config.max_model_len,
        "NumLayers": config.get_total_num_hidden_layers(),
        "NumKVHeads": config.get_total_num_kv_heads(),
        "HeadDim": config.get_head_size(),
        "NumAttentionHeads": getattr(hf, "num_attention_heads", 0),
        "Dtype": str(config.dtype).removeprefix("torch."),
        "DtypeBytes": config.dtype.itemsize,
    }


# ---- tokenizer ----


def load_tokenizer(arguments):
    from vllm.tokenizers import get_tokenizer

    kwargs = json.loads(arguments)
    name = kwargs.get("tokenizer") or kwargs["model"]
    if not os.path.isdir(name):
        find_model(name, kwargs.get("revision"))
    return get_tokenizer(
        name, trust_remote_code=kwargs.get("trust_remote_code", False), revision=kwargs.get("revision")
    )


def tokenizer_ids(tokenizer):
    special = {int(token) for token in tokenizer.all_special_ids if token is not None}
    # Most special tokens are no roles such as BOS but added ones: tool calls, images, reserved places.
    added = getattr(tokenizer, "added_tokens_decoder", {})
    special |= {int(index) for index, token in added.items() if getattr(token, "special", False)}
    return {"VocabSize": len(tokenizer), "SpecialTokenIDs": sorted(special)}


# ---- engine ----

_loading = threading.Lock()  # engines load one at a time: the mode and the thread binding are process-wide
_in_process = None  # the open in-process Engine: vLLM's distributed state allows one


class Engine:
    """One vllm.LLM and what Go needs around it. Every method but cancel runs on the LLM's own thread."""

    def __init__(self, arguments, own_process):
        with _loading:
            self.load(json.loads(arguments), own_process)

    def load(self, kwargs, own_process):
        global _in_process
        import pydantic
        import vllm
        from vllm import envs

        self.own_process = choose_mode(own_process)
        if not self.own_process and _in_process is not None:
            raise Refused("an in-process engine is open already, and vLLM allows one: close it, or use own-process")
        check_args(kwargs)
        # vLLM caches its environment once an engine runs; the next engine's settings must be read afresh.
        with contextlib.suppress(AttributeError):
            envs.disable_envs_cache()
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1" if self.own_process else "0"
        self.cancelled = False
        self.llm = None
        try:
            with cpu_threads(kwargs) as self.threads:
                start = time.perf_counter_ns()
                self.llm = vllm.LLM(**kwargs)
                self.load_ns = time.perf_counter_ns() - start
            self.check_each_step()
            wake_when_dead(self.llm.llm_engine.engine_core)
            if not self.own_process:
                _in_process = self
        except BaseException as error:
            if self.llm is not None:
                self.close()
            elif not self.own_process:
                forget_engine()
            if isinstance(error, pydantic.ValidationError):
                raise Refused("; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())) from error
            raise

    def check_each_step(self):
        """A cancelled call must stop where the engine's state is whole: between two steps.

        LLM.generate offers no hook there, so this one instance's step asks first.
        """
        step = self.llm.llm_engine.step

        def checked_step():
            if self.cancelled:
                raise Cancelled
            return step()

        self.llm.llm_engine.step = checked_step

    def info(self):
        import platform

        import torch
        import vllm
        from vllm.platforms import current_platform

        config = self.llm.llm_engine.vllm_config
        blocks = config.cache_config.num_gpu_blocks or 0
        block_size = config.cache_config.block_size or 0
        return {
            "VLLMVersion": vllm.__version__,
            "TorchVersion": torch.__version__,
            "PythonVersion": platform.python_version(),
            "Device": current_platform.device_type,
            "DeviceName": current_platform.get_device_name(),
            "EngineMode": "own-process" if self.own_process else "in-process",
            "Model": config.model_config.model,
            "Dtype": str(config.model_config.dtype).removeprefix("torch."),
            "LoadFormat": str(config.load_config.load_format),
            "TensorParallelSize": config.parallel_config.tensor_parallel_size,
            "MaxModelLen": config.model_config.max_model_len,
            "MaxNumSeqs": config.scheduler_config.max_num_seqs,
            "MaxNumBatchedTokens": config.scheduler_config.max_num_batched_tokens,
            "CPUThreads": self.threads,
            "BlockSize": block_size,
            # vLLM keeps one block for itself (block_pool.py: null_block).
            "KVCacheTokens": max(blocks - 1, 0) * block_size,
            "LoadTime": self.load_ns,
        }

    def generate(self, lengths, token_ids, texts, params):
        """Calls LLM.generate once.

        lengths and token_ids are int32 buffers: the prompts' token IDs one after the other. A prompt of length 0
        takes the next of texts. params is a JSON list of SamplingParams: none, one for all, or one a prompt.
        """
        from vllm import SamplingParams
        from vllm.inputs import TokensPrompt

        prompts, start, texts = [], 0, iter(texts)
        ids = memoryview(token_ids).cast("i")
        for length in memoryview(lengths).cast("i"):
            if length == 0:
                prompts.append(next(texts))
            else:
                prompts.append(TokensPrompt(prompt_token_ids=ids[start : start + length].tolist()))
                start += length
        sampling = [SamplingParams(**p) for p in json.loads(params)]
        if len(sampling) < 2:
            sampling = sampling[0] if sampling else None
        try:
            start_ns = time.perf_counter_ns()
            outputs = self.llm.generate(prompts, sampling, use_tqdm=False)
            elapsed_ns = time.perf_counter_ns() - start_ns
        except BaseException:
            self.abort_all()
            raise
        return pack(outputs, elapsed_ns)

    def abort_all(self):
        """Removes every unfinished request: the next call would run and return them."""
        engine = self.llm.llm_engine
        engine.abort_request(list(engine.output_processor.request_states), internal=True)

    def cancel(self, value):
        self.cancelled = value

    def close(self):
        global _in_process
        engine, self.llm = self.llm.llm_engine, None
        # The instance's own step closes over the engine; without this the cycle keeps the model.
        engine.__dict__.pop("step", None)
        try:
            engine.engine_core.shutdown()
        finally:
            del engine
            if self.own_process:
                gc.collect()
            else:
                _in_process = None
                forget_engine()


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


def choose_mode(own_process):
    """None is auto: in process where a second process would compete with the model for few cores."""
    if own_process is not None:
        return own_process
    from vllm.platforms import current_platform

    return not (current_platform.is_cpu() and len(os.sched_getaffinity(0)) <= 4)


def forget_engine():
    """Takes back what an in-process engine leaves in this process, so that the next one can start."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()


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


def pack(outputs, elapsed_ns):
    """Flattens RequestOutputs into buffers: one crossing, no object per token."""
    prompt_lengths, prompt_ids = array.array("i"), array.array("i")
    completions, lengths, ids = array.array("i"), array.array("i"), array.array("i")
    cached = array.array("i")
    texts, reasons, stops = [], [], []
    for output in outputs:
        prompt_lengths.append(len(output.prompt_token_ids))
        prompt_ids.extend(output.prompt_token_ids)
        cached.append(-1 if output.num_cached_tokens is None else output.num_cached_tokens)
        completions.append(len(output.outputs))
        for completion in output.outputs:
            lengths.append(len(completion.token_ids))
            ids.extend(completion.token_ids)
            texts.append(completion.text)
            reasons.append(completion.finish_reason or "")
            stops.append("" if completion.stop_reason is None else str(completion.stop_reason))
    return {
        "PromptLengths": prompt_lengths.tobytes(),
        "PromptIDs": prompt_ids.tobytes(),
        "Cached": cached.tobytes(),
        "Completions": completions.tobytes(),
        "Lengths": lengths.tobytes(),
        "IDs": ids.tobytes(),
        "Texts": texts,
        "Reasons": reasons,
        "Stops": stops,
        "ElapsedNs": elapsed_ns,
    }


# ---- processes ----


def guard_children(path):
    """Makes every process that vLLM spawns run the code at path first; see child.py.

    multiprocessing's spawn runs the parent's main file in each child before anything else.
    """
    import __main__

    __main__.__file__ = path
    os.environ["VLLMGO_PARENT_PID"] = str(os.getpid())
    multiprocessing.set_executable(sys.executable)  # and not the Go program
