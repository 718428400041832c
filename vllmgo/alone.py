"""A call of LLM.generate that is alone on an engine."""


class HandedOver(BaseException):
    """Raised out of LLM.generate between two steps, or while it adds requests: they go on in the step loop.

    It is not an Exception, since LLM.generate removes its requests from the engine after one.
    """


class Alone:
    """A call of LLM.generate that is alone on the engine."""

    def __init__(self, batch, report):
        self.batch = batch
        self.report = report  # called with (finished requests, generated tokens), or None
        self.next_report = 0.0
        self.added = 0  # requests that are in the engine
        self.finished = []  # what LLM.generate was given so far
        self.finished_tokens = 0  # counted for report only
        self.stepped = False
