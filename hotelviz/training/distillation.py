"""Teacher and student: a network learns what larger ones say of photos, labelled or not.

The soft targets are the mean of the teachers' probabilities, over the photo and its mirror image,
mixed with the true label where there is one. What is learned from them is a `Lesson` as any other.

References
----------
Hinton, Vinyals and Dean: Distilling the Knowledge in a Neural Network, 2015, arXiv 1503.02531.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import hotelviz.models  # noqa: F401, first: it refuses another backend before Keras is imported

# isort: split
import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from hotelviz.catalog import (
    as_shares,
    catalog_hash,
    check_splits,
    check_table,
    class_shares,
    row_hashes,
    split_catalog,
)
from hotelviz.errors import CatalogError, TrainingError, did_you_mean
from hotelviz.images import iterate_images
from hotelviz.io.atomic import atomic_path
from hotelviz.io.remote import redact
from hotelviz.models import (
    activations,
    build_aesthetic,
    build_tagger,
    inherit_training_photos,
    load_model,
    model_info,
    slim,
    update_info,
    weights_hash,
)
from hotelviz.schema import RATINGS
from hotelviz.training.hints import Hints
from hotelviz.training.lesson import Lesson, Places, train
from hotelviz.training.settings import DISTILLATION, DistillationSettings, takes_settings
from hotelviz.training.train import balanced_weights, rating_objective, tagger_objective

Teacher: TypeAlias = keras.Model | str | os.PathLike[str]
#: Photos whose soft targets a stop can lose.
_PART = 2048
#: Photos that a student is cut out by.
_SHOWN = 384
#: What a photo is known by, among soft targets that are kept.
_KEY = ["image_id", "hash"]


@takes_settings(DISTILLATION)
def distill(
    teachers: Teacher | Sequence[Teacher],
    catalog: pd.DataFrame,
    *,
    settings: DistillationSettings = DISTILLATION,
    out: str | os.PathLike[str] | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    unsplit: Literal["refuse", "leave"] = "refuse",
    allow_missing: bool = False,
    progress: bool = True,
    **changes: Any,
) -> keras.Model:
    """Train a lighter network to say what one or several others say.

    Parameters
    ----------
    teachers : keras.Model, path, or a sequence of them
        Taggers of the same classes, or models of the same task. Their probabilities are averaged
        over the teachers, and over each photo and its mirror image.
    catalog : pandas.DataFrame
        With ``image_id``, ``path`` and ``split``, as in `train_tagger`. Photos without a label
        (without ratings) teach as well: one without a split joins its hotel's, and is learned from
        where the hotel is in none. ``test`` is not looked at. ``weight``, ``label_2`` and votes
        count as in `train_tagger`.
    settings : DistillationSettings, optional
        See there. `backbone`, `backbone_kw`, `input_size` and `weights` are the student's.
        ``start="teacher"`` cuts it out of the first teacher (see `hotelviz.models.slim`), where
        there are no weights of its width, and has it learn that teacher's last feature map
        (`hint_epochs`) before anything else.
    out, checkpoint_dir, allow_missing, progress
        As in `train_tagger`. What the teachers say is kept in the checkpoint folder.
    unsplit : {"refuse", "leave"}, default "refuse"
        Labelled photos that have no split: ``refuse`` them, or ``leave`` them out and count them.
    **changes
        Fields of `settings` that are different, such as ``backbone_kw={"alpha": 0.5}``.

    Returns
    -------
    keras.Model
        As of `train_tagger`. Its description names the teachers by their hashes, and the photos
        that they learned from count as seen: see `hotelviz.models.training_photos`. ``hints`` in it
        has the loss and the seconds of each epoch of hints.

    Raises
    ------
    TrainingError
        No teacher, or teachers of different tasks or classes.
    CatalogError
        A label that the teachers do not know, and otherwise as in `train_tagger`.
    ModelError
        A teacher that cannot be loaded, an unknown backbone, weights that cannot be had, a student
        that cannot be cut out of its teacher, or one whose last feature map has another size.
    MissingPhotosError, OutputError
        As in `train_tagger`.

    See Also
    --------
    train_tagger, train_aesthetic : Train the teachers.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> teacher = build_tagger(sorted(photos["label"].unique()), input_size=32, weights=None)
    >>> student = distill(teacher, photos, backbone_kw={"alpha": 0.25}, weights=None,
    ...                   input_size=32, fine_tune_epochs=1, progress=False)
    >>> model_info(student).training["teachers"][0]["hash"] == weights_hash(teacher)
    True
    """
    settings = dataclasses.replace(settings, **changes)
    places = Places.checked(out, checkpoint_dir)
    models = _checked_teachers(teachers)
    info = model_info(models[0])
    catalog = check_table(
        check_splits(catalog, where="distill"),
        needs=["image_id", "path", "hotel_id", "split"],
        where="distill",
    )
    truth = pd.DataFrame(_truth(catalog, info.task, info.classes), index=catalog["image_id"])
    known = truth.notna().all(axis=1).to_numpy()
    photos = _split(catalog, known, unsplit)

    def targets(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        said = [soft_targets(model, rows, places.folder, progress=progress) for model in models]
        # Teachers may name the same classes in another order.
        orders = [list(map(model_info(model).classes.index, info.classes)) for model in models]
        soft = np.mean([each[:, order] for each, order in zip(said, orders, strict=True)], axis=0)
        true = truth.loc[rows["image_id"]].to_numpy()
        share = np.where(np.isnan(true[:, :1]), 0.0, settings.label_share)
        mixed = share * np.nan_to_num(true) + (1 - share) * soft
        balance = settings.class_balance if info.task == "tagger" else 0.0
        weights = balanced_weights(rows.assign(label=mixed.argmax(axis=1)), balance)
        return mixed.astype("float32"), weights

    student, hints = _student(models, settings), None
    if settings.start == "teacher":
        if settings.hint_epochs:
            hints = Hints(student, models[0], settings)
        shown = photos[photos["split"] == "train"].sort_values("image_id")
        slim(models[0], student, _sample(shown, student, settings.seed), seed=settings.seed)
    lesson = Lesson(
        model=student,
        photos=photos,
        by="label",
        targets=targets,
        objective=(tagger_objective(info.classes) if info.task == "tagger" else rating_objective()),
        settings=settings,
        pretrained=settings.weights is not None or settings.start == "teacher",
        catalog_hash=catalog_hash(catalog),
        left_out={"without split": len(catalog) - len(photos)},
        hints=hints,
        started={"teachers": [weights_hash(model) for model in models]},
    )
    return train(lesson, places, allow_missing=allow_missing, progress=progress)


def _checked_teachers(teachers: Teacher | Sequence[Teacher]) -> list[keras.Model]:
    """Load the teachers, and refuse those that cannot teach the same student."""
    one = isinstance(teachers, keras.Model | str | os.PathLike)
    given: list[Any] = [teachers] if one else list(teachers)  # type: ignore[arg-type]
    if not given:
        raise TrainingError("there is no teacher: give at least one model to learn from")
    models = [each if isinstance(each, keras.Model) else load_model(each) for each in given]
    first = model_info(models[0])
    for number, (model, name) in enumerate(zip(models, given, strict=True), start=1):
        info = model_info(model)
        which = f"teacher {number}" + ("" if name is model else f" ({name})")
        if info.task != first.task:
            raise TrainingError(
                f"{which} is for the task {info.task!r}, the first one for {first.task!r}: a "
                "student learns one task; distil each from teachers of its own"
            )
        if set(info.classes) != set(first.classes):
            more, less = (sorted(set(a) - set(b)) for a, b in (
                (info.classes, first.classes), (first.classes, info.classes)))  # fmt: skip
            told = [
                f"{what} {', '.join(map(repr, names))}"
                for what, names in (("knows", more), ("does not know", less))
                if names
            ]
            raise TrainingError(
                f"{which} {' and '.join(told)}, unlike the first one: teachers of one student tell "
                "the same classes apart; train them with the same classes"
            )
    return models


def _truth(catalog: pd.DataFrame, task: str, classes: tuple[str, ...]) -> np.ndarray:
    """Return what is known of each photo, as shares of the classes; NaN where nothing is."""
    if task != "tagger":
        if not set(RATINGS) & set(catalog):
            return np.full((len(catalog), len(classes)), np.nan)
        return as_shares(catalog)
    labels = catalog["label"] if "label" in catalog else pd.Series(pd.NA, catalog.index)
    other = labels.notna() & ~labels.isin(classes)
    if other.any():
        first = catalog[other].iloc[0]
        raise CatalogError(
            f"distill: the photo {first['image_id']!r} is labelled {first['label']!r}, which the "
            f"teachers do not know{did_you_mean(first['label'], classes)} ({int(other.sum()):,} "
            f"photos in all have labels other than {', '.join(classes)}). Take teachers that know "
            "it, or remove these labels: the photos then count as unlabelled"
        )
    known = labels.notna().to_numpy()
    truth = np.full((len(catalog), len(classes)), np.nan)
    truth[known] = class_shares(catalog[known], classes)
    return truth


def _split(
    catalog: pd.DataFrame, known: np.ndarray, unsplit: Literal["refuse", "leave"]
) -> pd.DataFrame:
    """Return the photos that have a split, or that get one since nothing is known of them.

    Their label only says whether anything is known of them: then whatever deals hotels deals all.
    """
    hotels = catalog.groupby("hotel_id")["split"].first()
    own = catalog["hotel_id"].map(hotels).fillna("train")
    split = catalog["split"].where(known | catalog["split"].notna(), own)
    # With a label for each photo `split_catalog` looks at the splits of all of them.
    every = catalog.assign(label=np.where(known, "known", "unknown"), split=split)
    checked = split_catalog(every, by="label", unsplit=unsplit)
    return checked.dropna(subset="split")


def _student(teachers: Sequence[keras.Model], settings: DistillationSettings) -> keras.Model:
    """Build the student, whose description names its teachers."""
    info = model_info(teachers[0])
    network = settings.network()
    if info.task == "tagger":
        student = build_tagger(info.classes, **network)
    else:
        student = build_aesthetic(task=info.task, **network)
    named = [
        {"hash": weights_hash(model), "backbone": model_info(model).backbone} for model in teachers
    ]
    training = {**model_info(student).training, "teachers": named}
    return inherit_training_photos(update_info(student, training=training), *teachers)


def _sample(photos: pd.DataFrame, model: keras.Model, seed: int) -> np.ndarray:
    """Return the pixels of some photos, as far as they can be read."""
    prepared = model_info(model).preprocessing
    paths = photos["path"].sample(min(_SHOWN, len(photos)), random_state=seed)
    read = iterate_images(paths, size=prepared.size, resample=prepared.resample)
    return np.concatenate([batch.pixels for batch in read])


def soft_targets(
    teacher: keras.Model, rows: pd.DataFrame, folder: Path | None, *, progress: bool
) -> np.ndarray:
    """Return a teacher's probabilities of photos, averaged over each photo and its mirror image.

    Parameters
    ----------
    teacher : keras.Model
        With its description.
    rows : pandas.DataFrame
        With ``image_id`` and ``path``.
    folder : pathlib.Path or None
        Where they are kept for a training that goes on: it has to see the same ones to the last
        digit.
    progress : bool
        Show a bar.

    Returns
    -------
    numpy.ndarray
        float32 (n_photos, n_classes).

    Raises
    ------
    TrainingError
        A photo that cannot be read.
    """
    file = None if folder is None else folder / f"teacher-{weights_hash(teacher)}.parquet"
    keys = pd.MultiIndex.from_arrays([rows["image_id"], row_hashes(rows).astype("str")], names=_KEY)
    kept = _read_kept(file)
    missing = np.flatnonzero(~keys.isin(kept.index))
    with tqdm(total=len(rows), initial=len(rows) - len(missing), unit="photo", desc="teacher",
              disable=not progress) as bar:  # fmt: skip
        for start in range(0, len(missing), _PART):
            part = missing[start : start + _PART]
            said = _probabilities(teacher, rows["path"].iloc[part], bar)
            kept = pd.concat([kept, pd.DataFrame(said, keys[part]).rename(columns=str)])
            if file is not None:
                with atomic_path(file) as temporary:
                    kept.reset_index().to_parquet(temporary, index=False)
    return kept.loc[keys].to_numpy(dtype="float32")


def _read_kept(file: Path | None) -> pd.DataFrame:
    """Read the soft targets that are there; none, where a disk that failed has left no more."""
    if file is not None and file.is_file():
        try:
            return pd.read_parquet(file).set_index(_KEY)
        except (OSError, ValueError, KeyError):
            file.unlink()
    return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=_KEY))


def _probabilities(teacher: keras.Model, paths: pd.Series, bar: tqdm[Any]) -> np.ndarray:
    compute, prepared = activations(teacher), model_info(teacher).preprocessing
    said = np.empty((len(paths), len(model_info(teacher).classes)), "float32")
    for batch in iterate_images(paths, size=prepared.size, resample=prepared.resample):
        lost = [row for row in batch.errors if row not in batch.rows]
        if lost:
            path, error = redact(paths.iloc[lost[0]]), batch.errors[lost[0]]
            raise TrainingError(
                f"{path}: {error.reason}, though it could be read before: see whether the photos "
                "are still there, and begin again"
            )
        mirrored = np.ascontiguousarray(batch.pixels[:, :, ::-1])
        said[batch.rows] = (compute(batch.pixels) + compute(mirrored)) / 2
        bar.update(len(batch.rows))
    return said
