"""One vllm.LLM and what Go needs around it: see scheduler.go for how its methods are used."""

import contextlib
import gc
import json
import multiprocessing
import os
import threading
import time
from array import array
from collections import Counter, namedtuple

from vllmgo_alone import Alone, HandedOver
from vllmgo_bridge import Cancelled, Refused, check_args, explain_invalid, prefers_own_process
from vllmgo_counters import Counters
from vllmgo_folder import PrivateFolder
from vllmgo_inputs import Inputs, beam_search_params, pooling_params
from vllmgo_packing import pack, pack_beams, pack_pooled, unpack
from vllmgo_pools import Pools
from vllmgo_runtime import (
    allow_amx,
    clear_frames,
    cpu_threads,
    describe,
    forget_engine,
    mixes_adapters,
    wake_when_dead,
)

_loading = threading.Lock()  # engines load one at a time: the mode and the thread binding are process-wide
_in_process = None  # the open in-process Engine: vLLM's distributed state allows one

# What Go writes into Engine.signal, and Engine.step_for_llm obeys. See scheduler.go.
GO_ON, STOP, HAND_OVER = 0, 1, 2

Request = namedtuple("Request", "batch index stream")  # one of the step loop


class Engine:
    """Every method runs on the LLM's own thread, but for metrics."""

    def __init__(self, arguments, own_process, signal):
        self.signal = signal
        with _loading:
            self.folder = PrivateFolder()
            try:
                with self.folder.in_use():
                    self.load(json.loads(arguments), own_process)
            except BaseException:
                self.folder.remove()
                raise

    def load(self, kwargs, own_process):
        global _in_process
        import pydantic
        import vllm
        from vllm import envs

        self.own_process = prefers_own_process() if own_process is None else own_process
        if not self.own_process and _in_process is not None:
            raise Refused("an in-process engine is open already, and vLLM allows one: close it, or use own-process")
        check_args(kwargs)
        # vLLM caches its environment once an engine runs; the next engine's settings must be read afresh.
        with contextlib.suppress(AttributeError):
            envs.disable_envs_cache()
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1" if self.own_process else "0"
        self.llm = None
        self.alone = None  # the Alone that runs
        self.requests = {}  # of the step loop: external request ID → Request, in the order in which they were added
        self.serial = 0  # see add
        self.refused = {}  # see add
        self.taken_back = set()  # see take_back
        self.handed_over, self.failed = 0, -1  # see generate
        self.leftovers, self.held_gc = None, False  # see tidy
        self.early = []  # outputs of a batch that was handed over, from before the step loop
        self.counters = None
        try:
            allow_amx()
            with cpu_threads(kwargs) as self.threads:
                others = set(multiprocessing.active_children())
                start = time.perf_counter_ns()
                self.llm = vllm.LLM(**kwargs)
                self.load_ns = time.perf_counter_ns() - start
            self.processes = [each for each in multiprocessing.active_children() if each not in others]
            self.max_num_seqs = self.llm.llm_engine.vllm_config.scheduler_config.max_num_seqs
            self.inputs = Inputs(self.llm)
            self.hook()
            self.pools = Pools(self.llm, self.raw_add_request, self.raw_step, mixes_adapters())
            wake_when_dead(self.llm.llm_engine.engine_core)
            if not self.own_process:
                _in_process = self
            # Collections need not walk what an engine and vLLM's modules have, while the engine lives.
            gc.collect()
            gc.freeze()
        except BaseException as error:
            clear_frames(error)  # before the memory of what was loaded is given back
            if self.llm is not None:
                self.close()
            elif not self.own_process:
                forget_engine()
            if isinstance(error, pydantic.ValidationError):
                raise Refused(explain_invalid(error)) from error
            raise

    def hook(self):
        """Replaces methods of this one instance of LLMEngine, since vLLM offers no hook.

        Calls such as LLM.generate can be left only where the engine's state is whole: between two steps.
        """
        engine = self.llm.llm_engine
        self.raw_step, self.raw_add_request = engine.step, engine.add_request
        engine.step, engine.add_request = self.step_for_llm, self.add_request_for_llm
        if engine.logger_manager is not None:
            self.counters = Counters(engine)

    def obey(self):
        """Raises what Go's signal asks for."""
        signal = self.signal[0]
        if signal == STOP:
            raise Cancelled
        if signal == HAND_OVER and self.alone is not None:
            raise HandedOver

    def add_request_for_llm(self, *args, **kwargs):
        """What LLMEngine.add_request is for the methods of LLM."""
        self.obey()
        id = self.raw_add_request(*args, **kwargs)
        if self.alone is not None:
            self.alone.added += 1
        return id

    def step_for_llm(self):
        """What LLMEngine.step is for the methods of LLM."""
        self.obey()
        alone = self.alone
        if alone is not None:
            alone.stepped = True
        outputs = self.raw_step()
        if alone is not None:
            alone.finished.extend(outputs)
            if alone.report is not None:
                alone.finished_tokens += sum(len(c.token_ids) for output in outputs for c in output.outputs)
                if time.monotonic() >= alone.next_report:
                    alone.next_report = time.monotonic() + 0.1
                    alone.report(len(alone.finished), alone.finished_tokens + sum(self.generated().values()))
        return outputs

    def metrics(self):
        if self.counters is None:
            raise Refused("the engine keeps no statistics: set EngineArgs.DisableLogStats to new(false)")
        if self.llm.llm_engine.has_unfinished_requests():
            return self.counters.values
        # The last step may have been one of requests that were removed after it.
        return self.counters.values | {"Running": 0, "Waiting": 0, "KVCacheUsage": 0.0}

    def info(self):
        return describe(self.llm.llm_engine.vllm_config) | {
            "EngineMode": "own-process" if self.own_process else "in-process",
            "CPUThreads": self.threads,
            "LoadTime": self.load_ns,
        }

    def mixes_adapters(self):
        return mixes_adapters()

    def attribute(self, name):
        return getattr(self, name)

    def default_sampling_params(self):
        """What LLM.generate uses when it is given no SamplingParams, in JSON."""
        return json.dumps(self.llm.llm_engine.vllm_config.model_config.get_diff_sampling_param())

    # ---- generation ----

    def generate(self, batch, packed, report):
        """Calls LLM.generate once. Returns None when the batch was handed over to the step loop: handed_over is then the
        number of its prompts that are in the engine, which are its first. After an exception, failed is the index of the
        prompt that raised it, or -1.

        From here to tidy, which must follow, the garbage collector rests: its walks through Python's objects would hold up
        the engine. Reference counts go on freeing what is not used any more.
        """
        self.held_gc = gc.isenabled()
        gc.disable()
        self.failed = -1
        self.check_runner("generate")
        sent = unpack(packed)
        prompts, params, adapters, priorities = self.inputs.for_generate(sent, self.fail)
        alone = Alone(batch, report)
        self.alone = alone
        try:
            start_ns = time.perf_counter_ns()
            outputs = self.llm.generate(prompts, params, use_tqdm=False, lora_request=adapters, priority=priorities)
            elapsed_ns = time.perf_counter_ns() - start_ns
            self.leftovers = sent, prompts, outputs, alone
            return pack(outputs, elapsed_ns, sent[0])
        except HandedOver:
            # Nothing but this batch's requests is in the engine, and their external IDs are numbers that ascend.
            self.early = alone.finished
            states = self.llm.llm_engine.output_processor.request_states.values()
            ids = {state.external_req_id for state in states} | {output.request_id for output in alone.finished}
            self.requests = {id: Request(batch, index, False) for index, id in enumerate(sorted(ids, key=int))}
            self.handed_over = len(ids)
            return None
        except BaseException:
            if not alone.stepped:
                self.failed = alone.added
            self.abort_all()
            raise
        finally:
            self.alone = None

    def fail(self, index):
        self.failed = index

    def tidy(self):
        """Frees what a generation leaves, once its caller has the outputs and need not wait for it."""
        self.leftovers = None
        if self.held_gc:
            gc.enable()

    def add(self, batches, indices, streams, packed):
        """Adds requests to the step loop. batches (int64), indices (int32) and streams (bool) are buffers with an element
        for each: its batch, its prompt's index there, and whether the batch is a stream.

        Returns the positions (int32) of the requests that were refused; see refuse. An exception means that the engine
        failed.
        """
        from vllm.v1.engine.exceptions import EngineDeadError

        self.refused = {}
        batches, indices = memoryview(batches).cast("q"), memoryview(indices).cast("i")
        unpacked = unpack(packed)
        for position, (batch, index, stream) in enumerate(zip(batches, indices, streams, strict=True)):
            # The ID is used once. An output of a request that was taken back must not belong to its next attempt.
            self.serial += 1
            id = f"{batch}.{index}.{self.serial}"
            try:
                self.check_runner("generate")
                prompt, params, adapter, priority = self.inputs.request(unpacked, position, bool(stream))
                prompt = self.llm._preprocess_cmpl_one(prompt)
                self.raw_add_request(id, prompt, params, lora_request=adapter, priority=priority)
            except EngineDeadError:
                raise
            except Exception as error:
                self.llm.llm_engine.abort_request([id])  # some of its completions may be there
                self.refused[position] = error
            else:
                self.requests[id] = Request(batch, index, bool(stream))
        return array("i", self.refused).tobytes()

    def refuse(self, position):
        """Raises the exception with which add refused a request."""
        raise self.refused.pop(position)

    def take_back(self, need):
        """Takes requests out of the engine, so that as many requests as need says, which come next, run at once.

        vLLM serves the requests in the order in which they came. Those for which there is no room yet are taken back; if
        there is none for the next ones either, so are the newest of the batches with most requests, once each, and not
        those of streams. They begin again later. Returns the batches (int64) and indices (int32) of what was taken.
        """
        config = self.llm.llm_engine.vllm_config
        cache = config.cache_config
        capacity = (cache.num_gpu_blocks or 0) * (cache.block_size or 0)  # in tokens; 0 if it is not known
        states = {}
        for state in self.llm.llm_engine.output_processor.request_states.values():
            states.setdefault(state.external_req_id, []).append(state)
        running, waiting, slots, tokens = [], [], config.scheduler_config.max_num_seqs, capacity
        for id in self.requests:
            own = states.get(id)
            if own is None:
                continue  # it has ended, and its output is in early
            generated = sum(state.detokenizer.num_output_tokens() for state in own)
            size = generated + sum(state.prompt_len for state in own)
            # After the first that waits, whatever comes later waits too.
            if generated == 0 and (waiting or len(own) > slots or capacity and size > tokens):
                waiting.append(id)
            else:
                running.append(id)
                slots, tokens = slots - len(own), tokens - size
        while need > 0 and (slots < need or capacity and tokens < capacity // 20):
            id = self.newest_of_largest(running)
            if id is None:
                break
            running.remove(id)
            self.taken_back.add((self.requests[id].batch, self.requests[id].index))
            waiting.append(id)
            slots += len(states[id])
            tokens += sum(state.prompt_len + state.detokenizer.num_output_tokens() for state in states[id])
        taken = [self.requests.pop(id) for id in waiting]
        if waiting:
            self.llm.llm_engine.abort_request(waiting)
        return {
            "Batches": array("q", [request.batch for request in taken]).tobytes(),
            "Indices": array("i", [request.index for request in taken]).tobytes(),
        }

    def newest_of_largest(self, ids):
        """The newest request of the batch with most of the requests, of those that take_back may interrupt; or None."""
        requests = {id: self.requests[id] for id in ids if not self.requests[id].stream}
        sizes = Counter(request.batch for request in requests.values())
        for batch, size in sizes.most_common():
            if size < 2:
                return None
            for id in reversed(requests):
                request = requests[id]
                if request.batch == batch and (batch, request.index) not in self.taken_back:
                    return id
        return None

    def step(self):
        """One step of the step loop. Returns None when nothing came of it."""
        outputs, self.early = self.early or self.raw_step(), []
        if not outputs:
            return None
        batches, indices, finished = array("q"), array("i"), bytearray()
        for output in outputs:
            request = self.requests[output.request_id]
            batches.append(request.batch)
            indices.append(request.index)
            finished.append(output.finished)
            if output.finished:
                del self.requests[output.request_id]
        packed = pack(outputs, 0)
        packed |= {"Batches": batches.tobytes(), "Indices": indices.tobytes(), "Finished": bytes(finished)}
        return packed

    def generated(self):
        """The number of tokens that unfinished requests have so far, by batch."""
        counts = {}
        for state in self.llm.llm_engine.output_processor.request_states.values():
            request = self.alone or self.requests.get(state.external_req_id)
            if request is None:
                continue
            batch = request.batch
            counts[batch] = counts.get(batch, 0) + state.detokenizer.num_output_tokens()
        return counts

    def abort(self, batch):
        """Removes a batch's unfinished requests from the step loop."""
        ids = [id for id, request in self.requests.items() if request.batch == batch]
        self.llm.llm_engine.abort_request(ids)
        for id in ids:
            del self.requests[id]
        self.early = [output for output in self.early if output.request_id in self.requests]
        self.taken_back = {each for each in self.taken_back if each[0] != batch}

    def abort_all(self):
        """Removes every unfinished request: the next call would run and return them."""
        engine = self.llm.llm_engine
        engine.abort_request(list(engine.output_processor.request_states), internal=True)
        self.requests, self.early, self.taken_back = {}, [], set()
        self.pools.clear()

    def beam_search(self, packed):
        self.check_runner("generate")
        unpacked = unpack(packed)
        prompts, adapters, _ = map(list, zip(*(self.inputs.prompt(unpacked, i) for i in range(len(unpacked[0]))), strict=True))
        if any(isinstance(prompt, dict) and "prompt_embeds" in prompt for prompt in prompts):
            raise Refused("beam search takes no embeddings")
        self.check_mix(adapters)
        prompts = [self.llm._preprocess_cmpl_one(prompt)["prompt_token_ids"] for prompt in prompts]
        try:
            start_ns = time.perf_counter_ns()
            outputs = self.llm.beam_search(
                [{"prompt_token_ids": prompt} for prompt in prompts], beam_search_params(unpacked[1][0]),
                lora_request=adapters if any(adapters) else None,
            )  # fmt: skip
            return pack_beams(prompts, outputs, time.perf_counter_ns() - start_ns)
        except BaseException:
            self.abort_all()
            raise

    def check_runner(self, runner):
        config = self.llm.llm_engine.vllm_config.model_config
        if config.runner_type != runner:
            raise Refused(
                f"{config.model} was loaded for {'embeddings and the like' if runner == 'generate' else 'generation'}: "
                f'load it with EngineArgs.Runner "{runner}", if it can do that'
            )

    def check_mix(self, adapters):
        if any(adapters) and not all(adapters) and not mixes_adapters():
            raise Refused(
                "on a CPU, vLLM would apply an adapter to the prompts without one too: make a call for the prompts with an "
                "adapter, and another one for the rest"
            )

    # ---- pooling ----

    def begin_encode(self, id, packed, task):
        """Begins embeddings, classes or rewards: LLM.encode."""
        self.failed = -1
        self.check_runner("pooling")
        if task not in self.llm.supported_tasks:
            raise Refused(
                f"the model does not support {task!r}; it supports {', '.join(sorted(self.llm.supported_tasks))}"
            )
        unpacked = unpack(packed)
        prompts, adapters = [], []
        for i in range(len(unpacked[0])):
            self.failed = i
            prompt, adapter, _ = self.inputs.prompt(unpacked, i)
            prompts.append(prompt)
            adapters.append(adapter)
        self.failed = -1
        if not hasattr(self.llm, "_run_tiling_engine"):  # vLLM 0.24, where a Pool runs all its requests at once
            self.check_mix(adapters)
        params = [pooling_params(text) for text in unpacked[1]]
        adapters = adapters if any(adapters) else None
        self.pools.begin(id, lambda: pack_pooled(self.llm.encode(
            prompts, params * len(prompts) if len(params) == 1 else params, use_tqdm=False, lora_request=adapters,
            pooling_task=task,
        )))  # fmt: skip

    def begin_score(self, id, queries, documents, params):
        """Begins scores: LLM.score."""
        self.failed = -1
        self.check_runner("pooling")
        queries = queries[0] if len(queries) == 1 else queries
        params = pooling_params(params)
        self.pools.begin(id, lambda: array("f", [output.outputs.score for output in self.llm.score(
            queries, documents, use_tqdm=False, pooling_params=params,
        )]).tobytes())  # fmt: skip

    def step_pools(self):
        return self.pools.step()

    def pool_result(self, id):
        try:
            return self.pools.result(id)
        finally:
            self.failed = self.pools.failed

    def drop_pool(self, id):
        self.pools.drop(id)

    # ---- control ----

    def load_lora(self, name, path):
        self.inputs.adapters.request(name, path)

    def drop_lora(self, name):
        return self.inputs.adapters.drop(name)

    def loaded_loras(self):
        return self.inputs.adapters.names()

    def llm_method(self, name, args, kwargs):
        """Calls a method of LLM without a result, if this vLLM has it."""
        method = getattr(self.llm, name, None)
        if method is None:
            import vllm

            raise Refused(f"vLLM {vllm.__version__} has no LLM.{name}")
        method(*args, **kwargs)

    def collective_rpc(self, method, arguments):
        args, kwargs = json.loads(arguments)
        results = self.llm.collective_rpc(method, args=tuple(args), kwargs=kwargs or {})
        try:
            return json.dumps(results)
        except (TypeError, ValueError) as error:
            raise Refused(f"the result of {method} has no form in JSON: {error}") from error

    def reset_prefix_cache(self):
        if not self.llm.reset_prefix_cache():
            raise Refused("vLLM did not reset the prefix cache: some of its blocks are in use")

    def sleep(self, level):
        from vllm.platforms import current_platform

        if not current_platform.is_sleep_mode_available():
            raise Refused(f"vLLM has no sleep mode on this platform ({current_platform.device_type}): it needs a GPU")
        if not self.llm.llm_engine.vllm_config.model_config.enable_sleep_mode:
            raise Refused("Sleep needs EngineArgs.EnableSleepMode")
        self.llm.sleep(level=level)

    def wake_up(self, tags):
        self.llm.wake_up(tags or None)

    def is_sleeping(self):
        return self.llm.llm_engine.is_sleeping()

    def tokenizer(self):
        tokenizer = self.llm.llm_engine.tokenizer
        if tokenizer is None:
            raise Refused("the engine has no tokenizer: it was made with SkipTokenizerInit")
        return tokenizer

    def kill(self):
        """Kills the engine's processes; their own children go with them. Runs on any thread."""
        for process in self.processes:
            process.kill()

    def close(self):
        global _in_process
        engine, self.llm, self.inputs, self.pools, self.leftovers = self.llm.llm_engine, None, None, None, None
        # The instances' own methods close over the engine; without this the cycle keeps the model.
        engine.__dict__.pop("step", None)
        engine.__dict__.pop("add_request", None)
        engine.engine_core.__dict__.pop("get_output", None)
        self.raw_step = self.raw_add_request = self.counters = None
        gc.unfreeze()
        try:
            engine.engine_core.shutdown()
        finally:
            del engine
            self.processes = []
            self.folder.remove()
            if self.own_process:
                gc.collect()
            else:
                _in_process = None
                forget_engine()
