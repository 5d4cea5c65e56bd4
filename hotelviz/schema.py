"""The words that all modules share: columns, classes, scores, decode status."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

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

#: What raters give and aesthetic models predict.
SCORES = tuple(range(1, 11))
#: How many raters gave each score, or the share of them.
RATINGS = tuple(f"rating_{score}" for score in SCORES)
#: The probability that an aesthetic model gives each score.
SCORE_SHARES = tuple(f"q_{score}" for score in SCORES)

#: How columns begin that say how many labellers chose a class: ``votes_Foyer``.
VOTES = "votes_"

#: column -> what it holds, for those that a catalogue has, beside votes
COLUMNS = {
    "image_id": "the unique name of each photo",
    "path": "where each photo is: a local path, or a URL",
    "hotel_id": "the accommodation that each photo belongs to",
    "position": "where the hotel's gallery shows the photo at present, from 1",
    "label": "the area that each photo shows",
    "label_2": "a second area that the photo shows as well",
    "source": "which collection each photo came from",
    "split": "train, val or test",
    "weight": "how much each photo counts in training, above 0",
    **{
        name: f"how many raters gave the score {score}, or their share"
        for score, name in enumerate(RATINGS, start=1)
    },
}
#: column -> what it holds, for what models and people add
MEANINGS = {
    **COLUMNS,
    "predicted": "the class that a tagger gives each photo",
    "score": "the mean score that an aesthetic model gives each photo, 1 to 10",
    "score_std": "the standard deviation of the scores that a model predicts",
    "technical": "the mean technical score, 1 to 10",
    "rater": "who rated",
    "tag": "the area that a rater gave",
    "repeat": "1 where a rater saw a photo for the second time, else 0",
}
#: Columns whose values are names; numbers become their digits.
TEXTS = ("image_id", "path", "hotel_id", "label", "label_2", "source", "split")


def vote_columns(columns: Iterable[object]) -> dict[str, str]:
    """Return the columns that say how many labellers chose a class.

    Parameters
    ----------
    columns
        Those of a table.

    Returns
    -------
    dict
        Class -> column.

    Examples
    --------
    >>> vote_columns(["image_id", "votes_Foyer", "votes"])
    {'Foyer': 'votes_Foyer'}
    """
    names = [name for name in map(str, columns) if name.startswith(VOTES)]
    return {name.removeprefix(VOTES): name for name in names if name != VOTES}


#: What an audit looks for, in the order of its tables.
ISSUES = (
    "unavailable", "unreadable", "truncated", "wrong_extension", "tiny", "odd_aspect_ratio",
    "odd_size", "dark", "light", "blurry", "low_information", "grayscale", "exact_duplicate",
    "near_duplicate", "label_error", "outlier",
)  # fmt: skip


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


class PhotoError(NamedTuple):
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
