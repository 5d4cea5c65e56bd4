"""Which photos a model was trained on: the record that travels in its file.

A model file lists the photos that the model learned from and those that its epochs were chosen by,
its own and those of the models that it started from. Whatever calls photos unseen asks here.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from hotelviz.catalog import as_ids
from hotelviz.errors import ModelError
from hotelviz.io.content import content_name
from hotelviz.io.remote import is_url, redact
from hotelviz.models.archive import opened, read_member
from hotelviz.models.info import attach, attached, model_info, read_info

#: The member of a model file.
_MEMBER = "hotelviz-learned.json"
#: More bytes than five million photos need.
_LARGEST = 1 << 30
_TEXTS = ["image_id", "hotel_id", "content", "split"]


@dataclasses.dataclass(frozen=True)
class TrainingPhotos:
    """The photos that a model and its ancestors were trained on.

    Attributes
    ----------
    photos
        A row per photo and model: ``image_id``, ``hotel_id``, ``content`` (a
        hash of the photo's bytes), ``split`` (``train``: learned from; ``val``: it decided which
        epoch, and whether fine-tuning, was kept, and nothing was learned from it) and
        ``generation`` (0: this model, 1: the one that it started from, and so on).
    unrecorded
        The models among them without a record of their training photos, in words.
    """

    photos: pd.DataFrame
    unrecorded: tuple[str, ...] = ()

    @classmethod
    def none(cls, *unrecorded: str) -> TrainingPhotos:
        """Return the record of a new model, or of models without a record."""
        photos = pd.DataFrame(columns=_TEXTS, dtype="str").assign(generation=pd.Series(dtype=int))
        return cls(photos, unrecorded)

    def inherited(self) -> TrainingPhotos:
        """Return the record of a model that starts from this one."""
        photos = self.photos.assign(generation=self.photos["generation"] + 1)
        return TrainingPhotos(photos, self.unrecorded)


def training_photos(model: keras.Model | str | os.PathLike[str]) -> TrainingPhotos:
    """Return the photos that a model was trained on, with those of its ancestors.

    Parameters
    ----------
    model
        A model with its description, or a model file, of which only the record is read.

    Returns
    -------
    TrainingPhotos
        A model without a record, of another kit or of hotelviz 0.1, is among its ``unrecorded``.

    Raises
    ------
    ModelError
        The file is no model, or its record is damaged.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> record = training_photos(build_tagger(["Bed", "Pool"], input_size=32, weights=None))
    >>> len(record.photos), record.unrecorded
    (0, ())
    """
    if isinstance(model, keras.Model):
        info, record = model_info(model), attached(model).training_photos
    else:
        info, record = read_info(model), read_training_photos(model)
    return record or TrainingPhotos.none(f"the {info.task} model {info.backbone}")


def layers_learned_from(model: keras.Model) -> TrainingPhotos:
    """Return the photos that the layers below a model's head learned from, or were chosen by.

    A training that kept its linear head left these layers as they came: what it learned from is
    left out, though the head knows it. Once layers have learned, all before counts: they learned
    through the heads that were there, or from teachers.

    Parameters
    ----------
    model
        With its description.

    Examples
    --------
    >>> from hotelviz.models import build_tagger, update_info
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> photos = {"image_id": ["a"], "hotel_id": ["h"], "content": [""], "split": ["train"]}
    >>> model = record_training_photos(model, pd.DataFrame(photos))
    >>> len(layers_learned_from(model).photos)
    1
    >>> len(layers_learned_from(update_info(model, training={"kept": "linear head"})).photos)
    0
    """
    record, info = training_photos(model), model_info(model)
    training, ancestor, generation = info.training, info.parent, 0
    photos = record.photos
    # With teachers the layers may have learned before a head was fitted.
    while "teachers" not in training:
        own = photos["generation"] == generation
        if own.any() and training.get("kept") != "linear head":
            break
        photos = photos[~own]
        if ancestor is None:
            break
        training, ancestor = ancestor.get("training", {}), ancestor.get("parent")
        generation += 1
    return TrainingPhotos(photos.reset_index(drop=True), record.unrecorded)


def record_training_photos(model: keras.Model, photos: pd.DataFrame) -> keras.Model:
    """Record what a model was trained on, beside what its ancestors were; return the model.

    Parameters
    ----------
    model
        With its description.
    photos
        ``image_id``, ``hotel_id``, ``content`` and ``split`` (``train`` or ``val``).

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> photos = {"image_id": ["a"], "hotel_id": ["h"], "content": [""], "split": ["train"]}
    >>> model = record_training_photos(model, pd.DataFrame(photos))
    >>> training_photos(model).photos["image_id"].to_list()
    ['a']
    """
    before = training_photos(model)
    own = photos[_TEXTS].astype("str").assign(generation=0)
    # Names of photos at URLs are shown, and travel further than the catalogue.
    own[["image_id", "hotel_id"]] = own[["image_id", "hotel_id"]].map(_redacted)
    every = pd.concat([own, before.photos[before.photos["generation"] > 0]], ignore_index=True)
    return attach(model, model_info(model), TrainingPhotos(every, before.unrecorded))


def inherit_training_photos(model: keras.Model, *ancestors: keras.Model) -> keras.Model:
    """Record that a model learns from what other models know; return the model.

    Parameters
    ----------
    model
        With its description.
    *ancestors
        What it starts from, or its teachers: the photos that they learned from count as seen by
        the model.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> teacher, student = (build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    ...                     for _ in range(2))
    >>> photos = {"image_id": ["a"], "hotel_id": ["h"], "content": [""], "split": ["train"]}
    >>> _ = record_training_photos(teacher, pd.DataFrame(photos))
    >>> inherit_training_photos(student, teacher)
    <Functional name=tagger, built=True>
    >>> training_photos(student).photos["generation"].to_list()
    [1]
    """
    records = [training_photos(ancestor).inherited() for ancestor in ancestors]
    photos = pd.concat([record.photos for record in records], ignore_index=True)
    unrecorded = dict.fromkeys(name for record in records for name in record.unrecorded)
    record = TrainingPhotos(photos.drop_duplicates(ignore_index=True), tuple(unrecorded))
    return attach(model, model_info(model), record)


def write_training_photos(archive: zipfile.ZipFile, model: keras.Model) -> None:
    """Write the record to a model file that is being written; nothing where there is none."""
    record = attached(model).training_photos
    if record is None:
        return
    text = json.dumps({"photos": record.photos.to_dict("list"), "silent": record.unrecorded})
    if len(text.encode()) > _LARGEST:
        raise ModelError(f"{len(record.photos):,} photos are more than a model file can list")
    archive.writestr(_MEMBER, text, zipfile.ZIP_DEFLATED)


def read_training_photos(path: str | os.PathLike[str]) -> TrainingPhotos | None:
    """Read the record in a model file; None where there is none.

    Raises
    ------
    ModelError
        When it is damaged, or larger than it can be.
    """
    with opened(Path(path)) as archive:
        if _MEMBER not in archive.namelist():
            return None
        values = json.loads(read_member(archive, _MEMBER, _LARGEST))
        photos = pd.DataFrame(values["photos"], columns=[*_TEXTS, "generation"])
        texts = all(isinstance(text, str) for name in _TEXTS for text in photos[name])
        if not (texts and photos["split"].isin(["train", "val"]).all()):
            raise ModelError(
                f"{_MEMBER}: ids, hotels, contents and splits are texts, splits train or val"
            )
        generations = pd.Series(photos["generation"].tolist(), dtype="int64")
        unrecorded = tuple(str(name) for name in values["silent"])
    photos = photos.astype(dict.fromkeys(_TEXTS, "str")).assign(generation=generations)
    return TrainingPhotos(photos, unrecorded)


def seen_photos(
    model: keras.Model | str | os.PathLike[str] | TrainingPhotos, catalog: pd.DataFrame
) -> pd.Series:
    """Return for each photo of a catalogue whether a model saw it, or its hotel, in training.

    A photo is known again by its ``image_id``, and where that is not the model's by the bytes of
    its file (of a URL: by its address).

    Parameters
    ----------
    model
        As in `training_photos`, or a record such as `layers_learned_from` gives.
    catalog
        With ``image_id``, and ``hotel_id`` and ``path`` where there are any.

    Returns
    -------
    pandas.Series
        Of text, with the index of `catalog`: ``train`` (the model or an ancestor learned from the
        photo), ``val`` (its epochs were chosen by it), ``hotel`` (it saw other photos of the
        hotel) or an empty text. For a model without a record nothing is known: see
        ``training_photos(model).unrecorded``.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> model = record_training_photos(model, pd.DataFrame(
    ...     {"image_id": ["a"], "hotel_id": ["h"], "content": [""], "split": ["train"]}))
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "h", "g"]})
    >>> seen_photos(model, photos).to_list()
    ['train', 'hotel', '']
    """
    # What one model learned from, and another was chosen by, has been learned from.
    record = model if isinstance(model, TrainingPhotos) else training_photos(model)
    photos = record.photos.sort_values("split", ascending=False)
    splits = dict(zip(photos["image_id"], photos["split"], strict=True))
    seen = _names(catalog, "image_id").map(splits).fillna("")
    unknown = seen.eq("")
    shared = pd.Series(False, catalog.index)
    if "path" in catalog and len(photos) and unknown.any():
        with ThreadPoolExecutor() as pool:
            contents = list(pool.map(content_name, catalog.loc[unknown, "path"], chunksize=64))
        known = photos[photos["content"] != ""]
        names = pd.Series(contents, index=catalog.index[unknown], dtype="str")
        splits = dict(zip(known["content"], known["split"], strict=True))
        seen[unknown] = names.map(splits).fillna("")
        if "hotel_id" in catalog:
            # Photos that several hotels show, such as placeholders, tell nothing of a hotel.
            hotels = catalog["hotel_id"].groupby(names).transform("nunique")
            shared = hotels.reindex(catalog.index).gt(1)
    if "hotel_id" in catalog:
        # A hotel that has another name by now is known by its photos.
        renamed = catalog.loc[seen.ne("") & ~shared, "hotel_id"]
        same = _names(catalog, "hotel_id").isin(set(photos["hotel_id"]))
        same |= catalog["hotel_id"].isin(set(renamed))
        seen = seen.mask(seen.eq("") & same, "hotel")
    return seen.astype("str").rename("seen")


def _names(catalog: pd.DataFrame, column: str) -> pd.Series:
    """Return names as a model's record has them."""
    return as_ids(catalog[column], column, "seen_photos").map(_redacted, na_action="ignore")


def _redacted(name: Any) -> str:
    return redact(name) if is_url(name) else str(name)
