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

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> folder = tempfile.mkdtemp()
    >>> photos = make_demo_catalog(folder, n_hotels=3, size=(96, 128))
    >>> read_truth(folder)["fault"].value_counts().head(2).to_dict()
    {'none': 53, 'exact_duplicate': 2}
    """
    directory = Path(directory)
    file = directory / "truth" / "truth.csv"
    if not file.is_file():
        raise CatalogError(f"{file}: there is no such file; was {directory} made by the demo?")
    masks = ["object_mask", "rails_mask"]
    truth = pd.read_csv(file, dtype=dict.fromkeys(["image_id", *masks], str))
    truth[masks] = f"{directory}/" + truth[masks]
    return truth


def with_true_labels(photos: pd.DataFrame, directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Return photos of a demo catalogue with the labels that they should have.

    Parameters
    ----------
    photos : pandas.DataFrame
        With ``image_id``.
    directory : path
        As given to `make_demo_catalog`.

    Returns
    -------
    pandas.DataFrame
        The same rows with the true ``label``.

    Raises
    ------
    CatalogError
        When there is no demo catalogue.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "truth").mkdir()
    >>> truth = {"image_id": ["a.jpg"], "true_label": "Pool", "object_mask": "", "rails_mask": ""}
    >>> pd.DataFrame(truth).to_csv(folder / "truth" / "truth.csv", index=False)
    >>> photos = pd.DataFrame({"image_id": ["a.jpg"], "label": ["Foyer"]})
    >>> with_true_labels(photos, folder)["label"].to_list()
    ['Pool']
    """
    right = read_truth(directory).set_index("image_id")["true_label"]
    return photos.assign(label=photos["image_id"].map(right))


def _truth_and_labels(directory: str | os.PathLike[str]) -> pd.DataFrame:
    labels = read_catalog(Path(directory) / "catalog.csv").set_index("image_id")["label"]
    return read_truth(directory).set_index("image_id").join(labels)


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
    truth = _truth_and_labels(directory)
    pairs = pd.read_csv(Path(directory) / "truth" / "duplicates.csv")
    planted: dict[str, set[Any]] = {
        fault: set(truth.index[truth["fault"] == fault]) for fault in ("unreadable", "truncated")
    }
    planted["label_error"] = set(truth.index[truth["label"] != truth["true_label"]])
    for kind in ("exact", "near"):
        chosen = pairs[pairs["kind"] == kind]
        planted[f"{kind}_duplicate"] = set(map(frozenset, chosen[["a", "b"]].to_numpy()))
    counts = {}
    for issue, wanted in planted.items():
        own = issues[issues["issue"] == issue]
        found: set[Any] = set(own["image_id"])
        if issue.endswith("duplicate"):
            groups = own.groupby("group")["image_id"]
            found = {frozenset(pair) for _, ids in groups for pair in combinations(set(ids), 2)}
        counts[issue] = [len(wanted), len(found & wanted), len(found - wanted)]
    columns = ["planted", "found", "wrong"]
    table = pd.DataFrame.from_dict(counts, orient="index", columns=columns).rename_axis("issue")
    table["recall"] = table["found"] / table["planted"]
    table["precision"] = table["found"] / (table["found"] + table["wrong"])
    return table


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
    own = _truth_and_labels(directory).reindex(suspects["image_id"])
    right = own["true_label"].to_numpy()
    wrong = right != own["label"].to_numpy()
    return suspects.assign(
        action=np.where(wrong, "relabel", "keep"),
        label=np.where(wrong, right, ""),
        reason="label suspect, looked at",
        reviewer="the drawing's truth",
    )
