"""Runs first in every process that vLLM spawns for a Go program: it dies with its parent, and not before.

vLLM's workers watch a pipe to their engine core, but the engine core watches nobody: without this it would
outlive a Go program that was killed or that left through os.Exit, and keep its memory. The kernel sends the
signal when the thread that started the process ends; vllmgo keeps that thread for as long as the engine.

A process group of its own keeps Ctrl-C away from it. vLLM's processes end on SIGINT, each by itself, and the front
end then waits for ever for an answer; what is to become of the engine is for the Go program to say.

What it prints goes to the Go program, through a pipe: see log.go.
"""

import ctypes
import os
import signal

os.setpgid(0, 0)
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(os.environ["VLLMGO_PARENT_PID"]):  # the parent died before the line above
    os.kill(os.getpid(), signal.SIGKILL)
os.environ["VLLMGO_PARENT_PID"] = str(os.getpid())  # for the processes that this one starts

log = os.open(os.environ["VLLMGO_LOG"], os.O_WRONLY)
os.dup2(log, 1)
os.dup2(log, 2)
os.close(log)
