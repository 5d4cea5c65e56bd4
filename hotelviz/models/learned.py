"""Which photos a model has learned from: the split belongs to the model, and travels with it.

A model file lists the photos that it learned from and those that its epochs were chosen by, its
own and those of the models that it started from. Whatever calls photos unseen asks here.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import pandas as pd

from hotelviz.catalog import as_ids, check_splits, split_catalog
from hotelviz.errors import ModelError
from hotelviz.io.content import content_name
from hotelviz.io.remote import is_url, redact
from hotelviz.models.archive import opened, read_member
from hotelviz.models.info import ModelInfo, attach, attached, model_info

__all__ = [
    "Judged",
    "Learned",
    "learned_photos",
    "photos_to_judge",
    "read_learned",
    "remember",
    "seen_photos",
    "write_learned",
]

#: The member of a model file.
_MEMBER = "hotelviz-learned.json"
#: More bytes than five million photos need.
_LARGEST = 1 << 30
_TEXTS = ["image_id", "hotel_id", "content", "split"]
_COLUMNS = [*_TEXTS, "generation"]


@dataclasses.dataclass(frozen=True)
class Learned:
    """What a model and its ancestors learned from.

    Attributes
    ----------
    photos
        A row per photo and model: ``image_id``, ``hotel_id``, ``content`` (see
        `hotelviz.io.content`), ``split`` (``train``: learned from; ``val``: chosen by) and
        ``generation`` (0: this model, 1: the one that it started from, and so on).
    silent
        The models among them that do not say what they learned from, in words.
    """

    photos: pd.DataFrame
    silent: tuple[str, ...] = ()

    def handed_down(self) -> Learned:
        """Give what a model knows that starts from this one."""
        photos = self.photos.assign(generation=self.photos["generation"] + 1)
        return Learned(photos, self.silent)


def nothing() -> Learned:
    """Give what a new model has learned from."""
    return Learned(
        pd.DataFrame({name: pd.Series(dtype="str") for name in _TEXTS}).assign(
            generation=pd.Series(dtype=int)
        )
    )


def learned_photos(model: keras.Model | str | os.PathLike[str]) -> Learned:
    """Return the photos that a model learned from or was chosen by, with those of its ancestors.

    Parameters
    ----------
    model
        A model with its description, or a model file, of which only the record is read.

    Returns
    -------
    Learned
        A model that does not say it, of another kit or of hotelviz 0.1, is among its ``silent``.

    Raises
    ------
    ModelError
        The file is no model, or its record is damaged.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> learned = learned_photos(build_tagger(["Bed", "Pool"], input_size=32, weights=None))
    >>> len(learned.photos), learned.silent
    (0, ())
    """
    if not isinstance(model, keras.Model):
        from hotelviz.models.storage import read_info

        return read_learned(model) or _silent(read_info(model))
    return attached(model).learned or _silent(model_info(model))


def _silent(info: ModelInfo) -> Learned:
    return Learned(nothing().photos, (f"the {info.task} model {info.backbone}",))


def remember(model: keras.Model, photos: pd.DataFrame) -> keras.Model:
    """Write down what a model was trained on, beside what its ancestors were; the model itself.

    Parameters
    ----------
    model
        With its description.
    photos
        ``image_id``, ``hotel_id``, ``content`` and ``split`` (``train`` or ``val``).
    """
    before = learned_photos(model)
    own = photos[_TEXTS].astype("str").assign(generation=0)
    # Names of photos at URLs are shown, and travel further than the catalogue.
    own[["image_id", "hotel_id"]] = own[["image_id", "hotel_id"]].map(_shown)
    every = pd.concat([own, before.photos[before.photos["generation"] > 0]], ignore_index=True)
    return attach(model, model_info(model), Learned(every, before.silent))


def write_learned(archive: zipfile.ZipFile, model: keras.Model) -> None:
    """Add the record to a model file that is being written; nothing where there is none."""
    learned = attached(model).learned
    if learned is None:
        return
    text = json.dumps({"photos": learned.photos.to_dict("list"), "silent": learned.silent})
    if len(text.encode()) > _LARGEST:
        raise ModelError(f"{len(learned.photos):,} photos are more than a model file can list")
    archive.writestr(_MEMBER, text, zipfile.ZIP_DEFLATED)


def read_learned(path: str | os.PathLike[str]) -> Learned | None:
    """Read the record in a model file; None where it has none.

    Raises
    ------
    ModelError
        When it is damaged, or larger than it can be.
    """
    with opened(Path(path)) as archive:
        if _MEMBER not in archive.namelist():
            return None
        values = json.loads(read_member(archive, _MEMBER, _LARGEST))
        photos = pd.DataFrame(values["photos"], columns=_COLUMNS)
        texts = all(isinstance(text, str) for name in _TEXTS for text in photos[name])
        if not (texts and photos["split"].isin(["train", "val"]).all()):
            raise ModelError(f"{_MEMBER}: ids, hotels, contents and splits are texts, splits train "
                             "or val")  # fmt: skip
        generations = pd.Series(photos["generation"].tolist(), dtype="int64")
        silent = tuple(str(name) for name in values["silent"])
    photos = photos.astype(dict.fromkeys(_TEXTS, "str")).assign(generation=generations)
    return Learned(photos, silent)


def seen_photos(model: keras.Model | str | os.PathLike[str], catalog: pd.DataFrame) -> pd.Series:
    """Say of each photo of a catalogue whether a model has seen it, or another of its hotel.

    A photo is known again by its ``image_id``, and where that is not the model's by the bytes of
    its file (of a URL: by its address).

    Parameters
    ----------
    model
        As in `learned_photos`.
    catalog
        With ``image_id``, and ``hotel_id`` and ``path`` where there are any.

    Returns
    -------
    pandas.Series
        Of text, with the index of `catalog`: ``train`` (the model or an ancestor learned from the
        photo), ``val`` (its epochs were chosen by it), ``hotel`` (it saw other photos of the
        hotel) or an empty text. A model that does not say what it learned from has seen nothing
        that could be told: see ``learned_photos(model).silent``.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> model = remember(model, pd.DataFrame({"image_id": ["a"], "hotel_id": ["h"],
    ...                                       "content": [""], "split": ["train"]}))
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "h", "g"]})
    >>> seen_photos(model, photos).to_list()
    ['train', 'hotel', '']
    """
    # What was learned from by one model and chose another has been learned from.
    photos = learned_photos(model).photos.sort_values("split", ascending=False)
    names = _last(photos["image_id"], photos["split"])
    seen = _names(catalog, "image_id").map(names).fillna("")
    strange = seen.eq("")
    if "path" in catalog and len(photos) and strange.any():
        with ThreadPoolExecutor() as pool:
            contents = list(pool.map(content_name, catalog.loc[strange, "path"], chunksize=64))
        known = photos[photos["content"] != ""]
        places = pd.Series(contents, index=catalog.index[strange], dtype="str")
        seen[strange] = places.map(_last(known["content"], known["split"])).fillna("")
        shared = _in_several(places, catalog)
    else:
        shared = pd.Series(False, catalog.index)
    if "hotel_id" in catalog:
        # A hotel that has another name by now is known by its photos.
        renamed = catalog.loc[seen.ne("") & ~shared, "hotel_id"]
        hotels = _names(catalog, "hotel_id").isin(set(photos["hotel_id"]))
        hotels |= catalog["hotel_id"].isin(set(renamed))
        seen = seen.mask(seen.eq("") & hotels, "hotel")
    return seen.astype("str").rename("seen")


def _names(catalog: pd.DataFrame, column: str) -> pd.Series:
    """Give names as a model's record has them."""
    return as_ids(catalog[column], column, "seen_photos").map(_shown, na_action="ignore")


def _in_several(contents: pd.Series, catalog: pd.DataFrame) -> pd.Series:
    """Tell which photos several hotels show, such as placeholders: they name no hotel."""
    if "hotel_id" not in catalog:
        return pd.Series(False, catalog.index)
    hotels = catalog["hotel_id"].groupby(contents).transform("nunique")
    return hotels.reindex(catalog.index).gt(1)


def _shown(name: Any) -> str:
    return redact(name) if is_url(name) else str(name)


def _last(keys: pd.Series, values: pd.Series) -> dict[str, str]:
    return dict(zip(keys, values, strict=True))


class Judged(NamedTuple):
    """The photos that models are judged on.

    Attributes
    ----------
    photos
        Of the catalogue, with ``seen`` (see `seen_photos`; of several models what was seen most).
    unseen
        Whether no model has seen any of them, nor another photo of their hotels, as far as the
        models say: only then figures speak for new hotels.
    notes
        Sentences that belong beside each figure: what was left out, what had been seen, and where
        the catalogue's ``split`` and the models disagree.
    """

    photos: pd.DataFrame
    unseen: bool
    notes: list[str]


def photos_to_judge(
    catalog: pd.DataFrame,
    models: keras.Model | Sequence[keras.Model],
    *,
    truth: str = "label",
    split: Literal["test", "val", "train", "all"] = "test",
    seed: int = 0,
) -> Judged:
    """Choose the photos that models are judged on: for ``test`` those that none has seen.

    What the models say they learned from goes before the catalogue's ``split``, and before a deal
    of hotels that could differ from the one that they were trained on.

    Parameters
    ----------
    catalog
        As `hotelviz.catalog.read_catalog` gives it.
    models
        One or several.
    truth
        The column that a photo needs to be judged: ``label`` or ``rating_1``.
    split
        ``test``: unseen photos (of those that the catalogue calls test, if it has ``split``).
        ``train`` and ``val``: what the models learned from or were chosen by. ``all``: every
        photo.
    seed
        Of the deal, where neither the models nor the catalogue say what is what.

    Returns
    -------
    Judged

    Raises
    ------
    ModelError
        An unknown split, or no photo to judge.
    CatalogError
        A column ``split`` with other values than train, val and test.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> model = remember(model, pd.DataFrame({"image_id": ["a"], "hotel_id": ["h"],
    ...                                       "content": [""], "split": ["train"]}))
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "h", "g"],
    ...                        "label": ["Bed", "Pool", "Bed"]})
    >>> judged = photos_to_judge(photos, model)
    >>> judged.photos["image_id"].to_list(), judged.unseen
    (['c'], True)
    """
    if split not in ("test", "val", "train", "all"):
        raise ModelError(f"split must be test, val, train or all; not {split!r}")
    catalog = check_splits(catalog, where="photos_to_judge")
    networks = [models] if isinstance(models, keras.Model) else list(models)
    records = [learned_photos(network) for network in networks]
    if truth not in catalog or not catalog[truth].notna().any():
        raise ModelError(f"no photo can be judged: the catalogue has no values in {truth!r}")
    given = bool(catalog.get("split", pd.Series(dtype="str")).notna().any())
    if not given and split != "all" and not any(len(record.photos) for record in records):
        by: Literal["label", "ratings"] = "ratings" if truth == "rating_1" else "label"
        catalog = split_catalog(catalog, seed=seed, by=by, unsplit="leave")
    photos = catalog[catalog[truth].notna()].reset_index(drop=True)
    photos["seen"] = _most([seen_photos(network, photos) for network in networks])
    chosen = pd.Series(True, index=photos.index)
    if split == "test" or not any(len(record.photos) for record in records):
        if "split" in photos and split != "all":
            chosen = photos["split"] == split
    elif split != "all":
        chosen = photos["seen"] == split
    fresh = photos["seen"].eq("")
    kept = chosen & fresh if split == "test" and (chosen & fresh).any() else chosen
    if not kept.any():
        raise ModelError(f"none of the {len(photos):,} photos is of the split {split!r}")
    silent = sorted({name for record in records for name in record.silent})
    known = any(len(record.photos) for record in records)
    notes = _notes(photos, chosen, kept, silent, "the model" if len(records) == 1 else "the models")
    if known and not silent and fresh.all():
        notes = [
            "None of the photos that were learned from is in this catalogue, neither by its name "
            "nor by its hotel nor by the bytes of its file: the photos judged here are new, unless "
            "they were both renamed and saved anew, which cannot be told."
        ]
    elif known and given and split == "test" and (~chosen & fresh).any():
        notes.append(
            f"The catalogue keeps {int((~chosen & fresh).sum()):,} more photos out of its test "
            "photos that were not learned from; they are not judged."
        )
    return Judged(
        photos[kept].reset_index(drop=True),
        bool(fresh[kept].all() and not silent and not (known and fresh.all())),
        notes,
    )


def _most(seen: Sequence[pd.Series]) -> pd.Series:
    """Of what several models have seen, the most."""
    order = ["", "hotel", "val", "train"]
    ranks = np.max([column.map(order.index).to_numpy(dtype=int) for column in seen], axis=0)
    return pd.Series(np.array(order, dtype=object)[ranks], index=seen[0].index, dtype="str")


def _notes(
    photos: pd.DataFrame, chosen: pd.Series, kept: pd.Series, silent: Sequence[str], models: str
) -> list[str]:
    """Say in words what the chosen photos are to the models."""

    def counted(rows: pd.Series) -> str:
        counts = photos.loc[rows, "seen"].value_counts()
        return (
            f"{counts.get('train', 0):,} learned from, {counts.get('val', 0):,} that epochs were "
            f"chosen by, {counts.get('hotel', 0):,} of the same hotels"
        )

    many, notes = f"{int(kept.sum()):,} photos", []
    if silent:
        notes.append(
            f"It is not known what {' and '.join(silent)} learned from (the file does not say it): "
            f"whether the {many} judged here are new cannot be told, and the figures may be too "
            "good."
        )
    if photos.loc[kept, "seen"].ne("").any():
        notes.append(
            f"Of the {many} judged here {models} saw some in training ({counted(kept)}): figures "
            "on those say nothing about new hotels."
        )
    elif not silent:
        notes.append(f"{models.capitalize()} saw none of the {many}, nor others of their hotels.")
    if (chosen & ~kept).any():
        notes.append(
            f"{int((chosen & ~kept).sum()):,} more are left out, because {models} saw them in "
            f"training: {counted(chosen & ~kept)}."
        )
    return notes
