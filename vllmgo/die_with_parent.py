"""Runs first in every process that vLLM spawns for a Go program: it dies with its parent, and not before.

vLLM's workers watch a pipe to their engine core, but the engine core watches nobody: without this it would
outlive a Go program that was killed or that left through os.Exit, and keep its memory. The kernel sends the
signal when the thread that started the process ends; vllmgo keeps that thread until the engine is closed.

A process group of its own keeps Ctrl-C away from it. vLLM's processes end on SIGINT, each by itself, and the front
end then waits for ever for an answer; what is to become of the engine is for the Go program to say.

A Xeon's AMX registers need the kernel's leave, as for an engine in-process: see allow_amx in engine.py. torch is not
imported here for it, since vLLM sets its environment before it does that.

What it prints goes to the Go program, through a pipe: see log.go.
"""

import ctypes
import os
import signal

libc = ctypes.CDLL(None)
os.setpgid(0, 0)
PR_SET_PDEATHSIG = 1
libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(os.environ["VLLMGO_PARENT_PID"]):  # the parent died before the line above
    os.kill(os.getpid(), signal.SIGKILL)
os.environ["VLLMGO_PARENT_PID"] = str(os.getpid())  # for the processes that this one starts

if os.uname().machine == "x86_64":
    SYS_ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XTILEDATA = 158, 0x1023, 18
    libc.syscall(SYS_ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XTILEDATA)  # refused where there is no AMX

log = os.open(os.environ["VLLMGO_LOG"], os.O_WRONLY)
os.dup2(log, 1)
os.dup2(log, 2)
os.close(log)
