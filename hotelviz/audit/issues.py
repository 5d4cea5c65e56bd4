"""Put everything that is wrong with photos and labels into one table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.audit import duplicates as dup
from hotelviz.audit.image_issues import check_thresholds, score_faults
from hotelviz.audit.image_properties import Measured, measure_photos
from hotelviz.audit.label_issues import (
    MARGIN,
    LabelIssues,
    balance,
    find_label_issues,
    label_noise_matrix,
    outlyingness,
    seen_notes,
    suggestions,
)
from hotelviz.audit.neighbours import Neighbours, nearest_neighbours, reduce_features
from hotelviz.catalog import check_table
from hotelviz.schema import ISSUES, Status

if TYPE_CHECKING:
    import keras

ISSUE_COLUMNS = ["image_id", "issue", "score", "group", "suggestion", "detail"]

#: Nearest photos that are searched for each: duplicates and outliers are judged by them.
_NEIGHBOURS = 10


class Audit(NamedTuple):
    """What is wrong with the photos of a catalogue.

    Attributes
    ----------
    issues
        A row per photo and issue: ``image_id``; ``issue``, one of `ISSUES`; ``score``, 0 to 1,
        lower is worse; ``group``, the same for photos that are copies of one another;
        ``suggestion`` (``drop``, ``keep``, ``relabel:<class>``, ``look`` …); ``detail`` in words.
        Sorted by issue, the worst first.
    summary
        A row per issue, also those that were not found: ``photos``, ``groups``, ``share`` (of all
        photos) and ``looking``, the photos that a person would have to look at.
    balance
        See `hotelviz.audit.balance`; None without labels.
    confused
        See `hotelviz.audit.label_issues.label_noise_matrix`.
    measured
        What one decode of each photo gave.
    suspects
        The labels as they were judged; None where they were not.
    notes
        What was not checked, and why.
    """

    issues: pd.DataFrame
    summary: pd.DataFrame
    balance: pd.DataFrame | None
    confused: pd.DataFrame
    measured: Measured
    suspects: LabelIssues | None
    notes: list[str]


def find_issues(
    catalog: pd.DataFrame,
    *,
    model: keras.Model | None = None,
    cache: str | os.PathLike[str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    max_distance: int = dup.MAX_DISTANCE,
    min_similarity: float = dup.MIN_SIMILARITY,
    min_alignment: float = dup.MIN_ALIGNMENT,
    folds: int = 5,
    margin: float = MARGIN,
    seed: int = 0,
    batch_size: int = 64,
    allow_missing: bool = False,
    progress: bool = True,
) -> Audit:
    """Find what is wrong with photos and labels, from one decode of each photo.

    Parameters
    ----------
    catalog
        With ``image_id``, ``path`` and ``hotel_id`` (by default each photo is its own hotel),
        and, if known, ``label``, ``split``, ``source`` and ``score``.
    model
        Gives the features by which labels, near-duplicates and outliers are judged; best one that
        was not trained on these labels, such as ``build_tagger()`` with ImageNet's weights: the
        notes say how many of the labelled photos it has seen. None
        leaves labels and outliers unjudged, and finds fewer near-duplicates.
    cache
        A folder for what is measured; see `measure_photos`.
    thresholds
        Of files and looks; see `hotelviz.audit.image_issues.THRESHOLDS`.
    max_distance, min_similarity, min_alignment
        Of near-duplicates; see `find_duplicates`.
    folds, margin, seed
        Of the label check; see `find_label_issues`.
    batch_size, allow_missing, progress
        As in `measure_photos`.

    Returns
    -------
    Audit

    Raises
    ------
    AuditError
        An unknown threshold.
    CatalogError
        A table without ``path``, or with repeated names.
    MissingPhotosError
        More than a tenth of the photos is unavailable.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3)
    >>> found = find_issues(photos, progress=False)
    >>> int(found.summary.loc["unreadable", "photos"])
    1
    """
    check_thresholds(thresholds)
    catalog = check_table(catalog, needs=["image_id", "path", "hotel_id"], where="find_issues")
    catalog = catalog.reset_index(drop=True)
    measured = measure_photos(
        catalog, model=model, cache=cache, batch_size=batch_size, allow_missing=allow_missing,
        progress=progress,
    )  # fmt: skip
    photos, notes = measured.photos, []
    if gone := int((photos["status"] == Status.UNAVAILABLE).sum()):
        notes.append(
            f"{gone:,} of {len(photos):,} photos are unavailable here, which says nothing about "
            "them: nothing of them was checked, and the next audit tries them again"
        )
    parts = [score_faults(photos, catalog["path"], thresholds=thresholds)]
    vectors = near = None
    if measured.features is None:
        notes.append(
            "without a model the labels and the outliers are not judged, and only near-duplicates "
            "with nearly equal hashes are found"
        )
    else:
        vectors, near = similar_photos(measured)
    copies = dup.find_duplicates(
        measured, catalog, near,
        max_distance=max_distance, min_similarity=min_similarity, min_alignment=min_alignment,
    )  # fmt: skip
    confused = pd.DataFrame(columns=["label", "suggestion", "photos", "estimated"])
    suspects = None
    labelled = "label" in catalog and bool(catalog["label"].notna().any())
    if not labelled:
        notes.append("the photos have no labels: there are none to judge")
    if vectors is not None and near is not None:
        parts.append(_outlier_rows(photos, near, copies))
        if labelled:
            assert model is not None
            notes += seen_notes(model, catalog)
            groups = _fold_groups(catalog, copies)
            suspects = find_label_issues(
                vectors, catalog["label"], groups, folds=folds, margin=margin, seed=seed
            )
            notes += suspects.notes
            copies = _right_keepers(copies, suspects, catalog["label"])
            parts.append(_label_rows(suspects, catalog["label"], copies, margin))
            confused = label_noise_matrix(suspects, catalog["label"])
    parts.append(_duplicate_rows(copies, catalog))
    issues = _sorted(pd.concat(parts, ignore_index=True), catalog)
    return Audit(
        issues,
        _summary(issues, len(catalog)),
        balance(catalog, folds=folds) if labelled else None,
        confused,
        measured,
        suspects,
        notes,
    )


def similar_photos(measured: Measured) -> tuple[np.ndarray, Neighbours]:
    """Reduce the features of the photos that could be read, and find each one's nearest.

    Of files that are equal one stands for all: among many equal photos a search would not get to
    see others.
    """
    assert measured.features is not None
    count = len(measured.photos)
    readable = np.isfinite(measured.features).all(axis=1) & (measured.features.shape[1] > 0)
    own = np.flatnonzero(readable & ~measured.photos["pixels"].duplicated().to_numpy())
    width = max(1, min(256, measured.features.shape[1], len(own)))
    vectors = np.full((count, width), np.nan, "float32")
    rows = np.full((count, _NEIGHBOURS), -1, "int64")
    similarity = np.full((count, _NEIGHBOURS), np.nan, "float32")
    if len(own) > 1:
        reduced = reduce_features(measured.features[own])
        found = nearest_neighbours(reduced, _NEIGHBOURS)
        k = found.rows.shape[1]
        rows[own, :k] = np.where(found.rows >= 0, own[found.rows], -1)
        similarity[own, :k] = found.similarity
        first = pd.Series(own, index=measured.photos["pixels"].to_numpy()[own])
        every = np.flatnonzero(readable)
        stands = first.loc[measured.photos["pixels"].to_numpy()[every]].to_numpy()
        vectors = vectors[:, : reduced.shape[1]]
        place = np.zeros(count, dtype=int)
        place[own] = np.arange(len(own))
        vectors[every] = reduced[place[stands]]
    return vectors, Neighbours(rows, similarity)


def _fold_groups(catalog: pd.DataFrame, copies: pd.DataFrame) -> np.ndarray:
    """Join hotels that share a photo: neither a hotel nor a group of copies is torn apart."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    hotels = pd.factorize(catalog["hotel_id"])[0]
    first = copies.groupby("group")["row"].transform("min").to_numpy(dtype=int)
    pairs = hotels[first], hotels[copies["row"].to_numpy(dtype=int)]
    size = int(hotels.max()) + 1
    graph = coo_array((np.ones(len(copies), bool), pairs), (size, size))
    return connected_components(graph, directed=False)[1][hotels]


def _right_keepers(copies: pd.DataFrame, suspects: LabelIssues, labels: pd.Series) -> pd.DataFrame:
    """Of copies with different labels, keep the one whose label is the most probable."""
    given = suggestions(suspects, labels).set_index("row")["p_given"]
    probable = copies["row"].map(given)
    torn = copies["spans"].str.contains("labels") & probable.notna()
    best = probable[torn].groupby(copies["group"]).idxmax()
    chosen = copies["group"].isin(best.index)
    return copies.assign(keeper=copies["keeper"].where(~chosen, copies.index.isin(best)))


def _duplicate_rows(copies: pd.DataFrame, catalog: pd.DataFrame) -> pd.DataFrame:
    keepers = copies[copies["keeper"]].set_index("group")["row"]
    rows = []
    for copy in copies.itertuples():
        kept = catalog["image_id"].iloc[int(keepers[copy.group])]
        what = "keeper of the group" if copy.keeper else f"copy of {kept}"
        if copy.kind == "near" and not copy.keeper:
            what += f", {copy.distance} of 64 bits differ"
        spans = f"; the group spans {copy.spans.replace(' ', ', ')}" if copy.spans else ""
        score = 0.0 if copy.kind == "exact" else (1 + copy.distance) / 65
        rows.append(
            {
                "row": copy.row,
                "issue": f"{copy.kind}_duplicate",
                "score": score,
                "group": copy.group,
                "suggestion": "keep" if copy.keeper else "drop",
                "detail": what + spans,
            }
        )
    return pd.DataFrame(rows, columns=["row", *ISSUE_COLUMNS[1:]])


def _outlier_rows(photos: pd.DataFrame, near: Neighbours, copies: pd.DataFrame) -> pd.DataFrame:
    readable = np.flatnonzero((near.rows >= 0).any(axis=1))
    # A copy is no company.
    copied = np.zeros(len(photos), bool)
    copied[copies["row"].to_numpy(dtype=int)] = True
    rows = readable[~copied[readable]]
    score, alone = outlyingness(Neighbours(near.rows[rows], near.similarity[rows]))
    return pd.DataFrame(
        {
            "row": rows[alone],
            "issue": "outlier",
            "score": score[alone],
            "group": "",
            "suggestion": "look",
            "detail": [
                f"mean similarity to its nearest photos {value:.2f}, usually {np.median(score):.2f}"
                for value in score[alone]
            ],
        }
    )


def _label_rows(
    suspects: LabelIssues, labels: pd.Series, copies: pd.DataFrame, margin: float
) -> pd.DataFrame:
    """List the suspects; of copies with different labels one label must be wrong.

    That of a copy which is more probable than any other class by the margin is held to be right,
    unless this would clear all copies of the photo.
    """
    table = suggestions(suspects, labels)
    table["score"], table["suspect"] = suspects.quality, suspects.suspect
    torn = copies[copies["spans"].str.contains("labels")]
    group = torn.set_index("row")["group"]
    table["group"] = table["row"].map(group).fillna("")
    impossible = table["group"] != ""
    detail = (
        "given " + labels.iloc[table["row"]].astype(str).to_numpy()
        + table["p_given"].map(" {:.2f}".format) + ", rather " + table["suggestion"]
        + table["p_suggestion"].map(" {:.2f}".format)
    )  # fmt: skip
    table["detail"] = detail.mask(impossible, detail + "; a copy of the photo has another label")
    doubtful = impossible & (table["score"] < (1 + margin) / 2)
    # Certain before probable: below all that is only probable.
    table["score"] = table["score"].mask(impossible, table["score"] * 1e-3)
    cleared = ~doubtful.groupby(table["group"]).transform("any")
    chosen = table[table["suspect"] | doubtful | (impossible & cleared)]
    likelier = chosen["p_suggestion"] > chosen["p_given"]
    return pd.DataFrame(
        {
            "row": chosen["row"],
            "issue": "label_error",
            "score": chosen["score"],
            "group": chosen["group"],
            "suggestion": ("relabel:" + chosen["suggestion"]).where(likelier, "look"),
            "detail": chosen["detail"],
        }
    )


def _sorted(rows: pd.DataFrame, catalog: pd.DataFrame) -> pd.DataFrame:
    rows["image_id"] = catalog["image_id"].to_numpy()[rows["row"].to_numpy(dtype=int)]
    rows["group"] = rows["group"].fillna("")
    rows["issue"] = pd.Categorical(rows["issue"], ISSUES, ordered=True)
    rows["score"] = rows["score"].astype(float)
    rows = rows.sort_values(["issue", "score", "group", "row"], ignore_index=True)
    rows["issue"] = rows["issue"].astype("str")
    return rows[ISSUE_COLUMNS].astype({name: "str" for name in ISSUE_COLUMNS if name != "score"})


def _summary(issues: pd.DataFrame, count: int) -> pd.DataFrame:
    by_kind = issues.groupby("issue")
    table = pd.DataFrame(index=pd.Index(ISSUES, name="issue"))
    table["photos"] = by_kind.size()
    table["groups"] = issues[issues["group"] != ""].groupby("issue")["group"].nunique()
    automatic = issues["issue"].isin(["unavailable", "unreadable"]) | (
        (issues["issue"] == "exact_duplicate")
        & ~issues["detail"].str.contains("spans labels", regex=False)
    )
    table["looking"] = issues[~automatic].groupby("issue").size()
    table = table.fillna(0).astype(int)
    table.insert(2, "share", table["photos"] / max(count, 1))
    return table
