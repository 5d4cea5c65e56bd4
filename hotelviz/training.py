"""Train networks by transfer learning.

This module says what is to be learned; `hotelviz.regime` runs the two phases.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
import pandas as pd

from hotelviz.catalog import CatalogError, fingerprint, nearest
from hotelviz.models import ModelInfo, build_tagger, describe, redescribe
from hotelviz.regime import Augmentation, Photos, decode_once, fit_two_phases, work_folder

__all__ = ["Augmentation", "history", "train_tagger"]

#: Training photos are kept this much larger than the input, for the random crop: 256 for 224.
_MARGIN = 8 / 7

_AUGMENTATION = Augmentation()


def train_tagger(
    catalog: pd.DataFrame,
    *,
    classes: Sequence[str] | None = None,
    backbone: str = "MobileNet",
    input_size: int = 224,
    weights: Literal["imagenet"] | None = "imagenet",
    backbone_kw: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    head_epochs: int = 40,
    fine_tune_epochs: int = 12,
    head_learning_rate: float = 1e-3,
    fine_tune_learning_rate: float = 3e-5,
    batch_size: int = 32,
    augmentation: Augmentation | None = _AUGMENTATION,
    class_balance: float = 0.5,
    label_smoothing: float = 0.1,
    patience: int = 4,
    seed: int = 0,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> keras.Model:
    """Train a tagger by transfer learning in two phases.

    Parameters
    ----------
    catalog
        With ``path``, ``label`` and ``split`` (see `hotelviz.catalog.split_catalog`): ``train``
        is learned from, ``val`` decides when to stop, anything else is not looked at. Photos that
        cannot be read are left out and listed in the model's description.
    classes
        What it tells apart; by default the labels that occur, in alphabetical order.
    backbone, input_size, weights, backbone_kw, dropout
        See `hotelviz.models.build_tagger`.
    head_epochs, head_learning_rate
        Phase one: only the head, on features computed once. Passed over with ``weights=None``.
    fine_tune_epochs, fine_tune_learning_rate
        Phase two: all layers, batch normalisation frozen. With ``weights=None`` the only phase,
        with live batch normalisation and a learning rate that falls along a cosine.
    batch_size
        Photos per step.
    augmentation
        What is changed at random in phase two; None for nothing.
    class_balance
        How much rare classes weigh: each photo's weight (the column ``weight``, or 1) is
        multiplied by the total of its class to the power of minus this, 0 for equal photos, 1 for
        equal classes.
    label_smoothing
        Share of the target probability that is spread over all classes, 0 to 1.
    patience
        Epochs without a better validation loss until phase two ends (phase one: twice as many);
        half of them lower the learning rate to a third. With ``weights=None`` all epochs are run.
        The weights of the epoch with the best validation loss are kept; without validation
        photos, those of the last.
    seed
        For weights, order and augmentation.
    checkpoint_dir
        A folder for decoded photos and checkpoints. A training with the same settings and
        catalogue that was interrupted goes on from its last whole epoch; the folder is removed
        when it is done. None uses a temporary folder.
    progress
        Show bars.

    Returns
    -------
    keras.Model
        With its description; ``describe(model).training`` holds phases, settings and history.

    Raises
    ------
    CatalogError
        No ``label`` or ``split``, nothing to train on, fewer than two classes.
    ModelError
        An unknown backbone, or weights that cannot be had.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), hotels=4)
    >>> tagger = train_tagger(photos, weights=None, input_size=32, fine_tune_epochs=1,
    ...                       backbone_kw={"alpha": 0.25}, progress=False)
    >>> history(tagger)["phase"].to_list()
    ['from_scratch']
    """
    labels = _known_labels(catalog, classes)
    settings = {
        "backbone": backbone,
        "input_size": input_size,
        "weights": weights,
        "backbone_kw": dict(backbone_kw or {}),
        "dropout": dropout,
        "head_epochs": head_epochs if weights else 0,
        "fine_tune_epochs": fine_tune_epochs,
        "head_learning_rate": head_learning_rate,
        "fine_tune_learning_rate": fine_tune_learning_rate,
        "batch_size": batch_size,
        "augmentation": dataclasses.asdict(augmentation) if augmentation else None,
        "class_balance": class_balance,
        "label_smoothing": label_smoothing,
        "patience": patience,
        "seed": seed,
    }
    trained_on = fingerprint(catalog)
    model = build_tagger(
        labels,
        backbone=backbone,
        input_size=input_size,
        weights=weights,
        dropout=dropout,
        seed=seed,
        backbone_kw=backbone_kw,
    )
    with work_folder(checkpoint_dir, {**settings, "catalog": trained_on}) as folder:
        splits, problems = {}, []
        for name in ("train", "val"):
            rows = catalog[(catalog["split"] == name) & catalog["label"].isin(labels)]
            size = round(input_size * (_MARGIN if name == "train" and augmentation else 1))
            pixels, kept, unread = decode_once(rows, size, folder / f"{name}.npy", progress)
            problems += unread
            splits[name] = _tagger_photos(pixels, rows.iloc[kept], labels, class_balance)
        if not len(splits["train"].pixels):
            raise CatalogError("none of the training photos can be read: nothing to learn from")
        log = fit_two_phases(
            model, splits["train"], splits["val"], settings, augmentation, folder, progress
        )
    training = {
        "catalog": trained_on,
        "photos": {name: len(split.pixels) for name, split in splits.items()},
        "settings": settings,
        "history": log,
        "problems": problems,
    }
    return redescribe(model, training={**describe(model).training, **training})


def history(model: keras.Model | ModelInfo) -> pd.DataFrame:
    """Give the course of a training.

    Parameters
    ----------
    model
        A trained model, or its description.

    Returns
    -------
    pandas.DataFrame
        A row per epoch: ``epoch`` (from 1, over all phases), ``phase`` (``head``, ``fine_tune``
        or ``from_scratch``), ``learning_rate``, ``seconds``, ``loss`` and ``accuracy``, and both
        again with ``val_`` where there were validation photos. Empty for a model that was not
        trained here.
    """
    info = model if isinstance(model, ModelInfo) else describe(model)
    return pd.DataFrame(info.training.get("history", []))


def _known_labels(catalog: pd.DataFrame, classes: Sequence[str] | None) -> list[str]:
    for column in ("label", "split"):
        if column not in catalog:
            raise CatalogError(
                f"training needs the column {column!r}"
                + ("; see hotelviz.catalog.split_catalog" if column == "split" else "")
            )
    found = sorted(catalog.loc[catalog["split"] == "train", "label"].dropna().unique())
    labels = list(classes) if classes is not None else found
    unknown = [label for label in labels if label not in found]
    if unknown:
        raise CatalogError(
            f"no training photo is labelled {unknown[0]!r}; there are {', '.join(found)}"
            f"{nearest(unknown[0], found)}"
        )
    if len(labels) < 2:
        raise CatalogError(
            f"the training photos have {len(labels)} classes ({', '.join(labels) or 'none'}); "
            "a tagger needs at least two"
        )
    return labels


def _tagger_photos(
    pixels: np.ndarray, rows: pd.DataFrame, classes: list[str], balance: float
) -> Photos:
    numbers = rows["label"].map(classes.index).to_numpy(dtype=int)
    targets = np.eye(len(classes), dtype="float32")[numbers]
    own = rows["weight"].to_numpy(dtype=float) if "weight" in rows else np.ones(len(rows))
    totals = np.bincount(numbers, weights=own, minlength=len(classes))
    weights = own * totals[numbers] ** -balance
    mean = weights.mean() if len(weights) else 1.0
    return Photos(pixels, targets, (weights / mean).astype("float32"))
