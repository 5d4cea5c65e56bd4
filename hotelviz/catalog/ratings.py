"""Ratings from 1 to 10: read, counted, summarised, and derived from a mean."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from hotelviz.catalog.identity import as_ids
from hotelviz.catalog.validation import check_table
from hotelviz.errors import CatalogError
from hotelviz.images import SUFFIXES
from hotelviz.schema import RATINGS, SCORES

_SCORES = np.asarray(SCORES, dtype="float64")


def as_shares(ratings: pd.DataFrame | np.ndarray) -> np.ndarray:
    """Normalise ratings to the share of raters that gave each score.

    Parameters
    ----------
    ratings
        Counts or shares: a table with ``rating_1`` to ``rating_10``, or an array (N, 10).

    Returns
    -------
    numpy.ndarray
        float64 (N, 10); rows sum to 1, rows without ratings are NaN.

    Raises
    ------
    CatalogError
        Not ten numbers a photo, some of ten, negative or infinite ones, or rows that sum to 0.

    Examples
    --------
    >>> as_shares(np.array([[0, 0, 0, 0, 1, 3, 0, 0, 0, 0]]))[0, 4:6].tolist()
    [0.25, 0.75]
    """
    if isinstance(ratings, pd.DataFrame):
        for column in RATINGS:
            if column not in ratings:
                raise CatalogError(f"the table has no ratings: the column {column!r} is missing")
        ratings = ratings[list(RATINGS)].to_numpy()
    values: np.ndarray = np.asarray(ratings, dtype="float64")
    if values.ndim != 2 or values.shape[1] != 10:
        raise CatalogError(f"ratings have the shape {values.shape}; expected (photos, 10)")
    sums = values.sum(axis=1, keepdims=True)
    missing = np.isnan(values)
    bad = ((values < 0) | np.isinf(values)).any(axis=1) | (sums[:, 0] == 0)
    bad |= missing.any(axis=1) & ~missing.all(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise CatalogError(f"photo number {row + 1}: ratings {values[row].tolist()} are no shares")
    shares: np.ndarray = values / sums
    return shares


def mean_and_std(ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation of distributions over the scores 1 to 10.

    Parameters
    ----------
    ratings
        (N, 10), counts or shares.

    Returns
    -------
    mean, std
        float64 (N,); the mean from 1 to 10, to 12 decimals: of shares, whose sums are off by their
        rounding, equal means are as equal as of counts. That matters to photos that lie on a
        threshold, and to rank correlations, where few raters make many ties.

    Examples
    --------
    >>> mean, std = mean_and_std(np.array([[0, 0, 0, 0, 0.5, 0, 0.5, 0, 0, 0]]))
    >>> mean.tolist(), std.tolist()
    ([6.0], [1.0])
    """
    total = ratings.sum(axis=1)
    mean = (ratings * _SCORES).sum(axis=1) / total
    variance = (ratings * _SCORES**2).sum(axis=1) / total - mean**2
    return mean.round(12), np.sqrt(np.maximum(variance, 0.0))


def rating_summary(catalog: pd.DataFrame) -> pd.DataFrame:
    """Compute each photo's mean rating, its standard deviation and the number of raters.

    Parameters
    ----------
    catalog
        With ``image_id`` and ``rating_1`` to ``rating_10``.

    Returns
    -------
    pandas.DataFrame
        A row per row of `catalog`: ``image_id``, ``rated_mean``, ``rated_std`` (population, as in
        the talk), ``raters`` (missing where the ratings are shares that sum to 1), ``text``, such
        as ``(6.151 / 1.334)``, empty for a photo without ratings.

    Raises
    ------
    CatalogError
        When there are no ratings.

    Examples
    --------
    >>> photos = pd.DataFrame([["a", *[0, 0, 0, 0, 2, 2, 0, 0, 0, 0]]],
    ...                       columns=["image_id", *RATINGS])
    >>> rating_summary(photos)["text"].item()
    '(5.500 / 0.500)'
    """
    catalog = check_table(catalog, where="rating_summary", unique=False)
    as_shares(catalog)  # refuses what is no rating
    ratings = catalog[list(RATINGS)].to_numpy(dtype=float)
    table = catalog[["image_id"]].reset_index(drop=True)
    table["rated_mean"], table["rated_std"] = mean_and_std(ratings)
    raters = pd.Series(ratings.sum(axis=1))
    table["raters"] = raters.mask(np.isclose(raters, 1.0)).round().astype("Int64")
    numbers = zip(table["rated_mean"], table["rated_std"], strict=True)
    table["text"] = ["" if np.isnan(mean) else f"({mean:.3f} / {std:.3f})" for mean, std in numbers]
    return table


def count_ratings(ratings: pd.DataFrame, *, by: str = "image_id") -> pd.DataFrame:
    """Count single ratings by photo and score.

    Parameters
    ----------
    ratings
        A row per photo and rater, with `by` and ``score``, a whole number from 1 to 10.
    by
        The column that names the photo.

    Returns
    -------
    pandas.DataFrame
        A row per photo, in the order of first occurrence: `by` and ``rating_1`` to ``rating_10``.

    Raises
    ------
    CatalogError
        A score that is not a whole number from 1 to 10.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "a", "b"], "score": [5, 7, 10]})
    >>> count_ratings(table)[["image_id", "rating_5", "rating_10"]].values.tolist()
    [['a', 1.0, 0.0], ['b', 0.0, 1.0]]
    """
    ratings = check_table(ratings, needs=[by, "score"], where="count_ratings", unique=False)
    scores = pd.to_numeric(ratings["score"], errors="coerce")
    bad = np.flatnonzero(~scores.isin(_SCORES))
    if len(bad):
        raise CatalogError(
            f"rating number {bad[0] + 1}, of {ratings[by].iloc[bad[0]]!r}: "
            f"{ratings['score'].iloc[bad[0]]!r} is not a whole number from 1 to 10"
        )
    photos, names = pd.factorize(ratings[by])
    counts = np.bincount(photos * 10 + scores.to_numpy(dtype=int) - 1, minlength=len(names) * 10)
    table = pd.DataFrame(counts.reshape(-1, 10).astype(float), columns=list(RATINGS))
    table.insert(0, by, np.asarray(names))
    return table


def maximum_entropy_ratings(
    means: np.ndarray | pd.Series, *, scale: tuple[float, float] = (1.0, 10.0)
) -> np.ndarray:
    """Compute the distribution over the scores 1 to 10 of a given mean that assumes nothing else.

    Of all distributions with that mean the one of highest entropy is taken; it is exponential,
    :math:`p_s = e^{λ s} / Σ e^{λ s}`, and λ is found by root search.

    Parameters
    ----------
    means
        Mean scores (N,), e.g. the mean opinion scores of TID2013 (``scale=(0, 9)``).
    scale
        The lowest and the highest score of their scale, stretched to 1 to 10.

    Returns
    -------
    numpy.ndarray
        float64 (N, 10); rows sum to 1.

    Raises
    ------
    CatalogError
        A mean that is missing or outside of its scale.

    References
    ----------
    Jaynes: Information theory and statistical mechanics, Phys. Rev. 106, 1957. So did idealo's
    image-quality-assessment for TID2013, after Talebi and Milanfar, NIMA, 2018, section IV.

    Examples
    --------
    >>> shares = maximum_entropy_ratings(np.array([5.5, 7.0]))
    >>> shares[0].round(3).tolist()[:3], (shares[1] @ np.arange(1, 11)).round(6).item()
    ([0.1, 0.1, 0.1], 7.0)
    """
    low, high = scale
    values = np.asarray(means, dtype="float64")
    if high <= low:
        raise CatalogError(f"a scale goes from a lower to a higher score, not from {low} to {high}")
    for row in np.flatnonzero(~((values >= low) & (values <= high))):
        raise CatalogError(
            f"mean number {row + 1}, {values[row]}, is not on the scale {low} to {high}"
        )
    unique, places = np.unique(1 + 9 * (values - low) / (high - low), return_inverse=True)
    shares: np.ndarray = np.stack([_with_mean(mean) for mean in unique.tolist()])[places]
    return shares


def _with_mean(mean: float) -> np.ndarray:
    from scipy.optimize import brentq

    if min(mean - 1, 10 - mean) < 1e-6:
        return np.asarray(np.eye(10)[0 if mean < 5 else 9])

    def shares(slope: float) -> np.ndarray:
        powers = np.exp(slope * (_SCORES - (10 if slope > 0 else 1)))
        return np.asarray(powers / powers.sum(), dtype="float64")

    return shares(brentq(lambda slope: shares(slope) @ _SCORES - mean, -50.0, 50.0, xtol=1e-13))


def read_label_json(path: Path) -> pd.DataFrame:
    """Read idealo's labels: ``[{"image_id": ..., "label": [ten numbers]}, ...]``.

    Raises
    ------
    CatalogError
        Not such a file, or an entry without ten numbers.
    """
    try:
        entries = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: not a readable JSON file: {error}") from error
    if not isinstance(entries, list):
        raise CatalogError(f'{path}: expected a list of {{"image_id": ..., "label": [...]}}')
    for number, entry in enumerate(entries, start=1):
        label = entry.get("label") if isinstance(entry, dict) else None
        if not isinstance(label, list) or len(label) != 10 or "image_id" not in entry:
            found = f"{len(label)} numbers" if isinstance(label, list) else repr(entry)[:80]
            raise CatalogError(
                f"{path}, entry {number}: expected an image_id and a label of ten ratings, for the "
                f"scores 1 to 10; found {found}"
            )
    ids = as_ids(
        [entry["image_id"] for entry in entries], "image_id", lambda row: f"{path}, entry {row + 1}"
    )
    return _with_paths(ids, [entry["label"] for entry in entries])


def read_ava(path: Path) -> pd.DataFrame:
    """Read ``AVA.txt``: number, image_id, ten counts, two tags and the challenge in each line.

    Raises
    ------
    CatalogError
        A line with other than 15 whole numbers.
    """
    rows = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            fields = line.split()
            if len(fields) != 15 or not all(field.isdecimal() for field in fields):
                raise CatalogError(
                    f"{path}, row {number}: expected 15 whole numbers as in AVA.txt, "
                    f"found {line.strip()[:60]!r}"
                )
            rows.append(fields)
    return _with_paths(
        pd.Series([fields[1] for fields in rows], dtype="str"),
        [list(map(int, fields[2:12])) for fields in rows],
    )


def _with_paths(names: pd.Series, ratings: list[list[object]]) -> pd.DataFrame:
    """Return a table with paths: both formats name photos, which are JPEGs, without a suffix.

    Only what ends like a photo has a suffix: in ``a.b.c`` or ``42.5`` the dot belongs to the name.
    """
    whole = names.str.lower().str.endswith(tuple(SUFFIXES)) | names.str.contains("://", regex=False)
    table = pd.DataFrame({"image_id": names, "path": names.where(whole, names + ".jpg")})
    return table.join(pd.DataFrame(ratings, columns=list(RATINGS)))
