"""Cells of many photos, a few of each, so that no more is held than a factorisation needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.errors import ConceptError

if TYPE_CHECKING:
    import keras

    from hotelviz.concepts.head import Head

#: Features below this share of the largest are negative by more than rounding.
_NEGATIVE = -1e-4


class Batch(NamedTuple):
    """Some photos at a layer.

    Attributes
    ----------
    rows
        Their places in the table.
    features
        float32 (n, h, w, channels).
    logits
        float32 (n, outputs).
    errors
        Place -> what is wrong, for photos that are not in `rows`.
    """

    rows: np.ndarray
    features: np.ndarray
    logits: np.ndarray
    errors: dict[int, str]


class Sample(NamedTuple):
    """What a factorisation is made of.

    Attributes
    ----------
    cells
        float32 (n, channels): features of places drawn at random.
    groups
        (n,): the hotel of each.
    whole
        float32 (photos, h, w, channels): all cells of some photos.
    whole_groups
        The hotels of those.
    n_photos
        How many photos could be read.
    """

    cells: np.ndarray
    groups: np.ndarray
    whole: np.ndarray
    whole_groups: np.ndarray
    n_photos: int


def iterate_features(
    model: keras.Model, head: Head, photos: pd.DataFrame, *, batch_size: int, progress: bool
) -> Iterator[Batch]:
    """Yield the features of photos, a batch at a time, with the logits that they lead to.

    Raises
    ------
    ConceptError
        A layer with negative features.
    """
    from tqdm.auto import tqdm

    from hotelviz.images import iterate_images
    from hotelviz.models import activations, model_info

    wanted = model_info(model).preprocessing
    run = activations(model, [head.features, "logits"])
    batches = iterate_images(
        photos["path"], size=wanted.size, batch_size=batch_size, resample=wanted.resample
    )
    with tqdm(total=len(photos), unit=" photos", disable=not progress) as bar:
        for batch in batches:
            read = set(batch.rows.tolist())
            errors = {row: one.reason for row, one in batch.errors.items() if row not in read}
            bar.update(len(batch.rows) + len(errors))
            if not len(batch.rows):
                yield Batch(batch.rows, np.zeros((0, 1, 1, 1)), np.zeros((0, 1)), errors)
                continue
            features, logits = run(batch.pixels)
            _check(features, head.layer)
            yield Batch(batch.rows, np.maximum(features, 0), logits, errors)


def draw_sample(
    model: keras.Model,
    head: Head,
    photos: pd.DataFrame,
    *,
    max_cells: int,
    n_whole: int,
    batch_size: int,
    seed: int,
    progress: bool,
) -> Sample:
    """Draw cells of photos: the same number of each, at random places."""
    random = np.random.default_rng(seed)
    if len(photos) > max_cells:
        photos = photos.iloc[np.sort(random.choice(len(photos), max_cells, replace=False))]
    # Of a single hotel there are halves of photos only.
    by = "hotel_id" if photos["hotel_id"].nunique() > 1 else "image_id"
    groups = photos[by].to_numpy()
    each = max(1, max_cells // max(1, len(photos)))
    chosen = set(random.choice(len(photos), min(n_whole, len(photos)), replace=False).tolist())
    cells, own, whole, whole_own = [], [], [], []
    for batch in iterate_features(model, head, photos, batch_size=batch_size, progress=progress):
        for row, one in zip(batch.rows.tolist(), batch.features, strict=True):
            flat = one.reshape(-1, one.shape[-1])
            places = random.permutation(len(flat))[:each]
            cells.append(flat[places])
            own += [groups[row]] * len(places)
            if row in chosen:
                # A view would hold its whole batch.
                whole.append(one.copy())
                whole_own.append(groups[row])
    if not cells:
        raise ConceptError(f"none of the {len(photos)} photos can be read")
    return Sample(
        np.concatenate(cells), np.array(own), np.array(whole), np.array(whole_own), len(cells)
    )


def _check(features: np.ndarray, layer: str) -> None:
    least, most = float(features.min()), float(features.max())
    if least < _NEGATIVE * max(most, 1e-9):
        raise ConceptError(
            f"layer {layer!r} has negative features (down to {least:.3g}): concepts are parts that "
            "add up, of a layer after ReLU; name one with layer=, such as the output of the last "
            "activation='relu'"
        )
