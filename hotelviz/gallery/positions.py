"""Where photos lie on the gallery's map, and which are most like each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hotelviz.errors import GalleryError

_EXPECTED = "pass a row (x, y) for each photo of the table"


def map_positions(positions: np.ndarray | pd.DataFrame, ids: Sequence[str]) -> np.ndarray:
    """Return places on a map, checked: 0 to 1, the longer side from 0 to 1.

    Parameters
    ----------
    positions : array or pandas.DataFrame of shape (n_photos, 2)
        By row; a table whose index has the photos' names is read by them. NaN where a photo has
        no place.
    ids : sequence of str
        The photos' names, by row.

    Returns
    -------
    float32 array of shape (n_photos, 2)

    Raises
    ------
    GalleryError
        Positions that do not fit the photos, that are no numbers or infinite, or none at all.

    Examples
    --------
    >>> map_positions([[0, 0], [4, 2], [np.nan, np.nan]], ["a", "b", "c"]).tolist()
    [[0.0, 0.25], [1.0, 0.75], [nan, nan]]
    """
    values = _by_row(positions, ids)
    if values.shape != (len(ids), 2):
        raise GalleryError(
            f"the positions have the shape {values.shape}; expected ({len(ids)}, 2): {_EXPECTED}"
        )
    try:
        places = values.astype("float64")
    except (TypeError, ValueError) as error:
        raise GalleryError(f"the positions are no numbers ({error}): {_EXPECTED}") from None
    infinite = np.flatnonzero(np.isinf(places).any(axis=1))
    if len(infinite):
        row = int(infinite[0])
        raise GalleryError(
            f"positions, row {row} ({ids[row]!r}): {places[row].tolist()} is infinite; "
            "a photo without a place has NaN"
        )
    known = ~np.isnan(places).any(axis=1)
    places[~known] = np.nan
    if len(ids) and not known.any():
        raise GalleryError(
            f"none of the {len(ids):,} photos has a position (all are NaN): leave positions out, "
            "or lay out photos that can be read"
        )
    if known.any():
        places[known] = _into_square(places[known])
    return places.astype("float32")


def map_neighbours(neighbours: np.ndarray, n_photos: int, n_shown: int) -> np.ndarray:
    """Return the most similar photos of each, checked; those that are not shown are -1.

    Parameters
    ----------
    neighbours : int array of shape (n_photos, k)
        Rows of the table, the most similar first; -1 where there are fewer.
    n_photos : int
        Photos of the table.
    n_shown : int
        The first ones, which the gallery shows.

    Returns
    -------
    int32 array of shape (n_shown, k)

    Raises
    ------
    GalleryError
        Neighbours that do not fit the photos.

    Examples
    --------
    >>> map_neighbours(np.array([[1, 2], [0, 2], [0, -1]]), 3, 2).tolist()
    [[1, -1], [0, -1]]
    """
    rows = np.asarray(neighbours)
    if rows.ndim != 2 or len(rows) != n_photos or not np.issubdtype(rows.dtype, np.integer):
        raise GalleryError(
            f"the neighbours have the shape {rows.shape} and the type {rows.dtype}; expected "
            f"whole numbers ({n_photos}, k): for each photo the rows of those most like it"
        )
    wrong = np.argwhere((rows < -1) | (rows >= n_photos))
    if len(wrong):
        row, place = wrong[0].tolist()
        raise GalleryError(
            f"neighbours, row {row}: {rows[row, place]} is no row of the table, which has "
            f"{n_photos:,}"
        )
    shown = rows[:n_shown].astype("int32")
    return np.where(shown < n_shown, shown, -1).astype("int32")


def positions_note(positions: np.ndarray | None) -> str:
    """Return how many photos have no place on the map, as a sentence, or nothing."""
    if positions is None:
        return ""
    lost = int(np.isnan(positions).any(axis=1).sum())
    if not lost:
        return ""
    return f"{lost:,} of {len(positions):,} photos have no place on the map; they are in the grid"


def _by_row(positions: np.ndarray | pd.DataFrame, ids: Sequence[str]) -> np.ndarray:
    """Bring a table whose index names the photos into their order."""
    if isinstance(positions, pd.DataFrame):
        if {"x", "y"} <= set(positions):
            positions = positions[["x", "y"]]
        if positions.index.is_unique and positions.index.isin(ids).any():
            positions = positions.reindex(list(ids))
    return np.asarray(positions)


def _into_square(places: np.ndarray) -> np.ndarray:
    # Differences of the largest numbers there are would be infinite.
    places = places / max(np.abs(places).max(), np.finfo("float64").tiny)
    low, high = places.min(axis=0), places.max(axis=0)
    longest = (high - low).max()
    return np.asarray(0.5 + (places - (low + high) / 2) / (longest or 1.0))
