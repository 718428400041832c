"""A replica: an engine in a process of its own, which serves the methods of engine.py to a Go program over sockets.

The program runs this as the __main__.py of an archive that holds the other modules too; see remote.go. A message is its
length (uint32, in the machine's byte order) and MessagePack: a list of a method's name and arguments, which is answered by
an object with Result, Error, or, before these, Progress.

Descriptors: SOCKET is for calls, one after another, which run on this thread. MEANWHILE is for calls that run while others
do. SIGNAL is memory that both processes see: Engine.signal.
"""

import json
import mmap
import os
import socket
import struct
import sys
import threading
import traceback

import __main__
import msgspec.msgpack
import vllmgo_bridge as bridge

SOCKET, MEANWHILE, SIGNAL = 3, 4, 5
DEEPEST = 8  # exceptions of a chain that are described
LONGEST = 2**32 - 1  # bytes of a message


class Replica:
    """What the program calls before there is an engine."""

    def __init__(self, signal):
        self.signal = signal
        self.engine = None

    def prepare(self):
        """Imports vLLM, and describes what this process may use."""
        from vllm.platforms import current_platform

        bridge.import_vllm()
        cpu = current_platform.is_cpu()
        return {
            "Device": current_platform.device_type,
            "Devices": 0 if cpu else current_platform.device_count(),
            "Cores": sorted(os.sched_getaffinity(0)),
        }

    def load(self, kwargs, own_process, placement):
        """Makes the engine where the program has placed it."""
        import torch
        from vllmgo_engine import Engine

        bridge.set_environment(placement["Environment"])
        if placement["Cores"]:
            os.sched_setaffinity(0, placement["Cores"])
            # torch was imported with all cores, and more threads than cores would wait for each other at every step.
            torch.set_num_threads(len(placement["Cores"]))
        kwargs = share_memory(json.loads(kwargs), placement["Sharers"])
        if placement["Measured"]:
            os.environ["VLLMGO_MEASURED"] = placement["Measured"]
            os.environ["VLLMGO_MEASURES"] = str(int(placement["Measures"]))
            kwargs.setdefault("worker_cls", "vllmgo_gpu_worker.Worker")
        self.engine = Engine(json.dumps(kwargs), own_process, self.signal)


def share_memory(kwargs, sharers):
    """The arguments of an engine that shares its devices with others: the memory is what all have together."""
    if sharers > 1:
        from vllm.engine.arg_utils import EngineArgs

        utilization = kwargs.get("gpu_memory_utilization", EngineArgs.gpu_memory_utilization)
        kwargs["gpu_memory_utilization"] = utilization / sharers
        if "kv_cache_memory_bytes" in kwargs:
            kwargs["kv_cache_memory_bytes"] //= sharers
    return kwargs


def receive(connection):
    """The next message; None at the end."""
    header = read(connection, 4)
    return None if header is None else msgspec.msgpack.decode(read(connection, struct.unpack("=I", header)[0]))


def read(connection, size):
    buffer = bytearray(size)
    view, at = memoryview(buffer), 0
    while at < size:
        n = connection.recv_into(view[at:])
        if n == 0:
            return None
        at += n
    return buffer


def send(connection, encoded):
    connection.sendall(struct.pack("=I", len(encoded)) + encoded)


def describe(error, depth=0):
    """An exception as pyembed.NewError takes it."""
    if error is None or depth == DEEPEST:
        return None
    try:
        message = str(error).encode("utf-8", "replace").decode()  # it may hold half of a surrogate pair
    except Exception:
        message = f"<{name_of(type(error))} without a message>"
    return {
        "Type": name_of(type(error)),
        "Classes": [name_of(each) for each in type(error).__mro__],
        "Message": message,
        "Frames": [
            {"File": frame.filename, "Line": frame.lineno or 0, "Function": frame.name}
            for frame in traceback.extract_tb(error.__traceback__)
        ],
        "Cause": describe(error.__cause__, depth + 1),
        "Context": None if error.__suppress_context__ else describe(error.__context__, depth + 1),
    }


def name_of(kind):
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def serve(connection, replica):
    """Answers calls until the program closes the connection."""
    while (message := receive(connection)) is not None:
        name, *args = message
        if name == "generate":
            *args, wants_progress = args
            args.append(report_to(connection) if wants_progress else None)
        try:
            answer = msgspec.msgpack.encode({"Result": getattr(replica.engine or replica, name)(*args)})
            if len(answer) > LONGEST:
                raise bridge.Refused(f"the result has {len(answer)} bytes, and a replica gives at most {LONGEST}: ask for less")
        except BaseException as error:
            answer = msgspec.msgpack.encode({"Error": describe(error)})
        send(connection, answer)


def report_to(connection):
    return lambda finished, tokens: send(connection, msgspec.msgpack.encode({"Progress": [finished, tokens]}))


def main():
    __main__.__spec__ = None  # so that multiprocessing runs guard_children's file first in each child
    bridge.guard_children(sys.argv[1])
    replica = Replica(memoryview(mmap.mmap(SIGNAL, mmap.PAGESIZE)).cast("i"))
    meanwhile = socket.socket(fileno=MEANWHILE)
    threading.Thread(target=serve, args=(meanwhile, replica), daemon=True, name="vllmgo-meanwhile").start()
    serve(socket.socket(fileno=SOCKET), replica)
    sys.stdout.flush()
    os._exit(0)  # without Python's finalizers, as the Go program ends


main()
