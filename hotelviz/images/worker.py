"""Processes that decode what may crash, hang or take too much: they can be ended.

A worker is a Python of its own that imports nothing but this package. It is started when the first
such photo comes, is used again, has a bound of memory and of time, and ends with this process. What
it says is read as JSON and plain pixels: nothing that a photo may have made of it runs here.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import numpy as np

from hotelviz.errors import ImageError
from hotelviz.images.bounds import MAX_CPU_SECONDS, MAX_MEMORY, MAX_SECONDS, View, usable_cores
from hotelviz.images.formats import Container
from hotelviz.images.pixels import Decoded
from hotelviz.images.truncated import decode
from hotelviz.schema import Status

#: Pixels of photos after which a worker makes room.
_LARGE = 8_000_000
#: Seconds within which a worker has to start.
_START = 60.0
#: Ends of a worker that are the photo's doing.
_CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")


class _Worker:
    """One process, asked by one thread at a time."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
            "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
            # Room for one photo after the other is kept; see `_give_back` for large ones.
            "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "67108864",
        }  # fmt: skip
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", "from hotelviz.images.worker import main; main()"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=environment, pipesize=1 << 20,
            )  # fmt: skip
            self.going: Any = self.process.stdin
            self.coming: Any = self.process.stdout
            with self._within(_START):
                if not _receive(self.coming):
                    self.end()
                    raise OSError(f"it ended with {self.process.returncode}")
        except OSError as error:
            reason = f"no process to decode it could be started ({sys.executable}: {error})"
            raise ImageError(reason, Status.UNAVAILABLE) from error

    def end(self) -> None:
        # What was still to be written to a process that is gone is lost.
        with suppress(OSError), self.process:
            self.process.kill()

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """End the process when it takes longer."""
        timer = threading.Timer(seconds, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def decode(self, photo: Container, views: Sequence[View]) -> Decoded | ImageError:
        """Return the photo, or why it cannot be decoded; after any exception it has to be ended."""
        about = photo._replace(data=b"", icc=b"")._asdict()
        about |= {"data": len(photo.data), "icc": len(photo.icc)}
        about["views"] = [astuple(view) for view in views]
        with self._within(MAX_SECONDS):
            answer = None
            with suppress(OSError):
                _send(self.going, about, photo.icc, photo.data)
                answer = _receive(self.coming)
            if answer is None:
                raise self._ended()
            if "width" in answer:
                return self._photo(answer, photo, views)
        if "bug" in answer:
            raise RuntimeError(f"the process that decodes photos failed:\n{answer['bug']}")
        return ImageError(str(answer["reason"]), Status(answer["status"]))

    def _photo(self, answer: dict[str, Any], photo: Container, views: Sequence[View]) -> Decoded:
        made = []
        width, height = int(answer["width"]), int(answer["height"])
        for view in views:
            across, down = view.fit(width, height)
            if view.size is None and across * down * 3 > MAX_MEMORY:
                raise ImageError("damaged: makes its decoder say what cannot be")
            pixels = np.empty((down, across, 3), "uint8")
            if self.coming.readinto(pixels.reshape(-1).data) != pixels.nbytes:
                raise self._ended()
            made.append(pixels)
        return Decoded(made, bool(answer["truncated"]), width, height, photo.format)

    def _ended(self) -> ImageError:
        code = self.process.wait()
        name = {-one: one.name for one in signal.Signals}.get(code)
        if name == "SIGPROF":
            return ImageError(f"too costly: decoding it takes more than {MAX_CPU_SECONDS:g} s")
        if name in _CRASHES:
            return ImageError(f"damaged: makes its decoder crash ({name})")
        # The clock, or whoever ends processes when memory is short: the machine's doing as well.
        return ImageError(
            f"the process that decodes it was ended, after {MAX_SECONDS:g} s at the latest",
            Status.UNAVAILABLE,
        )


class _Pool:
    """The workers of this process: at most one for each core."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin without workers; in a forked process they are its parent's."""
        self._places: LifoQueue[_Worker | None] = LifoQueue()
        for _ in range(usable_cores()):
            self._places.put(None)

    def decode(self, photo: Container, views: Sequence[View]) -> Decoded:
        """Decode a photo in a process that is ended when it takes too much."""
        worker, kept = self._places.get(), None
        try:
            worker = worker or _Worker()
            found = worker.decode(photo, views)
            kept = worker
        finally:
            if worker and not kept:
                worker.end()
            self._places.put(kept)
        if isinstance(found, ImageError):
            raise found
        return found

    def end(self) -> None:
        with suppress(Empty):
            while True:
                if worker := self._places.get_nowait():
                    worker.end()


_pool = _Pool()
decode_apart = _pool.decode
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.start)
atexit.register(_pool.end)


def _send(pipe: Any, about: dict[str, Any], *bodies: Any) -> None:
    pipe.write(json.dumps(about).encode() + b"\n")
    for body in bodies:
        pipe.write(body)
    pipe.flush()


def _receive(pipe: Any) -> dict[str, Any] | None:
    try:
        found = json.loads(pipe.readline(1 << 20))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def main() -> None:
    """Decode what comes in until nothing comes."""
    coming, going = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever a library prints is no answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # It ends with its parent.
    _bound_memory()
    _send(going, {"ready": True})
    while (about := _receive(coming)) is not None:
        views = [View(tuple(size) if size else None, *rest) for size, *rest in about.pop("views")]
        sizes = about.pop("icc"), about.pop("data")
        icc, data = (coming.read(size) for size in sizes)
        made: list[np.ndarray] = []
        answer: dict[str, Any]
        try:
            _time(MAX_CPU_SECONDS)
            made, truncated, width, height, _ = decode(
                Container(**about, icc=icc, data=data), views
            )
            answer = {"truncated": truncated, "width": width, "height": height}
        except ImageError as error:
            answer = {"reason": str(error), "status": error.status}
        except MemoryError:
            reason = f"too costly: decoding it takes more than {MAX_MEMORY / 1e6:,.0f} MB"
            answer = {"reason": reason, "status": Status.UNREADABLE}
        except Exception:
            answer = {"bug": traceback.format_exc()}
        finally:
            _time(0)
        del data
        _send(going, answer, *(pixels.reshape(-1).data for pixels in made))
        del made
        if answer.get("width", 0) * answer.get("height", 0) > _LARGE:
            _give_back()


def _bound_memory() -> None:
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MAX_MEMORY, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return  # No such bound on this system: what its file says bounds a photo all the same.


def _give_back() -> None:
    """Return the memory of a large photo to the system, which the allocator would keep."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # Only glibc has it.
            ctypes.CDLL(None).malloc_trim(0)


def _time(seconds: float) -> None:
    """End this process when it has used the processor for so long."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
