"""Properties of photos in words, and the groups that their values make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import knows_hotels

#: Shares of the photos at the ends of a property's range that are tried as a group.
_TAILS = (0.1, 0.2, 0.35)
#: A group is at most this share of the photos; what is nearly all of them is no group.
_MOST = 0.6
#: From this share of photos with the least value on, having more of it is a group: a border.
_NONE = 0.4
#: A text with more values than this names photos rather than groups of them.
_VALUES = 30
#: What the ends of a property are called: low, high.
_WORDS = {
    "brightness": ("dark", "bright"),
    "black level": ("deep black", "washed out"),
    "sharpness": ("blurred", "sharp"),
    "tones": ("few tones", "many tones"),
    "colour": ("hardly any colour", "strong colours"),
    "megapixels": ("small", "large"),
    "bytes per pixel": ("strongly compressed", "hardly compressed"),
    "photos of the hotel": ("hotel with few photos", "hotel with many photos"),
    "position": ("early in the hotel's gallery", "late in the hotel's gallery"),
}
#: How the property of the audit is called here.
_MEASURED = {
    "dark": "brightness", "light": "black level", "sharpness": "sharpness", "entropy": "tones",
    "colour": "colour", "border": "border",
}  # fmt: skip
#: Width over height, up to where a photo has each shape.
_SHAPES = ((0.9, "portrait"), (1.1, "square"), (1.9, "landscape"), (np.inf, "panorama"))


class PropertyGroup(NamedTuple):
    """The photos with one value of a property, or at one end of its range.

    Attributes
    ----------
    name
        The property: ``brightness``, ``source``.
    side
        Of a number ``low`` or ``high``, else the value: groups of one property and side are
        variants of one another.
    words
        ``dark (brightness at most 0.41)``.
    members
        Of each photo: whether it is one of the group.
    """

    name: str
    side: str
    words: str
    members: np.ndarray


def photo_properties(table: pd.DataFrame, measured: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the properties that groups of photos can be described by.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``image_id``, and of ``hotel_id``, ``source``, ``position``, ``format`` and ``score``
        what there is.
    measured : pandas.DataFrame, optional
        The ``photos`` of `hotelviz.embeddings.compute_image_properties`, matched by ``image_id``.

    Returns
    -------
    pandas.DataFrame
        A row per row of `table`: ``image_id``, ``brightness`` (0 to 1, of the brightest parts),
        ``black level`` (0 to 1, of the darkest parts), ``sharpness``, ``tones`` (bits),
        ``colour`` (0 to 1), ``border`` (share of the photo), ``shape``, ``megapixels``,
        ``bytes per pixel``, ``source``, ``photos of the hotel``, ``position`` and ``predicted
        score`` (rounded down); missing where a photo could not be measured.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "source": ["web", "own"]})
    >>> measured = pd.DataFrame({"image_id": ["b", "a"], "width": [300, 640],
    ...                          "height": [400, 480], "bytes": [9_000, 9_000], "dark": [0.9, 0.3]})
    >>> photo_properties(table, measured)[["brightness", "shape", "source"]].values.tolist()
    [[0.3, 'landscape', 'web'], [0.9, 'portrait', 'own']]
    """
    found = pd.DataFrame({"image_id": table["image_id"].to_numpy()})
    if measured is not None:
        own = measured.drop_duplicates("image_id").set_index("image_id")
        own = own.reindex(found["image_id"]).reset_index(drop=True)
        for column, name in _MEASURED.items():
            if column in own:
                found[name] = own[column].astype(float)
        if {"width", "height"} <= {*own.columns}:
            width, height = own["width"].astype(float), own["height"].astype(float)
            found["shape"] = [_shape(ratio) for ratio in width / height]
            found["megapixels"] = width * height / 1e6
            if "bytes" in own:
                found["bytes per pixel"] = own["bytes"].astype(float) / (width * height)
    if "source" in table:
        found["source"] = table["source"].to_numpy()
    if knows_hotels(table):
        sizes = table.groupby("hotel_id")["image_id"].transform("size")
        found["photos of the hotel"] = sizes.to_numpy(dtype=float)
    if "position" in table:
        found["position"] = pd.to_numeric(table["position"], errors="coerce").to_numpy(dtype=float)
    if "score" in table:
        score = np.floor(table["score"].to_numpy(dtype=float))
        found["predicted score"] = [
            f"{low:.0f} to {low + 1:.0f}" if np.isfinite(low) else None for low in score
        ]
    return found


def property_groups(
    properties: pd.DataFrame, *, least: int = 1, within: np.ndarray | None = None
) -> list[PropertyGroup]:
    """Return the groups that the values of properties make, without looking at any error.

    Parameters
    ----------
    properties : pandas.DataFrame
        A row per photo; numbers, texts, or yes and no. Missing values are in no group, and a
        property that is constant makes none. ``image_id`` is no property.
    least : int, default 1
        Photos that a group needs.
    within : numpy.ndarray of bool, optional
        Groups of these photos alone; their ends are those of their own range: dark for a pool.

    Returns
    -------
    list of PropertyGroup

    Examples
    --------
    >>> photos = pd.DataFrame({"source": ["web", "own", "own"], "brightness": [0.2, 0.8, 0.9]})
    >>> [(group.words, int(group.members.sum())) for group in property_groups(photos)][:2]
    [('source web', 1), ('dark (brightness at most 0.2)', 1)]
    """
    chosen = np.ones(len(properties), bool) if within is None else np.asarray(within, bool)
    groups: list[PropertyGroup] = []
    for name in properties.columns.drop("image_id", errors="ignore"):
        values = properties[name]
        number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        made = _ends(name, values, chosen) if number else _values(name, values, chosen)
        known: set[bytes] = set()
        for group in made:
            size, key = int(group.members.sum()), group.members.tobytes()
            if least <= size <= _MOST * chosen.sum() and key not in known:
                known.add(key)
                groups.append(group)
    return sorted(groups, key=lambda group: group.name in _WORDS)


def _values(name: str, values: pd.Series, chosen: np.ndarray) -> Iterator[PropertyGroup]:
    """Yield a group for each value of a text, or of yes and no."""
    texts = values.astype("str").where(values.notna()).to_numpy()
    own = pd.unique(texts[chosen & values.notna().to_numpy()])
    if len(own) > _VALUES:
        return
    for value in own:
        words = str(value) if name == "shape" else f"{name} {value}"
        if pd.api.types.is_bool_dtype(values):
            words = str(name) if value == "True" else f"not {name}"
        yield PropertyGroup(str(name), str(value), words, chosen & (texts == value))


def _ends(name: str, values: pd.Series, chosen: np.ndarray) -> Iterator[PropertyGroup]:
    """Yield the ends of a number's range, and where most have none of it, those that have some."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    own = numbers[chosen & np.isfinite(numbers)]
    if not len(own) or own.min() == own.max():
        return
    low, high = _WORDS.get(name, (f"low {name}", f"high {name}"))
    if (own == own.min()).mean() >= _NONE:
        words = f"with {name}" if own.min() == 0 else f"{name} over {own.min():.3g}"
        yield PropertyGroup(name, "high", words, chosen & (numbers > own.min()))
    for share in _TAILS:
        for side, word, at, relation in (
            ("low", low, np.quantile(own, share, method="lower"), "at most"),
            ("high", high, np.quantile(own, 1 - share, method="higher"), "at least"),
        ):
            members = numbers <= at if side == "low" else numbers >= at
            words = f"{word} ({name} {relation} {at:.3g})"
            yield PropertyGroup(name, side, words, chosen & members)


def _shape(ratio: float) -> str | None:
    """Return the shape of a photo by its width over its height."""
    return next((name for most, name in _SHAPES if ratio <= most), None)
