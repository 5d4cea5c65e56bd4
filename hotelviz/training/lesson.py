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
from hotelviz.training.estimate import estimate
from hotelviz.training.fine_tuning import LINEAR, Course, FineTuning
from hotelviz.training.head import Objective, Photos
from hotelviz.training.hints import PHASE, Hints
from hotelviz.training.mixed_precision import has_gpu
from hotelviz.training.pixel_cache import Decoded, Pixels, decode_once
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
    # Validation photos of the catalogue stay what they are: thresholds may be chosen by them.
    refit = not (lesson.photos["split"] == "val").any()
    with places.held() as folder:
        if progress:
            _say_how_long(lesson, catalog)
        rows = {name: catalog[catalog["split"] == name] for name in ("train", "val")}
        decoded = {
            name: _decode(lesson, part, folder / f"{name}.pixels", progress, margin=lesson.crops)
            for name, part in rows.items()
        }
        found = pd.concat([part.photos for part in decoded.values()])
        gone = found[found["status"] == Status.UNAVAILABLE]
        examples = zip(catalog.loc[gone.index, "path"], gone["error"], strict=True)
        check_missing(len(gone), len(found), examples, allow=allow_missing)
        rows = {name: part[decoded[name].is_read] for name, part in rows.items()}
        if not len(rows["train"]):
            raise CatalogError("none of the training photos can be read: nothing to learn from")
        pixels = {name: (part.pixels, part.pixels) for name, part in decoded.items()}
        if lesson.crops and (lesson.pretrained or lesson.settings.head_penalty):
            rows["train"], pixels["train"] = _in_use(lesson, rows["train"], decoded, folder)
        train, val = _photos(lesson, rows, pixels)
        used = pd.concat(list(rows.values()))[["image_id", "hotel_id", "split"]]
        used = used.assign(content=found["content"], hash=found["hash"])
        about = {
            "version": hotelviz.__version__,
            "task": model_info(model).task,
            "classes": model_info(model).classes,
            "mixed precision": has_gpu(),
            "backbone's file": model_info(model).training.get("backbone_hash"),
            "learned from what judged": refit,
            "head": ["learned from photos as they are in use", lesson.objective.ordered],
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
            lesson.objective,
            lesson.settings,
            lesson.pretrained,
            lesson.from_parent,
            refit,
            folder,
            progress,
        ).run()
        course.about.update({PHASE: hints} if lesson.hints else {})
        if refit and course.about.get("kept") == LINEAR:
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
    judged = int(splits.eq("val").sum())
    epochs = settings.fine_tune_epochs if judged or not lesson.pretrained else 0
    found = estimate(
        lesson.model,
        catalog.loc[splits.isin(["train", "val"]), "path"].to_list(),
        int(splits.eq("train").sum()),
        judged,
        epochs=epochs,
        views=2 if settings.mirrored else 1,
        share=settings.fine_tune_share,
        pretrained=lesson.pretrained,
        hints=lesson.hints,
    )
    tqdm.write(f"training takes {found}", file=sys.stderr)


def _decode(
    lesson: Lesson, rows: pd.DataFrame, file: Path, progress: bool, *, margin: bool
) -> Decoded:
    """Decode the photos of a split, those to be augmented with a margin."""
    preprocessing = model_info(lesson.model).preprocessing
    size = round(preprocessing.height * (_MARGIN if margin and file.stem == "train" else 1))
    return decode_once(rows, size, file, resample=preprocessing.resample, progress=progress)


def _in_use(
    lesson: Lesson, rows: pd.DataFrame, decoded: dict[str, Decoded], folder: Path
) -> tuple[pd.DataFrame, tuple[Pixels, Pixels]]:
    """Decode training photos also as the model sees them in use, for its head."""
    again = _decode(lesson, rows, folder / "plain.pixels", progress=False, margin=False)
    whole = decoded["train"].pixels.where(again.is_read)
    return rows[again.is_read], (whole, again.pixels)


def _photos(
    lesson: Lesson, rows: dict[str, pd.DataFrame], pixels: dict[str, tuple[Pixels, Pixels]]
) -> list[Photos]:
    """Return the photos of both splits; how much a class weighs is decided by both."""
    every = pd.concat(list(rows.values()))
    targets, weights = lesson.targets(every)
    weights = (weights / weights.mean()).astype("float32")
    hotels = every["hotel_id"].to_numpy(dtype=object).astype(str)
    n_train = len(rows["train"])
    return [
        Photos(*pixels[name], targets[part], weights[part], hotels[part])
        for name, part in (("train", slice(n_train)), ("val", slice(n_train, None)))
    ]


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
