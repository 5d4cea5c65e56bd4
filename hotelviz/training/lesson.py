"""One training: photos are decoded, the phases run, and the model's description is written."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd

import hotelviz
from hotelviz.catalog import check_missing
from hotelviz.errors import CatalogError
from hotelviz.io.claims import check_output, check_own_folder, claim, remove_own_folder
from hotelviz.io.remote import redact
from hotelviz.models import model_info, record_training_photos, save_model, update_info
from hotelviz.schema import Status
from hotelviz.training.checkpoints import PURPOSE, checkpoint_folder, reset_unless_same
from hotelviz.training.fine_tuning import FineTuning, Photos, has_gpu
from hotelviz.training.pixel_cache import Decoded, decode_once
from hotelviz.training.settings import TrainingSettings

#: Training photos are kept this much larger than the input, for the random crop: 256 for 224.
_MARGIN = 8 / 7
#: Photos with errors are all counted in a model's description, and so many are listed.
_MAX_LISTED = 200


@dataclasses.dataclass
class Lesson:
    """What a network is to learn, and from what."""

    model: keras.Model
    photos: pd.DataFrame
    targets: Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]]
    objective: dict[str, Any]
    settings: TrainingSettings
    pretrained: bool
    catalog_hash: str
    left_out: dict[str, int]
    #: Settings that a parent decides.
    started: dict[str, Any] = dataclasses.field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return the settings as the model's description keeps them."""
        recorded = dataclasses.asdict(self.settings) | self.started
        return recorded | ({} if self.pretrained else {"head_epochs": 0})


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
    # Neither the order of the catalogue nor that of an earlier run decides what is drawn when.
    catalog = lesson.photos.sort_values("image_id", ignore_index=True)
    model, settings = lesson.model, lesson.record()
    with places.held() as folder:
        rows = {name: catalog[catalog["split"] == name] for name in ("train", "val")}
        decoded = {
            name: _decode(lesson, part, folder / f"{name}.pixels", progress)
            for name, part in rows.items()
        }
        found = pd.concat([part.photos for part in decoded.values()])
        gone = found[found["status"] == Status.UNAVAILABLE]
        examples = zip(catalog.loc[gone.index, "path"], gone["error"], strict=True)
        check_missing(len(gone), len(found), examples, allow=allow_missing)
        rows = {name: part[decoded[name].is_read] for name, part in rows.items()}
        if not len(rows["train"]):
            raise CatalogError("none of the training photos can be read: nothing to learn from")
        train, val = (_photos(lesson, rows[name], decoded[name]) for name in rows)
        used = pd.concat(list(rows.values()))[["image_id", "hotel_id", "split"]]
        used = used.assign(content=found["content"], hash=found["hash"])
        about = {
            "version": hotelviz.__version__,
            "task": model_info(model).task,
            "classes": model_info(model).classes,
            "mixed precision": has_gpu(),
            **settings,
            "photos": _digest(*(used[name] for name in ("split", "image_id", "hash"))),
            "labels": _digest(train.targets, train.weights, val.targets),
        }
        reset_unless_same(folder, about)
        log = FineTuning(
            model,
            train,
            val,
            lesson.objective,
            lesson.settings,
            lesson.pretrained,
            folder,
            progress,
        ).run()
        training = {
            "catalog": lesson.catalog_hash,
            "photos": {name: len(part) for name, part in rows.items()},
            "settings": settings,
            "history": log,
            **_errors(catalog, found),
            "left_out": lesson.left_out,
        }
        update_info(model, training={**model_info(model).training, **training})
        record_training_photos(model, used)
        if places.out is not None:
            save_model(model, places.out)
    if places.out is not None and places.folder is not None:
        remove_own_folder(places.folder, PURPOSE)
    return model


def _decode(lesson: Lesson, rows: pd.DataFrame, file: Path, progress: bool) -> Decoded:
    """Decode the photos of a split, those to be augmented with a margin."""
    preprocessing = model_info(lesson.model).preprocessing
    augmented = file.stem == "train" and lesson.settings.augmentation is not None
    size = round(preprocessing.height * (_MARGIN if augmented else 1))
    return decode_once(rows, size, file, resample=preprocessing.resample, progress=progress)


def _photos(lesson: Lesson, rows: pd.DataFrame, decoded: Decoded) -> Photos:
    targets, weights = lesson.targets(rows)
    mean = weights.mean() if len(weights) else 1.0
    return Photos(decoded.pixels, targets, (weights / mean).astype("float32"))


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
