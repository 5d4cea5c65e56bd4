"""Photos in which a concept is strongest, where in them, and its maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.attribution import Target, feature_grid, upsample_to_input
from hotelviz.attribution.photos import iterate_pixels
from hotelviz.catalog import check_table
from hotelviz.concepts.activity import ConceptActivity, as_activity, contributions
from hotelviz.concepts.coefficients import coefficients
from hotelviz.concepts.factorisation import Concepts
from hotelviz.errors import ConceptError

if TYPE_CHECKING:
    from hotelviz.attribution import Axis, Grid

#: A patch's side as a share of the photo's, at least and at most.
_SMALLEST, _LARGEST = 0.15, 0.5
_ENDS = ["left", "top", "right", "bottom"]
_COLUMNS = [
    "concept", "rank", "image_id", "hotel_id", "path", "peak", "x", "y", "side", *_ENDS
]  # fmt: skip


def concept_examples(
    concepts: Concepts, photos: pd.DataFrame | ConceptActivity, *, n_photos: int = 8
) -> pd.DataFrame:
    """Find the photos in which each concept is strongest, one of each hotel, and where in them.

    Parameters
    ----------
    concepts
        From `find_concepts`.
    photos
        As in `contributions`.
    n_photos
        How many of each concept, at most.

    Returns
    -------
    pandas.DataFrame
        A row per concept and photo, the strongest first: ``concept``, ``rank`` (from 1),
        ``image_id``, ``hotel_id``, ``path``; ``peak``, how strong it is at its strongest cell, 1
        being usual; ``x`` and ``y``, where that cell looks (0 to 1 of the photo's width and
        height), and ``side``, the part of the photo to show around it, see
        `hotelviz.feature_vis.patch_pixels`; ``left``, ``top``, ``right`` and ``bottom``, all that
        the cell sees, its receptive field (0 to 1). A concept that is in none of the photos has no
        rows.

    Raises
    ------
    AttributionError
        When it is not known where the layer's cells lie, see `hotelviz.attribution.feature_grid`.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.concepts import find_concepts
    >>> from hotelviz.demo import make_demo_catalog
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(8, 5, activation="relu"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bedroom", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> concepts = find_concepts(small, photos, 2, progress=False)
    >>> examples = concept_examples(concepts, photos, n_photos=2)
    >>> examples["rank"].max(), concept_maps(concepts, examples).shape[1:]
    (np.int64(2), (32, 32))
    >>> list(photo_concepts(concepts, photos))
    ['image_id', 'concept', 'name', 'adds', 'x', 'y', 'side']
    """
    from hotelviz.models import model_info

    if n_photos < 1:
        raise ConceptError(f"at least one photo of each concept is shown, not n_photos={n_photos}")
    activity = as_activity(concepts, photos)
    grid = feature_grid(concepts.model, concepts.layer)
    height, width = model_info(concepts.model).preprocessing.size
    columns = len(grid.columns.first)
    found = []
    for concept in range(len(concepts)):
        peak = activity.peak[:, concept]
        order = np.argsort(-peak, kind="stable")
        rows = activity.photos.iloc[order].assign(peak=peak[order], row=order)
        rows = rows[activity.there[order, concept]].drop_duplicates("hotel_id").head(n_photos)
        y, x = np.divmod(activity.cell[rows["row"], concept], columns)
        left, right = _ends(grid.columns, x, width)
        top, bottom = _ends(grid.rows, y, height)
        found.append(rows.assign(
            concept=concept, rank=np.arange(1, len(rows) + 1),
            x=_share(grid.columns, x, width), y=_share(grid.rows, y, height),
            side=_side(grid, height, width),
            left=left, top=top, right=right, bottom=bottom,
        ))  # fmt: skip
    table: pd.DataFrame = pd.concat(found, ignore_index=True)
    kept = [name for name in activity.photos if name not in _COLUMNS]
    return table.reindex(columns=[*_COLUMNS, *kept])


def photo_concepts(
    concepts: Concepts,
    photos: pd.DataFrame | ConceptActivity,
    target: Target = None,
    *,
    n_concepts: int = 5,
) -> pd.DataFrame:
    """Return what each photo is made of: the concepts that add most to a target, and where.

    Parameters
    ----------
    concepts, photos, target
        As in `contributions`.
    n_concepts
        Of each photo, at most.

    Returns
    -------
    pandas.DataFrame
        A row per photo and concept that is in it, by ``image_id``, what adds or takes most first:
        ``concept``, ``name`` (what a person calls it, or its number), ``adds`` (to the logit, or to
        the mean score), and ``x``, ``y`` and ``side``, the patch that shows it, as of
        `concept_examples`.

    Raises
    ------
    ConceptError
        No concept is asked for.

    See Also
    --------
    hotelviz.gallery.Gallery : Its large view lists them.
    concept_examples : Its example is of this function, too.
    """
    from hotelviz.models import model_info

    if n_concepts < 1:
        raise ConceptError(f"at least one concept of each photo is listed, not {n_concepts}")
    activity = as_activity(concepts, photos)
    adds = contributions(concepts, activity, target).iloc[:, : len(concepts)].to_numpy()
    size = np.where(activity.there, np.abs(adds), -1.0)
    first = np.argsort(-size, axis=1, kind="stable")[:, :n_concepts]
    rows = np.repeat(np.arange(len(first)), first.shape[1])
    there = activity.there[rows, first.ravel()]
    rows, numbers = rows[there], first.ravel()[there]
    grid = feature_grid(concepts.model, concepts.layer)
    height, width = model_info(concepts.model).preprocessing.size
    y, x = np.divmod(activity.cell[rows, numbers], len(grid.columns.first))
    return pd.DataFrame({
        "image_id": activity.photos["image_id"].to_numpy()[rows], "concept": numbers,
        "name": [concepts.name(int(one)) for one in numbers], "adds": adds[rows, numbers],
        "x": _share(grid.columns, x, width), "y": _share(grid.rows, y, height),
        "side": _side(grid, height, width),
    })  # fmt: skip


def concept_maps(concepts: Concepts, examples: pd.DataFrame, *, batch_size: int = 32) -> np.ndarray:
    """Compute where the concept of each row is in its photo.

    Parameters
    ----------
    concepts
        From `find_concepts`.
    examples
        With ``path`` and ``concept``, as `concept_examples` returns them.
    batch_size
        Photos per pass.

    Returns
    -------
    numpy.ndarray
        float32 (rows, height, width) at the model's size, 0 to 1: 1 where as much of the concept is
        as is usual where it is, or more. All zero for a photo that cannot be read.

    See Also
    --------
    concept_examples : Finds the photos; its example is of this function, too.
    """
    from hotelviz.models import activations, model_info

    examples = check_table(examples, needs=["path"], where="concept_maps", unique=False)
    numbers = checked_concepts(concepts, examples)
    size = model_info(concepts.model).preprocessing.size
    grid = feature_grid(concepts.model, concepts.layer)
    maps = np.zeros((len(examples), *size), "float32")
    # With the logits, since that function is compiled: the photos were looked at by it.
    run = activations(concepts.model, [concepts.head.features, "logits"])
    paths = examples["path"].tolist()
    for rows, pixels in iterate_pixels(concepts.model, paths, batch_size=batch_size):
        features = np.maximum(run(pixels)[0], 0)
        found = coefficients(features, concepts.components, concepts.readers)
        own = numbers[rows]
        cells = found[np.arange(len(found)), :, :, own] / np.maximum(
            concepts.usual[own], 1e-9
        )[:, None, None]  # fmt: skip
        maps[rows] = upsample_to_input(cells, grid, size).clip(0, 1)
    return maps


def checked_concepts(concepts: Concepts, table: pd.DataFrame) -> np.ndarray:
    """Return the concepts that the rows of a table name, by number; refuse others."""
    if "concept" not in table:
        raise ConceptError("the table has no column 'concept': see concept_examples")
    numbers = pd.to_numeric(table["concept"], errors="coerce")
    bad = ~numbers.isin(range(len(concepts)))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ConceptError(
            f"row {row}, column 'concept': {table['concept'].iloc[row]!r} is none of the "
            f"{len(concepts)} concepts, 0 to {len(concepts) - 1}"
        )
    return np.asarray(numbers, "int64")


def _side(grid: Grid, height: int, width: int) -> float:
    """Return the part of a photo to show around a cell: what it sees, within bounds."""
    seen = max(grid.rows.reach / height, grid.columns.reach / width)
    return float(np.clip(seen, _SMALLEST, _LARGEST))


def _share(axis: Axis, cells: np.ndarray, pixels: int) -> np.ndarray:
    """Return where cells look, 0 to 1 of the photo's side."""
    return np.asarray(((axis.start + axis.step * cells + 0.5) / pixels).clip(0, 1))


def _ends(axis: Axis, cells: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where what cells see begins and ends, 0 to 1 of the photo's side."""
    return axis.first[cells] / pixels, (axis.last[cells] + 1) / pixels
