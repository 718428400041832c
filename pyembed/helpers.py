"""What pyembed does in Python rather than in C."""

import sys
import threading  # noqa: F401  first imported here, on the thread that shall be threading.main_thread()

# Text reaches the file as it is printed: a Go program may end by os.Exit, which flushes nothing of Python's.
for stream in (sys.stdout, sys.stderr):
    if stream is not None:
        stream.reconfigure(line_buffering=True, write_through=True)


class Interrupted(BaseException):
    """Raised in running code when the Go context of its call ends."""


class GoError(Exception):
    """An error that a Go function returned to Python."""


class GoPanic(RuntimeError):
    """A panic in a Go function that Python called."""


class Writer:
    """A text file for sys.stdout or sys.stderr that hands what is written to a Go function."""

    encoding = "utf-8"
    errors = "surrogateescape"
    closed = False

    def __init__(self, write):
        self._write = write

    def write(self, text):
        self._write(text.encode(self.encoding, "backslashreplace"))
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pass

    def isatty(self):
        return False

    def readable(self):
        return False

    def seekable(self):
        return False

    def writable(self):
        return True


def redirect(name, write):
    setattr(sys, name, Writer(write))


def lend(address, size, fmt, owner):
    """A memoryview of memory that stays as long as owner."""
    import ctypes

    array = (ctypes.c_ubyte * size).from_address(address)
    array._owner = owner
    return memoryview(array).cast("B").cast(fmt)


def describe(exc):
    """What Go needs of an exception, which loses its traceback: Go may hold it for long, and with the frames would stay
    all that they refer to."""
    description = described(exc)
    drop_tracebacks(exc, sys.exc_info()[1])
    return description


def drop_tracebacks(exc, handled):
    """Drops an exception's traceback and those of what it comes from, but for what Python handles at the moment."""
    chain = [exc]
    for each in chain:
        if each is not None and each is not handled and each.__traceback__ is not None:
            each.__traceback__ = None
            chain += each.__cause__, each.__context__


def described(exc, seen=()):
    """[type, message, classes, frames, cause, context]"""
    if exc is None or id(exc) in seen or len(seen) >= 16:
        return None
    seen = (*seen, id(exc))
    try:
        message = str(exc)
    except Exception:
        message = "<no message: __str__ raised>"
    frames = []
    traceback = exc.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append([code.co_filename, traceback.tb_lineno or 0, code.co_qualname])
        traceback = traceback.tb_next
    context = None if exc.__suppress_context__ else exc.__context__
    return [
        class_name(type(exc)),
        message,
        [class_name(cls) for cls in type(exc).__mro__],
        frames,
        described(exc.__cause__, seen),
        described(context, seen),
    ]


def class_name(cls):
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
