"""find_slices: the groups of photos on which a model errs more than chance.

A slice is described by properties of its photos (dark, of one source, of one area), by their pairs,
and by clusters of like photos. Groups are made without looking at errors; then those that err more
than shuffled errors would have it are found one after the other, and have to be seen again on the
other half of the hotels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table, knows_hotels
from hotelviz.embeddings.slices_candidates import ALIKE, Candidates, make_candidates
from hotelviz.embeddings.slices_properties import PropertyGroup, property_groups
from hotelviz.embeddings.slices_search import Found, search
from hotelviz.errors import MetricsError, no_column
from hotelviz.metrics import Interval, mean_interval, share_interval

#: With fewer wrong photos there is nothing to find, and a property that is this much more frequent
#: in a slice than beside it describes it.
_WRONG, _TYPICAL = 10, 0.25
_MEDOIDS = 3
_COLUMNS = [
    "slice", "typical", "n_photos", "n_hotels", "rate", "low", "high", "rest", "lift",
    "difference", "p", "rate_other", "rest_other", "p_other", "n_other", "medoids",
]  # fmt: skip


class Slices(NamedTuple):
    """What `find_slices` found.

    Attributes
    ----------
    table
        A row per slice, in the order in which they were found, each beyond those before it:
        ``slice`` and ``typical`` (in words: how it is made, and what else is frequent in it),
        ``n_photos``, ``n_hotels``; ``rate`` (share of wrong photos, or mean signed error) with its
        95 % interval over hotels (``low``, ``high``); ``rest`` (the rate of the other photos of
        the same areas that are in no earlier slice), ``lift`` (rate over rest) and ``difference``;
        ``p`` (how often shuffled errors would make any of all candidates stand out as much);
        ``rate_other``, ``rest_other``, ``p_other`` and ``n_other`` (the same on the half of the
        hotels where it stands out less, this slice alone); ``medoids`` (the names of up to three
        photos in its midst).
    members
        bool (n_photos, n_slices): which rows of the table that was asked are in which slice.
    n_tried
        How many groups were tried.
    notes
        What could not be done, and why.
    """

    table: pd.DataFrame
    members: np.ndarray
    n_tried: int
    notes: list[str]


def find_slices(
    table: pd.DataFrame,
    features: np.ndarray | None = None,
    properties: pd.DataFrame | None = None,
    *,
    error: str | None = None,
    max_slices: int = 5,
    level: float = 0.05,
    min_photos: int = 20,
    min_hotels: int = 10,
    n_shuffles: int = 400,
    seed: int = 0,
) -> Slices:
    """Find groups of photos on which a model errs more than on others of the same areas.

    Parameters
    ----------
    table : pandas.DataFrame
        Photos with ``image_id``, ``hotel_id`` where it is known, ``label`` and ``predicted``; with
        `error` the label is not needed.
    features : numpy.ndarray, optional
        (n_photos, n_features), for groups of like photos. Photos without finite ones are in none.
    properties : pandas.DataFrame, optional
        With ``image_id``, and a column per property, from `photo_properties` or with others.
    error : str, optional
        A column with signed errors, such as predicted less rated score: slices are then those where
        it is higher or lower than elsewhere. By default an error is another class than the label.
    max_slices : int, default 5
        Most slices.
    level : float, default 0.05
        How often any slice at all may be found where errors have nothing to do with any.
    min_photos, min_hotels : int, default 20 and 10
        What a slice needs.
    n_shuffles : int, default 400
        How often errors are shuffled.
    seed : int, default 0
        Of the shuffles, and of the halves of the hotels.

    Returns
    -------
    Slices

    Raises
    ------
    MetricsError
        Columns that are missing, features or properties of other photos.

    Notes
    -----
    Photos are compared with others of their area: that an area is hard is no slice. Chance is what
    whole hotels' errors would be at other hotels; the largest of all
    candidates under it is what each has to exceed (Westfall and Young's single step), so that p
    needs no further correction. Later slices are sought with the photos of earlier ones compared
    among themselves, which keeps the same photos from being found twice.

    References
    ----------
    Westfall, Young: Resampling-Based Multiple Testing, 1993, chapter 2.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> names = [str(number) for number in range(400)]
    >>> hotels, dark = [f"h{number // 4}" for number in range(400)], random.random(400) < 0.2
    >>> wrong = random.random(400) < np.where(dark, 0.6, 0.05)
    >>> table = pd.DataFrame({"image_id": names, "hotel_id": hotels, "label": "Pool",
    ...                       "predicted": np.where(wrong, "Foyer", "Pool")})
    >>> properties = pd.DataFrame({"image_id": names, "dark": dark})
    >>> find_slices(table, properties=properties).table["slice"].tolist()
    ['dark']
    """
    needs = ["image_id", "hotel_id", *(["label", "predicted"] if error is None else [])]
    table = check_table(table, needs=needs, where="find_slices").reset_index(drop=True)
    described = _properties_of(table, properties)
    features = _features_of(table, features)
    errors = _errors(table, error)
    judged = np.isfinite(errors)
    areas = table["label"] if "label" in table and table["label"].notna().all() else None
    notes = _notes(table, judged, described, error)
    empty = Slices(pd.DataFrame(columns=_COLUMNS), np.zeros((len(table), 0), bool), 0, notes)
    reason = too_few_for_slices(table, error=error, min_photos=min_photos, min_hotels=min_hotels)
    if reason:
        notes.append(reason)
        return empty
    own, hotels = table[judged], table.loc[judged, "hotel_id"].to_numpy()
    candidates = make_candidates(
        described[judged].reset_index(drop=True),
        None if features is None else features[judged],
        None if areas is None else areas[judged].reset_index(drop=True),
        hotels, min_photos=min_photos, min_hotels=min_hotels,
    )  # fmt: skip
    if not candidates.parts:
        notes.append("No group of photos is large enough to be a slice.")
        return empty
    strata = np.zeros(len(own), int)
    if areas is not None:
        strata = pd.factorize(areas[judged])[0]
    found = search(
        candidates, errors[judged], strata, hotels, two_sided=error is not None,
        level=level, max_slices=max_slices, n_shuffles=n_shuffles, seed=seed,
    )  # fmt: skip
    about = _About(
        own.reset_index(drop=True), errors[judged], strata, described[judged], features, judged
    )
    rows = [about.row(slice_, candidates, signed=error is not None) for slice_ in found]
    members = np.zeros((len(table), len(found)), bool)
    members[judged] = candidates.members[[slice_.number for slice_ in found]].T
    return Slices(pd.DataFrame(rows, columns=_COLUMNS), members, len(candidates.parts), notes)


class _About:
    """What is said of slices: how much they err, against which others, and what they look like."""

    def __init__(
        self,
        table: pd.DataFrame,
        errors: np.ndarray,
        strata: np.ndarray,
        properties: pd.DataFrame,
        features: np.ndarray | None,
        judged: np.ndarray,
    ) -> None:
        self.table, self.errors, self.strata = table, errors, strata
        self.hotels = table["hotel_id"].to_numpy()
        self.groups = property_groups(properties.reset_index(drop=True))
        self.features = None if features is None else features[judged]

    def row(self, found: Found, candidates: Candidates, *, signed: bool) -> dict[str, object]:
        """Return the row of a slice."""
        own, parts = candidates.members[found.number], candidates.parts[found.number]
        interval = self._interval(own, signed=signed)
        every = np.ones(len(own), bool)
        rest = self._rest(own, every, found.strata)
        rest_other = self._rest(own, found.other, found.strata)
        inside = own & found.other
        typical = self._typical(own, parts)
        return {
            "slice": slice_words(parts, typical),
            "typical": ", ".join(typical),
            "n_photos": int(own.sum()),
            "n_hotels": len(np.unique(self.hotels[own])),
            "low": interval.low,
            "high": interval.high,
            "rate": interval.value,
            "rest": rest,
            "lift": interval.value / rest if rest > 0 and not signed else np.nan,
            "difference": interval.value - rest,
            "p": found.p,
            "rate_other": float(self.errors[inside].mean()),
            "rest_other": rest_other,
            "p_other": found.p_other,
            "n_other": int(inside.sum()),
            "medoids": self._medoids(own),
        }

    def _interval(self, own: np.ndarray, *, signed: bool) -> Interval:
        values, hotels = self.errors[own], self.hotels[own]
        if not signed:
            return share_interval(values, groups=hotels)
        return mean_interval(values, groups=hotels)

    def _rest(self, own: np.ndarray, among: np.ndarray, strata: np.ndarray) -> float:
        """Return the rate of the other photos, with as many of each stratum as the slice has."""
        n_strata = int(strata.max()) + 1
        inside, beside = own & among, among & ~own
        counts = np.bincount(strata[inside], minlength=n_strata)
        others = np.bincount(strata[beside], minlength=n_strata)
        wrong = np.bincount(strata[beside], self.errors[beside], minlength=n_strata)
        known = others > 0
        if not counts[known].sum():
            return float("nan")
        return float(np.average(wrong[known] / others[known], weights=counts[known]))

    def _typical(self, own: np.ndarray, parts: Sequence[PropertyGroup]) -> list[str]:
        """Return what is more frequent in a slice than in the other photos of its areas."""
        of_stratum = np.isin(self.strata, np.unique(self.strata[own]))
        beside = of_stratum & ~own
        names = {part.name for part in parts}
        told: dict[str, tuple[float, str]] = {}
        for group in self.groups:
            if group.name in names or not beside.any():
                continue
            inside = float(group.members[own].mean())
            more = inside - float(group.members[beside].mean())
            if more >= max(_TYPICAL, told.get(group.name, (0.0, ""))[0]):
                told[group.name] = (more, f"{100 * inside:.0f} % {group.words}")
        return [words for _, words in sorted(told.values(), reverse=True)[:2]]

    def _medoids(self, own: np.ndarray) -> list[str]:
        """Return the names of the photos in the midst of a slice."""
        rows = np.flatnonzero(own)
        if self.features is not None:
            rows = rows[np.isfinite(self.features[rows]).all(axis=1)]
            vectors = self.features[rows]
            away = np.linalg.norm(vectors - vectors.mean(axis=0), axis=1) if len(rows) else rows
            rows = rows[np.argsort(away, kind="stable")]
        return self.table["image_id"].iloc[rows[:_MEDOIDS]].tolist()


def slice_words(parts: Sequence[PropertyGroup], typical: Sequence[str] = ()) -> str:
    """Return how a slice is made, in words: the area first.

    Examples
    --------
    >>> dark = PropertyGroup("brightness", "low", "dark (brightness at most 0.4)", np.array([]))
    >>> slice_words([dark, PropertyGroup("label", "Pool", "Pool", np.array([]))])
    'Pool: dark (brightness at most 0.4)'
    """
    areas = [part.words for part in parts if part.name == "label"]
    others = [
        f"{part.words}, {typical[0]}" if part.name == ALIKE and typical else part.words
        for part in sorted(parts, key=lambda part: part.name != ALIKE)
        if part.name != "label"
    ]
    return ": ".join([*areas, " and ".join(others)])


def _errors(table: pd.DataFrame, error: str | None) -> np.ndarray:
    """Return the error of each photo; not a number where it was not judged."""
    if error is None:
        known = table["label"].notna() & table["predicted"].notna()
        wrong = (table["label"] != table["predicted"]).to_numpy(dtype=float)
        return np.where(known, wrong, np.nan)
    if error not in table:
        raise MetricsError(f"find_slices: the table has {no_column(error, table.columns)}")
    return pd.to_numeric(table[error], errors="coerce").to_numpy(dtype=float)


def _features_of(table: pd.DataFrame, features: np.ndarray | None) -> np.ndarray | None:
    if features is None:
        return None
    features = np.asarray(features, dtype="float32")
    if features.ndim != 2 or len(features) != len(table):
        raise MetricsError(
            f"find_slices: features {features.shape} are not one row for each of "
            f"{len(table)} photos"
        )
    return features


def _properties_of(table: pd.DataFrame, properties: pd.DataFrame | None) -> pd.DataFrame:
    """Return the properties beside the rows of the table."""
    if properties is None:
        return table[["image_id"]]
    properties = check_table(properties, needs=["image_id"], where="find_slices: properties")
    beside = properties.set_index("image_id").reindex(table["image_id"])
    if beside.index.size and not table["image_id"].isin(properties["image_id"]).any():
        raise MetricsError(
            f"find_slices: none of the {len(table)} photos, such as "
            f"{table['image_id'].iloc[0]!r}, is among the properties"
        )
    return beside.reset_index()


def _notes(
    table: pd.DataFrame, judged: np.ndarray, properties: pd.DataFrame, error: str | None
) -> list[str]:
    """Return what is known before anything is sought."""
    notes = []
    if not judged.all():
        what = f"without a number in '{error}'" if error else "without label or prediction"
        notes.append(f"{(~judged).sum():,} photos {what} are left out.")
    if not knows_hotels(table):
        notes.append("Hotels are not known: each photo counts as one of its own.")
    constant = [
        str(name)
        for name in properties.columns.drop("image_id")
        if properties.loc[judged, name].nunique() <= 1
    ]
    if constant:
        notes.append(f"Constant, and so no property: {', '.join(constant)}.")
    return notes


def too_few_for_slices(
    table: pd.DataFrame, *, error: str | None = None, min_photos: int = 20, min_hotels: int = 10
) -> str:
    """Return why no slices can be found; empty where they can be sought.

    Parameters
    ----------
    table, error, min_photos, min_hotels
        As for `find_slices`: with this, properties need not be measured in vain.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a"], "label": ["Pool"], "predicted": ["Foyer"]})
    >>> too_few_for_slices(table)
    '1 photo of 1 hotel: too few to find slices, which need 40 photos of 20 hotels.'
    """
    table = check_table(table, needs=["image_id", "hotel_id"], where="find_slices")
    errors = _errors(table, error)
    judged = np.isfinite(errors)
    table, errors = table[judged], errors[judged]
    n_hotels = table["hotel_id"].nunique()
    if len(table) < 2 * min_photos or n_hotels < 2 * min_hotels:
        photos = f"{len(table):,} photo{'s' if len(table) != 1 else ''}"
        hotels = f"{n_hotels:,} hotel{'s' if n_hotels != 1 else ''}"
        return (
            f"{photos} of {hotels}: too few to find slices, which need {2 * min_photos} photos of "
            f"{2 * min_hotels} hotels."
        )
    if error is None and errors.sum() < _WRONG:
        return f"{errors.sum():.0f} wrong photos: too few to find slices, which need {_WRONG}."
    if error is not None and np.ptp(errors) == 0:
        return "All errors are the same: there is nothing to find."
    return ""
