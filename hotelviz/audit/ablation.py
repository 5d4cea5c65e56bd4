"""Train on each stage of a catalogue, and judge all on the same photos."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from hotelviz import metrics
from hotelviz.audit.image_properties import embedding, measure_photos
from hotelviz.catalog import check_table, split_catalog
from hotelviz.errors import AuditError
from hotelviz.images import iterate_images

if TYPE_CHECKING:
    import keras

#: Inverse strength of the penalty on the head's weights, for features of length 1.
_C = 10.0
_METRICS = ("top-1 accuracy", "macro precision", "macro recall", "macro F1")


class Ablation(NamedTuple):
    """What each stage of a catalogue is worth.

    Attributes
    ----------
    figures
        A row per stage, test photos (``tested``: ``same`` or ``own``) and metric: ``value``,
        ``low`` and ``high`` (95 % bootstrap interval over hotels), ``photos`` judged and
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
    stages
        Name -> catalogue with ``label``. Photos whose ``split`` is ``test`` are the stage's own
        test photos; a catalogue without ``split`` is split here. Photos of hotels that are in
        `test`, and copies of its photos, are left out of every stage's training.
    test
        The photos to judge all stages on, with right labels.
    model
        Gives the features in the fast mode; any model with global average pooling. Test photos
        that it has seen, or whose hotels, are left out.
    mode
        ``fast``: a linear head on features that are computed once and cached. ``full``:
        `hotelviz.training.train_tagger` in two phases.
    augmented
        The stages whose training photos are changed at random: in the fast mode seen in a mirror
        as well, in the full mode as `train_tagger` does it.
    train_kw
        More arguments of `train_tagger` in the full mode.
    cache, allow_missing
        As in `measure_photos`.
    seed
        Of splits, training and bootstrap.
    progress
        Show bars.

    Returns
    -------
    Stages

    Raises
    ------
    AuditError
        No stage, no test photo, or none that the model has not seen, the fast mode without a
        model, or an unknown name in `augmented`.
    """
    if not stages or not len(test):
        raise AuditError("stages are compared on test photos: give at least one of both")
    if mode not in ("fast", "full"):
        raise AuditError(f"mode must be 'fast' or 'full', not {mode!r}")
    unknown = sorted(set(augmented) - set(stages))
    if unknown:
        raise AuditError(f"there is no stage {unknown[0]!r}; there are {', '.join(stages)}")
    if mode == "fast" and model is None:
        raise AuditError("the fast mode needs a model that gives the features, or use mode='full'")
    needs = ["image_id", "path", "hotel_id", "label"]
    stages = {
        name: check_table(catalog, needs=needs, where=f"compare_stages, stage {name!r}")
        for name, catalog in stages.items()
    }
    test = check_table(test, needs=needs, where="compare_stages, test")
    notes: list[str] = []
    same = _unseen(test[test["label"].notna()], model if mode == "fast" else None, notes)
    found = {
        name: measure_photos(
            catalog,
            model=model if mode == "fast" else None,
            cache=cache,
            allow_missing=allow_missing,
            progress=progress,
        )
        for name, catalog in {**stages, "": same}.items()
    }
    hotels, contents = set(same["hotel_id"]), set(found[""].photos["content"].dropna())
    parts = []
    reflections = _Reflections(model)
    for name, catalog in stages.items():
        catalog = catalog.reset_index(drop=True)
        split = _split(catalog, seed)
        seen = catalog["hotel_id"].isin(hotels) | found[name].photos["content"].isin(contents)
        training = split.isin(["train", "val"]) & catalog["label"].notna()
        if (training & seen).any():
            notes.append(
                f"{name}: {int((training & seen).sum()):,} photos of hotels that are tested were "
                "left out of training"
            )
        own = (split == "test") & catalog["label"].notna()
        if own.any() and mode == "fast":
            own &= _seen(catalog, model).eq("")
        tested = {"same": same, **({"own": catalog[own]} if own.any() else {})}
        learned = (training & ~seen).to_numpy()
        if mode == "fast":
            features = found[name].features, found[""].features
            assert features[0] is not None and features[1] is not None  # noqa: PT018
            vectors = {"same": features[1], "own": features[0][own.to_numpy()]}
            rows = np.flatnonzero(learned & np.isfinite(features[0]).all(axis=1))
            more = reflections.of(catalog["path"].iloc[rows]) if name in augmented else None
            predict = _head(catalog["label"].iloc[rows], features[0][rows], more)
            guesses = {kind: predict(vectors[kind], photos) for kind, photos in tested.items()}
        else:
            guesses = _two_phases(
                catalog, split, learned, tested, name in augmented, seed, progress, train_kw or {}
            )
        for kind, photos in tested.items():
            tags = photos[["image_id", "hotel_id", "label"]].merge(guesses[kind], on="image_id")
            parts.append(tags.assign(stage=name, tested=kind, trained=int(learned.sum())))
    return _judged(parts, notes, seed)


def _seen(photos: pd.DataFrame, model: keras.Model | None) -> pd.Series:
    """Say which photos the network of the features has seen; see `hotelviz.models.seen_photos`."""
    from hotelviz.models import seen_photos

    if model is None:
        return pd.Series("", photos.index)
    return seen_photos(model, photos)


def _unseen(photos: pd.DataFrame, model: keras.Model | None, notes: list[str]) -> pd.DataFrame:
    """Leave out the test photos that the network of the features has seen, or whose hotels."""
    seen = _seen(photos, model)
    left_out = int(seen.ne("").sum())
    if left_out == len(photos):
        raise AuditError(
            f"the network that gives the features has seen all {len(photos):,} test photos, or "
            "others of their hotels: give it test photos of other hotels, or features of a network "
            "with ImageNet's weights"
        )
    if left_out:
        notes.append(
            f"{left_out:,} of {len(photos):,} test photos were left out: the network that gives "
            "the features has seen them, or others of their hotels"
        )
    return photos[seen.eq("")].reset_index(drop=True)


def _split(catalog: pd.DataFrame, seed: int) -> pd.Series:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fewer than 3 hotels have")
        return split_catalog(catalog, seed=seed)["split"]


def _head(
    labels: pd.Series, vectors: np.ndarray, reflected: np.ndarray | None
) -> Callable[[np.ndarray, pd.DataFrame], pd.DataFrame]:
    """Fit a linear head to cached features; give the function that predicts with it."""
    from sklearn.linear_model import LogisticRegression

    from hotelviz.training import balanced_weights

    if labels.nunique() < 2:
        raise AuditError("a stage has training photos of fewer than two classes")
    if reflected is not None:
        vectors, labels = np.concatenate([vectors, reflected]), pd.concat([labels, labels])
    weights = balanced_weights(labels.to_frame("label"), 0.5)
    head = LogisticRegression(C=_C, max_iter=300, tol=1e-3)
    head.fit(_unit(vectors), labels.to_numpy(dtype=object), weights / weights.mean())
    classes = head.classes_.astype(object)

    def predict(vectors: np.ndarray, rows: pd.DataFrame) -> pd.DataFrame:
        probabilities = np.full((len(rows), len(classes)), np.nan)
        there = np.isfinite(vectors).all(axis=1)
        if there.any():
            probabilities[there] = head.predict_proba(_unit(vectors[there]))
        best = classes[np.nan_to_num(probabilities, nan=-1).argmax(axis=1)]
        return pd.DataFrame(
            {
                "image_id": rows["image_id"].to_numpy(),
                "predicted": np.where(there, best, None),
                **{f"p_{name}": probabilities[:, place] for place, name in enumerate(classes)},
            }
        )

    return predict


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


class _Reflections:
    """The features of photos seen in a mirror, each computed once for all stages."""

    def __init__(self, model: keras.Model | None) -> None:
        self.model = model
        self.known: dict[str, np.ndarray] = {}

    def of(self, paths: pd.Series) -> np.ndarray:
        """Give the features of readable photos, float32 (len(paths), d)."""
        from hotelviz.models import model_info

        new = [path for path in paths.unique() if path not in self.known]
        if new:
            wanted, run = model_info(self.model).preprocessing, embedding(self.model)
            for batch in iterate_images(new, size=wanted.size, resample=wanted.resample):
                if len(batch.rows):
                    seen = run(np.ascontiguousarray(batch.pixels[:, :, ::-1]))
                    self.known |= {
                        new[row]: vector for row, vector in zip(batch.rows, seen, strict=True)
                    }
        return np.stack([self.known[path] for path in paths])


def _two_phases(
    catalog: pd.DataFrame,
    split: pd.Series,
    learned: np.ndarray,
    tested: Mapping[str, pd.DataFrame],
    augmented: bool,
    seed: int,
    progress: bool,
    train_kw: Mapping[str, Any],
) -> dict[str, pd.DataFrame]:
    from hotelviz.inference import predict_tags
    from hotelviz.training import train_tagger

    rows = catalog.assign(split=split)[learned]
    settings = {**({} if augmented else {"augmentation": None}), **train_kw}
    tagger = train_tagger(rows, seed=seed, progress=progress, **settings)
    return {
        kind: predict_tags(photos, tagger, progress=progress).drop(columns=["status", "error"])
        for kind, photos in tested.items()
    }


def _judged(parts: list[pd.DataFrame], notes: list[str], seed: int) -> Ablation:
    figures, classes, kept = [], [], []
    for tags in parts:
        names = {column: tags[column].iloc[0] for column in ("stage", "tested", "trained")}
        judged = tags[tags["predicted"].notna()]
        unread = len(tags) - len(judged)
        if unread:
            notes.append(f"{names['stage']}: {unread:,} test photos could not be read")
        # A photo whose class a stage does not know is a wrong prediction, not an error.
        known = judged.dropna(axis="columns", how="all")
        table = metrics.summary(known, seed=seed)
        table = table[table["metric"].isin(_METRICS)].assign(**names, photos=len(judged))
        figures.append(table)
        report = metrics.classification_report(known["label"], known["predicted"])
        report = report.drop(index=["macro avg", "weighted avg"]).rename_axis("label")
        classes.append(report.reset_index().assign(stage=names["stage"], tested=names["tested"]))
        kept.append(tags)
    first = ["stage", "tested"]
    return Ablation(
        _leading(pd.concat(figures, ignore_index=True), first),
        _leading(pd.concat(classes, ignore_index=True), first),
        _leading(pd.concat(kept, ignore_index=True), first),
        notes,
    )


def _leading(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return table[columns + [name for name in table if name not in columns]]
