"""How the reading of a photo ended, and what went wrong."""

from __future__ import annotations

import enum
from typing import NamedTuple

from hotelviz.errors import HotelvizError


class Status(enum.StrEnum):
    """How the reading of a photo ended."""

    OK = "ok"
    #: The file ends too early; what there is was loaded.
    TRUNCATED = "truncated"
    #: The file is no photo: it would be no better at another time or place.
    UNREADABLE = "unreadable"
    #: A fault of the place, not of the photo: missing here, refused, no answer, no reader of its
    #: format installed. It says nothing about the photo, is tried again by the next run, and is
    #: never a reason to drop it.
    UNAVAILABLE = "unavailable"


class Problem(NamedTuple):
    """What was wrong with a photo.

    Attributes
    ----------
    status
        Any but ``Status.OK``, which is that of a photo that was read, but of which a network gives
        no numbers.
    reason
        In words, without the file's name.
    """

    status: Status
    reason: str


class ImageError(HotelvizError):
    """A file cannot be made into pixels; the message names it and says why.

    Attributes
    ----------
    status
        ``Status.UNREADABLE``, or ``Status.UNAVAILABLE`` where the place is at fault.
    """

    def __init__(self, reason: str, status: Status = Status.UNREADABLE) -> None:
        super().__init__(reason)
        self.status = status
