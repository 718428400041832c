"""What an engine counts of its steps and of each request."""

from array import array


class Counters:
    """The counts of one engine. The registry that LLM.get_metrics reads belongs to the process."""

    def __init__(self, engine):
        self.values = dict.fromkeys(
            ("Running", "Waiting", "Preemptions", "PrefixCacheQueries", "PrefixCacheHits", "PromptTokens",
             "GenerationTokens", "FinishedRequests"), 0) | {"KVCacheUsage": 0.0}  # fmt: skip
        self.states = engine.output_processor
        self.raw_record, engine.logger_manager.record = engine.logger_manager.record, self.record
        self.raw_get_output, engine.engine_core.get_output = engine.engine_core.get_output, self.get_output

    def record(self, *args, **kwargs):
        """Adds up what the engine tells its loggers after each step."""
        scheduler, iteration, values = kwargs.get("scheduler_stats"), kwargs.get("iteration_stats"), self.values
        if scheduler is not None:
            values["Running"] = scheduler.num_running_reqs
            values["Waiting"] = scheduler.num_waiting_reqs + scheduler.num_skipped_waiting_reqs
            values["KVCacheUsage"] = scheduler.kv_cache_usage
            values["PrefixCacheQueries"] += scheduler.prefix_cache_stats.queries
            values["PrefixCacheHits"] += scheduler.prefix_cache_stats.hits
        if iteration is not None:
            values["Preemptions"] += iteration.num_preempted_reqs
            values["PromptTokens"] += iteration.num_prompt_tokens
            values["GenerationTokens"] += iteration.num_generation_tokens
            values["FinishedRequests"] += len(iteration.finished_requests)
        return self.raw_record(*args, **kwargs)

    def get_output(self):
        """Notes when the engine core had each token: vLLM keeps the first and the last time only."""
        outputs = self.raw_get_output()
        states = self.states.request_states
        for output in outputs.outputs:
            if output.new_token_ids and (state := states.get(output.request_id)) is not None:
                state.stats.__dict__.setdefault("token_times", array("d")).append(outputs.timestamp)
        return outputs
