"""How kernels of reports start: each by itself, or those of a run forked from one process.

Most of a kernel's start is loading TensorFlow and whatever else reports use. `preloaded_kernels`
has that done once for all; a kernel is the same either way.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from hotelviz.reports.preloaded import ADDED, MAX_BYTES

#: Loading takes some seconds; what takes this long never ends.
_MAX_SECONDS = 300
_log = logging.getLogger(__name__)


@contextmanager
def preloaded_kernels() -> Iterator[None]:
    """Fork the kernels of the reports that start meanwhile from one process, where that is safe.

    It is on Linux; elsewhere there are libraries of the system that do not survive it. The process
    starts with the first kernel and ends with the block, or with this process, however that ends.
    A kernel in another folder or with other variables in its environment than the first starts by
    itself: what is loaded has read them.
    """
    if sys.platform != "linux" or _Source.now:
        yield
        return
    _Source.now = source = _Source()
    try:
        yield
    finally:
        _Source.now = None
        source.end()


class KernelManager(AsyncKernelManager):
    """Starts a kernel of a report."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.provisioner = _Provisioner(kernel_spec=self.kernel_spec, parent=self)


class _Provisioner(LocalProvisioner):
    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        source, cwd = _Source.now, str(kwargs.get("cwd") or Path.cwd())
        kernel = source.fork(cmd, kwargs["env"], cwd) if source else None
        if kernel is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process, self.cwd = kernel, cwd
        # It leads a group of its own.
        self.pid = self.pgid = kernel.pid
        return self.connection_info


class _Source:
    """The process that has loaded everything, seen from outside; see `preloaded`."""

    now: _Source | None = None

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        #: The environment and the folder in which it has loaded; None where it cannot be used.
        self._place: tuple[Mapping[str, str], str] | None = None

    def fork(self, command: list[str], env: Mapping[str, str], cwd: str) -> _Forked | None:
        """Return a kernel, or None where it has to start by itself."""
        if command[:3] != [sys.executable, "-m", "ipykernel_launcher"]:
            return None
        try:
            with self._lock:
                if self._process is None:
                    self._start(env, cwd)
            if self._place == (env, cwd):
                return _Forked(self, self.ask({"command": command[2:], "env": dict(env)}, (1, 2)))
        except OSError as error:
            _log.info("this kernel starts by itself: %s", error)
        return None

    def _start(self, env: Mapping[str, str], cwd: str) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                # Like a kernel, it does not load what happens to lie in this folder.
                [sys.executable, "-P", "-m", "hotelviz.reports.preloaded", str(other.fileno())],
                pass_fds=[other.fileno()], env={**env, **ADDED}, cwd=cwd,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                # Ctrl-C is for this process.
                start_new_session=True,
            )  # fmt: skip
        self._channel.settimeout(_MAX_SECONDS)
        lost = self._answer()
        self._channel.settimeout(None)
        if lost:
            raise OSError(f"a fork would lose the threads {', '.join(lost)}")
        self._place = (dict(env), cwd)

    def ask(self, what: Mapping[str, Any], files: Sequence[int] = ()) -> Any:
        """Return the answer to a request, which has files of this process with it."""
        with self._lock:
            socket.send_fds(self._channel, [json.dumps(what).encode()], files)
            return self._answer()

    def _answer(self) -> Any:
        if not (text := self._channel.recv(MAX_BYTES)):
            raise OSError("the process that has loaded what kernels need is gone")
        return json.loads(text)

    def end(self) -> None:
        if self._process:
            self._channel.close()
            with self._process:
                self._process.kill()


class _Forked(subprocess.Popen[bytes]):
    """A kernel that is a child of another process."""

    def __init__(self, source: _Source, pid: int) -> None:
        # Popen's own would start a program.
        self.stdin = self.stdout = self.stderr = None
        self._source, self.pid, self.returncode = source, pid, None

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                self.returncode = self._source.ask({"kernel": self.pid})
            except OSError:
                # Kernels end with the process that they were forked from.
                self.returncode = -signal.SIGKILL
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:  # noqa: ARG002
        while (code := self.poll()) is None:
            time.sleep(0.05)
        return code
