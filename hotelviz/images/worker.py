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
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
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
_CRASHES = {
    getattr(signal, name) for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")
    if hasattr(signal, name)
}  # fmt: skip


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
        except OSError as error:
            raise _not_started(error) from error
        with self._within(_START):
            ready = _receive(self.process.stdout) == {"ready": True}
        if not ready:
            self.end()
            raise _not_started(f"it ended with {self.process.returncode}")

    def end(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:  # What was still to be written to a process that is gone.
                    continue
        self.process.wait()

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

    def decode(self, photo: Container, views: Sequence[View]) -> Decoded:
        about = photo._replace(data=b"", icc=b"")._asdict()
        about |= {"data": len(photo.data), "icc": len(photo.icc)}
        with self._within(MAX_SECONDS):
            try:
                _send(
                    self.process.stdin, {**about, "views": [list(view) for view in views]},
                    photo.icc, photo.data,
                )  # fmt: skip
                answer = _receive(self.process.stdout)
            except OSError:
                answer = None
            if answer is not None and "width" in answer:
                return self._photo(answer, photo, views)
        if answer is None:
            self.process.wait()
            raise _ended(self.process.returncode)
        if "bug" in answer:
            raise RuntimeError(f"the process that decodes photos failed:\n{answer['bug']}")
        raise ImageError(str(answer["reason"]), Status(answer["status"]))

    def _photo(self, answer: dict[str, Any], photo: Container, views: Sequence[View]) -> Decoded:
        made = []
        width, height = int(answer["width"]), int(answer["height"])
        for view in views:
            across, down = view.fit(width, height)
            if view.size is None and across * down * 3 > MAX_MEMORY:
                self.process.kill()  # What it still has to say would be taken for the next answer.
                self.process.wait()
                raise ImageError("damaged: makes its decoder say what cannot be")
            pixels = np.empty((down, across, 3), "uint8")
            if _fill(self.process.stdout, pixels) != pixels.nbytes:
                self.process.wait()
                raise _ended(self.process.returncode)
            made.append(pixels)
        return Decoded(made, bool(answer["truncated"]), width, height, photo.format)


def _not_started(reason: object) -> ImageError:
    return ImageError(
        f"no process to decode it could be started ({sys.executable}: {reason})",
        Status.UNAVAILABLE,
    )


def _ended(code: int) -> ImageError:
    if code == -getattr(signal, "SIGPROF", 0):
        return ImageError(f"too costly: decoding it takes more than {MAX_CPU_SECONDS:g} s")
    if -code in _CRASHES:
        return ImageError(f"damaged: makes its decoder crash ({signal.Signals(-code).name})")
    # The clock, or whoever ends processes when memory is short: the machine's doing as well.
    return ImageError(
        f"the process that decodes it was ended, after {MAX_SECONDS:g} s at the latest",
        Status.UNAVAILABLE,
    )


class _Pool:
    """The workers of this process: at most one for each core."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._places = threading.BoundedSemaphore(usable_cores())

    def decode(self, photo: Container, views: Sequence[View]) -> Decoded:
        with self._places:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            worker = worker or _Worker()
            kept = False
            try:
                found = worker.decode(photo, views)
                kept = True
            except ImageError:
                kept = worker.process.poll() is None
                raise
            finally:
                if kept:
                    with self._lock:
                        self._idle.append(worker)
                else:
                    worker.end()
            return found

    def end(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().end()


_pool = _Pool()


def _forget() -> None:
    """Start without workers in a forked process: they are its parent's."""
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
atexit.register(lambda: _pool.end())


def decode_apart(photo: Container, views: Sequence[View]) -> Decoded:
    """Decode a photo in a process that is ended when it takes too much; see `truncated.decode`."""
    return _pool.decode(photo, views)


def _send(pipe: Any, about: dict[str, Any], *bodies: Any) -> None:
    text = json.dumps(about).encode()
    pipe.write(struct.pack("<I", len(text)) + text)
    for body in bodies:
        pipe.write(body)
    pipe.flush()


def _fill(pipe: Any, pixels: np.ndarray) -> int:
    return int(pipe.readinto(pixels.reshape(-1).data))


def _receive(pipe: Any) -> dict[str, Any] | None:
    head = pipe.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack("<I", head)
    text = pipe.read(min(length, 1 << 20))
    try:
        found = json.loads(text)
    except ValueError:
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

        with open("/proc/self/statm") as file:  # noqa: PTH123 - one line of the system's
            used = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (used + MAX_MEMORY, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return  # No such bound on this system: what its file says bounds a photo all the same.


def _give_back() -> None:
    """Return the memory of a large photo to the system, which the allocator would keep."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim:
            trim(0)


def _time(seconds: float) -> None:
    """End this process when it has used the processor for so long."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
