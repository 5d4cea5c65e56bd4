"""The words of a catalogue, and how a mistake in it is told."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from hotelviz.errors import HotelvizError

#: The eight areas of a hotel that the tagger tells apart.
AREAS = (
    "Bathroom",
    "Bedroom",
    "Foyer",
    "Kitchen",
    "Pool",
    "Reception",
    "Restaurant",
    "View_of_Exterior",
)
#: The classes that the talk names as next.
MORE_AREAS = (*AREAS, "Conference_Room", "Fitness_Studio", "Other")

SPLITS = ("train", "val", "test")

#: How many raters gave each score from 1 to 10, or the share of them.
RATINGS = tuple(f"rating_{score}" for score in range(1, 11))


class CatalogError(HotelvizError):
    """A catalogue cannot be used as it is; the message says where and what to do."""


def nearest(value: object, choices: Sequence[str]) -> str:
    """Say which of `choices` was probably meant, as the end of an error message.

    Parameters
    ----------
    value
        What was given.
    choices
        What would have been right.

    Returns
    -------
    str
        ``"; did you mean 'Bedroom'?"``, or an empty string when nothing is close.

    Examples
    --------
    >>> nearest("Bedrom", ["Bathroom", "Bedroom"])
    "; did you mean 'Bedroom'?"
    """
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(str(value).lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""
