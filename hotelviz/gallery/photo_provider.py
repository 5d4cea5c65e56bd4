"""What a live gallery shows of a row, when it is asked for: the photo, its map, its caption."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np
from cachetools import LRUCache

from hotelviz.gallery.maps import small_maps
from hotelviz.gallery.thumbnails import Thumbnail, thumbnail

#: The longer side of the large view, and of photos that are looked at closely, in pixels.
_LARGE, _WHOLE = 1600, 6000


class LivePhoto(NamedTuple):
    """A photo as JPEG (empty where there is an error), its maps (empty if none), its caption."""

    jpeg: bytes
    error: str
    overlay: bytes
    caption: str


@dataclass(eq=False, repr=False)
class PhotoProvider:
    """Photos by row, decoded when they are looked at and kept while they fit.

    Parameters
    ----------
    paths : sequence of str
        Files or URLs, by row.
    caption : callable
        From a row's number to its caption.
    side : int
        The longer side of a photo in the grid, in pixels.
    overlays : mapping, optional
        Name -> maps, float (n, h, w) in 0 to 1.
    max_bytes : int, default 64 MB
        JPEG bytes that are kept.
    """

    paths: Sequence[str]
    _: KW_ONLY
    caption: Callable[[int], str]
    side: int
    overlays: Mapping[str, np.ndarray] | None = None
    max_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        self._kept: LRUCache[int, Thumbnail] = LRUCache(self.max_bytes, lambda one: len(one.jpeg))

    def __len__(self) -> int:
        return len(self.paths)

    def photos(self, rows: Sequence[int]) -> list[LivePhoto]:
        """Return the photos of the grid."""
        found = {row: self._kept[row] for row in rows if row in self._kept}
        missing = [row for row in rows if row not in found]
        with ThreadPoolExecutor() as pool:
            made = pool.map(lambda row: thumbnail(self.paths[row], self.side), missing)
        for row, one in zip(missing, made, strict=True):
            found[row] = one
            # A photo that cannot be read is tried again: it may be back.
            if one.jpeg and len(one.jpeg) <= self._kept.maxsize:
                self._kept[row] = one
        return [LivePhoto(*found[row], self._overlay(row), self.caption(row)) for row in rows]

    def _overlay(self, row: int) -> bytes:
        return small_maps(self.overlays, row).tobytes() if self.overlays else b""

    def large(self, row: int, *, whole: bool = False) -> Thumbnail:
        """Return the photo of the large view; `whole`, of all pixels, at most 6,000 a side."""
        return thumbnail(self.paths[row], _WHOLE if whole else _LARGE)
