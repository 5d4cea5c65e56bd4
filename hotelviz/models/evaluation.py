"""Choose the photos that models are evaluated on: those that none of them has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import keras
import pandas as pd

from hotelviz.catalog import check_splits, split_catalog
from hotelviz.errors import ModelError, check_choice
from hotelviz.models.training_photos import seen_photos, training_photos


class EvaluationPhotos(NamedTuple):
    """The photos that models are evaluated on.

    Attributes
    ----------
    photos
        Of the catalogue, with ``seen`` (see `seen_photos`; of several models what was seen most).
    unseen
        Whether no model has seen any of them, nor another photo of their hotels, as far as the
        models' records say: only then figures speak for new hotels.
    notes
        Sentences that belong beside each figure: what was left out, what had been seen, and where
        the catalogue's ``split`` and the models disagree.
    """

    photos: pd.DataFrame
    unseen: bool
    notes: list[str]


def evaluation_photos(
    catalog: pd.DataFrame,
    models: keras.Model | Sequence[keras.Model],
    *,
    truth: str = "label",
    split: Literal["test", "val", "train", "all"] = "test",
    seed: int = 0,
) -> EvaluationPhotos:
    """Choose the photos that models are evaluated on: for ``test`` those that none has seen.

    The models' records of their training photos go before the catalogue's ``split``, and before a
    new split of the hotels, which could differ from the one that they were trained on.

    Parameters
    ----------
    catalog
        As `hotelviz.catalog.read_catalog` returns it.
    models
        One or several.
    truth
        The column that a photo needs to be evaluated: ``label`` or ``rating_1``.
    split
        ``test``: unseen photos (of those that the catalogue calls test, if it has ``split``).
        ``train`` and ``val``: what the models learned from or were chosen by. ``all``: every
        photo.
    seed
        Of the split of the hotels, where neither the models nor the catalogue have one.

    Returns
    -------
    EvaluationPhotos

    Raises
    ------
    ModelError
        An unknown split, or no photo to evaluate.
    CatalogError
        A column ``split`` with other values than train, val and test.

    Examples
    --------
    >>> from hotelviz.models import build_tagger, record_training_photos
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> model = record_training_photos(model, pd.DataFrame(
    ...     {"image_id": ["a"], "hotel_id": ["h"], "content": [""], "split": ["train"]}))
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "h", "g"],
    ...                        "label": ["Bed", "Pool", "Bed"]})
    >>> evaluated = evaluation_photos(photos, model)
    >>> evaluated.photos["image_id"].to_list(), evaluated.unseen
    (['c'], True)
    """
    check_choice(split, ("test", "val", "train", "all"), "split", ModelError)
    catalog = check_splits(catalog, where="evaluation_photos")
    networks = [models] if isinstance(models, keras.Model) else list(models)
    records = [training_photos(network) for network in networks]
    recorded = any(len(record.photos) for record in records)
    unrecorded = sorted({name for record in records for name in record.unrecorded})
    if truth not in catalog or not catalog[truth].notna().any():
        raise ModelError(f"no photo can be evaluated: the catalogue has no values in {truth!r}")
    given = bool("split" in catalog and catalog["split"].notna().any())
    if not given and split != "all" and not recorded:
        by: Literal["label", "ratings"] = "ratings" if truth == "rating_1" else "label"
        catalog = split_catalog(catalog, seed=seed, by=by, unsplit="leave")
    photos = catalog[catalog[truth].notna()].reset_index(drop=True)
    photos["seen"] = _most([seen_photos(network, photos) for network in networks])
    column = "split" if split == "test" or not recorded else "seen"
    every = split == "all" or column not in photos
    chosen = pd.Series(True, photos.index) if every else photos[column] == split
    fresh = photos["seen"].eq("")
    kept = chosen & fresh if split == "test" and (chosen & fresh).any() else chosen
    if not kept.any():
        raise ModelError(f"none of the {len(photos):,} photos is of the split {split!r}")
    all_new = recorded and not unrecorded and bool(fresh.all())
    notes = [_ALL_NEW] if all_new else _notes(photos, chosen, kept, unrecorded, len(records))
    if recorded and not all_new and given and split == "test" and (~chosen & fresh).any():
        notes.append(
            f"The catalogue keeps {int((~chosen & fresh).sum()):,} more photos out of its test "
            "photos that were not learned from; they are not evaluated."
        )
    unseen = bool(fresh[kept].all()) and not unrecorded and not all_new
    return EvaluationPhotos(photos[kept].reset_index(drop=True), unseen, notes)


def validation_photos(
    catalog: pd.DataFrame, model: keras.Model, judged: pd.DataFrame
) -> pd.DataFrame:
    """Return the labelled photos that a threshold may be chosen by, where others are judged.

    A model's weights did not learn from them, though the epoch was chosen by them.

    Parameters
    ----------
    catalog
        As for `evaluation_photos`.
    model
        The photos that its record calls validation photos; without a record those of the
        catalogue's ``split``.
    judged
        The photos judged: none of their hotels is among those returned.

    Returns
    -------
    pandas.DataFrame
        Rows of `catalog`; none where nothing was kept for validation.

    Examples
    --------
    >>> from hotelviz.models import build_tagger, record_training_photos
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> model = record_training_photos(model, pd.DataFrame(
    ...     {"image_id": ["a", "b"], "hotel_id": ["h", "g"], "content": "",
    ...      "split": ["train", "val"]}))
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "g", "f"],
    ...                        "label": ["Bed", "Pool", "Bed"]})
    >>> validation_photos(photos, model, judged=photos[2:])["image_id"].to_list()
    ['b']
    """
    photos = catalog[catalog["label"].notna()]
    split = pd.Series("", photos.index)
    if len(training_photos(model).photos):
        split = seen_photos(model, photos)
    elif "split" in photos:
        split = photos["split"]
    taken = {*judged["hotel_id"], *photos.loc[split == "train", "hotel_id"]}
    kept = (split == "val") & ~photos["hotel_id"].isin(taken)
    return photos[kept].reset_index(drop=True)


_ALL_NEW = (
    "None of the photos that were learned from is in this catalogue, neither by its name nor by "
    "its hotel nor by the bytes of its file: the photos evaluated here are new, unless they were "
    "both renamed and saved anew, which cannot be told."
)


def _most(seen: Sequence[pd.Series]) -> pd.Series:
    """Return the most that any of several models has seen of each photo."""
    order = pd.CategoricalDtype(["", "hotel", "val", "train"], ordered=True)
    ranks = pd.concat([column.astype(order).cat.codes for column in seen], axis=1).max(axis=1)
    return ranks.map(dict(enumerate(order.categories))).astype("str")


def _notes(
    photos: pd.DataFrame, chosen: pd.Series, kept: pd.Series, unrecorded: list[str], n_models: int
) -> list[str]:
    """Return in words what the models have seen of the chosen photos."""

    def counted(rows: pd.Series) -> str:
        counts = photos.loc[rows, "seen"].value_counts()
        return (
            f"{counts.get('train', 0):,} learned from, {counts.get('val', 0):,} that epochs were "
            f"chosen by, {counts.get('hotel', 0):,} of the same hotels"
        )

    models = "the model" if n_models == 1 else "the models"
    n_photos, notes = f"{int(kept.sum()):,} photos", []
    if unrecorded:
        notes.append(
            f"It is not known what {' and '.join(unrecorded)} learned from (the file has no record "
            f"of it): whether the {n_photos} evaluated here are new cannot be told, and the "
            "figures may be too good."
        )
    if photos.loc[kept, "seen"].ne("").any():
        notes.append(
            f"Of the {n_photos} evaluated here {models} saw some in training ({counted(kept)}): "
            "figures on those say nothing about new hotels."
        )
    elif not unrecorded:
        notes.append(
            f"{models.capitalize()} saw none of the {n_photos}, nor others of their hotels."
        )
    if (left_out := chosen & ~kept).any():
        notes.append(
            f"{int(left_out.sum()):,} more are left out, because {models} saw them in training: "
            f"{counted(left_out)}."
        )
    return notes
