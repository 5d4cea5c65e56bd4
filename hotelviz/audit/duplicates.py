"""Find photos that are there more than once, and which of them to keep."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hotelviz.audit.near_duplicates import (
    MAX_DISTANCE,
    MIN_ALIGNMENT,
    MIN_SIMILARITY,
    near_duplicate_pairs,
)
from hotelviz.catalog import check_table
from hotelviz.embeddings.image_properties import ImageProperties
from hotelviz.embeddings.neighbours import Neighbours
from hotelviz.errors import AuditError, ImageError
from hotelviz.images import read_image


def find_duplicates(
    properties: ImageProperties,
    catalog: pd.DataFrame,
    neighbours: Neighbours | None = None,
    *,
    max_distance: int = MAX_DISTANCE,
    min_similarity: float = MIN_SIMILARITY,
    min_alignment: float = MIN_ALIGNMENT,
) -> pd.DataFrame:
    """Group the photos that are copies of one another.

    Parameters
    ----------
    properties : ImageProperties
        From `hotelviz.embeddings.compute_image_properties`, row by row of the photos of `catalog`.
    catalog : pandas.DataFrame
        With ``path`` and ``hotel_id``, and, if known, ``label``, ``split`` and ``score``.
    neighbours : Neighbours, optional
        Of the photos' features; without them only photos with nearly equal hashes are compared.
    max_distance, min_similarity
        Photos are compared whose hashes differ in at most so many of 64 bits and whose features'
        cosine is at least this; and all whose hashes differ in at most 10 bits.
    min_alignment : float
        Near-duplicates are those that, laid over each other, are at least so similar, 0 to 1.

    Returns
    -------
    pandas.DataFrame
        A row per photo that is in a group: ``row`` (of the catalogue), ``group`` (a name),
        ``kind`` (``exact``: the same pixels as the keeper's; ``near``), ``keeper`` (whether it is
        the one to keep), ``distance`` (differing bits to the keeper), ``spans`` (``labels``,
        ``splits``, ``hotels``: what the group's photos differ in).

    Raises
    ------
    AuditError
        Properties of other photos, or a `max_distance` that is no number of bits.

    Notes
    -----
    Exact: the same decoded pixels, whatever the file. The keeper is the photo that is whole, has
    the group's most frequent label, then the largest, then the one with the best score, then the
    first in the catalogue.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from hotelviz.embeddings import compute_image_properties
    >>> files = [f"{tempfile.mkdtemp()}/{name}.png" for name in "ab"]
    >>> for file in files:
    ...     Image.linear_gradient("L").save(file)
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "path": files, "hotel_id": "h"})
    >>> copies = find_duplicates(compute_image_properties(photos, progress=False), photos)
    >>> copies[["row", "kind", "keeper"]].values.tolist()
    [[0, 'exact', True], [1, 'exact', False]]
    """
    catalog = check_table(catalog, needs=["image_id", "path", "hotel_id"], where="find_duplicates")
    catalog = catalog.reset_index(drop=True)
    if properties.photos["image_id"].tolist() != catalog["image_id"].tolist():
        raise AuditError("find_duplicates: the properties are of other photos, or in another order")
    if not 0 <= max_distance <= 64:
        raise AuditError(f"max_distance is a number of bits, 0 to 64; not {max_distance}")
    same = _exact_pairs(properties.photos, catalog["path"])
    near = near_duplicate_pairs(
        properties, neighbours,
        max_distance=max_distance, min_similarity=min_similarity, min_alignment=min_alignment,
    )  # fmt: skip
    number = connected(len(catalog), np.concatenate([same, near]))
    table = pd.DataFrame({"row": catalog.index, "number": number})
    table["same"] = connected(len(catalog), same)
    table = table[table["number"].duplicated(keep=False)].reset_index(drop=True)
    table = _with_keepers(table, properties.photos, catalog)
    first = table.groupby("number")["row"].transform("min")
    table["group"] = "duplicates-" + first.astype("str")
    table["spans"] = _spans(table, catalog)
    return table[["row", "group", "kind", "keeper", "distance", "spans"]]


def _exact_pairs(photos: pd.DataFrame, paths: pd.Series) -> np.ndarray:
    """Pair each photo with the first of the same pixels."""
    rows, content = photos.index.to_series(), photos["content"]
    first = rows.groupby(photos["pixels"]).transform("first").dropna().astype(int)
    later = first[first != first.index]
    pairs = [
        (one, row)
        for row, one in zip(later.index, later, strict=True)
        # Files with other bytes were seen reduced: only whole do their pixels prove equal.
        if content[row] == content[one] or _same_pixels(paths[one], paths[row])
    ]
    return np.array(pairs, dtype=int).reshape(-1, 2)


def _same_pixels(a: str, b: str) -> bool:
    try:
        return bool(np.array_equal(read_image(a), read_image(b)))
    except ImageError:
        return False


def connected(n_nodes: int, pairs: np.ndarray) -> np.ndarray:
    """Return for each of some things the number of the group that `pairs` connect it to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (n_nodes, n_nodes))
    return np.asarray(connected_components(graph, directed=False)[1])


def _with_keepers(table: pd.DataFrame, photos: pd.DataFrame, catalog: pd.DataFrame) -> pd.DataFrame:
    about = photos.join(catalog.reindex(columns=["label", "score"])).iloc[table["row"]]
    about = about.reset_index(drop=True)
    groups = [table["number"], about["label"].astype("str").fillna("")]
    table = table.assign(
        whole=about["error"] == "",
        frequency=table.groupby(groups)["row"].transform("size"),
        area=(about["width"] * about["height"]).fillna(0),
        score=about["score"].fillna(0),
        hash=about["hash"],
    )
    order = ["number", "whole", "frequency", "area", "score", "row"]
    table = table.sort_values(order, ascending=[True, False, False, False, False, True])
    table["keeper"] = ~table["number"].duplicated()
    kept = table.groupby("number")[["hash", "same"]].transform("first")
    table["distance"] = np.bitwise_count(table["hash"] ^ kept["hash"]).astype(int)
    # A group of exact copies of one photo has an exact keeper, too.
    several = table.groupby("number")["same"].transform("nunique") > 1
    exact = (table["same"] == kept["same"]) & ~(table["keeper"] & several)
    table["kind"] = exact.map({True: "exact", False: "near"}).astype("str")
    return table.sort_index()


def _spans(table: pd.DataFrame, catalog: pd.DataFrame) -> pd.Series:
    """Name what the photos of each group differ in."""
    spans = pd.Series("", table.index, dtype="str")
    names = {"label": "labels", "split": "splits", "hotel_id": "hotels"}
    about = catalog.reindex(columns=list(names)).iloc[table["row"]].set_axis(table.index)
    many = about.groupby(table["number"]).transform("nunique") > 1
    for column, name in names.items():
        spans = spans.mask(many[column], spans + f"{name} ")
    return spans.str.strip()


def duplicate_issues(copies: pd.DataFrame, image_ids: pd.Series) -> pd.DataFrame:
    """Return the issues of `find_duplicates`' groups: ``row``, ``issue``, ``score`` and so on."""
    keeper, near = copies["keeper"], copies["kind"] == "near"
    kept = copies["group"].map(copies[keeper].set_index("group")["row"]).map(image_ids)
    detail = ("copy of " + kept).mask(keeper, "keeper of the group")
    bits = ", " + copies["distance"].astype("str") + " of 64 bits differ"
    spans = "; the group spans " + copies["spans"].str.replace(" ", ", ")
    detail += bits.where(near & ~keeper, "") + spans.where(copies["spans"] != "", "")
    return copies[["row", "group"]].assign(
        issue=copies["kind"] + "_duplicate",
        score=((1 + copies["distance"]) / 65).where(near, 0.0),
        suggestion=keeper.map({True: "keep", False: "drop"}).astype("str"),
        detail=detail,
    )
