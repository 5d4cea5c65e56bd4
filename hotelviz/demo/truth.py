"""What is true of a demo catalogue, and what an audit should find in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from hotelviz.catalog import read_catalog
from hotelviz.errors import CatalogError

__all__ = ["compare_with_planted", "decide_by_truth", "read_masks", "read_truth"]


def read_truth(directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the true labels, faults and scores of a demo catalogue.

    Parameters
    ----------
    directory : path
        As given to `make_demo_catalog`.

    Returns
    -------
    pandas.DataFrame
        ``truth/truth.csv``, with the masks' paths ready to open (missing where there is none).

    Raises
    ------
    CatalogError
        When there is no demo catalogue.
    """
    directory = Path(directory)
    file = directory / "truth" / "truth.csv"
    if not file.is_file():
        raise CatalogError(f"{file}: there is no such file; was {directory} made by the demo?")
    masks = ["object_mask", "rails_mask"]
    truth = pd.read_csv(file, dtype=dict.fromkeys(["image_id", *masks], str))
    for column in masks:
        truth[column] = str(directory) + "/" + truth[column]
    return truth


def read_masks(
    directory: str | os.PathLike[str], image_ids: Iterable[str], size: tuple[int, int]
) -> np.ndarray:
    """Read where the objects are that make the photos' classes.

    Parameters
    ----------
    directory : path
        As given to `make_demo_catalog`.
    image_ids : iterable of str
        Of photos that are there.
    size : tuple of int
        Height and width in pixels, of the maps that the masks are compared with.

    Returns
    -------
    numpy.ndarray
        bool (N, height, width).

    Raises
    ------
    CatalogError
        When there is no demo catalogue, or no such photo in it.
    """
    files = read_truth(directory).set_index("image_id")["object_mask"]
    masks = []
    for image_id in image_ids:
        if image_id not in files.index:
            raise CatalogError(f"{directory}: the demo catalogue has no photo {image_id!r}")
        with Image.open(files[image_id]) as mask:
            masks.append(np.asarray(mask.convert("L").resize(size[::-1])) > 0)
    return np.array(masks, bool).reshape(-1, *size)


def compare_with_planted(issues: pd.DataFrame, directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Compare what an audit found with the faults that were planted.

    Parameters
    ----------
    issues : pandas.DataFrame
        Of `hotelviz.audit.find_issues`, on the demo's catalogue.
    directory : path
        As given to `make_demo_catalog`.

    Returns
    -------
    pandas.DataFrame
        A row per kind of fault: ``planted``, ``found`` (of the planted ones), ``wrong`` (found,
        but not planted), ``recall`` and ``precision``, 0 to 1. Duplicates are counted in pairs,
        the others in photos; a label counts as wrong where it is not the true one.

    Raises
    ------
    CatalogError
        When there is no demo catalogue.
    """
    directory = Path(directory)
    truth = read_truth(directory).set_index("image_id")
    labels = read_catalog(Path(directory) / "catalog.csv").set_index("image_id")["label"]
    pairs = pd.read_csv(directory / "truth" / "duplicates.csv")
    planted: dict[str, set[Any]] = {
        fault: set(truth.index[truth["fault"] == fault]) for fault in ("unreadable", "truncated")
    }
    planted["label_error"] = set(labels.index[labels != truth["true_label"].reindex(labels.index)])
    for kind in ("exact", "near"):
        chosen = pairs[pairs["kind"] == kind]
        planted[f"{kind}_duplicate"] = {
            frozenset(pair) for pair in zip(chosen["a"], chosen["b"], strict=True)
        }
    rows = []
    for issue, wanted in planted.items():
        own = issues[issues["issue"] == issue]
        found: set[Any] = set(own["image_id"])
        if issue.endswith("duplicate"):
            groups = own.groupby("group")["image_id"]
            found = {frozenset(pair) for _, ids in groups for pair in combinations(set(ids), 2)}
        right = len(found & wanted)
        rows.append(
            {
                "issue": issue, "planted": len(wanted), "found": right,
                "wrong": len(found - wanted),
                "recall": right / len(wanted) if wanted else np.nan,
                "precision": right / len(found) if found else np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("issue")


def decide_by_truth(issues: pd.DataFrame, directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Decide on label issues as a person does who looks at each photo and is never wrong.

    Parameters
    ----------
    issues : pandas.DataFrame
        Of `hotelviz.audit.find_issues`, on the demo's catalogue.
    directory : path
        As given to `make_demo_catalog`.

    Returns
    -------
    pandas.DataFrame
        For `hotelviz.decisions.append_decisions`: a row per label issue, ``relabel`` where the
        label is wrong and ``keep`` where it is right, by the reviewer ``the drawing's truth``.
    """
    suspects = issues.loc[issues["issue"] == "label_error", ["image_id"]].reset_index(drop=True)
    truth = read_truth(directory).set_index("image_id")["true_label"]
    labels = read_catalog(Path(directory) / "catalog.csv").set_index("image_id")["label"]
    right = truth.reindex(suspects["image_id"]).to_numpy()
    wrong = right != labels.reindex(suspects["image_id"]).to_numpy()
    return suspects.assign(
        action=np.where(wrong, "relabel", "keep"),
        label=np.where(wrong, right, ""),
        reason="label suspect, looked at",
        reviewer="the drawing's truth",
    )
