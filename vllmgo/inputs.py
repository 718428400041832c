"""What a request is made of: its prompt, sampling parameters, LoRA adapter and priority, as vLLM takes them."""

import json
import os

from vllmgo_bridge import Refused, check_names


class Inputs:
    """Turns what Go sent into what vLLM takes, for one vllm.LLM."""

    def __init__(self, llm):
        self.llm = llm
        self.adapters = Adapters(llm.llm_engine)
        self.known_params = {}  # see params
        self.by_priority = llm.llm_engine.vllm_config.scheduler_config.policy == "priority"

    def for_generate(self, unpacked, failed):
        """Prompts, sampling parameters, LoRA adapters and priorities as LLM.generate takes them: one object of sampling
        parameters when all requests have the same, and None for what nobody has. failed is called with the index of a
        prompt that raises."""
        prompts, params, options = unpacked
        if len(params) == 1 and not options and self.has_tokenizer_for(prompts):
            return prompts, self.params(params[0], False), None, None
        requests = []
        for i in range(len(prompts)):
            try:
                requests.append(self.request(unpacked, i, False))
            except Exception:
                failed(i)
                raise
        prompts, params, adapters, priorities = map(list, zip(*requests, strict=True))
        return prompts, params, adapters if any(adapters) else None, priorities if any(priorities) else None

    def request(self, unpacked, i, stream):
        """The prompt, sampling parameters, LoRA adapter and priority of one request."""
        _, params, _ = unpacked
        prompt, adapter, priority = self.prompt(unpacked, i)
        return prompt, self.params(params[min(i, len(params) - 1)], stream), adapter, priority

    def prompt(self, unpacked, i):
        """The prompt, LoRA adapter and priority of one request."""
        prompts, _, options = unpacked
        prompt, own = prompts[i], (options[i] if options else None) or {}
        if isinstance(prompt, str) and not self.has_tokenizer_for([prompt]):
            kind = "text" if prompt else "empty"
            raise Refused(f"the prompt is {kind}, and the engine has no tokenizer (SkipTokenizerInit): give token IDs")
        priority = own.get("priority", 0)
        if priority and not self.by_priority:
            raise Refused('priorities need EngineArgs.SchedulingPolicy "priority"')
        if "embeddings" in own:
            prompt = self.embeddings(prompt["prompt_embeds"])
        tokenization = own.get("tokenization_kwargs")
        if prompt is None:
            prompt = self.render(own["chat"], tokenization)
        elif tokenization:
            prompt = token_ids(self.llm._preprocess_cmpl_one(prompt, tokenization))
        if salt := own.get("cache_salt"):
            prompt = ({"prompt": prompt} if isinstance(prompt, str) else dict(prompt)) | {"cache_salt": salt}
        adapter = self.adapters.request(*own["adapter"]) if "adapter" in own else None
        return prompt, adapter, priority

    def embeddings(self, values):
        """A prompt of embeddings. vLLM does not check their length, and would end the engine."""
        config = self.llm.llm_engine.vllm_config.model_config
        if not config.enable_prompt_embeds:
            raise Refused("embeddings need the engine argument enable_prompt_embeds")
        if values.shape[1] != config.get_hidden_size():
            raise Refused(f"the embeddings have length {values.shape[1]}; the model's have {config.get_hidden_size()}")
        return {"prompt_embeds": values.to(config.dtype)}

    def has_tokenizer_for(self, prompts):
        return self.llm.llm_engine.tokenizer is not None or not any(isinstance(prompt, str) for prompt in prompts)

    def params(self, text, stream):
        """The SamplingParams that JSON stands for.

        vLLM copies them for each request, so that one object serves all requests with the same text.
        """
        known = self.known_params.get((text, stream))
        if known is None:
            from vllm.sampling_params import RequestOutputKind

            if len(self.known_params) >= 1000:
                self.known_params.clear()
            known = sampling_params(json.loads(text))
            known.output_kind = RequestOutputKind.DELTA if stream else RequestOutputKind.FINAL_ONLY
            self.known_params[text, stream] = known
        return known

    def render(self, chat, tokenization):
        """The token IDs of a conversation, as LLM.chat makes them."""
        if self.llm.llm_engine.tokenizer is None:
            raise Refused("a chat needs the tokenizer, and the engine was made with SkipTokenizerInit")
        messages = chat.pop("messages")
        more = {"tokenization_kwargs": tokenization} if tokenization else {}
        return token_ids(self.llm._preprocess_chat_one(messages, **chat, **more))


def token_ids(engine_input):
    return {"prompt_token_ids": engine_input["prompt_token_ids"]}


def keeps_places():
    """Whether vLLM notices that an adapter's place among those that it computes with has changed. Where it does not, as in
    0.24, a step may use the adapter that was there before."""
    from vllm.lora.model_manager import LoRAModelManager

    return "_last_slot_layout" in LoRAModelManager.set_adapter_mapping.__code__.co_names


class Adapters:
    """The LoRA adapters of an engine.

    vLLM tells adapters apart by numbers, and tells their blocks in the prefix cache apart by name and path. A number and a
    name are therefore used once: an adapter that was dropped, retrained and loaded again is another one.
    """

    def __init__(self, engine):
        self.engine = engine
        self.config = engine.vllm_config.lora_config
        self.loaded = {}  # name → LoRARequest
        # vLLM numbers adapters of modalities from 1.
        self.last_number = len(getattr(self.config, "default_mm_loras", None) or {})

    def request(self, name, path):
        """The LoRARequest of an adapter, which is loaded on its first use.

        It is loaded here, on its own: an adapter that cannot be loaded would end the engine in a step.
        """
        from vllm.lora.request import LoRARequest
        from vllm.v1.engine.exceptions import EngineDeadError

        if self.config is None:
            raise Refused(f"the LoRA adapter {name} needs EngineArgs.EnableLoRA")
        known = self.loaded.get(name)
        if known is not None and known.lora_path != path:
            raise Refused(f"there is a LoRA adapter {name} already, from {known.lora_path}: drop it, or use another name")
        if not os.path.isfile(os.path.join(path, "adapter_config.json")):  # vLLM may have to load it again, too
            raise Refused(f"the LoRA adapter {name}: the folder {path} has no adapter_config.json")
        if known is not None:
            return known
        if not keeps_places() and len(self.loaded) >= self.config.max_loras:
            raise Refused(
                f"the LoRA adapter {name}: this vLLM confuses adapters when it has more of them than max_loras "
                f"({self.config.max_loras}): drop one, raise EngineArgs.MaxLoRAs, or use a later vLLM"
            )
        self.last_number += 1
        request = LoRARequest(f"{name}#{self.last_number}", self.last_number, path)
        try:
            loaded = self.engine.add_lora(request)
        except EngineDeadError:
            raise
        except Exception as error:
            self.engine.remove_lora(request.lora_int_id)  # it may have a place, though it could not be loaded
            reason = str(error).removeprefix("Call to add_lora method failed: ")
            raise Refused(f"the LoRA adapter {name} cannot be loaded from {path}: {reason}") from error
        if not loaded:
            raise Refused(f"the LoRA adapter {name} cannot be loaded from {path}: vLLM refused it; see its log")
        self.loaded[name] = request
        return request

    def drop(self, name):
        """Drops an adapter, and returns whether there was one."""
        request = self.loaded.pop(name, None)
        if request is not None:
            self.engine.remove_lora(request.lora_int_id)
        return request is not None

    def names(self):
        if self.config is None:
            return []
        numbers = self.engine.list_loras()
        return sorted(name for name, request in self.loaded.items() if request.lora_int_id in numbers)


def sampling_params(fields):
    """A SamplingParams of what Go's struct of the same name says."""
    from vllm import SamplingParams
    from vllm.sampling_params import RepetitionDetectionParams

    check_names(fields, SamplingParams, "sampling parameter")
    fields = dict(fields)
    if fields.get("max_tokens") == -1:
        fields["max_tokens"] = None
    if "logit_bias" in fields:
        fields["logit_bias"] = {int(token): bias for token, bias in fields["logit_bias"].items()}
    if "structured_outputs" in fields:
        fields["structured_outputs"] = structured_outputs(fields["structured_outputs"])
    if "repetition_detection" in fields:
        fields["repetition_detection"] = RepetitionDetectionParams(**fields["repetition_detection"])
    return SamplingParams(**fields)


def structured_outputs(fields):
    from vllm.sampling_params import StructuredOutputsParams

    return None if fields is None else StructuredOutputsParams(**fields)


def beam_search_params(text):
    """The BeamSearchParams of what Go's struct of the same name says."""
    from vllm.sampling_params import BeamSearchParams

    fields = json.loads(text)
    check_names(fields, BeamSearchParams, "beam search parameter")
    if "structured_outputs" in fields:
        fields["structured_outputs"] = structured_outputs(fields["structured_outputs"])
    return BeamSearchParams(**fields)


def pooling_params(text):
    """The PoolingParams of what Go's struct of the same name says."""
    from vllm import PoolingParams

    fields = json.loads(text)
    check_names(fields, PoolingParams, "pooling parameter")
    return PoolingParams(**fields)
