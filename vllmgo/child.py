"""Runs first in every process that vLLM spawns for a Go program: it dies with its parent.

vLLM's workers watch a pipe to their engine core, but the engine core watches nobody: without this it would
outlive a Go program that was killed or that left through os.Exit, and keep its memory. The kernel sends the
signal when the thread that started the process ends; vllmgo keeps that thread for as long as the engine.
"""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(os.environ["VLLMGO_PARENT_PID"]):  # the parent died before the line above
    os.kill(os.getpid(), signal.SIGKILL)
os.environ["VLLMGO_PARENT_PID"] = str(os.getpid())  # for the processes that this one starts
