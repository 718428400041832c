"""What needs no engine: settings, models, tokenizers, processes. Go calls these functions; see bridge.go.

With engine.py and packing.py, these are the only lines of vllmgo that know vLLM's Python API. Outputs come to Go by
another way: engine.py steps the engine, packing.py packs the new tokens, and step_loop.go hands them to streams.
"""

import dataclasses
import difflib
import inspect
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import types
import typing


class Refused(ValueError):
    """A setting or an input that cannot work. The message is complete; Go shows it without a traceback."""


class ModelNotFound(Refused):
    """No such model here, in the local cache, or on the hub."""


class Cancelled(BaseException):
    """Raised where an engine loads, or between two of its steps, when the caller's context has ended.

    It is not an Exception, which logging and others would catch.
    """


# ---- settings ----


def refuse_unknown(names, known, what):
    """Refuses names that this vLLM does not know, and says which one may have been meant."""
    import vllm

    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Refused(f"vLLM {vllm.__version__} has no {what} {name}{hint}")


def check_names(fields, struct, what):
    """refuse_unknown for the fields of a msgspec struct."""
    refuse_unknown(fields, [name for name in struct.__struct_fields__ if not name.startswith("_")], what)


def engine_arguments():
    """The names of everything that vllm.LLM takes."""
    import vllm
    from vllm.engine.arg_utils import EngineArgs

    names = {field.name for field in dataclasses.fields(EngineArgs)}
    return sorted(names | inspect.signature(vllm.LLM.__init__).parameters.keys() - {"self", "kwargs"})


def sampling_parameters():
    """The names of everything that vllm.SamplingParams takes."""
    from vllm import SamplingParams

    return sorted(name for name in SamplingParams.__struct_fields__ if not name.startswith("_"))


def llm_parameters():
    """What vllm.LLM's methods take: "method" for each, and "method.parameter"."""
    import vllm

    names = []
    for name, method in inspect.getmembers(vllm.LLM, callable):
        if not name.startswith("_"):
            names += [name, *(f"{name}.{each}" for each in inspect.signature(method).parameters if each != "self")]
    return sorted(names)


def fields_of(name):
    """The names of what vLLM's BeamSearchParams, PoolingParams or a kind of prompt takes."""
    import vllm.inputs
    import vllm.sampling_params

    if name == "prompts":
        kinds = (vllm.inputs.TextPrompt, vllm.inputs.TokensPrompt, vllm.inputs.EmbedsPrompt)
        return sorted({field for kind in kinds for field in kind.__annotations__})  # inherited ones, too
    known = {"beam_search_parameters": vllm.sampling_params.BeamSearchParams, "pooling_parameters": vllm.PoolingParams}
    return sorted(field for field in known[name].__struct_fields__ if not field.startswith("_"))


def check_args(kwargs):
    """Refuses what can be seen to be wrong before anything is loaded."""
    from vllm.config.model import ModelDType

    check_environment()
    refuse_unknown(kwargs, engine_arguments(), "engine argument")
    check_types(kwargs)
    dtypes = typing.get_args(ModelDType)
    dtype = kwargs.get("dtype", "auto")
    if dtype not in dtypes:
        raise Refused(f"dtype {dtype!r} is none of {', '.join(dtypes)}")
    backend = kwargs.get("distributed_executor_backend")
    if backend not in (None, "mp", "ray", "uni", "external_launcher") and "." not in backend:
        raise Refused(f"distributed_executor_backend {backend!r} is none of mp, ray, uni, external_launcher")
    formats = load_formats()
    if formats and kwargs.get("load_format", "auto") not in formats:
        raise Refused(f"load_format {kwargs['load_format']!r} is none of {', '.join(formats)}")
    find_model(kwargs["model"], kwargs.get("revision"))
    check_weights(kwargs["model"])
    if "tokenizer" in kwargs and not kwargs.get("skip_tokenizer_init"):
        find_tokenizer(kwargs["tokenizer"], kwargs.get("tokenizer_revision"))
    check_ranks(kwargs)


def check_environment():
    """Refuses a variable of vLLM's whose value it cannot read, and names it."""
    from vllm import envs

    for name, read in envs.environment_variables.items():
        value = os.environ.get(name)
        if value is None:
            continue
        try:
            read()
        except Exception as error:
            raise Refused(f"the environment has {name}={value}, which vLLM cannot read: {error}") from error
    space = os.environ.get("VLLM_CPU_KVCACHE_SPACE")
    if space and float(space) < 0:
        raise Refused(f"the environment has VLLM_CPU_KVCACHE_SPACE={space}: it must be a number of GiB, 0 or more")


def check_weights(model):
    """Refuses files of weights in a folder that are not what they seem: such a file would be found out much later."""
    if not os.path.isdir(model):
        return
    for name in sorted(os.listdir(model)):
        if not name.endswith((".safetensors", ".bin", ".pt", ".gguf")):
            continue
        path = os.path.join(model, name)
        with open(path, "rb") as file:
            start = file.read(40)
            if start.startswith(b"version https://git-lfs"):
                raise Refused(f"{path} is a Git LFS pointer and no weights: get the file with `git lfs pull`")
            if name.endswith(".safetensors") and (missing := missing_bytes(file, start)):
                raise Refused(f"{path} is cut off: {missing} bytes of weights are missing; get the file again")


def missing_bytes(file, start):
    """The number of bytes by which a file of safetensors is too short; 0 when its header cannot be read."""
    length = int.from_bytes(start[:8], "little")
    size = os.fstat(file.fileno()).st_size
    if length > min(size, 100_000_000):
        return 0
    file.seek(8)
    try:
        tensors = json.loads(file.read(length))
        ends = [tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return 0
    return max(0, 8 + length + max(ends, default=0) - size)


def set_environment(changed):
    """Takes over what the Go program has set (or, with None, unset) in its environment since the last time."""
    for name, value in changed.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
        if name in ("TMPDIR", "TEMP", "TMP"):
            tempfile.tempdir = None


def check_types(kwargs):
    """Refuses values of the wrong type where the type is a plain one: vLLM computes with some before it checks them."""
    from vllm.engine import arg_utils

    annotations = {field.name: field.type for field in dataclasses.fields(arg_utils.EngineArgs)}
    plain = {int: int, float: (int, float), str: str, bool: bool, types.NoneType: types.NoneType}
    for name, value in kwargs.items():
        hint = annotations.get(name)
        if isinstance(hint, str):
            try:
                hint = eval(hint, vars(arg_utils))
            except NameError:  # imported for type checkers only, and so no plain type
                continue
        allowed = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
        if not all(each in plain for each in allowed):
            continue
        if not any(isinstance(value, plain[each]) and (type(value) is bool) == (each is bool) for each in allowed):
            names = " or ".join("None" if each is types.NoneType else each.__name__ for each in allowed)
            raise Refused(f"{name} is {value!r}: it must be {names}")


def load_formats():
    """The formats that weights can be loaded from; none when this vLLM does not say."""
    try:
        from vllm.model_executor.model_loader import _LOAD_FORMAT_TO_MODEL_LOADER
    except ImportError:
        return []
    return sorted(_LOAD_FORMAT_TO_MODEL_LOADER)


def explain_invalid(error):
    """What pydantic found wrong, with the names of the fields."""
    found = []
    for each in error.errors():
        name = ".".join(str(part) for part in each["loc"])
        message = each["msg"].removeprefix("Value error, ")
        found.append(f"{name} is {each['input']!r}: {message}" if name else message)
    return "; ".join(found)


def find_tokenizer(name, revision=None):
    """Raises ModelNotFound unless the tokenizer is a folder or a file, or is found as a model is."""
    if not os.path.exists(name):
        find_model(name, revision)


def check_ranks(kwargs):
    """Refuses more ranks than there are devices, and a tensor_parallel_size that does not divide the model."""
    from vllm.platforms import current_platform

    size = kwargs.get("tensor_parallel_size", 1)
    ranks = size * kwargs.get("pipeline_parallel_size", 1)
    if ranks == 1:
        return
    count, unit, share = current_platform.device_count(), "GPUs", os.environ.get("CUDA_VISIBLE_DEVICES")
    if current_platform.is_cpu():
        count, unit, share = len(os.sched_getaffinity(0)), "CPU cores", None
    if ranks > count and kwargs.get("distributed_executor_backend") != "ray":
        there = f"{count} {unit}" + (f" (CUDA_VISIBLE_DEVICES={share})" if share is not None else "")
        raise Refused(
            f"tensor_parallel_size × pipeline_parallel_size is {ranks}, but this machine has {there}: "
            f"lower them to a product of at most {count}"
        )
    binding = os.environ.get("VLLM_CPU_OMP_THREADS_BIND") or "auto"
    if current_platform.is_cpu() and binding not in ("auto", "nobind") and binding.count("|") + 1 != ranks:
        raise Refused(
            f"VLLM_CPU_OMP_THREADS_BIND={binding} must have cores for each of the {ranks} ranks (tensor_parallel_size × "
            "pipeline_parallel_size), with | between ranks: correct or unset it"
        )
    check_division(create_model_config(kwargs), size)


def check_division(config, size):
    """Refuses a tensor_parallel_size that does not divide the model: vLLM looks at the attention heads before it loads
    (ModelConfig.verify_with_parallel_config), and its ranks die of the rest (QKVParallelLinear, VocabParallelEmbedding,
    ColumnParallelLinear)."""
    hf, kv_heads = config.hf_text_config, 0 if config.use_mla else config.get_total_num_kv_heads()
    heads = config.model_arch_config.total_num_attention_heads
    vocabulary = -(-config.get_vocab_size() // 64) * 64  # DEFAULT_VOCAB_PADDING_SIZE
    inner = getattr(hf, "intermediate_size", None) or getattr(hf, "ffn_dim", None)
    if not isinstance(inner, int) or config.get_num_experts():  # which may have no layer of that size
        inner = 0

    def obstacle(n):
        if heads % n:
            return f"divide the model's {heads} attention heads"
        if kv_heads % n and n % kv_heads:
            return f"divide the model's {kv_heads} KV heads, nor is it a multiple of them"
        if vocabulary % n:
            return f"divide the model's vocabulary, {vocabulary} token IDs in steps of 64"
        if inner % n:
            return f"divide the model's intermediate size of {inner}"
        return None

    if reason := obstacle(size):
        *most, last = [str(n) for n in range(1, max(heads, 1) + 1) if not obstacle(n)]
        fit = f"{', '.join(most)} and {last} do" if most else "only 1 does"
        raise Refused(f"tensor_parallel_size {size} does not {reason}: {fit}")


def find_model(model, revision=None):
    """Raises ModelNotFound unless the model is a folder, in the local cache, or on the hub."""
    if os.path.isdir(model):
        if not any(os.path.exists(os.path.join(model, name)) for name in ("config.json", "params.json")):
            raise ModelNotFound(f"the folder {model} holds no model: it has neither config.json nor params.json")
        return
    if os.path.isfile(model) or "://" in model or model.endswith(".gguf") and not model.startswith(("/", "./", "../", "~")):
        return  # a file, an object store or a file on the hub, which vLLM itself looks for
    if model.startswith(("/", "./", "../", "~")) or model.count("/") > 1:
        raise ModelNotFound(f"there is no model folder {model}")
    from huggingface_hub import HfApi, constants, try_to_load_from_cache

    model = model.partition(":")[0]  # of a GGUF file's quantization
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


def prefers_own_process():
    """Whether the engine mode auto is own-process: not where a second process would compete with the model for few cores."""
    from vllm.platforms import current_platform

    return not (current_platform.is_cpu() and len(os.sched_getaffinity(0)) <= 4)


def create_model_config(kwargs):
    """vLLM's configuration of a model, without loading it."""
    import pydantic
    from vllm.engine.arg_utils import EngineArgs

    known = {field.name for field in dataclasses.fields(EngineArgs)}
    try:
        return EngineArgs(**{k: v for k, v in kwargs.items() if k in known}).create_model_config()
    except pydantic.ValidationError as error:
        raise Refused(explain_invalid(error)) from error


def model_config(arguments):
    """What Go's ModelConfig holds, from the configuration file alone."""
    kwargs = json.loads(arguments)
    find_model(kwargs["model"], kwargs.get("revision"))
    check_ranks(kwargs)
    config = create_model_config(kwargs)
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
        "ModelType": hf.model_type,
        "HiddenSize": getattr(hf, "hidden_size", 0) or 0,
        "IntermediateSize": getattr(hf, "intermediate_size", None) or getattr(hf, "ffn_dim", None) or 0,
        "Dtype": str(config.dtype).removeprefix("torch."),
        "DtypeBytes": config.dtype.itemsize,
    }


# ---- tokenizer ----


def load_tokenizer(arguments):
    from vllm.tokenizers import get_tokenizer

    kwargs = json.loads(arguments)
    name = kwargs.get("tokenizer") or kwargs["model"]
    revision = kwargs.get("tokenizer_revision" if "tokenizer" in kwargs else "revision")
    find_tokenizer(name, revision)
    return get_tokenizer(
        name, tokenizer_mode=kwargs.get("tokenizer_mode", "auto"),
        trust_remote_code=kwargs.get("trust_remote_code", False), revision=revision,
    )  # fmt: skip


def tokenizer_ids(tokenizer):
    special = {int(token) for token in tokenizer.all_special_ids if token is not None}
    # Most special tokens are not roles such as BOS but added ones: tool calls, images, reserved places.
    added = getattr(tokenizer, "added_tokens_decoder", {})
    special |= {int(index) for index, token in added.items() if getattr(token, "special", False)}
    roles = {}
    for role in ("bos", "eos", "pad"):
        token = getattr(tokenizer, f"{role}_token_id", None)
        roles[f"{role.upper()}TokenID"] = -1 if token is None else int(token)
    # An ID may be higher than there are tokens. Other tokenizers have several IDs for one text: get_vocab() lacks them.
    known = set(tokenizer.get_vocab().values())
    size = max([len(tokenizer), *(index + 1 for index in known)])
    missing = sorted(set(range(size)) - known) if size > len(tokenizer) else []
    return {"VocabSize": size, "SpecialTokenIDs": sorted(special), "MissingTokenIDs": missing} | roles


def encode(tokenizer, text, add_special_tokens):
    return list(tokenizer.encode(text, add_special_tokens=add_special_tokens))


def decode(tokenizer, ids, skip_special_tokens):
    return tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)


def apply_chat_template(tokenizer, chat):
    """The text that the template makes of a conversation."""
    chat = json.loads(chat)
    chat.pop("chat_template_content_format", None)
    messages, more = chat.pop("messages"), chat.pop("chat_template_kwargs", {})
    return tokenizer.apply_chat_template(messages, tokenize=False, **chat, **more)


# ---- processes ----


def import_vllm():
    """Imports vLLM. Runs on Python's main thread, which never ends, before the first engine."""
    import torch

    # Where a torch built for CUDA finds no GPU, FakeTensorMode replaces its device guard by one that belongs to the calling
    # thread (torch 2.11), and the next engine's thread would find it gone.
    getattr(torch._C, "_ensureCUDADeviceGuardSet", lambda: None)()
    import vllm
    import vllm.engine.arg_utils
    from vllm.platforms import current_platform

    return current_platform.device_type, vllm.LLM.__name__  # both are imported on first use


def settle():
    """Takes an exception that was raised for this thread and that has not come yet."""
    try:
        for _ in range(1000):
            pass
    except Cancelled:
        pass


def drop_tracebacks(error):
    """Drops the tracebacks of an exception and of those that it comes from, once Go has their lines.

    Frames of nested functions keep what these refer to, such as a model that did not load, even when they are cleared.
    """
    for each in chained(error):
        each.__traceback__ = None


def chained(error):
    """An exception and those that it comes from."""
    chain = [error]
    for each in chain:
        chain += [e for e in (each.__cause__, each.__context__) if e is not None and e not in chain]
    return chain


def guard_children(path):
    """Makes every process that vLLM spawns run the code at path first; see die_with_parent.py.

    multiprocessing's spawn runs the parent's main file in each child before anything else.
    """
    import __main__

    __main__.__file__ = path
    os.environ["VLLMGO_PARENT_PID"] = str(os.getpid())
    multiprocessing.set_executable(sys.executable)  # and not the Go program


class Stderr:
    """sys.stderr, whose lines go to Go while it has a logger. vLLM's logging writes there."""

    def __init__(self, original, pipe, forward):
        self.original, self.pipe, self.forward = original, pipe, forward

    def write(self, text):
        return (self.pipe if self.forward[0] else self.original).write(text)

    def flush(self):
        (self.pipe if self.forward[0] else self.original).flush()

    def isatty(self):
        return not self.forward[0] and self.original.isatty()

    def __getattr__(self, name):
        return getattr(self.original, name)


def capture_logs(path, forward):
    """Makes child processes, and this one while forward[0] is set, log to the pipe at path."""
    os.environ["VLLMGO_LOG"] = path
    # Line by line, so that lines of several processes do not mix.
    sys.stderr = Stderr(sys.stderr, open(path, "w", buffering=1, encoding="utf-8", errors="replace"), forward)
