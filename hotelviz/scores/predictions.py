"""Predictions beside the columns of a catalogue: which are whose.

A catalogue may have columns of its own that look like predictions (``p_price``, ``predicted``,
``score``). What is a class's probability is known by the model's classes, never by its first
letters alone.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from hotelviz.catalog import as_ids, check_table
from hotelviz.errors import HotelvizError
from hotelviz.schema import RATINGS, VOTES

#: Where a table of predictions says what the model's classes are (`pandas.DataFrame.attrs`).
CLASSES = "hotelviz.classes"

#: What a catalogue says of a photo, whatever was computed of it.
_OF_THE_CATALOG = {
    "hotel_id", "path", "label", "label_2", "source", "split", "position", *RATINGS,
}  # fmt: skip

#: As many columns that are no classes are looked for, and as many choices of them tried.
_MOST_OTHERS, _MOST_CHOICES = 3, 20_000


def class_columns(table: pd.DataFrame, classes: Sequence[str] | None = None) -> dict[str, str]:
    """Return the columns that hold the probabilities of a tagger's classes.

    Parameters
    ----------
    table
        With ``predicted`` and ``p_<class>``, perhaps beside other columns that begin like these.
    classes
        The model's classes; None for those that the table says it has (``attrs``, as `predict_tags`
        and `join_photos` set them), or else those whose columns are numbers from 0 to 1, include
        all that were predicted, and sum to one.

    Returns
    -------
    dict
        Class -> column. Empty where the table has no probabilities.

    Raises
    ------
    HotelvizError
        A class without its column, or columns of which it cannot be told whether they are classes.

    Examples
    --------
    >>> class_columns(pd.DataFrame({"predicted": ["Pool"], "p_Pool": [0.9], "p_Bar": [0.1],
    ...                             "p_price": [89.5], "p_discount": [0.2]}))
    {'Pool': 'p_Pool', 'Bar': 'p_Bar'}
    """
    predicted = set(_said(table).dropna()) if "predicted" in table else set()
    if classes is not None:
        for name in classes:
            if f"p_{name}" not in table:
                raise HotelvizError(
                    f"the table has no column 'p_{name}', the probability of the class {name!r}"
                )
        return {name: f"p_{name}" for name in classes}
    told = {name: f"p_{name}" for name in table.attrs.get(CLASSES, ())}
    if told and set(told.values()) <= set(table) and predicted <= set(told):
        return told
    return _by_values(table, predicted)


def class_probabilities(table: pd.DataFrame, classes: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the probabilities of a tagger's classes: a column per class, a row per photo.

    Parameters
    ----------
    table, classes
        As in `class_columns`.

    Returns
    -------
    pandas.DataFrame
        Of the index of `table`; without columns where it has no probabilities.

    Raises
    ------
    HotelvizError
        As `class_columns` raises it.

    Examples
    --------
    >>> tags = pd.DataFrame({"p_Pool": [0.75], "p_Bar": [0.25], "p_price": [120.0]})
    >>> class_probabilities(tags).iloc[0].to_dict()
    {'Pool': 0.75, 'Bar': 0.25}
    """
    columns = class_columns(table, classes)
    return table[list(columns.values())].set_axis(list(columns), axis="columns")


def join_photos(
    photos: pd.DataFrame, computed: pd.DataFrame, *, how: Literal["left", "right"] = "left"
) -> pd.DataFrame:
    """Join what was computed of photos to their table, by ``image_id``.

    Parameters
    ----------
    photos
        A catalogue: a row per photo.
    computed
        Such as predictions, ratings or issues. Its columns are in the result under their own
        names; columns of the catalogue that are called the same become ``catalog_<name>``, with a
        warning that says so. What a catalogue says of a photo (``path``, ``hotel_id``, ``label``
        and the like) is the catalogue's, and left out of `computed`.
    how
        ``left``: a row for each photo, in the catalogue's order, missing values where nothing was
        computed. ``right``: a row for each row of `computed`, of which a photo may have several.

    Returns
    -------
    pandas.DataFrame
        Which columns are the model's classes is kept with it, see `class_columns`.

    Raises
    ------
    HotelvizError
        No ``image_id``, a photo with several rows where it may have one, or tables that have no
        photo in common.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "label": ["Pool", "Bar"]})
    >>> tags = pd.DataFrame({"image_id": ["b", "a"], "predicted": ["Bar", "Bar"]})
    >>> join_photos(photos, tags)["predicted"].to_list()
    ['Bar', 'Bar']
    """
    photos = check_table(photos, where="join_photos, photos")
    computed = check_table(computed, where="join_photos, computed", unique=how == "left")
    own = [name for name in computed if name not in photos or not _is_of_the_catalog(name)]
    clash = [name for name in own if name in photos and name != "image_id"]
    renamed = {name: f"catalog_{name}" for name in clash}
    for name, other in renamed.items():
        if other in photos or other in own:
            raise HotelvizError(
                f"the catalogue has a column {name!r}, which is also computed, and one named "
                f"{other!r}; rename one of them"
            )
    if clash:
        warnings.warn(
            f"the catalogue's own columns {', '.join(map(repr, clash))} are called "
            f"{', '.join(map(repr, renamed.values()))} beside what was computed",
            stacklevel=2,
        )
    joined = photos.rename(columns=renamed).merge(computed[own], on="image_id", how=how)
    if how == "left" and len(photos) and not photos["image_id"].isin(computed["image_id"]).any():
        raise HotelvizError(
            f"no photo of the catalogue ({photos['image_id'].iloc[0]!r}, ...) is among those of "
            "which something was computed"
        )
    classes = class_columns(computed) if "predicted" in computed else {}
    if all(column == f"p_{name}" for name, column in classes.items()) and classes:
        joined.attrs[CLASSES] = list(classes)
    return joined


def _is_of_the_catalog(column: object) -> bool:
    return column in _OF_THE_CATALOG or str(column).startswith(VOTES)


def _said(table: pd.DataFrame) -> pd.Series:
    """Return what was predicted as text: the class 1 stands as 1.0 where others are missing."""
    return as_ids(table["predicted"], "predicted", "the table")


def _by_values(table: pd.DataFrame, predicted: set[str]) -> dict[str, str]:
    """Return the columns that behave as a distribution over what was predicted."""
    places = [
        place
        for place, (column, kind) in enumerate(zip(table.columns, table.dtypes, strict=True))
        if str(column).startswith("p_") and pd.api.types.is_float_dtype(kind)
    ]
    options = [(_class_of(column, table), column) for column in map(str, table.columns[places])]
    shares = table.iloc[:, places].to_numpy("float64", na_value=np.nan)
    # Photos that could not be read have no probabilities.
    read = ~np.isnan(shares).any(axis=1)
    there = table["predicted"].notna().to_numpy(copy=True) if "predicted" in table else read
    kept = ~((shares[there] < 0) | (shares[there] > 1.001)).any(axis=0)
    # A row in which one is missing says nothing about the others.
    whole = there & ~np.isnan(shares[:, kept]).any(axis=1)
    if whole.any():
        there = whole
    kept &= ~np.isnan(shares[there]).any(axis=0)
    shares, options = shares[there][:, kept], list(itertools.compress(options, kept))
    missing = sorted(predicted - {name for name, _ in options})
    if not len(shares) or not options or (missing and len(missing) == len(predicted)):
        return {}
    columns = ", ".join(repr(column) for _, column in options[:6])
    if missing:
        raise HotelvizError(
            f"photos are predicted to be {missing[0]!r}, but there is no column 'p_{missing[0]}' "
            f"of probabilities, as there is for other classes ({columns})"
        )
    names = [name for name, _ in options]
    fits = _sum_to_one(shares, names, predicted)
    if len(fits) == 1:
        return dict(options[place] for place in fits[0])
    if "predicted" not in table:
        return {}
    said = _said(table)[there].map(names.index).to_numpy()
    said = shares[np.arange(len(shares)), said]
    if not fits and len(set(names)) == len(names) and (said >= shares.max(axis=1) - 1e-6).all():
        # Incomplete or not normalised, but what was predicted has the largest of them.
        return dict(options)
    raise HotelvizError(
        f"which of the columns {columns} are probabilities of the model's classes cannot be told: "
        + ("several choices of them" if fits else "no choice of them")
        + " sum to one; rename those that are not, or say which are the classes"
    )


def _class_of(column: str, table: pd.DataFrame) -> str:
    """Return a column's class; a merge of two tables that have it adds a suffix."""
    name = column.removeprefix("p_")
    if name.endswith(("_x", "_y")):
        both = {f"p_{name[:-2]}_x", f"p_{name[:-2]}_y"}
        if both <= set(map(str, table)) and f"p_{name[:-2]}" not in table:
            return name[:-2]
    return name


def _sum_to_one(
    shares: np.ndarray, names: Sequence[str], needed: set[str]
) -> list[tuple[int, ...]]:
    """Return the choices of columns that sum to one in each row, leaving out as few as possible."""
    places = range(len(names))
    some = shares[:: max(1, len(shares) // 16)]
    # Exact ones before those that were rounded to two places.
    for tolerance in (1e-3, 1e-3 + 0.005 * len(names)):
        for left_out in range(min(_MOST_OTHERS, len(names) - 1) + 1):
            if math.comb(len(names), left_out) > _MOST_CHOICES:
                break
            fits = []
            for out in itertools.combinations(places, left_out):
                kept = [place for place in places if place not in out]
                chosen = {names[place] for place in kept}
                sums = (part[:, kept].sum(axis=1) for part in (some, shares))
                if (
                    len(chosen) == len(kept)
                    and needed <= chosen
                    and all((abs(total - 1) <= tolerance).all() for total in sums)
                ):
                    fits.append(tuple(kept))
            if fits:
                return fits
    return []
