"""Where a model fails together: slices of its errors, in words."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.embeddings import (
    Slices,
    compute_image_properties,
    feature_model,
    find_slices,
    photo_properties,
    properties_folder,
    too_few_for_slices,
)
from hotelviz.reports.tables import Table
from hotelviz.reports.wording import agreeing, counted, percent


class ErrorSlices(NamedTuple):
    """The slices of a model's errors, and what they cost.

    Attributes
    ----------
    table
        That of `hotelviz.embeddings.Slices`.
    photos
        The photos that were judged, in the rows of `members`.
    members
        bool (n_photos, n_slices).
    signed
        Whether errors are differences of scores.
    said
        What was looked for, and what was found, as a paragraph.
    """

    table: pd.DataFrame
    photos: pd.DataFrame
    members: np.ndarray
    signed: bool
    said: str


def find_error_slices(
    judged: pd.DataFrame,
    catalog: str | os.PathLike[str],
    *,
    error: str | None = None,
    seed: int = 0,
) -> ErrorSlices:
    """Find the slices of a model's errors, by the properties and features that the audit caches.

    Parameters
    ----------
    judged : pandas.DataFrame
        The photos with their predictions, and ``path``.
    catalog : path
        Their catalogue: beside it is the audit's cache.
    error : str, optional
        The column of signed errors of scores; by default another class than the label is an error.
    seed : int, default 0
        Of the search.

    Returns
    -------
    ErrorSlices
        Nothing is measured where there are too few photos, hotels or errors.
    """
    reason = too_few_for_slices(judged, error=error)
    if reason:
        nothing = find_slices(judged, error=error)
        return ErrorSlices(nothing.table, judged, nothing.members, error is not None, reason)
    started = time.perf_counter()
    network, origin = feature_model()
    measured = compute_image_properties(
        judged, model=network, cache=properties_folder(catalog), allow_missing=True
    )
    found = find_slices(
        judged, measured.features, photo_properties(judged, measured.photos), error=error, seed=seed
    )
    seconds = time.perf_counter() - started
    said = _found_words(found, signed=error is not None)
    said += f" Like photos are sought by {origin.removeprefix('features of ')}."
    if network is None:
        said = said.replace(" Like photos are sought by", " Like photos are not sought:")
    known = len(judged) - measured.n_computed
    said += f" It took {seconds:.0f} s; {known:,} of {counted(len(judged), 'photo')} "
    said += f"{agreeing(known, 'was', 'were')} known from an audit or an earlier run."
    said += "".join(f" {note}" for note in found.notes)
    return ErrorSlices(found.table, judged, found.members, error is not None, said)


def slices_table(found: ErrorSlices) -> Table:
    """Return the slices with their figures.

    Parameters
    ----------
    found : ErrorSlices
        From `find_error_slices`.

    Returns
    -------
    Table
    """
    rate = "points too high" if found.signed else "wrong"
    words = {
        "slice": "slice", "typical": "what else is frequent in it", "n_photos": "photos",
        "n_hotels": "hotels", "rate": rate, "low": "from", "high": "to",
        "rest": f"{rate}, others of these areas",
        **({"difference": "difference"} if found.signed else {"lift": "times as often"}),
        "rate_other": f"{rate}, in the other half of the hotels", "p": "p, for all that was tried",
    }  # fmt: skip
    shares = [] if found.signed else ["rate", "low", "high", "rest", "rate_other"]
    digits = {"p": 3, "lift": 1}
    return Table(found.table, words, percent=shares, digits=digits, noun="slices")


def slice_photos(found: ErrorSlices, number: int = 0, *, max_photos: int = 60) -> pd.DataFrame:
    """Return the photos of a slice, those with the largest errors first.

    Parameters
    ----------
    found : ErrorSlices
        From `find_error_slices`.
    number : int, default 0
        Of the slice, by its row.
    max_photos : int, default 60
        Most photos.

    Returns
    -------
    pandas.DataFrame
    """
    if not len(found.table):
        return found.photos.head(0)
    own = found.photos[found.members[:, number]]
    if found.signed:
        sign = 1 if found.table["difference"].iloc[number] > 0 else -1
        return own.sort_values("difference", ascending=sign < 0, kind="stable").head(max_photos)
    right = own["label"] == own["predicted"]
    return own.loc[right.sort_values(kind="stable").index].head(max_photos)


def slice_title(found: ErrorSlices, number: int = 0, *, max_photos: int = 60) -> str:
    """Return the title of a gallery of a slice's photos: how many of how many.

    Parameters
    ----------
    found, number, max_photos
        As for `slice_photos`.
    """
    row = found.table.iloc[number]
    photos = counted(int(row["n_photos"]), "photo")
    cut = f"{max_photos:,} of " if row["n_photos"] > max_photos else ""
    return f"{row['slice']}: {cut}{photos}, {_rates(row, found.signed)}"


def _found_words(found: Slices, *, signed: bool) -> str:
    """Return in words what was found, the first slice with its figures."""
    tried = f"{found.n_tried:,} groups of photos were tried"
    if not len(found.table):
        return f"No slice was found: {tried}, and none errs more than chance among so many."
    row = found.table.iloc[0]
    n_slices = counted(len(found.table), "slice")
    said = f"{n_slices} found; {tried}. First: {row['slice']}, {_rates(row, signed)}"
    return said + f" ({counted(int(row['n_photos']), 'photo')})."


def _rates(row: pd.Series, signed: bool) -> str:
    if signed:
        return f"{row['rate']:+.2f} points, others of these areas {row['rest']:+.2f}"
    rate = percent(row["rate"], row["low"], row["high"])
    return f"{rate} wrong, of others of these areas {percent(row['rest'])}"
