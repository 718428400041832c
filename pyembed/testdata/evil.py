"""Objects that raise random exceptions of random classes from random places."""

import random
import sys

rng = random.Random()
sys.unraisablehook = lambda *args: None  # finalizers raise, too


class Meta(type):
    def __getattribute__(cls, name):
        if armed and rng.random() < 0.05:
            raise KeyError(name)
        return super().__getattribute__(name)


class RaisesInInit(Exception):
    def __init__(self, *args):
        if rng.random() < 0.5:
            raise LookupError("while an exception is made")


class RaisesInStr(Exception):
    def __str__(self):
        boom(1)

    __repr__ = __str__


class RaisesEverywhere(BaseException):
    def __getattribute__(self, name):
        boom()
        return super().__getattribute__(name)

    def __str__(self):
        boom()
        return 7

    def __hash__(self):
        boom(1)

    def __eq__(self, other):
        boom(1)


class WrongAttributes(Exception):
    __notes__ = property(lambda self: rng.choice([3, None, [4], "text", (1,)]))
    __cause__ = property(lambda self: 5)
    __context__ = property(lambda self: boom(1))
    __suppress_context__ = property(lambda self: boom(1))
    __traceback__ = property(lambda self: boom(1))
    _go_error = property(lambda self: boom(1))
    __module__ = 8


class OfMeta(Exception, metaclass=Meta):
    pass


def cyclic():
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    a.__context__ = b.__context__ = a
    return a


def group():
    return BaseExceptionGroup("group", [ValueError(1), cyclic(), SystemExit(3), ExceptionGroup("inner", [OSError(2, "x")])])


def chain():
    exc = None
    for i in range(200):
        new = ValueError(i)
        new.__cause__ = exc
        exc = new
    return exc


CLASSES = [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration, StopAsyncIteration, MemoryError, RecursionError,
           RaisesInInit, RaisesInStr, RaisesEverywhere, WrongAttributes, OfMeta, sys.modules["_pyembed"].Interrupted,
           sys.modules["_pyembed"].GoError, lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "\udc80"), lambda: ValueError("\udc80\x00"),
           cyclic, group, chain, lambda: SyntaxError("s", ("f", 1, 2, None)), lambda: OSError(2, "no", "\udcff"), BufferError]
armed = False


def boom(chance=0.3):
    if armed and rng.random() < chance:
        exc = rng.choice(CLASSES)()
        kind = rng.random()
        if kind < 0.2:
            try:
                raise rng.choice(CLASSES)()
            except BaseException:
                raise exc
        if kind < 0.3:
            raise exc from ValueError("cause")
        raise exc
    return None


def method(result):
    def call(self, *args, **kwargs):
        boom()
        return result(self) if callable(result) else result

    return call


RESULTS = {
    "__getattr__": 1, "__hash__": 1, "__eq__": True, "__lt__": True, "__iter__": lambda self: self, "__next__": 1, "__len__": 2,
    "__index__": 3, "__int__": 3, "__float__": 4.0, "__complex__": 1j, "__bool__": True, "__str__": "s", "__repr__": "r", "__call__": 5,
    "__enter__": 6, "__exit__": False, "__contains__": True, "__getitem__": 7, "__setitem__": None, "__delitem__": None,
    "__delattr__": None, "__del__": None, "keys": ["a"], "items": [("a", 1)], "__bytes__": b"b", "__length_hint__": 3,
    "__buffer__": lambda self: memoryview(b"buffer"), "__release_buffer__": None, "__instancecheck__": True,
    "__getattribute__": lambda self: 9, "utcoffset": 4,
}


def make(seed):
    """An object of a random class with random methods."""
    global armed
    armed = False
    rng.seed(seed)
    base = rng.choice([object, object, dict, list, int, float, str, tuple, set, bytes, bytearray, complex, Exception])
    names = rng.sample(sorted(RESULTS), rng.randrange(1, len(RESULTS)))
    wrong = lambda: rng.choice([None, "text", -1, 1 << 70, [], object()])
    namespace = {n: method(RESULTS[n] if rng.random() < 0.8 else wrong()) for n in names}
    if base is not object:
        namespace.pop("__len__", None)
    cls = type("Evil", (base,), namespace)
    evil = cls.__new__(cls)
    if base in (dict, list, set):
        other = type("Other", (), {"__hash__": method(1), "__eq__": method(True), "__del__": method(None)})()
        fill = {dict: lambda: base.__setitem__(evil, other, evil), list: lambda: base.extend(evil, [other, 1, "x"]),
                set: lambda: base.add(evil, other)}[base]
        fill()
    armed = True
    return evil


def disarm():
    global armed
    armed = False


def pass_on(f, value):
    """Calls a Go function from deep inside Python, and may handle what it raises."""
    try:
        return f(value)
    except Exception as e:
        boom()
        raise
    finally:
        boom(0.1)
