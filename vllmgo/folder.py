"""An engine's private folder for sockets and temporary files, which goes with the engine."""

import contextlib
import fcntl
import os
import shutil
import tempfile

from vllmgo_bridge import Refused

PREFIX = "vllmgo-"
# A socket's path is at most 107 bytes long, of which vLLM needs 37 for a name.
LONGEST = 107 - 37


class PrivateFolder:
    """A folder that only its owner can enter. An open, locked file in it says that its engine lives."""

    def __init__(self):
        parent = self.parent()
        remove_abandoned(parent)
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
        self.lock = os.open(os.path.join(self.path, "lock"), os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def parent(self):
        try:
            usual = tempfile.gettempdir()
        except FileNotFoundError as error:
            raise Refused(f"an engine needs a folder for temporary files: set TMPDIR to one that can be written ({error})") from error
        if len(os.fsencode(usual)) + len(PREFIX) + 9 <= LONGEST or not os.access("/tmp", os.W_OK | os.X_OK):
            return usual
        return "/tmp"

    @contextlib.contextmanager
    def in_use(self):
        """Makes vLLM, in this process and in those that it starts, use the folder."""
        before, default = {name: os.environ.get(name) for name in ("TMPDIR", "VLLM_RPC_BASE_PATH")}, tempfile.tempdir
        os.environ["TMPDIR"] = tempfile.tempdir = self.path
        os.environ["VLLM_RPC_BASE_PATH"] = before["VLLM_RPC_BASE_PATH"] or self.path
        try:
            yield
        finally:
            tempfile.tempdir = default
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def remove_abandoned(parent):
    """Removes folders of programs that ended without removing them."""
    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        if not name.startswith(PREFIX):
            continue
        with contextlib.suppress(OSError):  # of others, or gone
            lock = os.open(os.path.join(path, "lock"), os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
