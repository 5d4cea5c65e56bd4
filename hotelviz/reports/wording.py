"""How pages say numbers and names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hotelviz.catalog import knows_hotels

if TYPE_CHECKING:
    import pandas as pd


def percent(share: float, low: float | None = None, high: float | None = None) -> str:
    """Return a share as per cent, with its interval where there is one.

    Parameters
    ----------
    share : float
        0 to 1.
    low, high : float, optional
        Its interval; NaN where there is none.

    Examples
    --------
    >>> percent(0.8), percent(0.803, 0.76, 0.842)
    ('80 %', '80 % (76–84)')
    >>> percent(-0.002)
    '0 %'
    """
    interval = ""
    if low is not None and high is not None and low <= high:
        # Nothing is not less than nothing.
        interval = f" ({100 * low:z.0f}–{100 * high:z.0f})"
    return f"{100 * share:z.0f} %{interval}"


def started_from(weights: str | None) -> str:
    """Return in words which weights a training began from, as a model's description names them.

    Examples
    --------
    >>> started_from("imagenet"), started_from(None)
    ("ImageNet's weights", 'random weights, from scratch')
    """
    known = {
        "imagenet": "ImageNet's weights", "file": "the weights in the backbone's file",
        "parent": "an earlier model", None: "random weights, from scratch",
    }  # fmt: skip
    return known.get(weights, str(weights))


def backbone_words(backbone: str, options: Mapping[str, Any] | None = None) -> str:
    """Return a backbone with the arguments that it was built with.

    Examples
    --------
    >>> backbone_words("MobileNet", {"alpha": 0.25}), backbone_words("VGG16")
    ('MobileNet (alpha 0.25)', 'VGG16')
    """
    told = ", ".join(f"{name} {value}" for name, value in (options or {}).items())
    return f"{backbone} ({told})" if told else backbone


def input_words(size: int, n_scales: int = 1) -> str:
    """Return the sizes at which a network sees a photo.

    Examples
    --------
    >>> input_words(384, n_scales=3)
    '384, 192 and 96 pixels'
    """
    *more, last = (f"{size // 2**number:d}" for number in range(n_scales))
    return f"{', '.join(more)} and {last} pixels" if more else f"{last} pixels"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "photo"), counted(1200, "photo"), counted(2, "class", "classes")
    ('1 photo', '1,200 photos', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def the_counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun after an article; of one thing the number is not said.

    Examples
    --------
    >>> the_counted(1, "other photo"), the_counted(3, "other photo")
    ('the other photo', 'the 3 other photos')
    """
    return f"the {noun if number == 1 else counted(number, noun, plural)}"


def agreeing(number: float, one: str = "is", several: str = "are") -> str:
    """Return the words that agree with a number.

    Examples
    --------
    >>> [agreeing(number) for number in (0, 1, 2)], agreeing(1, "has", "have")
    (['are', 'is', 'are'], 'has')
    """
    return one if number == 1 else several


def in_words(name: object) -> str:
    """Return the name of a class or column as people read it.

    Examples
    --------
    >>> in_words("View_of_Exterior")
    'View of Exterior'
    """
    return str(name).replace("_", " ")


def photos_of_hotels(photos: pd.DataFrame, photo: str = "photo", hotel: str = "hotel") -> str:
    """Return how many photos of how many hotels a table has, of photos alone where it names none.

    Parameters
    ----------
    photos : pandas.DataFrame
        With ``image_id`` and ``hotel_id``; a photo without a hotel has its own name as that.
    photo, hotel : str
        What they are called; a word before the hotels, such as ``unseen hotel``, stands before the
        photos where there are none.

    Examples
    --------
    >>> import pandas as pd
    >>> photos_of_hotels(pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["h", "h"]}))
    '2 photos of 1 hotel'
    >>> nameless = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["a", "b"]})
    >>> photos_of_hotels(nameless, hotel="unseen hotel")
    '2 unseen photos'
    """
    if knows_hotels(photos):
        return f"{counted(len(photos), photo)} of {counted(photos['hotel_id'].nunique(), hotel)}"
    return counted(len(photos), f"{hotel.removesuffix('hotel')}{photo}")
