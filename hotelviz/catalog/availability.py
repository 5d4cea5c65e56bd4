"""Photos that are not available: found before the work, or refused when they are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from hotelviz.errors import CatalogError, MissingPhotosError
from hotelviz.io.remote import is_url, redact

#: A run that misses more of a catalogue than this stops: a disk is probably not mounted.
MAX_MISSING = 0.1


def refuse_missing(catalog: pd.DataFrame, file: Path) -> None:
    """Refuse a catalogue with files that are not there."""
    missing = [path for path in catalog["path"] if "://" not in path and not Path(path).is_file()]
    if missing:
        shown = "".join(f"\n  {path}" for path in missing[:10])
        more = f"\n  and {len(missing) - 10:,} more" if len(missing) > 10 else ""
        raise CatalogError(
            f"{file}: {len(missing):,} of {len(catalog):,} photos are missing:{shown}{more}"
        )


def check_missing(
    missing: int,
    total: int,
    examples: Iterable[tuple[str, str]] = (),
    *,
    allow: bool = False,
    option: str = "--allow-missing (allow_missing=True)",
) -> None:
    """Stop when more than a tenth of a catalogue's photos is not available.

    A photo that is missing here says nothing about the photo. When so many are, a disk is not
    mounted, a server is down, or the catalogue's paths start elsewhere: what is computed without
    them would be of another catalogue than the user thinks.

    Parameters
    ----------
    missing
        Photos whose status is ``Status.UNAVAILABLE``.
    total
        Photos that were asked for.
    examples
        Path and reason of some of them, or of all: the place that they share is named.
    allow
        The user was told, and wants to go on.
    option
        How to go on, for the message.

    Raises
    ------
    MissingPhotosError
        Says how many are missing, where, why, and what to do.

    Examples
    --------
    >>> check_missing(1, 100)
    >>> check_missing(20, 100, [("s3://photos/1.jpg", "no permission")])
    Traceback (most recent call last):
    hotelviz.errors.MissingPhotosError: 20 of 100 photos are not available, such as s3:...
    """
    if allow or not total or missing <= MAX_MISSING * total:
        return
    listed = [(str(path), str(reason)) for path, reason in examples]
    shown = "; ".join(f"{redact(path)} ({redact(reason)})" for path, reason in listed[:5])
    places = Counter(_place(path) for path, _ in listed).most_common(3)
    where = ", ".join(f"{place} ({count:,} of {len(listed):,})" for place, count in places)
    raise MissingPhotosError(
        f"{missing:,} of {total:,} photos are not available"
        + (f", such as {shown}. Not found: {where}" if listed else "")
        + ". Is the disk mounted, the server up, and do the paths start where the catalogue says? "
        f"{option} goes on without them; they are tried again by the next run"
    )


def _place(path: str) -> str:
    """Return what is missing: the host of a URL, or the first folder that is not there."""
    if is_url(path):
        return redact("/".join(path.split("/", 3)[:3]))
    place = Path(path).absolute()
    gone = [part for part in place.parents if not part.exists()]
    return f"{gone[-1] if gone else place.parent}/"
