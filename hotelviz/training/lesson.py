"""One training: photos are decoded, the phases run, and the model's description is written."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

import hotelviz
from hotelviz.catalog import check_missing, split_catalog
from hotelviz.errors import CatalogError
from hotelviz.io.claims import check_output, check_own_folder, claim, remove_own_folder
from hotelviz.io.remote import redact
from hotelviz.models import model_info, record_training_photos, save_model, update_info
from hotelviz.schema import Status
from hotelviz.training.checkpoints import PURPOSE, checkpoint_folder, reset_unless_same
from hotelviz.training.course import ALL_PHOTOS, LINEAR, Course
from hotelviz.training.estimate import estimate
from hotelviz.training.fine_tuning import FineTuning, last_epochs
from hotelviz.training.head import Objective, Photos
from hotelviz.training.hints import PHASE, Hints
from hotelviz.training.mixed_precision import has_gpu
from hotelviz.training.pixel_cache import Decoded, decode_once, is_read
from hotelviz.training.settings import TrainingSettings

#: Training photos are kept this much larger than the input, for the random crop: 256 for 224.
_MARGIN = 8 / 7
#: With fewer hotels none are held out to judge fine-tuning by, where the catalogue has no val.
_FEWEST_HOTELS = 5
#: The share of their photos that is held out then.
_HELD_OUT = 0.2
#: Photos with errors are all counted in a model's description, and so many are listed.
_MAX_LISTED = 200


@dataclasses.dataclass
class Lesson:
    """What a network is to learn, and from what."""

    model: keras.Model
    photos: pd.DataFrame
    by: Literal["label", "ratings"]
    targets: Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]]
    objective: Objective
    settings: TrainingSettings
    pretrained: bool
    catalog_hash: str
    left_out: dict[str, int]
    #: Whether an earlier model's head has learned the same task.
    from_parent: bool = False
    #: What the layers learn first, of a teacher.
    hints: Hints | None = None
    #: Settings that a parent decides.
    started: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def crops(self) -> bool:
        """Whether layers learn from random crops of photos."""
        learns = bool(self.settings.fine_tune_epochs) or not self.pretrained
        return self.hints is not None or (learns and self.settings.augmentation is not None)

    @property
    def refit(self) -> bool:
        """Whether the photos that judged are learned from in the end."""
        # Validation photos of the catalogue stay what they are: thresholds may be chosen by them.
        return not (self.photos["split"] == "val").any()

    def record(self) -> dict[str, Any]:
        """Return the settings as the model's description keeps them."""
        return dataclasses.asdict(self.settings) | self.started

    def judged(self) -> pd.DataFrame:
        """Return the photos in a fixed order, some of them held out to judge fine-tuning by."""
        # Neither the order of the catalogue nor that of an earlier run decides what is drawn when.
        photos = self.photos.sort_values("image_id", ignore_index=True)
        learned = photos[photos["split"] == "train"]
        if (
            not self.pretrained
            or not self.settings.fine_tune_epochs
            or (photos["split"] == "val").any()
            or learned["hotel_id"].nunique() < _FEWEST_HOTELS
        ):
            return photos
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="fewer than 3 hotels have")
                dealt = split_catalog(
                    learned.drop(columns="split"), test=0, validation=_HELD_OUT,
                    seed=self.settings.seed, by=self.by,
                )  # fmt: skip
        except CatalogError:  # too few hotels that have no class to themselves
            return photos
        photos.loc[learned.index, "split"] = dealt["split"]
        return photos


class Places(NamedTuple):
    """Where a training writes: the model file, and the folder of what it needs to go on."""

    out: Path | None
    folder: Path | None

    @classmethod
    def checked(
        cls, out: str | os.PathLike[str] | None, checkpoint_dir: str | os.PathLike[str] | None
    ) -> Places:
        """Refuse what could not be written, before any work."""
        file = None if out is None else check_output(out, suffixes=[".keras"])
        if checkpoint_dir is None and file is not None:
            checkpoint_dir = file.with_name(f"{file.name}.training")
        folder = None if checkpoint_dir is None else check_own_folder(checkpoint_dir, PURPOSE)
        return cls(file, folder)

    @contextmanager
    def held(self) -> Iterator[Path]:
        """Keep other runs from both, and yield the folder."""
        kept = checkpoint_folder(self.folder) if self.folder else TemporaryDirectory("-hotelviz")
        with claim(self.out) if self.out else nullcontext(), kept as folder:
            yield Path(folder)


def train(lesson: Lesson, places: Places, *, allow_missing: bool, progress: bool) -> keras.Model:
    """Decode the photos of both splits, run the phases, and write down what was done."""
    catalog, model, settings = lesson.judged(), lesson.model, lesson.record()
    with places.held() as folder:
        if progress:
            _say_how_long(lesson, catalog)
        rows = pd.concat([catalog[catalog["split"] == name] for name in ("train", "val")])
        decoded = _decoded(lesson, rows, folder, progress)
        found = _worst(decoded).loc[rows.index]
        gone = found[found["status"] == Status.UNAVAILABLE]
        examples = zip(catalog.loc[gone.index, "path"], gone["error"], strict=True)
        check_missing(len(gone), len(found), examples, allow=allow_missing)
        rows = rows[is_read(found)]
        if not rows["split"].eq("train").any():
            raise CatalogError("none of the training photos can be read: nothing to learn from")
        train, val, every = _photos(lesson, rows, decoded)
        used = rows[["image_id", "hotel_id", "split"]]
        used = used.assign(content=found["content"], hash=found["hash"])
        about = {
            "version": hotelviz.__version__,
            "task": model_info(model).task,
            "classes": model_info(model).classes,
            "mixed precision": has_gpu(),
            "backbone's file": model_info(model).training.get("backbone_hash"),
            "learned from what judged": lesson.refit,
            "head": ["learned from photos as in use, sure", lesson.objective.ordered],
            **settings,
            "photos": _digest(*(used[name] for name in ("split", "image_id", "hash"))),
            "labels": _digest(train.targets, train.weights, val.targets),
        }
        reset_unless_same(folder, about)
        hints = lesson.hints.learn(train, folder, progress=progress) if lesson.hints else []
        course = FineTuning(
            model,
            train,
            val,
            every,
            lesson.objective,
            lesson.settings,
            lesson.pretrained,
            lesson.from_parent,
            folder,
            progress,
        ).run()
        course.about.update({PHASE: hints} if lesson.hints else {})
        last = {row["phase"] for row in course.rows if row["kept"]}
        if lesson.refit and (course.about.get("kept") == LINEAR or ALL_PHOTOS in last):
            used = used.assign(split="train")
        _describe(lesson, course, used, _errors(catalog, found))
        if places.out is not None:
            save_model(model, places.out)
    if places.out is not None and places.folder is not None:
        remove_own_folder(places.folder, PURPOSE)
    return model


def _describe(lesson: Lesson, course: Course, used: pd.DataFrame, errors: dict[str, Any]) -> None:
    """Write down in the model what it learned from, and how that went."""
    model, counts = lesson.model, used["split"].value_counts()
    training = {
        "catalog": lesson.catalog_hash,
        "photos": {name: int(counts.get(name, 0)) for name in ("train", "val")},
        "settings": lesson.record(),
        "history": course.rows,
        **course.about,
        **errors,
        "left_out": lesson.left_out,
    }
    update_info(model, training={**model_info(model).training, **training})
    record_training_photos(model, used)


def _say_how_long(lesson: Lesson, catalog: pd.DataFrame) -> None:
    """Print about how long the training takes on this machine."""
    settings, splits = lesson.settings, catalog["split"]
    n_train, n_val = (int(splits.eq(name).sum()) for name in ("train", "val"))
    epochs = settings.fine_tune_epochs if n_val or not lesson.pretrained else 0
    last = last_epochs(epochs) if lesson.refit and n_val else 0
    found = estimate(
        lesson.model,
        catalog.loc[splits.isin(["train", "val"]), "path"].to_list(),
        n_train,
        n_val,
        epochs=epochs,
        last=last,
        views=2 if settings.mirrored else 1,
        share=settings.fine_tune_share,
        pretrained=lesson.pretrained,
        hints=lesson.hints,
    )
    tqdm.write(f"training takes {found}", file=sys.stderr)


def _decoded(lesson: Lesson, rows: pd.DataFrame, folder: Path, progress: bool) -> list[Decoded]:
    """Decode photos with a margin for crops, and as a model sees them in use.

    The first are those that layers learn from, the others those that a head learns from or that
    judge.
    """
    preprocessing, train = model_info(lesson.model).preprocessing, rows["split"] == "train"
    cropped = (train | lesson.refit) & lesson.crops
    plain = ~cropped | lesson.pretrained
    size, larger = preprocessing.height, round(preprocessing.height * _MARGIN)
    return [
        decode_once(
            rows[which],
            pixels,
            folder / f"{name}.pixels",
            resample=preprocessing.resample,
            progress=progress and bool(which.any()),
        )
        for name, which, pixels in (("crops", cropped, larger), ("plain", plain, size))
    ]


def _worst(decoded: list[Decoded]) -> pd.DataFrame:
    """Return what became of each photo; a photo was read where it was each time."""
    found = pd.concat([part.photos for part in decoded])
    found = found.iloc[np.argsort(is_read(found), kind="stable")]
    return found[~found.index.duplicated()]


def _photos(
    lesson: Lesson, rows: pd.DataFrame, decoded: list[Decoded]
) -> tuple[Photos, Photos, Photos | None]:
    """Return the photos of both splits, and all of them where all are learned from in the end.

    How much a class weighs is decided by all.
    """
    targets, weights = lesson.targets(rows)
    weights = (weights / weights.mean()).astype("float32")
    hotels = rows["hotel_id"].to_numpy(dtype=object).astype(str)

    def some(which: np.ndarray) -> Photos:
        index = rows.index[which]
        held = [part.of(index) for part in decoded if index.isin(part.photos.index).all()]
        return Photos(held[0], held[-1], targets[which], weights[which], hotels[which])

    train = (rows["split"] == "train").to_numpy()
    every = some(np.ones(len(rows), dtype=bool)) if lesson.refit else None
    return some(train), some(~train), every


def _digest(*parts: Any) -> str:
    """Return the hash of texts and arrays, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        array = np.ascontiguousarray(part)
        digest.update(repr((array.shape, array.dtype.kind)).encode())
        digest.update(
            "\n".join(map(str, part)).encode() if array.dtype.kind == "O" else array.tobytes()
        )
    return digest.hexdigest()


def _errors(rows: pd.DataFrame, photos: pd.DataFrame) -> dict[str, Any]:
    """Return the photos that were not read, or not whole, as far as a description has room."""
    wrong = rows.loc[photos.index, ["image_id", "path"]].assign(error=photos["error"])
    wrong = wrong[wrong["error"] != ""]
    wrong["path"] = wrong["path"].map(redact)
    return {
        "errors": wrong.head(_MAX_LISTED).to_dict("records"),
        "problem_counts": photos.loc[wrong.index, "status"].value_counts().to_dict(),
    }
