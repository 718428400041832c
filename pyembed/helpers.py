"""What pyembed does in Python rather than in C."""

import atexit
import contextvars
import enum
import faulthandler
import gc
import io
import opcode
import os
import sys
import threading  # first imported here, on the thread that becomes threading.main_thread()


class Interrupted(BaseException):
    """Raised in running code when the Go context of its call ends."""


class Insistent(Interrupted):
    """Raised when the code goes on nevertheless."""

    __qualname__ = "Interrupted"


class GoError(Exception):
    """An error that a Go function returned to Python. _go_error, a Carrier, refers to it."""


class GoPanic(RuntimeError):
    """A panic in a Go function that Python called."""


class Carrier:
    """Refers to a Go error. Copies of an exception share it; a pickled exception goes without."""

    __slots__ = ("capsule",)

    def __init__(self, capsule):
        self.capsule = capsule

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return type(None), ()


def wrap(exception, message, capsule):
    """Attaches a Go error that wraps an exception to it."""
    exception._go_error = Carrier(capsule)
    exception.add_note(message)


def go_error(cls, message, note, capsule):
    """The exception that stands for a Go error."""
    exc = cls(message)
    exc._go_error = Carrier(capsule)
    if note:
        exc.add_note(note)
    return exc


def write_through():
    """Makes text reach the file as it is printed: a Go program may end by os.Exit, which flushes nothing of Python's.
    A stream that has been replaced by another kind stays as it is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=True)


def keep_faulthandler_off():
    """Leaves SIGSEGV and the like to Go, which makes panics of them that recover stops."""
    faulthandler.disable()
    faulthandler.enable = lambda *args, **kwargs: None


class Raw(io.RawIOBase):
    """The file below sys.stdout or sys.stderr that hands what is written to a Go function."""

    mode = "wb"

    def __init__(self, name, write):
        self.name = f"<{name}>"
        self._fileno = {"stdout": 1, "stderr": 2}[name]
        self._write = write

    def write(self, data):
        return self._write(bytes(data))

    def fileno(self):
        return self._fileno

    def isatty(self):
        return False

    def writable(self):
        return True


def redirect(name, write):
    stream = io.TextIOWrapper(Raw(name, write), "utf-8", "backslashreplace", "\n", line_buffering=False, write_through=True)
    stream.mode = "w"
    setattr(sys, name, stream)


def restore_output():
    """A forked process has no Go to write to: its streams, those that code has kept included, write to its own files."""

    def write(self, data):
        return os.write(self.fileno(), data)

    Raw.write = write


def end_child(exception):
    """Ends a forked process that would return to Go, as Python ends for the exception, or None for none."""
    status = 1
    try:
        if exception is None:
            print(
                "pyembed: a forked process cannot return to Go, so it ends: end it by os._exit, or start it by spawn or "
                "forkserver",
                file=sys.stderr,
            )
        elif not isinstance(exception, SystemExit):
            sys.excepthook(type(exception), exception, exception.__traceback__)
        elif exception.code is None:
            status = 0
        elif isinstance(exception.code, int):
            status = exception.code & 0xFF
        else:
            print(exception.code, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def lend(address, size, fmt, owner):
    """A memoryview of memory, which keeps the owner."""
    import ctypes

    array = (ctypes.c_ubyte * size).from_address(address)
    array._owner = owner
    return memoryview(array).cast("B").cast(fmt)


# Refers to the Go context of the Do that runs.
carried = contextvars.ContextVar("_pyembed.carried")

# What Interrupt looks at: where each thread is, where Python's own library is, and the numbers of opcodes.
current_frames = sys._current_frames
library = os.path.dirname(os.__file__) + os.sep
LOAD_CONST, WITH_EXCEPT_START = opcode.opmap["LOAD_CONST"], opcode.opmap["WITH_EXCEPT_START"]


def trace_out():
    """Raises Insistent at the beginning of the next line that this thread comes to, in its present frames or in new ones.

    Where code catches exceptions in a loop, all of its instructions at which one can come may lie in the same try. The
    beginning of a line that is outside does not. Python's own library is spared, since it handles locks.
    """

    def trace(frame, event, _):
        if event == "line" and not frame.f_code.co_filename.startswith(library) and not leaves_with(frame):
            raise Insistent
        return trace

    frame = sys._getframe(1)
    while frame is not None:
        frame.f_trace = trace
        frame = frame.f_back
    sys.settrace(trace)


def leaves_with(frame):
    """Whether the frame is about to call __exit__: with three times None, or for an exception."""
    following = frame.f_code.co_code[frame.f_lasti : frame.f_lasti + 6 : 2]
    return following == bytes([LOAD_CONST]) * 3 or WITH_EXCEPT_START in following


def holds_locks():
    """Whether functions that the calling thread is in may hold locks: they have a with statement, or handle locks."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if (
            WITH_EXCEPT_START in code.co_code[::2]
            or code.co_filename.startswith(library)
            or "acquire" in code.co_names
            or "release" in code.co_names
        ):
            return True
        frame = frame.f_back
    return False


def stop_tracing():
    """Ends what trace_out began."""
    sys.settrace(None)


def switch_interval(seconds):
    """Sets the interval and returns what it was."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds + 1e-9)  # which cuts off a part of a microsecond
    return before


def plain(value):
    """An object of a built-in type for one that stands for it, else the object itself."""
    if isinstance(value, enum.Enum):
        return value.value
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        if isinstance(value, numpy.timedelta64 | numpy.datetime64):
            return value  # the item may be a number without its unit
        item = value.item()
        return value if type(item) is type(value) else item  # as of longdouble
    return value


def class_of(value):
    """What As[any] takes an object of no built-in type for."""
    datetime = sys.modules.get("datetime")
    if datetime is not None:
        if isinstance(value, datetime.datetime) and value.utcoffset() is not None:
            return "datetime"
        if isinstance(value, datetime.timedelta):
            return "timedelta"
    return "object" if plain(value) is value else "plain"


def to_datetime(seconds, microseconds, offset):
    from datetime import datetime, timedelta, timezone

    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds, microseconds=microseconds)
    return moment.astimezone(timezone(timedelta(seconds=offset)) if offset else timezone.utc)


def from_datetime(value):
    """[seconds since 1970, microseconds, seconds east of UTC]"""
    from datetime import datetime, timezone

    if not isinstance(value, datetime):
        raise TypeError(f"a Python {type(value).__name__} is not a datetime")
    offset = value.utcoffset()
    if offset is None:
        raise ValueError("the datetime has no time zone: give it one with replace(tzinfo=...) or astimezone()")
    since = value - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return [since.days * 86400 + since.seconds, since.microseconds, offset.days * 86400 + offset.seconds]


def to_timedelta(microseconds):
    from datetime import timedelta

    return timedelta(microseconds=microseconds)


def from_timedelta(value):
    """[nanoseconds]"""
    from datetime import timedelta

    numpy = sys.modules.get("numpy")
    if isinstance(value, timedelta):
        nanoseconds = value // timedelta(microseconds=1) * 1000
    elif numpy is not None and isinstance(value, numpy.timedelta64):
        if numpy.isnat(value):
            raise ValueError("NaT is no duration")
        unit, count = numpy.datetime_data(value.dtype)
        if unit not in UNITS:
            raise ValueError(f"the timedelta64 is in units of {unit}, which have no number of nanoseconds")
        nanoseconds = int(value.astype("int64")) * count * UNITS[unit]
    else:
        raise TypeError(f"a Python {type(value).__name__} is not a timedelta")
    if not -(2**63) <= nanoseconds < 2**63:
        raise OverflowError("the timedelta does not fit into time.Duration")
    return [nanoseconds]


# Units of numpy's timedelta64 in nanoseconds.
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "D": 86400 * 10**9}
UNITS["W"] = 7 * UNITS["D"]


def from_json(text):
    import json

    def refuse(constant):
        raise ValueError(f"JSON has no {constant}")

    return json.loads(text, parse_constant=refuse)


def to_complex(value):
    return complex(value)


def to_json(value):
    import json

    return json.dumps(value, allow_nan=False)


def shutdown():
    def waits(thread):
        return thread is not threading.current_thread() and not thread.daemon

    for thread in filter(waits, threading.enumerate()):
        while thread.is_alive():  # a wait without a time-out could not be interrupted
            thread.join(0.1)
    threading._shutdown()
    atexit._run_exitfuncs()
    files = [o for o in gc.get_objects() if issubclass(type(o), io.IOBase)]  # isinstance would run code of theirs
    for layer in (io.TextIOBase, io.BufferedIOBase, io.IOBase):  # closing the one below first would lose what is buffered
        for file in files:
            if isinstance(file, layer):
                close(file)


def close(file):
    """Closes a file that is open for writing, unless it is a standard one."""
    try:
        if not file.closed and file.writable() and file.fileno() > 2:
            file.close()
    except Exception as e:
        if not isinstance(e, io.UnsupportedOperation):  # a file in memory
            print(f"closing {file!r}: {e!r}", file=sys.stderr)


write_through()
keep_faulthandler_off()
os.register_at_fork(after_in_child=restore_output)
