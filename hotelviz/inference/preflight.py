"""Whether photos can be read here, checked before the work and while it goes on.

A photo that is not found here says something about this machine (a disk that is not mounted, a
server that does not answer), not about itself. Many of them end a run; few are tried again by the
next one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from hotelviz.catalog import check_missing
from hotelviz.catalog.availability import MAX_MISSING
from hotelviz.errors import InferenceError
from hotelviz.io.remote import is_url, read_bytes, redact

#: Photos of a bucket or host that are tried before it counts as closed.
_N_PROBES = 3
#: Photos whose files are looked for before a run.
SAMPLE = 1000
#: So many photos at the beginning of a run that are all unavailable end it.
_MAX_LOST_FIRST = 1000
_MAX_EXAMPLES = 1000


def check_access(paths: Iterable[str]) -> None:
    """Refuse photos of a bucket or host that lets nobody in.

    A few photos of each are tried. One that may be read is enough, and so is any other trouble:
    that is a matter of single photos, which are listed.

    Raises
    ------
    InferenceError
        Permission is refused for all of them; the message names the bucket and says what to do.
    """
    probes: dict[str, list[str]] = {}
    for url in filter(is_url, paths):
        parts = urlsplit(url)
        probes.setdefault(f"{parts.scheme}://{parts.netloc}", []).append(url)
    for place, urls in probes.items():
        if all(reason := _refusal(url) for url in urls[:_N_PROBES]):
            raise InferenceError(
                f"{redact(place)}: {reason}. Give this process credentials that may read it (for "
                "s3:// the variables AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), "
                "or take its photos out of the catalogue"
            )


def _refusal(url: str) -> str:
    """Return why a photo may not be read; nothing where it may, or for any other trouble."""
    try:
        read_bytes(url)
    except PermissionError as error:
        return error.strerror or "refused"
    except OSError:
        pass
    return ""


def preflight(paths: pd.Series, *, allow_missing: bool = False) -> Watch:
    """Return the watch of a run over photos, once it is clear that they can be read.

    Raises
    ------
    MissingPhotosError, InferenceError
        As `Watch.look` and `check_access` raise them.
    """
    watch = Watch(len(paths), allow_missing=allow_missing)
    watch.look(paths.sample(min(SAMPLE, len(paths)), random_state=0).to_list(), len(paths))
    check_access(paths)
    return watch


class Watch:
    """Counts photos that are unavailable, and ends a run that has too many of them.

    Parameters
    ----------
    photos : int
        Number of the whole catalogue.
    allow_missing : bool, default False
        Only count.
    """

    def __init__(self, photos: int, *, allow_missing: bool = False) -> None:
        self.photos, self.allow_missing = photos, allow_missing
        self.seen = self.unavailable = 0
        self.examples: list[tuple[str, str]] = []

    def look(self, paths: Sequence[str], left: int) -> None:
        """Look for the files of some of the photos that a run is about to read.

        Raises
        ------
        MissingPhotosError
            So many are not there that more than a tenth of the catalogue will not be.
        """
        gone = [path for path in paths if not is_url(path) and not os.access(path, os.R_OK)]
        expected = round(len(gone) / max(len(paths), 1) * left)
        # Some of many may give a wrong picture; it is not wrong by a factor of two.
        if len(paths) >= left or expected > 2 * MAX_MISSING * self.photos:
            reasons = ("no permission to read it" if Path(p).exists() else "missing" for p in gone)
            self._end(expected, self.photos, zip(gone, reasons, strict=True))

    def add(self, seen: int, unavailable: Iterable[tuple[str, str]]) -> None:
        """Count photos that were tried, and those that are unavailable by path and reason.

        Raises
        ------
        MissingPhotosError
            The first thousand are all unavailable.
        """
        unavailable = list(unavailable)
        self.seen += seen
        self.unavailable += len(unavailable)
        self.examples += unavailable[: _MAX_EXAMPLES - len(self.examples)]
        if self.unavailable == self.seen >= _MAX_LOST_FIRST:
            self._end(self.unavailable, self.seen, self.examples)

    def check(self) -> None:
        """Refuse that more than a tenth of the catalogue was unavailable.

        Raises
        ------
        MissingPhotosError
            It says how many were, and what to do.
        """
        self._end(self.unavailable, self.photos, self.examples)

    def _end(self, missing: int, total: int, examples: Iterable[tuple[str, str]]) -> None:
        # A few photos are looked through by eye; nothing is lost: the next run tries them again.
        allow = self.allow_missing or self.photos * MAX_MISSING < 1
        check_missing(missing, total, examples, allow=allow)

    def notes(self) -> list[str]:
        """Return how many were unavailable, as a sentence."""
        if not self.unavailable:
            return []
        path, reason = self.examples[0]
        photos = "photo" if self.unavailable == 1 else "photos"
        return [
            f"{self.unavailable:,} {photos} unavailable here, such as {redact(path)} ({reason}): "
            "the next run tries again"
        ]
