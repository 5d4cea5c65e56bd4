"""What the gallery's script is told of a table: columns as codes and numbers, all by row."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hotelviz.errors import GalleryError
from hotelviz.gallery.maps import describe_overlays
from hotelviz.metrics import confusion_names
from hotelviz.scores.predictions import class_probabilities

#: The columns that can be filtered by, with the names that people read.
CATEGORIES = {
    "label": "true label",
    "predicted": "predicted label",
    "confusion": "confusion",
    "hotel_id": "hotel",
    "source": "source",
    "split": "split",
    "issue": "issue",
    "area": "area",
    "state": "state",
    "drives": "drives",
    "active_in": "most active in",
}
NUMBERS = {
    "score": "score",
    "confidence": "confidence",
    "margin": "margin over the second class",
    "entropy": "entropy of the probabilities",
    "technical": "technical score",
    "score_std": "spread of the score",
    "rated_mean": "rated",
    "position": "current position",
    "rank": "rank",
    "strength": "strength",
    "active": "share of photos",
    "effect": "effect on the output",
    "change": "change through training",
}
#: What is worth a pair of fields among the filters; the others can be sorted by.
_RANGES = ("score", "confidence", "technical", "change")
#: Letters of Hebrew, Arabic and the like.
_FROM_THE_RIGHT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


def check_frame(
    frame: pd.DataFrame,
    columns: Sequence[str | None],
    distributions: Mapping[str, np.ndarray],
) -> None:
    """Refuse columns that are not there, and distributions that do not fit the rows.

    Raises
    ------
    GalleryError
        With what was expected and what was found.
    """
    check_columns(frame, columns)
    if "path" in columns and frame["path"].isna().any():
        row = int(np.flatnonzero(frame["path"].isna())[0])
        raise GalleryError(f"row {row}, column 'path': is empty; every photo needs one")
    if len(distributions) > 2:
        raise GalleryError(f"one or two distributions can be drawn, not {len(distributions)}")
    for name, shares in distributions.items():
        if np.shape(shares) != (len(frame), 10):
            raise GalleryError(
                f"the distributions {name!r} have the shape {np.shape(shares)}; expected "
                f"({len(frame)}, 10)"
            )


def check_columns(
    table: pd.DataFrame | pd.Series, columns: Sequence[str | None], where: str = ""
) -> None:
    """Refuse a table, or a row of it, that has not all of some columns; `where` begins the error.

    Raises
    ------
    GalleryError
        With the column and those that are there.
    """
    for column in columns:
        if column is not None and column not in table:
            has = ", ".join(map(str, table.keys()))
            raise GalleryError(f"{where}the table has no column {column!r}; it has {has}")


def image_ids(frame: pd.DataFrame) -> list[str]:
    """Return the names by which decisions know the photos: ``image_id``, else the path."""
    return frame["image_id" if "image_id" in frame else "path"].astype(str).tolist()


def caption_of(row: pd.Series, caption: str | Callable[[pd.Series], str] | None) -> str:
    """Return the caption of a photo."""
    if callable(caption):
        return caption(row)
    return str(row[caption or ("image_id" if "image_id" in row else "path")])


def make_payload(
    frame: pd.DataFrame,
    *,
    group: str | None,
    overlays: Mapping[str, np.ndarray],
    distributions: Mapping[str, np.ndarray],
    classes: Sequence[str] | None,
) -> dict[str, Any]:
    """Return what the script needs to know of a gallery's table.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row per photo.
    group : str, optional
        A column whose values become sections.
    overlays : mapping
        Name -> maps, float (n, h, w) in 0 to 1; see `hotelviz.gallery.maps`.
    distributions : mapping
        Name -> float (n, 10).
    classes : sequence of str, optional
        What the keys 1 to 9 relabel to; by default the labels and predictions that occur.

    Returns
    -------
    dict
        Of text, lists, and numpy arrays for what is large: int32 codes, float32 numbers. Photos,
        captions and maps are not in it. `packed` makes them text or bytes.
    """
    shares = class_probabilities(frame)
    known = list(map(str, shares))
    probabilities = shares.to_numpy("float32", na_value=np.nan) if known else None
    tones = ["b0", "b1"][-max(1, len(distributions)) :]
    return {
        "size": len(frame),
        "ids": image_ids(frame),
        "columns": _categories(frame, group) + _numbers(frame, group, probabilities),
        "group": group,
        "classes": known,
        "probabilities": probabilities,
        "distributions": [
            {"name": name, "tone": tone, "shares": np.ascontiguousarray(shares, "float32")}
            for tone, (name, shares) in zip(tones, distributions.items(), strict=False)
        ],
        **describe_overlays(overlays),
        "labels": list(classes) if classes is not None else known or _labels(frame),
    }


def matrix_cells(matrix: pd.DataFrame) -> dict[str, Any]:
    """Return a confusion matrix as the script takes it: the names of its rows and columns, counts.

    Examples
    --------
    >>> matrix_cells(pd.DataFrame([[2, 1]], ["Pool"], ["Pool", "Bathroom"]))
    {'true': ['Pool'], 'predicted': ['Pool', 'Bathroom'], 'counts': [[2, 1]]}
    """
    names = {"true": list(map(str, matrix.index)), "predicted": list(map(str, matrix.columns))}
    return {**names, "counts": matrix.astype(int).to_numpy().tolist()}


def _categories(frame: pd.DataFrame, group: str | None) -> list[dict[str, Any]]:
    """Code the columns that can be filtered by, and the one that groups."""
    if "confusion" not in frame and {"label", "predicted"} <= set(frame):
        frame = frame.assign(confusion=confusion_names(frame))
    titles = dict(CATEGORIES)
    if group is not None:
        titles.setdefault(group, words(group))
    columns = []
    for name, title in titles.items():
        if name in frame and frame[name].notna().any():
            text = frame[name].astype("str").where(frame[name].notna())
            # Groups come in the order in which they occur, other values by name.
            codes, found = pd.factorize(text, sort=name != group)
            columns.append(
                {"name": name, "title": title, "kind": "category", "filter": True,
                 "values": list(map(str, found)), "codes": codes.astype("int32")}
            )  # fmt: skip
    return columns


def _numbers(
    frame: pd.DataFrame, group: str | None, probabilities: np.ndarray | None
) -> list[dict[str, Any]]:
    """Return the columns that can be sorted by."""
    numbers = {name: frame[name] for name in NUMBERS if name in frame}
    if probabilities is not None:
        numbers = _uncertainty(probabilities) | numbers
    # What photos are grouped by is a category, whatever it is called.
    numbers.pop(str(group), None)
    columns = []
    for name, values in numbers.items():
        data = pd.to_numeric(values, errors="coerce").to_numpy("float32", na_value=np.nan)
        if np.isfinite(data).any():
            columns.append(
                {"name": name, "title": NUMBERS[name], "kind": "number", "data": data,
                 "filter": name in _RANGES}
            )  # fmt: skip
    return columns


def _uncertainty(probabilities: np.ndarray) -> dict[str, pd.Series]:
    """Return the confidence, its lead over the second class, and the entropy in bits, by row."""
    ranked = np.sort(probabilities, axis=1)
    found = {"confidence": probabilities.max(axis=1)}
    if probabilities.shape[1] > 1:
        found["margin"] = ranked[:, -1] - ranked[:, -2]
        logs = np.log2(np.maximum(probabilities, np.finfo("float32").tiny))
        found["entropy"] = np.abs(-(probabilities * logs).sum(axis=1))
    return {name: pd.Series(values) for name, values in found.items()}


def words(name: object) -> str:
    """Write a column's or a class's name as people read it."""
    text = str(name).replace("_", " ")
    # What is written from the right would turn the figures around it.
    return f"\u2068{text}\u2069" if _FROM_THE_RIGHT.search(text) else text


def _labels(frame: pd.DataFrame) -> list[str]:
    known = [frame[name].dropna().astype(str) for name in ("label", "predicted") if name in frame]
    return sorted(set().union(*known))


def as_text(array: np.ndarray) -> str:
    """Pack an array for JSON, as base64."""
    return base64.b64encode(as_bytes(array)).decode()


def as_bytes(array: np.ndarray) -> bytes:
    """Pack an array for a message's buffers."""
    return np.ascontiguousarray(array).tobytes()


def packed(value: Any, pack: Callable[[np.ndarray], str | bytes]) -> Any:
    """Pack the arrays in content, by `as_text` for a page or `as_bytes` for a message."""
    if isinstance(value, np.ndarray):
        return pack(value)
    if isinstance(value, dict):
        return {name: packed(part, pack) for name, part in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [packed(part, pack) for part in value]
    return value
