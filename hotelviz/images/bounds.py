"""What a photo may cost: bytes, pixels and time, of one and of all that are decoded at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hotelviz.errors import HotelvizError, ImageError
from hotelviz.images.formats import Container

#: Pillow's own bound: a quarter of a gigabyte of RGB.
MAX_PIXELS = 89_478_485
#: The longer side, in pixels: the most that a JPEG can have.
MAX_SIDE = 65_535
#: Bytes that decoding one photo may take, its file and its pixels included.
MAX_MEMORY = 500_000_000
#: Seconds of the processor's time that decoding one photo may take.
MAX_CPU_SECONDS = 3.0
#: Seconds by the clock that decoding one photo may take: within five with all that is around it.
MAX_SECONDS = 4.0
#: Pixels times scans of a JPEG; the largest of ordinary ones have a billion.
_MAX_PASSES = 1_500_000_000
#: Photos that take more, or go over their pixels more often, are decoded in a process of their own.
_ORDINARY_MEMORY = 200_000_000
_ORDINARY_PASSES = 300_000_000
#: Larger files are read one at a time.
ORDINARY_FILE = 16 * 1024**2

_RESAMPLING = ("nearest", "bilinear", "bicubic", "lanczos")
#: Format -> bytes a pixel that its decoder has beside Pillow's image; measured.
_DECODER = {"WEBP": 14, "AVIF": 10, "HEIF": 8}


@dataclass(frozen=True)
class View:
    """How a photo is wanted.

    Attributes
    ----------
    size
        Height and width; None keeps its own.
    resample
        The filter of the resizing: ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``.
    max_side
        Where `size` is None: pixels that the longer side may have; smaller photos stay as they are.

    Raises
    ------
    HotelvizError
        The filter is not known.
    """

    size: tuple[int, int] | None
    resample: str = "bilinear"
    max_side: int | None = None

    def __post_init__(self) -> None:
        if self.resample not in _RESAMPLING:
            known = ", ".join(_RESAMPLING)
            raise HotelvizError(f"resample must be one of {known}; not {self.resample!r}")

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of the view of a photo that stands upright."""
        if self.size is not None:
            return self.size[1], self.size[0]
        if self.max_side is None or max(width, height) <= self.max_side:
            return width, height
        factor = self.max_side / max(width, height)
        return max(1, round(width * factor)), max(1, round(height * factor))


def targets(photo: Container, views: Sequence[View]) -> list[tuple[int, int]]:
    """Return width and height of each view as the photo lies in its file."""
    if photo.orientation >= 5:
        return [view.fit(photo.height, photo.width)[::-1] for view in views]
    return [view.fit(photo.width, photo.height) for view in views]


def usable_cores() -> int:
    """Count the cores that this process may use, which a container often limits.

    ``$HOTELVIZ_CORES`` says how many, where a machine is divided among processes.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    given = os.environ.get("HOTELVIZ_CORES", "")
    if given.isdigit() and int(given):
        return int(given)
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def cost_of(photo: Container, views: Sequence[View]) -> tuple[int, bool]:
    """Estimate what a photo takes from what its file says of itself.

    Returns
    -------
    memory : int
        Bytes.
    ordinary : bool
        Whether it is decoded in this process.

    Raises
    ------
    ImageError
        It is beyond a bound; the message names it.
    """
    if min(photo.width, photo.height) < 1:
        raise ImageError(f"damaged {photo.format}: {photo.width} x {photo.height} pixels")
    pixels = photo.width * photo.height
    if pixels > MAX_PIXELS:
        raise ImageError(f"declares more than {MAX_PIXELS:,} pixels")
    if max(photo.width, photo.height) > MAX_SIDE:
        raise ImageError(f"too costly: a side of more than {MAX_SIDE:,} pixels")
    if photo.scans * pixels > _MAX_PASSES:
        raise ImageError(f"too costly: {photo.scans} scans of {pixels:,} pixels")
    made = sum(width * height for width, height in targets(photo, views))
    loaded = pixels // draft_scale(photo, views) ** 2
    # What is no RGB is made into it beside the original; the decoder goes before the result.
    decoding = loaded * (photo.mode + _DECODER.get(photo.format, 0)) + photo.largest_piece
    decoding += round(photo.coefficients * pixels * 2)
    changing = loaded * (photo.mode + (0 if photo.format == "JPEG" else 4))
    if photo.missing:
        decoding, changing = decoding + 4 * loaded, changing + 4 * loaded
    memory = 2 * len(photo.data) + max(decoding, changing, loaded * 4 + made * 4) + made * 3
    if memory > MAX_MEMORY:
        raise ImageError(
            f"too costly: decoding its {photo.width:,} x {photo.height:,} pixels takes "
            f"{memory / 1e6:,.0f} MB, more than the {MAX_MEMORY / 1e6:,.0f} MB a photo may take"
        )
    ordinary = (
        photo.ordinary and memory <= _ORDINARY_MEMORY and photo.scans * pixels <= _ORDINARY_PASSES
    )
    return memory, ordinary


def draft_scale(photo: Container, views: Sequence[View]) -> int:
    """Return by how much a JPEG's decoder may shrink it: 8, 4, 2 or 1."""
    if photo.format != "JPEG" or any(view.resample == "nearest" for view in views):
        return 1
    width, height = (max(sides) for sides in zip(*targets(photo, views), strict=True))
    most = min(photo.width // max(width, 1), photo.height // max(height, 1))
    return next((scale for scale in (8, 4, 2) if scale <= most), 1)


class Budget:
    """Bytes that all threads of this process may have at once; who asks for more waits."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._changed = threading.Condition()

    @contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Reserve `amount` bytes during the block; more than the total takes all."""
        amount = min(amount, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


#: Ordinary photos never wait for it as long as threads are no more than cores.
MEMORY = Budget(max(2 * MAX_MEMORY, usable_cores() * _ORDINARY_MEMORY))
