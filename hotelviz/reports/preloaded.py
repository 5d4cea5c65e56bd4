"""The process that kernels are forked from: it has loaded what they load, and has run nothing.

It is a program, ``python -m hotelviz.reports.preloaded CHANNEL``; `kernels` is at the other end of
the channel. No operation of TensorFlow runs in it, and it has one thread: a forked process would be
without the others, and would wait for them for ever.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import socket
import sys
from pathlib import Path
from typing import Any

from hotelviz.reports.kernel import VARIABLES

#: What this process has in its environment, and kernels have not: Arrow's allocator would have a
#: thread of its own.
ADDED = {"JE_ARROW_MALLOC_CONF": "background_thread:false", **VARIABLES}
#: What a request has at most: an environment and a command.
MAX_BYTES = 1 << 20

#: The kernel's own modules come first: others look for them to learn where they are.
_MODULES = (
    "ipykernel.kernelapp", "tensorflow", "keras", "matplotlib.pyplot", "seaborn", "sklearn.metrics",
    "sklearn.linear_model", "scipy.stats", "duckdb", "hotelviz.attribution", "hotelviz.audit",
    "hotelviz.embeddings", "hotelviz.feature_vis", "hotelviz.gallery.page_form",
    "hotelviz.inference", "hotelviz.metrics", "hotelviz.models", "hotelviz.plots",
    "hotelviz.ranking", "hotelviz.training",
)  # fmt: skip


def main() -> None:
    """Load, say what hinders, and fork a kernel for each request until the channel is closed."""
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        # Kernels look whether their parent is still there, and this is it.
        os.environ["JPY_PARENT_PID"] = str(os.getpid())
        _load()
        channel.send(json.dumps(_lost_threads()).encode())
        if not _fork_kernels(channel):
            os._exit(0)
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


def _load() -> None:
    # Handlers of logs keep the streams that they find, and a kernel has others.
    with (
        contextlib.redirect_stdout(_Stream("stdout")),
        contextlib.redirect_stderr(_Stream("stderr")),
    ):
        for module in _MODULES:
            importlib.import_module(module)
    # What no collection of garbage looks at stays in memory that all kernels share.
    gc.collect()
    gc.freeze()


class _Stream:
    """The stream of this name, whichever it is when something is written."""

    def __init__(self, name: str) -> None:
        self._name = name

    def close(self) -> None:
        """Stay open: a kernel that sets up its logs closes what others have set up."""

    def __getattr__(self, attribute: str) -> Any:
        now = getattr(sys, self._name)
        return getattr(getattr(sys, f"__{self._name}__") if now is self else now, attribute)


def _lost_threads() -> list[str]:
    """Return the names of the threads that a fork would lose; BLAS ends its own before any."""
    if not (trial := os.fork()):
        os._exit(0)
    os.waitpid(trial, 0)
    threads = sorted(Path("/proc/self/task").iterdir(), key=lambda thread: int(thread.name))
    return [(thread / "comm").read_text().strip() for thread in threads[1:]]


def _fork_kernels(channel: socket.socket) -> bool:
    """Answer until the channel is closed or the parent has ended; return True in a kernel."""
    parent = os.getppid()
    while os.getppid() == parent:
        # Another process that the parent has forked may keep the channel open.
        if not select.select([channel], [], [], 1)[0]:
            continue
        text, files, _, _ = socket.recv_fds(channel, MAX_BYTES, 2)
        if not text:
            break
        asked = json.loads(text)
        if "kernel" in asked:
            answer = _ended(asked["kernel"])
        elif not (answer := os.fork()):
            _become_kernel(files, **asked)
            return True
        for file in files:
            os.close(file)
        channel.send(json.dumps(answer).encode())
    return False


def _ended(kernel: int) -> int | None:
    """Return what a kernel has ended with; None while it runs."""
    process, status = os.waitpid(kernel, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if process else None


def _become_kernel(files: list[int], command: list[str], env: dict[str, str]) -> None:
    """Make this process what it would be, had the command started it."""
    os.setsid()
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    for name in ADDED.keys() - env.keys():
        del os.environ[name]
    os.environ.update(env)
    sys.argv = command
    # Python's own generator begins anew by itself.
    import numpy as np

    np.random.seed()


if __name__ == "__main__":
    main()
