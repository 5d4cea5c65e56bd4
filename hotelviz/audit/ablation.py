"""Train on each stage of a catalogue, and judge all on the same photos."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from hotelviz import metrics
from hotelviz.catalog import check_table, split_catalog
from hotelviz.embeddings.image_properties import compute_image_properties
from hotelviz.errors import AuditError, check_choice
from hotelviz.images import iterate_images
from hotelviz.metrics import Interval

if TYPE_CHECKING:
    import keras

_NEEDS = ["image_id", "path", "hotel_id", "label"]
#: From photos, and their features in the fast mode, to predictions.
_Predict: TypeAlias = Callable[[pd.DataFrame, Any], pd.DataFrame]


class Ablation(NamedTuple):
    """What each stage of a catalogue is worth.

    Attributes
    ----------
    figures
        A row per stage, test photos (``tested``: ``same`` or ``own``) and metric: ``value``,
        ``low`` and ``high`` (95 % interval over hotels), ``photos`` judged and
        ``trained`` on.
    per_class
        A row per stage, test photos and class: ``precision``, ``recall``, ``f1``, ``support``.
    predictions
        A row per stage, test photos and photo: ``image_id``, ``hotel_id``, ``label``,
        ``predicted`` and ``p_<class>``.
    notes
        What was left out of training, and why.
    """

    figures: pd.DataFrame
    per_class: pd.DataFrame
    predictions: pd.DataFrame
    notes: list[str]


def compare_datasets(
    stages: Mapping[str, pd.DataFrame],
    test: pd.DataFrame,
    *,
    model: keras.Model | None = None,
    mode: Literal["fast", "full"] = "fast",
    augmented: Collection[str] = (),
    train_kw: Mapping[str, Any] | None = None,
    cache: str | os.PathLike[str] | None = None,
    allow_missing: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> Ablation:
    """Train a tagger on each stage and judge all on the same photos, and each on its own.

    The talk's three tables: the photos as they were labelled, augmented and enriched, cleaned.

    Parameters
    ----------
    stages : mapping
        Name -> catalogue with ``label``. Photos whose ``split`` is ``test`` are the stage's own
        test photos; a catalogue without ``split`` is split here. Photos of hotels that are in
        `test`, and copies of its photos, are left out of every stage's training.
    test : pandas.DataFrame
        The photos to judge all stages on, with right labels.
    model : keras.Model, optional
        Gives the features in the fast mode; any model with global average pooling. Test photos
        that it has seen, or whose hotels, are left out.
    mode : {"fast", "full"}, default "fast"
        ``fast``: a linear head on features that are computed once and cached. ``full``:
        `hotelviz.training.train_tagger` in two phases.
    augmented : collection of str, optional
        The stages whose training photos are changed at random: in the fast mode seen in a mirror
        as well, in the full mode as `hotelviz.training.train_tagger` does it.
    train_kw : mapping, optional
        More arguments of `hotelviz.training.train_tagger` in the full mode.
    cache, allow_missing
        As in `hotelviz.embeddings.compute_image_properties`.
    seed : int, default 0
        Of splits and training, and of intervals over more than 200 hotels.
    progress : bool, default True
        Show bars.

    Returns
    -------
    Ablation

    Raises
    ------
    AuditError
        No stage, no test photo, or none that the model has not seen, the fast mode without a
        model, or an unknown name in `augmented`.
    """
    if not stages or not len(test):
        raise AuditError("stages are compared on test photos: give at least one of both")
    check_choice(mode, ("fast", "full"), "mode", AuditError)
    for name in augmented:
        check_choice(name, stages, "stage", AuditError)
    if mode == "fast" and model is None:
        raise AuditError("the fast mode needs a model that gives the features, or use mode='full'")
    model = model if mode == "fast" else None
    stages = {name: _split(name, catalog, seed) for name, catalog in stages.items()}
    test = check_table(test, needs=_NEEDS, where="compare_datasets, test")
    notes: list[str] = []
    same = _unseen(test[test["label"].notna()], model, notes)
    found = {
        name: compute_image_properties(
            catalog, model=model, cache=cache, allow_missing=allow_missing, progress=progress
        )
        for name, catalog in {**stages, "": same}.items()
    }
    contents = set(found[""].photos["content"].dropna())
    mirrored: dict[str, np.ndarray] = {}
    parts: dict[tuple[str, str], pd.DataFrame] = {}
    for name, catalog in stages.items():
        features = found[name].features
        copied = found[name].photos["content"].isin(contents)
        tested = copied | catalog["hotel_id"].isin(same["hotel_id"])
        learned = _learned(name, catalog, tested, notes)
        if model is None or features is None:
            settings = {**({} if name in augmented else {"augmentation": None}), **(train_kw or {})}
            predict = _train(catalog[learned], seed=seed, progress=progress, **settings)
        else:
            rows = learned & np.isfinite(features).all(axis=1)
            paths = catalog.loc[rows, "path"]
            more = _mirrored(model, paths, mirrored) if name in augmented else None
            predict = _fit_head(catalog.loc[rows, "label"], features[rows], more)
        parts[name, "same"] = predict(same, found[""].features).assign(trained=learned.sum())
        own = catalog["split"].eq("test") & catalog["label"].notna() & _seen(catalog, model).eq("")
        if own.any():
            tags = predict(catalog[own], None if features is None else features[own])
            parts[name, "own"] = tags.assign(trained=learned.sum())
    return _judged(parts, notes, seed)


class StageDifference(NamedTuple):
    """What one stage gained over another, photo by photo.

    Attributes
    ----------
    accuracy
        The difference of the accuracies on the same photos, with its paired 95 %
        interval over hotels (`hotelviz.metrics.paired_difference`).
    photos, hotels
        How many were judged by both.
    gained, lost
        Photos that only the second stage is right about, and those that only the first is.
    """

    accuracy: Interval
    photos: int
    hotels: int
    gained: int
    lost: int


def stage_difference(
    stages: Ablation, before: str, after: str, *, seed: int = 0
) -> StageDifference:
    """Compare two stages on the same test photos, photo by photo.

    Parameters
    ----------
    stages : Ablation
        From `compare_datasets`.
    before, after : str
        Names of two stages.
    seed : int, default 0
        Of the blocks, of more than 200 hotels.

    Returns
    -------
    StageDifference

    Raises
    ------
    AuditError
        An unknown stage.

    Examples
    --------
    >>> rows = pd.DataFrame({"stage": ["as labelled"] * 2 + ["cleaned"] * 2, "tested": "same",
    ...                      "image_id": ["a", "b"] * 2, "hotel_id": ["h", "i"] * 2,
    ...                      "label": "Pool",
    ...                      "predicted": ["Pool", "Foyer", "Pool", "Pool"]})
    >>> stages = Ablation(pd.DataFrame(), pd.DataFrame(), rows, {})
    >>> found = stage_difference(stages, "as labelled", "cleaned")
    >>> found.accuracy.value, found.gained, found.lost
    (0.5, 1, 0)
    """
    same = stages.predictions[stages.predictions["tested"] == "same"]
    for name in (before, after):
        check_choice(name, list(dict.fromkeys(same["stage"])), "stage", AuditError)
    first, second = (
        same[(same["stage"] == name) & same["predicted"].notna()].set_index("image_id")
        for name in (before, after)
    )
    both = first.index.intersection(second.index)
    right = [rows.loc[both, "label"] == rows.loc[both, "predicted"] for rows in (first, second)]
    hotels = first.loc[both, "hotel_id"]
    return StageDifference(
        metrics.paired_difference(*right, groups=hotels, seed=seed),
        len(both),
        hotels.nunique(),
        gained=int((~right[0] & right[1]).sum()),
        lost=int((right[0] & ~right[1]).sum()),
    )


def distinct_tests(stages: Ablation) -> Ablation:
    """Leave out the figures on the stages' own test photos where they say nothing of their own.

    Parameters
    ----------
    stages : Ablation
        From `compare_datasets`.

    Returns
    -------
    Ablation
        `stages`, without what is ``own`` if all of it equals what is on the ``same`` photos: then
        no label of a test photo was changed.

    Examples
    --------
    >>> tested = {"stage": "cleaned", "tested": ["same", "own"]}
    >>> figures = pd.DataFrame({**tested, "metric": "top-1 accuracy", "value": 0.8, "low": 0.7,
    ...                         "high": 0.9, "photos": 50, "trained": 200})
    >>> classes = pd.DataFrame({**tested, "label": "Pool", "f1": 0.8})
    >>> stages = Ablation(figures, classes, classes, {})
    >>> distinct_tests(stages).figures["tested"].to_list()
    ['same']
    """
    keys = ["stage", "metric"]
    same, own = (
        stages.figures[stages.figures["tested"] == kind].set_index(keys)[["value", "photos"]]
        for kind in ("same", "own")
    )
    if not own.equals(same):
        return stages
    first, second, third = (table[table["tested"] == "same"] for table in stages[:3])
    return Ablation(first, second, third, stages.notes)


def _split(name: str, catalog: pd.DataFrame, seed: int) -> pd.DataFrame:
    catalog = check_table(catalog, needs=_NEEDS, where=f"compare_datasets, stage {name!r}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fewer than 3 hotels have")
        return split_catalog(catalog, seed=seed).reset_index(drop=True)


def _seen(photos: pd.DataFrame, model: keras.Model | None) -> pd.Series:
    """Return how the network of the features has seen photos; see `hotelviz.models.seen_photos`."""
    from hotelviz.models import seen_photos

    return pd.Series("", photos.index) if model is None else seen_photos(model, photos)


def _unseen(photos: pd.DataFrame, model: keras.Model | None, notes: list[str]) -> pd.DataFrame:
    """Leave out the test photos that the network of the features has seen, or whose hotels."""
    seen = _seen(photos, model).ne("")
    if seen.all():
        raise AuditError(
            f"the network that gives the features has seen all {len(photos):,} test photos, or "
            "others of their hotels: give it test photos of other hotels, or features of a network "
            "with ImageNet's weights"
        )
    if seen.any():
        notes.append(
            f"{seen.sum():,} of {len(photos):,} test photos were left out: the network that gives "
            "the features has seen them, or others of their hotels"
        )
    return photos[~seen].reset_index(drop=True)


def _learned(name: str, catalog: pd.DataFrame, tested: pd.Series, notes: list[str]) -> np.ndarray:
    """Return which photos a stage is trained on: none whose hotels or copies are tested."""
    training = catalog["split"].isin(["train", "val"]) & catalog["label"].notna()
    if left_out := int((training & tested).sum()):
        notes.append(
            f"{name}: {left_out:,} photos of hotels that are tested were left out of training"
        )
    return (training & ~tested).to_numpy()


def _fit_head(labels: pd.Series, vectors: np.ndarray, mirrored: np.ndarray | None) -> _Predict:
    """Fit a linear head to cached features; return the function that predicts with it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    from hotelviz.training import balanced_weights

    if labels.nunique() < 2:
        raise AuditError("a stage has training photos of fewer than two classes")
    if mirrored is not None:
        vectors, labels = np.concatenate([vectors, mirrored]), pd.concat([labels, labels])
    weights = balanced_weights(labels.to_frame("label"), 0.5)
    # The penalty is for vectors of length 1.
    head = LogisticRegression(C=10.0, max_iter=300, tol=1e-3)
    head.fit(normalize(vectors), labels.to_numpy(dtype=object), weights / weights.mean())

    def predict(photos: pd.DataFrame, features: np.ndarray) -> pd.DataFrame:
        shares = pd.DataFrame(np.nan, photos.index, head.classes_)
        there = np.isfinite(features).all(axis=1)
        if there.any():
            shares[there] = head.predict_proba(normalize(features[there]))
        tags = photos[["image_id", "hotel_id", "label"]]
        best = shares[there].idxmax(axis="columns")
        return tags.assign(predicted=best).join(shares.add_prefix("p_"))

    return predict


def _mirrored(model: keras.Model, paths: pd.Series, known: dict[str, np.ndarray]) -> np.ndarray:
    """Return the features of readable photos seen in a mirror; add the new ones to `known`."""
    from hotelviz.models import activations, model_info, split_head

    new = [path for path in paths.unique() if path not in known]
    wanted, features = model_info(model).preprocessing, activations(model, split_head(model)[0])
    for batch in iterate_images(new, size=wanted.size, resample=wanted.resample):
        if len(batch.rows):
            vectors = features(np.ascontiguousarray(batch.pixels[:, :, ::-1]))
            known |= {new[row]: vector for row, vector in zip(batch.rows, vectors, strict=True)}
    return np.stack([known[path] for path in paths])


def _train(rows: pd.DataFrame, **settings: Any) -> _Predict:
    """Train a tagger in two phases; return the function that predicts with it."""
    from hotelviz.inference import predict_tags
    from hotelviz.training import train_tagger

    tagger = train_tagger(rows, **settings)

    def predict(photos: pd.DataFrame, _: None) -> pd.DataFrame:
        found = predict_tags(photos, tagger, progress=settings["progress"])
        found = found.drop(columns=["status", "error"])
        return photos[["image_id", "hotel_id", "label"]].merge(found, on="image_id")

    return predict


def _judged(parts: dict[tuple[str, str], pd.DataFrame], notes: list[str], seed: int) -> Ablation:
    figures, classes = {}, {}
    for key, tags in parts.items():
        judged = tags[tags["predicted"].notna()]
        if unread := len(tags) - len(judged):
            notes.append(f"{key[0]}: {unread:,} test photos could not be read")
        # A photo whose class a stage does not know is a wrong prediction, not an error.
        known = judged.dropna(axis="columns", how="all")
        table = metrics.summary(known, seed=seed)
        table = table[table["metric"] != "expected calibration error"]
        figures[key] = table.assign(trained=tags["trained"].iloc[0], photos=len(judged))
        report = metrics.classification_report(known["label"], known["predicted"])
        report = report.drop(index=["macro avg", "weighted avg"])
        classes[key] = report.rename_axis("label").reset_index()
    keys = ["stage", "tested"]
    first, second, third = (
        pd.concat(tables, names=keys).reset_index(keys).reset_index(drop=True)
        for tables in (figures, classes, parts)
    )
    return Ablation(first, second, third, notes)
