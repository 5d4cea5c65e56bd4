"""Train networks by transfer learning.

This module says what is to be learned; `hotelviz.training.fine_tuning` runs the two phases.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import hotelviz.models  # first: it refuses another backend before Keras is imported

# isort: split
import keras
import numpy as np
import pandas as pd

from hotelviz.catalog import as_shares, catalog_hash, check_missing, check_table, split_catalog
from hotelviz.errors import CatalogError, did_you_mean
from hotelviz.io.claims import check_output, check_own_folder, claim, remove_own_folder
from hotelviz.io.remote import redact
from hotelviz.models import (
    ModelInfo,
    build_aesthetic,
    build_tagger,
    clone_for_task,
    earth_movers_distance,
    load_model,
    mean_score_error,
    model_info,
    remember,
    save_model,
    update_info,
    weights_hash,
)
from hotelviz.schema import RATINGS, Status
from hotelviz.training.checkpoints import PURPOSE, begin_anew_unless, work_folder
from hotelviz.training.fine_tuning import Augmentation, Objective, Photos, fit_two_phases, has_gpu
from hotelviz.training.pixel_cache import decode_once

__all__ = ["Augmentation", "history", "train_aesthetic", "train_tagger"]

#: Training photos are kept this much larger than the input, for the random crop: 256 for 224.
_MARGIN = 8 / 7
#: More photos with problems are counted in a model's description, but not listed.
_LISTED = 200
#: What photos that are learned from need.
_NEEDS = ["image_id", "path", "hotel_id", "split"]

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
    out: str | os.PathLike[str] | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    unsplit: Literal["refuse", "leave"] = "refuse",
    allow_missing: bool = False,
    progress: bool = True,
) -> keras.Model:
    """Train a tagger by transfer learning in two phases.

    Parameters
    ----------
    catalog
        With ``image_id``, ``path``, ``label`` and ``split`` (see
        `hotelviz.catalog.split_catalog`): ``train`` is learned from, ``val`` decides when to stop,
        ``test`` is not looked at; the order of the rows does not matter. Photos that cannot be
        read are left out and listed in the model's description.
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
    out
        The model file (``.keras``) to write. It is checked before the training starts, and no
        other run can write it meanwhile. None writes none.
    checkpoint_dir
        A folder for decoded photos and checkpoints, by default `out` with ``.training`` after it.
        A training with the same settings, photos and labels that was interrupted goes on from its
        last whole epoch, and ends as if it had not been; another one begins anew, with a warning,
        and decodes only the photos that are not there yet. The folder is removed when `out` is on
        the disk, and stays without `out`. A folder that hotelviz did not make is refused. Without
        both a temporary one is used.
    unsplit
        Labelled photos that have no split: ``refuse`` them, or ``leave`` them out and count them.
    allow_missing
        Go on where more than a tenth of the photos is not there.
    progress
        Show bars.

    Returns
    -------
    keras.Model
        With its description: ``describe(model).training`` holds phases, settings and history,
        `hotelviz.models.learned_photos` says what it learned from.

    Raises
    ------
    CatalogError
        No ``label`` or ``split``, a hotel or a file in two splits, labelled photos without a
        split, nothing to train on, fewer than two classes, or more than a tenth of the photos
        missing.
    ModelError
        An unknown backbone, or weights that cannot be had.
    OutputError
        `out` cannot be written, or is being written by another run.
    TrainingError
        The loss became infinite.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=4)
    >>> tagger = train_tagger(photos, weights=None, input_size=32, fine_tune_epochs=1,
    ...                       backbone_kw={"alpha": 0.25}, progress=False)
    >>> history(tagger)["phase"].to_list()
    ['from_scratch']
    """
    places = _Places.checked(out, checkpoint_dir)
    catalog = check_table(catalog, needs=[*_NEEDS, "label"], where="train_tagger")
    labels = _known_labels(catalog, classes)
    usable = catalog[catalog["label"].isin(labels)]
    dealt = _with_split(usable, "label", unsplit)
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
    return _train(
        model, dealt, targets, objective, settings, augmentation, places, allow_missing, progress,
        trained_on=catalog_hash(catalog), left_out={"without split": len(usable) - len(dealt)},
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
    out: str | os.PathLike[str] | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    unsplit: Literal["refuse", "leave"] = "refuse",
    allow_missing: bool = False,
    progress: bool = True,
) -> keras.Model:
    """Train a NIMA model on ratings, in the same two phases as the tagger.

    The loss is `hotelviz.models.earth_movers_distance`. Photos are cropped and mirrored, nothing
    else: turning them or changing their colours would change how people like them.

    Parameters
    ----------
    catalog
        With ``image_id``, ``path``, ``split`` and ``rating_1`` to ``rating_10`` (counts or
        shares); the order of the rows does not matter. Photos without ratings are left out; their
        number is in the model's description.
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
    patience, seed, out, checkpoint_dir, unsplit, allow_missing, progress
        As in `train_tagger`.

    Returns
    -------
    keras.Model
        With its description.

    Raises
    ------
    CatalogError
        No ratings or ``split``, and else as in `train_tagger`.
    ModelError
        A parent that cannot be trained further, or weights that cannot be had.
    OutputError, TrainingError
        As in `train_tagger`.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3)
    >>> model = train_aesthetic(photos, weights=None, input_size=32, fine_tune_epochs=1,
    ...                         backbone_kw={"alpha": 0.25}, progress=False)
    >>> model_info(model).task
    'aesthetic'
    """
    places = _Places.checked(out, checkpoint_dir)
    needs = [*_NEEDS, *RATINGS]
    catalog = check_table(catalog, needs=needs, where="train_aesthetic").reset_index(drop=True)
    shares = as_shares(catalog)
    rated = catalog.assign(_row=np.arange(len(catalog)))[~np.isnan(shares).any(axis=1)]
    dealt = _with_split(rated, "ratings", unsplit)
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
        model = clone_for_task(earlier, task=task, classes=scores)
        info = model_info(model)
        settings |= {
            "parent": weights_hash(earlier),
            "backbone": info.backbone,
            "input_size": info.preprocessing.height,
            "weights": "parent",
        }

    def targets(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        own = rows["weight"].to_numpy(dtype=float) if "weight" in rows else np.ones(len(rows))
        return shares[rows["_row"]].astype("float32"), own

    objective = Objective(earth_movers_distance, (mean_score_error,))
    return _train(
        model, dealt, targets, objective, settings, augmentation, places, allow_missing, progress,
        trained_on=catalog_hash(catalog),
        left_out={
            "without ratings": len(catalog) - len(rated), "without split": len(rated) - len(dealt),
        },
    )  # fmt: skip


class _Places(NamedTuple):
    """Where a training writes: the model file, and the folder of what it needs to go on."""

    out: Path | None
    folder: Path | None

    @classmethod
    def checked(
        cls,
        out: str | os.PathLike[str] | None,
        checkpoint_dir: str | os.PathLike[str] | None,
    ) -> _Places:
        """Refuse what could not be written, before any work."""
        file = None if out is None else check_output(out, suffixes=[".keras"])
        if checkpoint_dir is None and file is not None:
            checkpoint_dir = file.with_name(f"{file.name}.training")
        folder = None if checkpoint_dir is None else check_own_folder(checkpoint_dir, PURPOSE)
        return cls(file, folder)

    @contextlib.contextmanager
    def held(self) -> Iterator[Path]:
        """Keep other runs from both; gives the folder."""
        with contextlib.ExitStack() as stack:
            if self.out is not None:
                stack.enter_context(claim(self.out))
            if self.folder is None:
                yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hotelviz-")))
            else:
                yield stack.enter_context(work_folder(self.folder))

    def save(self, model: keras.Model) -> None:
        if self.out is not None:
            save_model(model, self.out)

    def tidy(self) -> None:
        """Remove the checkpoints, once the model is on the disk."""
        if self.out is not None and self.folder is not None:
            remove_own_folder(self.folder, PURPOSE)


def _train(
    model: keras.Model,
    catalog: pd.DataFrame,
    targets: Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]],
    objective: Objective,
    settings: dict[str, Any],
    augmentation: Augmentation | None,
    places: _Places,
    allow_missing: bool,
    progress: bool,
    **record: Any,
) -> keras.Model:
    """Decode the photos of both splits, run the phases, and write down what was done."""
    # Neither the order of the catalogue nor that of an earlier run decides what is drawn when.
    catalog = catalog.sort_values("image_id", ignore_index=True)
    preprocessing = model_info(model).preprocessing
    with places.held() as folder:
        decoded, rows = {}, {}
        for name in ("train", "val"):
            rows[name] = catalog[catalog["split"] == name]
            margin = _MARGIN if name == "train" and augmentation else 1
            decoded[name] = decode_once(
                rows[name],
                round(preprocessing.height * margin),
                folder / f"{name}.pixels",
                resample=preprocessing.resample,
                progress=progress,
            )
        about = pd.concat([part.photos for part in decoded.values()])
        gone = about["status"].eq(Status.UNAVAILABLE)
        examples = zip(
            catalog.loc[about.index[gone], "path"], about.loc[gone, "error"], strict=True
        )
        check_missing(int(gone.sum()), len(gone), examples, allow=allow_missing)
        splits = {}
        for name, part in decoded.items():
            rows[name] = rows[name][part.read]
            wanted, weights = targets(rows[name])
            mean = weights.mean() if len(weights) else 1.0
            splits[name] = Photos(part.pixels, wanted, (weights / mean).astype("float32"))
        train, val = splits.values()
        if not len(train.pixels):
            raise CatalogError("none of the training photos can be read: nothing to learn from")
        used = pd.concat(list(rows.values()))[["image_id", "hotel_id", "split"]]
        used = used.assign(content=about["content"], hash=about["hash"])
        kind = {
            "version": hotelviz.__version__,
            "task": model_info(model).task,
            "classes": model_info(model).classes,
            "mixed precision": has_gpu(),
            **settings,
            "photos": _digest(*(used[name] for name in ("split", "image_id", "hash"))),
            "labels": _digest(train.targets, train.weights, val.targets),
        }
        begin_anew_unless(folder, kind)
        log = fit_two_phases(model, train, val, objective, settings, augmentation, folder, progress)
        training = {
            "catalog": record.pop("trained_on"),
            "photos": {name: len(split.pixels) for name, split in splits.items()},
            "settings": settings,
            "history": log,
            **_problems(catalog, about),
            **record,
        }
        update_info(model, training={**model_info(model).training, **training})
        remember(model, used)
        places.save(model)
    places.tidy()
    return model


def _digest(*parts: Any) -> str:
    """Name texts and arrays, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        array = np.ascontiguousarray(part)
        digest.update(repr((array.shape, array.dtype.kind)).encode())
        digest.update(
            "\n".join(map(str, part)).encode() if array.dtype.kind == "O" else array.tobytes()
        )
    return digest.hexdigest()


def _problems(rows: pd.DataFrame, photos: pd.DataFrame) -> dict[str, Any]:
    """List the photos that were not read, or not whole, as far as a description has room."""
    wrong = rows.loc[photos.index, ["image_id", "path"]].assign(error=photos["error"])
    wrong = wrong[wrong["error"] != ""]
    wrong["path"] = wrong["path"].map(redact)
    return {
        "errors": wrong.head(_LISTED).to_dict("records"),
        "problem_counts": photos.loc[wrong.index, "status"].value_counts().to_dict(),
    }


def _with_split(
    photos: pd.DataFrame, by: Literal["label", "ratings"], unsplit: str
) -> pd.DataFrame:
    """Refuse hotels and files in two splits, and photos in none where that was not wanted."""
    checked = split_catalog(photos, by=by, unsplit="leave" if unsplit == "leave" else "refuse")
    return checked[checked["split"].notna()]


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
    info = model if isinstance(model, ModelInfo) else model_info(model)
    return pd.DataFrame(info.training.get("history", []))


def _known_labels(catalog: pd.DataFrame, classes: Sequence[str] | None) -> list[str]:
    found = sorted(catalog.loc[catalog["split"] == "train", "label"].dropna().unique())
    labels = list(classes) if classes is not None else found
    unknown = [label for label in labels if label not in found]
    if unknown:
        raise CatalogError(
            f"no training photo is labelled {unknown[0]!r}; there are {', '.join(found)}"
            f"{did_you_mean(unknown[0], found)}"
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
