"""Whether the places that photos come from may be read, before the work starts."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from hotelviz.io.remote import is_url, read_bytes, redact
from hotelviz.scoring.scorer import ScoringError

#: Photos of a bucket or host that are tried before it counts as closed.
_PROBES = 3


def check_access(paths: Iterable[str]) -> None:
    """Refuse photos of a bucket or host that lets nobody in.

    A few photos of each are tried. One that may be read is enough, and so is any other trouble:
    that is a matter of single photos, which are listed.

    Raises
    ------
    ScoringError
        Permission is refused for all of them; it names the bucket and says what to do.
    """
    probes: dict[str, list[str]] = {}
    for path in paths:
        if is_url(path):
            parts = urlsplit(path)
            tried = probes.setdefault(f"{parts.scheme}://{parts.netloc}", [])
            if len(tried) < _PROBES:
                tried.append(path)
    for place, tried in probes.items():
        refused = ""
        for path in tried:
            try:
                read_bytes(path)
            except PermissionError as error:
                refused = error.strerror or "refused"
                continue
            except OSError:
                pass
            break
        else:
            raise ScoringError(
                f"{redact(place)}: {refused}. Give this process credentials that may read it (for "
                "s3:// the variables AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), "
                "or take its photos out of the catalogue"
            )
