"""Poolings (embeddings, classes, rewards, scores) of several callers, merged into one continuous batch."""

from collections import deque

from vllmgo_packing import as_bytes


class Captured(BaseException):
    """Raised out of LLM.encode and LLM.score in place of running the engine: what they would have run."""


class Pool:
    """One call of LLM.encode or LLM.score, whose requests share the engine with those of others.

    vLLM's own method runs twice: first up to the point where it would run the engine, and, when others have run it, from
    there on with the outputs. So its checks and what it makes of the outputs are vLLM's.
    """

    def __init__(self, llm, call):
        self.llm, self.call = llm, call
        self.started = 0  # requests that were taken from iterator
        self.held = None  # a request that is rendered, and for which there is no room yet
        self.outputs = {}  # index of a request → its output
        self.error, self.failed = None, -1  # why the pool ended early, and the index of the request with which it did
        self.result = None
        if not hasattr(llm, "_run_tiling_engine"):  # vLLM 0.24: the call runs the engine itself
            self.count, self.result = 0, call()
            return
        try:
            self.run(self.capture)
        except Captured as captured:
            self.processor, factory, self.count = captured.args
        if self.count == 0:
            raise ValueError("You must pass at least one prompt")  # as vLLM says it
        self.iterator = iter(factory())

    def run(self, instead):
        """The call, with instead in the place of the part that runs the engine."""
        self.llm._run_tiling_engine = instead
        try:
            return self.call()
        finally:
            del self.llm._run_tiling_engine

    def capture(self, processor, factory, count, **_):
        raise Captured(processor, factory, count)

    def peek(self):
        """The next request, rendered; None when there are no more."""
        if self.held is None and self.started < self.count:
            self.held = self.processor.render(next(self.iterator))
        return self.held

    def ended(self):
        return self.error is not None or len(self.outputs) == self.count

    def finish(self):
        """What the call returns."""
        if self.error is not None:
            raise self.error
        if self.result is not None:
            return self.result
        outputs = [self.outputs[i] for i in range(self.count)]
        return self.run(lambda *_, **__: outputs)


class Pools:
    """The pools of one engine, which take turns in giving it requests."""

    def __init__(self, llm, add_request, step, mixes_adapters):
        self.llm, self.add_request, self.raw_step, self.mixes_adapters = llm, add_request, step, mixes_adapters
        config = llm.llm_engine.vllm_config.scheduler_config
        # Enough for two steps: the first request of a pool that comes later waits for no more.
        self.most_requests, self.most_tokens = 2 * config.max_num_seqs, 2 * config.max_num_batched_tokens
        self.pools, self.order = {}, deque()
        self.requests, self.tokens = {}, 0  # in the engine: ID → (pool's ID, index, tokens)
        self.adapted = False  # whether those requests use LoRA adapters
        self.serial = 0
        self.failed = -1  # see result

    def begin(self, id, call):
        self.pools[id] = Pool(self.llm, call)
        self.order.append(id)

    def step(self):
        """Adds requests and runs one step of the engine. Returns the IDs (int64) of the pools that have ended."""
        self.fill()
        for output in self.raw_step() if self.requests else ():
            id, index, tokens = self.requests.pop(output.request_id)
            self.tokens -= tokens
            self.pools[id].outputs[index] = output
        return as_bytes("q", [id for id, pool in self.pools.items() if pool.ended()])

    def fill(self):
        from vllm.v1.engine.exceptions import EngineDeadError

        while self.order and self.tokens < self.most_tokens and len(self.requests) < self.most_requests:
            id = self.order[0]
            pool = self.pools[id]
            try:
                request = pool.peek()
                if request is not None and not self.add(id, pool, request):
                    return
            except EngineDeadError:
                raise
            except Exception as error:
                self.abort(id)
                pool.error, pool.failed = error, pool.started
                request = None
            self.order.popleft()
            if request is not None:
                self.order.append(id)

    def add(self, id, pool, request):
        """Adds a request; False when it has to wait, since the backend cannot mix it with those in the engine."""
        adapter = request["lora_requests"]
        if not self.mixes_adapters:
            if self.requests and self.adapted != (adapter is not None):
                return False
            self.adapted = adapter is not None
        self.serial += 1
        name = f"{id}.{pool.started}.{self.serial}"
        prompt = request["prompts"]
        try:
            self.add_request(name, prompt, request["params"], lora_request=adapter, priority=request["priorities"])
        except Exception:
            self.llm.llm_engine.abort_request([name])
            raise
        tokens = len(prompt.get("prompt_token_ids", ()))
        self.requests[name] = id, pool.started, tokens
        self.tokens += tokens
        pool.started, pool.held = pool.started + 1, None
        return True

    def result(self, id):
        """What a pool's call returns, or raises. After an exception, failed is the index of the request that raised it, or
        -1."""
        pool = self.pools.pop(id)
        self.failed = pool.failed
        return pool.finish()

    def drop(self, id):
        self.abort(id)
        del self.pools[id]
        if id in self.order:
            self.order.remove(id)

    def abort(self, id):
        """Removes a pool's requests from the engine."""
        names = [name for name, (owner, _, _) in self.requests.items() if owner == id]
        self.llm.llm_engine.abort_request(names)
        for name in names:
            self.tokens -= self.requests.pop(name)[2]

    def clear(self):
        """Forgets all pools, whose requests are not in the engine any more."""
        self.pools, self.order, self.requests, self.tokens = {}, deque(), {}, 0
