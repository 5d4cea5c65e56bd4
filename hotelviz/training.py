"""Train networks by transfer learning.

This module says what is to be learned; `hotelviz.regime` runs the two phases.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import hotelviz.models  # noqa: F401, first: it refuses another backend before Keras is imported

# isort: split
import keras
import numpy as np
import pandas as pd

from hotelviz.catalog import CatalogError, as_shares, fingerprint, nearest
from hotelviz.models import (
    ModelInfo,
    build_aesthetic,
    build_tagger,
    continue_from,
    describe,
    earth_movers_distance,
    load_model,
    mean_score_error,
    redescribe,
    weights_fingerprint,
)
from hotelviz.regime import (
    Augmentation,
    Objective,
    Photos,
    decode_once,
    fit_two_phases,
    work_folder,
)

__all__ = ["Augmentation", "history", "train_aesthetic", "train_tagger"]

#: Training photos are kept this much larger than the input, for the random crop: 256 for 224.
_MARGIN = 8 / 7

_AUGMENTATION = Augmentation()
_CROP_AND_FLIP = Augmentation(scale=(7 / 8, 7 / 8), rotation=0.0)


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
        half of them lower the learning rate to a third. With ``weights=None``, and without
        validation photos, all epochs of phase two are run and its rate falls along a cosine. The
        weights of the epoch with the best validation loss are kept; without validation photos,
        those of the last.
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
    model = build_tagger(
        labels,
        backbone=backbone,
        input_size=input_size,
        weights=weights,
        dropout=dropout,
        seed=seed,
        backbone_kw=backbone_kw,
    )

    def targets(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        numbers = rows["label"].map(labels.index).to_numpy(dtype=int)
        return np.eye(len(labels), dtype="float32")[numbers], balanced_weights(rows, class_balance)

    objective = Objective(
        keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing), ("accuracy",)
    )
    usable = catalog[catalog["label"].isin(labels)]
    return _train(
        model, usable, targets, objective, settings, augmentation, checkpoint_dir, progress,
        trained_on=fingerprint(catalog),
    )  # fmt: skip


def train_aesthetic(
    catalog: pd.DataFrame,
    *,
    task: Literal["aesthetic", "technical"] = "aesthetic",
    parent: keras.Model | str | os.PathLike[str] | None = None,
    backbone: str = "MobileNet",
    input_size: int = 224,
    weights: Literal["imagenet"] | None = "imagenet",
    backbone_kw: Mapping[str, Any] | None = None,
    dropout: float = 0.75,
    head_epochs: int = 40,
    fine_tune_epochs: int = 12,
    head_learning_rate: float = 1e-3,
    fine_tune_learning_rate: float = 3e-5,
    batch_size: int = 32,
    augmentation: Augmentation | None = _CROP_AND_FLIP,
    patience: int = 4,
    seed: int = 0,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> keras.Model:
    """Train a NIMA model on ratings, in the same two phases as the tagger.

    The loss is `hotelviz.models.earth_movers_distance`. Photos are cropped and mirrored, nothing
    else: turning them or changing their colours would change how people like them.

    Parameters
    ----------
    catalog
        With ``path``, ``split`` and ``rating_1`` to ``rating_10`` (counts or shares). Photos
        without ratings are left out; their number is in the model's description.
    task
        ``aesthetic``, or ``technical`` for a second model, of the quality of the picture as such.
    parent
        An earlier model, or its file, to start from: the second iteration of the talk. Its
        network and preprocessing are kept, and `backbone`, `input_size`, `weights`,
        `backbone_kw` and `dropout` are not looked at; a tagger lends its backbone to a new head.
        The model file names all its ancestors.
    backbone, input_size, weights, backbone_kw, dropout
        See `hotelviz.models.build_aesthetic`.
    head_epochs, fine_tune_epochs, head_learning_rate, fine_tune_learning_rate, batch_size
        As in `train_tagger`.
    augmentation
        By default a random crop of 7/8 (256 to 224 pixels) and a horizontal flip.
    patience, seed, checkpoint_dir, progress
        As in `train_tagger`.

    Returns
    -------
    keras.Model
        With its description.

    Raises
    ------
    CatalogError
        No ratings or ``split``, nothing to train on.
    ModelError
        A parent that cannot be trained further, or weights that cannot be had.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), hotels=3)
    >>> model = train_aesthetic(photos, weights=None, input_size=32, fine_tune_epochs=1,
    ...                         backbone_kw={"alpha": 0.25}, progress=False)
    >>> describe(model).task
    'aesthetic'
    """
    shares = as_shares(catalog)
    if "split" not in catalog:
        raise CatalogError("training needs the column 'split'; see hotelviz.catalog.split_catalog")
    settings: dict[str, Any] = {
        "parent": None,
        "backbone": backbone,
        "input_size": input_size,
        "weights": weights,
        "backbone_kw": dict(backbone_kw or {}),
        "dropout": dropout,
        "head_epochs": head_epochs if weights or parent is not None else 0,
        "fine_tune_epochs": fine_tune_epochs,
        "head_learning_rate": head_learning_rate,
        "fine_tune_learning_rate": fine_tune_learning_rate,
        "batch_size": batch_size,
        "augmentation": dataclasses.asdict(augmentation) if augmentation else None,
        "patience": patience,
        "seed": seed,
    }
    if parent is None:
        model = build_aesthetic(
            task=task,
            backbone=backbone,
            input_size=input_size,
            weights=weights,
            dropout=dropout,
            seed=seed,
            backbone_kw=backbone_kw,
        )
    else:
        earlier = parent if isinstance(parent, keras.Model) else load_model(parent)
        scores = tuple(str(score) for score in range(1, 11))
        keras.utils.set_random_seed(seed)
        model = continue_from(earlier, task=task, classes=scores)
        info = describe(model)
        settings |= {
            "parent": weights_fingerprint(earlier),
            "backbone": info.backbone,
            "input_size": info.preprocessing.height,
            "weights": "parent",
        }
    rated = catalog.assign(_row=np.arange(len(catalog)))[~np.isnan(shares).any(axis=1)]

    def targets(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        own = rows["weight"].to_numpy(dtype=float) if "weight" in rows else np.ones(len(rows))
        return shares[rows["_row"]].astype("float32"), own

    objective = Objective(earth_movers_distance, (mean_score_error,))
    return _train(
        model, rated, targets, objective, settings, augmentation, checkpoint_dir, progress,
        trained_on=fingerprint(catalog), left_out={"without ratings": len(catalog) - len(rated)},
    )  # fmt: skip


def _train(
    model: keras.Model,
    catalog: pd.DataFrame,
    targets: Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]],
    objective: Objective,
    settings: dict[str, Any],
    augmentation: Augmentation | None,
    checkpoint_dir: str | os.PathLike[str] | None,
    progress: bool,
    **record: Any,
) -> keras.Model:
    """Decode the photos of both splits, run the phases, and write down what was done."""
    preprocessing = describe(model).preprocessing
    with work_folder(checkpoint_dir, {**settings, **record}) as folder:
        splits, problems = {}, []
        for name in ("train", "val"):
            rows = catalog[catalog["split"] == name]
            crop = _MARGIN if name == "train" and augmentation else 1
            pixels, kept, unread = decode_once(
                rows,
                round(preprocessing.height * crop),
                folder / f"{name}.npy",
                resample=preprocessing.resample,
                progress=progress,
            )
            problems += unread
            wanted, weights = targets(rows.iloc[kept])
            mean = weights.mean() if len(weights) else 1.0
            splits[name] = Photos(pixels, wanted, (weights / mean).astype("float32"))
        if not len(splits["train"].pixels):
            raise CatalogError("none of the training photos can be read: nothing to learn from")
        log = fit_two_phases(
            model, splits["train"], splits["val"], objective, settings, augmentation, folder,
            progress,
        )  # fmt: skip
    training = {
        "catalog": record.pop("trained_on"),
        "photos": {name: len(split.pixels) for name, split in splits.items()},
        "settings": settings,
        "history": log,
        "problems": problems,
        **record,
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
        or ``from_scratch``), ``learning_rate``, ``seconds``, ``loss`` and ``accuracy`` (aesthetic
        models: ``mean_score_error``), and both again with ``val_`` where there were validation
        photos. Empty for a model that was not trained here.
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


def balanced_weights(rows: pd.DataFrame, balance: float) -> np.ndarray:
    """Weigh photos: their own weight, times the total of their class to the power of -balance."""
    own = rows["weight"].to_numpy(dtype=float) if "weight" in rows else np.ones(len(rows))
    totals = pd.Series(own).groupby(rows["label"].to_numpy()).transform("sum").to_numpy()
    return own * totals**-balance
