"""A step: something that is done once, until what it was made of changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hotelviz.io.content import content_name, file_version

#: Kinds of files whose change means another code version.
_SOURCES = {".py", ".js", ".css", ".j2"}


class LeftOut(Exception):  # noqa: N818 - nothing is wrong
    """Is raised by a step that has nothing to do, which shows only when it begins: says why."""


@dataclass(frozen=True)
class Step:
    """Something that is done once, until its inputs, its parameters or the code change.

    Attributes
    ----------
    name : str
        Its name; no two steps of a run have the same.
    action : callable
        Does it; is called without arguments, in a thread of its own. It may raise `LeftOut`.
    needs : tuple of str
        The steps that have to be done before.
    inputs : tuple of pathlib.Path
        Files and folders that it reads. Files are compared by their content, those in folders by
        size and time.
    outputs : tuple of pathlib.Path
        What it leaves. While one of them is missing, it is not done.
    key : mapping
        What else it depends on, such as its parameters and the version of its code (JSON).
    heavy : bool
        Whether it keeps all cores busy by itself: no two of these run side by side.
    seconds : float, optional
        About how long it takes; None where that is not known.
    """

    name: str
    action: Callable[[], object]
    needs: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    key: Mapping[str, Any] = field(default_factory=dict)
    heavy: bool = False
    seconds: float | None = None

    def fingerprint(self) -> str:
        """Return the hash of all that it depends on, as that is now.

        Examples
        --------
        >>> one, other = (Step("train", print, key={"epochs": number}) for number in (1, 2))
        >>> one.fingerprint() == other.fingerprint()
        False
        """
        about = {"inputs": [[str(path), _version(path)] for path in self.inputs], "key": self.key}
        return _hash(json.dumps(about, sort_keys=True, default=str).encode())

    def is_there(self) -> bool:
        """Return whether all that it leaves is there."""
        return all(path.exists() for path in self.outputs)


@cache
def code_version() -> str:
    """Return the hash of hotelviz' source: another one, and every step is done again."""
    package = Path(__file__).parent.parent
    files = sorted(file for file in package.rglob("*") if file.suffix in _SOURCES)
    return _hash(*(file.read_bytes() for file in files))


def _version(path: Path) -> str:
    """Return what changes with a file's content, or with any file of a folder."""
    if not path.is_dir():
        return content_name(path)
    # Locks and what hotelviz writes beside are not what is read.
    files = sorted(
        Path(place, name) for place, _, names in os.walk(path) for name in names
        if name[0] not in "._"
    )  # fmt: skip
    return _hash(*(f"{file.relative_to(path)}{file_version(file)}".encode() for file in files))


def _hash(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
