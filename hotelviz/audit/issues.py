"""All that is wrong with photos and labels, in one table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.audit.class_balance import class_balance
from hotelviz.audit.duplicates import connected, duplicate_issues, find_duplicates
from hotelviz.audit.image_issues import check_thresholds, find_image_issues
from hotelviz.audit.label_issues import (
    MARGIN,
    LabelIssues,
    find_label_issues,
    label_issue_rows,
    label_noise_matrix,
    suggested_labels,
)
from hotelviz.audit.near_duplicates import MAX_DISTANCE, MIN_ALIGNMENT, MIN_SIMILARITY
from hotelviz.audit.outliers import outlier_issues
from hotelviz.audit.seen import SeenLabels, seen_labels
from hotelviz.catalog import check_table
from hotelviz.embeddings.image_properties import ImageProperties, compute_image_properties
from hotelviz.embeddings.neighbours import photo_neighbours
from hotelviz.schema import ISSUES, Status

if TYPE_CHECKING:
    import keras

ISSUE_COLUMNS = ["image_id", "issue", "score", "group", "suggestion", "detail"]


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
    class_balance
        See `hotelviz.audit.class_balance`; None without labels.
    label_noise
        See `hotelviz.audit.label_noise_matrix`.
    properties
        What one decode of each photo gave.
    label_issues
        The labels as they were judged; None where they were not.
    seen
        What the network of the features knew of the labelled photos; None where no label was
        judged.
    notes
        What was not checked, and why.
    """

    issues: pd.DataFrame
    summary: pd.DataFrame
    class_balance: pd.DataFrame | None
    label_noise: pd.DataFrame
    properties: ImageProperties
    label_issues: LabelIssues | None
    seen: SeenLabels | None
    notes: list[str]


def find_issues(
    catalog: pd.DataFrame,
    *,
    model: keras.Model | None = None,
    cache: str | os.PathLike[str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    max_distance: int = MAX_DISTANCE,
    min_similarity: float = MIN_SIMILARITY,
    min_alignment: float = MIN_ALIGNMENT,
    n_folds: int = 5,
    margin: float = MARGIN,
    seed: int = 0,
    batch_size: int = 64,
    allow_missing: bool = False,
    progress: bool = True,
) -> Audit:
    """Find what is wrong with photos and labels, from one decode of each photo.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``image_id``, ``path`` and ``hotel_id`` (by default each photo is its own hotel),
        and, if known, ``label``, ``split``, ``source`` and ``score``.
    model : keras.Model, optional
        Gives the features by which labels, near-duplicates and outliers are judged; best one that
        was not trained on these labels, such as ``build_tagger()`` with ImageNet's weights: the
        notes say how many of the labelled photos it has seen. Without one labels and outliers are
        not judged, and fewer near-duplicates are found.
    cache : path, optional
        A folder for image properties; see `hotelviz.embeddings.compute_image_properties`.
    thresholds : mapping, optional
        Of files and pixels; see `THRESHOLDS`.
    max_distance, min_similarity, min_alignment
        Of near-duplicates; see `find_duplicates`.
    n_folds, margin, seed
        Of the label check; see `hotelviz.audit.find_label_issues`.
    batch_size, allow_missing, progress
        As in `hotelviz.embeddings.compute_image_properties`.

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
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> found = find_issues(photos, progress=False)
    >>> int(found.summary.loc["unreadable", "photos"])
    1
    """
    check_thresholds(thresholds)
    catalog = check_table(catalog, needs=["image_id", "path", "hotel_id"], where="find_issues")
    catalog = catalog.reset_index(drop=True)
    properties = compute_image_properties(
        catalog, model=model, cache=cache, batch_size=batch_size, allow_missing=allow_missing,
        progress=progress,
    )  # fmt: skip
    labelled = "label" in catalog and bool(catalog["label"].notna().any())
    notes = _notes(properties, labelled=labelled)
    vectors, near = (None, None) if model is None else photo_neighbours(properties)
    copies = find_duplicates(
        properties, catalog, near,
        max_distance=max_distance, min_similarity=min_similarity, min_alignment=min_alignment,
    )  # fmt: skip
    parts = [find_image_issues(properties.photos, catalog["path"], thresholds=thresholds)]
    if near is not None:
        parts.append(outlier_issues(near, copies))
    found, seen = None, None
    label_noise = pd.DataFrame(columns=["label", "suggestion", "photos", "estimated"])
    if model is not None and vectors is not None and labelled:
        groups = _fold_groups(catalog, copies)
        found = find_label_issues(
            vectors, catalog["label"], groups, n_folds=n_folds, margin=margin, seed=seed
        )
        seen = seen_labels(model, catalog)
        notes += seen.notes + found.notes
        copies = _keep_most_probable(copies, found)
        parts.append(label_issue_rows(found, copies, margin=margin))
        label_noise = label_noise_matrix(found)
    parts.append(duplicate_issues(copies, catalog["image_id"]))
    issues = _sorted(pd.concat(parts, ignore_index=True), catalog)
    balance = class_balance(catalog, n_folds=n_folds) if labelled else None
    summary = _summary(issues, len(catalog))
    return Audit(issues, summary, balance, label_noise, properties, found, seen, notes)


def _notes(properties: ImageProperties, *, labelled: bool) -> list[str]:
    gone = properties.photos["status"] == Status.UNAVAILABLE
    notes = {
        f"{gone.sum():,} of {len(gone):,} photos are unavailable here, which says nothing about "
        "them: nothing of them was checked, and the next audit tries them again": gone.any(),
        "without a model the labels and the outliers are not judged, and only near-duplicates "
        "with nearly equal hashes are found": properties.features is None,
        "the photos have no labels: there are none to judge": not labelled,
    }
    return [note for note, holds in notes.items() if holds]


def _fold_groups(catalog: pd.DataFrame, copies: pd.DataFrame) -> np.ndarray:
    """Join hotels that share a photo: neither a hotel nor a group of copies is torn apart."""
    hotels = pd.factorize(catalog["hotel_id"])[0]
    first = copies.groupby("group")["row"].transform("min")
    pairs = np.stack([hotels[first], hotels[copies["row"]]], axis=1)
    return np.asarray(connected(int(hotels.max()) + 1, pairs)[hotels])


def _keep_most_probable(copies: pd.DataFrame, found: LabelIssues) -> pd.DataFrame:
    """Of copies with different labels, keep the one whose label is the most probable."""
    probable = copies["row"].map(suggested_labels(found).set_index("row")["p_given"])
    torn = copies["spans"].str.contains("labels") & probable.notna()
    best = probable[torn].groupby(copies["group"]).idxmax()
    chosen = copies["group"].isin(best.index)
    return copies.assign(keeper=copies["keeper"].where(~chosen, copies.index.isin(best)))


def _sorted(rows: pd.DataFrame, catalog: pd.DataFrame) -> pd.DataFrame:
    rows["image_id"] = rows["row"].astype(int).map(catalog["image_id"])
    rows["group"] = rows["group"].fillna("")
    rows["issue"] = pd.Categorical(rows["issue"], ISSUES, ordered=True)
    rows = rows.sort_values(["issue", "score", "group", "row"], ignore_index=True)
    return rows[ISSUE_COLUMNS].astype({**dict.fromkeys(ISSUE_COLUMNS, "str"), "score": float})


def needs_person(issues: pd.DataFrame) -> pd.Series:
    """Return for each issue whether a person has to look at the photo.

    Parameters
    ----------
    issues : pandas.DataFrame
        From `find_issues`.

    Returns
    -------
    pandas.Series
        False for what is no photo, or not here, and for exact copies with the same label.

    Examples
    --------
    >>> issues = pd.DataFrame({"issue": ["unreadable", "blurry"],
    ...                        "detail": ["empty file", "sharpness 9"]})
    >>> needs_person(issues).to_list()
    [False, True]
    """
    torn = issues["detail"].str.contains("spans labels", regex=False)
    automatic = issues["issue"].isin(["unavailable", "unreadable"])
    return ~(automatic | (issues["issue"].eq("exact_duplicate") & ~torn))


def _summary(issues: pd.DataFrame, n_photos: int) -> pd.DataFrame:
    told = issues.assign(group=issues["group"].replace("", None), looking=needs_person(issues))
    table = told.groupby("issue").agg(
        photos=("image_id", "size"), groups=("group", "nunique"), looking=("looking", "sum")
    )
    table = table.reindex(pd.Index(ISSUES, name="issue"), fill_value=0)
    table.insert(2, "share", table["photos"] / max(n_photos, 1))
    return table
