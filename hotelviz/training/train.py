"""Train taggers and aesthetic models by transfer learning.

This module says what is to be learned; `hotelviz.training.lesson` has it learned.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import hotelviz.models  # noqa: F401, first: it refuses another backend before Keras is imported

# isort: split
import keras
import numpy as np
import pandas as pd

from hotelviz.catalog import (
    as_shares,
    catalog_hash,
    check_table,
    class_shares,
    rating_summary,
    split_catalog,
)
from hotelviz.errors import CatalogError, did_you_mean
from hotelviz.metrics import score_metrics, summary
from hotelviz.models import (
    ModelInfo,
    build_aesthetic,
    build_tagger,
    clone_for_task,
    earth_movers_distance,
    level_widths,
    load_model,
    mean_score_error,
    model_info,
    uncorrelated,
    weights_hash,
)
from hotelviz.schema import RATINGS, SCORES
from hotelviz.training.head import Objective
from hotelviz.training.lesson import Lesson, Places, train
from hotelviz.training.settings import (
    AESTHETIC,
    TAGGER,
    AestheticSettings,
    TaggerSettings,
    chosen_settings,
    takes_settings,
)

_NEEDS = ["image_id", "path", "hotel_id", "split"]
#: How much the correlation of scores counts in fine-tuning beside their earth mover's distance.
_CORRELATION = 0.5


@takes_settings(TAGGER)
def train_tagger(
    catalog: pd.DataFrame,
    *,
    classes: Sequence[str] | None = None,
    settings: TaggerSettings = TAGGER,
    out: str | os.PathLike[str] | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    unsplit: Literal["refuse", "leave"] = "refuse",
    allow_missing: bool = False,
    progress: bool = True,
    **changes: Any,
) -> keras.Model:
    """Train a tagger by transfer learning in two phases.

    Phase one fits the head as a linear model on features of the frozen backbone. Phase two trains
    all layers from there, and is kept only where it is better on hotels that were held out: with a
    lower loss, and no lower top-1 accuracy. Without pretrained weights there is only phase two.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``image_id``, ``path``, ``label`` and ``split`` (see
        `hotelviz.catalog.split_catalog`): ``train`` is learned from, ``val`` decides when to stop
        and what is kept, ``test`` is not looked at; the order of the rows does not matter. Without
        ``val`` a fifth of the hotels is held out; of fewer than five hotels only the head learns.
        These are learned from after all in the end, whichever is kept; ``val`` never is.
        Each photo's ``weight`` counts, where there is one, and photos with a ``label_2`` or votes
        are learned as parts of several classes (see `hotelviz.catalog.class_shares`). Photos that
        cannot be read are left out and listed in the model's description.
    classes : sequence of str, optional
        What it tells apart; by default the labels that occur, in alphabetical order.
    settings : TaggerSettings, optional
        See there.
    out : path, optional
        The model file (``.keras``), checked before the start and kept from other runs.
    checkpoint_dir : path, optional
        A folder for decoded photos and checkpoints, by default `out` with ``.training`` after it.
        A training that was stopped goes on from its last whole epoch, and ends as if it had not
        been; one with other settings, photos or labels begins anew, with a warning, and decodes
        only the photos that are not there yet. The folder is removed when `out` is on the disk,
        and stays without `out`. A folder that hotelviz did not make is refused. Without both a
        temporary one is used.
    unsplit : {"refuse", "leave"}, default "refuse"
        Labelled photos that have no split: ``refuse`` them, or ``leave`` them out and count them.
    allow_missing : bool, default False
        Go on where more than a tenth of the photos is not available.
    progress : bool, default True
        Show bars.
    **changes
        Fields of `settings` that are different, such as ``fine_tune_epochs=3``.

    Returns
    -------
    keras.Model
        With its description: ``model_info(model).training`` holds settings and history, ``linear``
        (how good the linear model is on hotels that it was not fitted to, with intervals), ``kept``
        (``linear head`` or ``fine-tuned``) and ``why``; `hotelviz.models.training_photos` names
        what it learned from.

    Raises
    ------
    CatalogError
        No ``label`` or ``split``, a hotel or a file in two splits, labelled photos without a
        split, nothing to train on, or fewer than two classes.
    MissingPhotosError
        More than a tenth of the photos is not available.
    ModelError
        An unknown backbone, a file that is none, or weights that cannot be had.
    OutputError
        `out` cannot be written, or is being written by another run.
    TrainingError
        An unknown effort or `weights`, a quick training from scratch, features that are not
        finite, or a training from scratch whose loss became infinite.

    See Also
    --------
    history : The course of a training.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=4, size=(96, 128))
    >>> tagger = train_tagger(photos, weights=None, input_size=32, fine_tune_epochs=1,
    ...                       backbone_kw={"alpha": 0.25}, progress=False)
    >>> history(tagger)["phase"].to_list()
    ['from_scratch']
    """
    settings = chosen_settings(settings, changes)
    places = Places.checked(out, checkpoint_dir)
    catalog = check_table(catalog, needs=[*_NEEDS, "label"], where="train_tagger")
    labels = _known_labels(catalog, classes)
    usable = catalog[catalog["label"].isin(labels)]
    photos = split_catalog(usable, by="label", unsplit=unsplit).dropna(subset="split")

    def targets(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        weights = balanced_weights(rows, settings.class_balance)
        shares = class_shares(rows, labels).astype("float32")
        return shares * (1 - spread) + each, weights

    spread = settings.label_smoothing
    each = np.float32(spread / len(labels))
    model = build_tagger(labels, **settings.network())
    lesson = Lesson(
        model=model,
        photos=photos,
        by="label",
        targets=targets,
        objective=tagger_objective(labels),
        settings=settings,
        pretrained=settings.weights is not None,
        catalog_hash=catalog_hash(catalog),
        left_out={"without split": len(usable) - len(photos)},
        started=_of_file(model),
    )  # fmt: skip
    return train(lesson, places, allow_missing=allow_missing, progress=progress)


@takes_settings(AESTHETIC)
def train_aesthetic(
    catalog: pd.DataFrame,
    *,
    task: Literal["aesthetic", "technical"] = "aesthetic",
    parent: keras.Model | str | os.PathLike[str] | None = None,
    settings: AestheticSettings = AESTHETIC,
    out: str | os.PathLike[str] | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    unsplit: Literal["refuse", "leave"] = "refuse",
    allow_missing: bool = False,
    progress: bool = True,
    **changes: Any,
) -> keras.Model:
    """Train a NIMA model on ratings, in the same two phases as the tagger.

    Fine-tuning leaves the head as it is, and is kept where it has a lower loss and no lower linear
    correlation (LCC). The loss is `hotelviz.models.earth_movers_distance`; that predicted means
    rise and fall with the rated ones counts as well. By default photos are cropped and mirrored.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``image_id``, ``path``, ``split`` and ``rating_1`` to ``rating_10`` (counts or
        shares); the order of the rows does not matter. Photos without ratings are left out; their
        number is in the model's description.
    task : {"aesthetic", "technical"}, default "aesthetic"
        ``technical`` for a second model, of the quality of the picture as such.
    parent : keras.Model or path, optional
        An earlier model to start from: the second iteration of the talk. Its network and
        preprocessing are kept (`features` may add levels), and `backbone`, `input_size`, `weights`,
        `backbone_kw`, `value_range` and `dropout` are ignored; a tagger lends its backbone to a new
        head, and that of an earlier aesthetic model is what the new one is held at, where that is
        better on hotels held out. The model file names all its ancestors.
    settings : AestheticSettings, optional
        See there.
    out, checkpoint_dir, unsplit, allow_missing, progress, **changes
        As in `train_tagger`.

    Returns
    -------
    keras.Model
        As of `train_tagger`.

    Raises
    ------
    CatalogError
        No ratings or ``split``, and otherwise as in `train_tagger`.
    ModelError
        A parent that cannot be trained further, or weights that cannot be had.
    MissingPhotosError, OutputError, TrainingError
        As in `train_tagger`.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> model = train_aesthetic(photos, weights=None, input_size=32, fine_tune_epochs=1,
    ...                         backbone_kw={"alpha": 0.25}, progress=False)
    >>> model_info(model).task
    'aesthetic'
    """
    settings = chosen_settings(settings, changes, parent=parent is not None)
    places = Places.checked(out, checkpoint_dir)
    catalog = check_table(catalog, needs=[*_NEEDS, *RATINGS], where="train_aesthetic")
    rated = catalog[~np.isnan(as_shares(catalog)).any(axis=1)]
    photos = split_catalog(rated, by="ratings", unsplit=unsplit).dropna(subset="split")

    def targets(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        raters = rating_summary(rows)["raters"].fillna(1).to_numpy(dtype=float)
        return as_shares(rows).astype("float32"), _own_weights(rows) * raters**settings.rater_weight

    started: dict[str, Any] = {"parent": None}
    from_parent = False
    if parent is None:
        model = build_aesthetic(task=task, **settings.network())
        started |= _of_file(model)
    else:
        earlier = parent if isinstance(parent, keras.Model) else load_model(parent)
        keras.utils.set_random_seed(settings.seed)
        model = clone_for_task(
            earlier, task=task, classes=tuple(map(str, SCORES)), features=settings.features
        )
        info, from_parent = model_info(model), model_info(earlier).task != "tagger"
        started = {
            "parent": weights_hash(earlier), "backbone": info.backbone,
            "input_size": info.preprocessing.height, "weights": "parent",
            "features": "levels" if level_widths(model) else "last",
        }  # fmt: skip
    lesson = Lesson(
        model=model,
        photos=photos,
        by="ratings",
        targets=targets,
        objective=rating_objective(),
        settings=settings,
        pretrained=parent is not None or settings.weights is not None,
        catalog_hash=catalog_hash(catalog),
        left_out={
            "without ratings": len(catalog) - len(rated),
            "without split": len(rated) - len(photos),
        },
        from_parent=from_parent,
        started=started,
    )
    return train(lesson, places, allow_missing=allow_missing, progress=progress)


def history(model: keras.Model | ModelInfo) -> pd.DataFrame:
    """Return the course of a training.

    Parameters
    ----------
    model : keras.Model or ModelInfo
        A trained model, or its description.

    Returns
    -------
    pandas.DataFrame
        A row per epoch: ``epoch`` (from 1, over all phases), ``phase`` (``head``: one row, the
        linear model; ``fine_tune`` or ``from_scratch``; ``all_photos``: from those that judged,
        too), ``kept`` (whether the model is that of this row), ``learning_rate``, ``seconds``,
        ``loss``, ``accuracy`` (aesthetic models: ``mean_score_error``), and both again with
        ``val_`` where there were validation photos.
        Empty for a model that was not trained here.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> len(history(build_tagger(["Bed", "Pool"], input_size=32, weights=None)))
    0
    """
    info = model if isinstance(model, ModelInfo) else model_info(model)
    return pd.DataFrame(info.training.get("history", []))


def _of_file(model: keras.Model) -> dict[str, Any]:
    """Return what a backbone's file decides of the settings."""
    return {"weights": "file"} if model_info(model).training["weights"] == "file" else {}


def tagger_objective(labels: Sequence[str]) -> Objective:
    """Return what a tagger learns by, and how it is judged."""
    return Objective(
        keras.losses.CategoricalCrossentropy(), keras.metrics.categorical_accuracy,
        "accuracy", partial(_tagger_figures, labels),
    )  # fmt: skip


def rating_objective() -> Objective:
    """Return what an aesthetic model learns by, and how it is judged."""
    return Objective(
        earth_movers_distance, mean_score_error, "mean_score_error", _rating_figures,
        ordered=True, together=lambda *both: _CORRELATION * uncorrelated(*both),
    )  # fmt: skip


def _tagger_figures(
    labels: Sequence[str], targets: np.ndarray, predicted: np.ndarray, hotels: np.ndarray
) -> pd.DataFrame:
    """Return top-1 accuracy, macro recall and so on, with intervals over hotels."""
    tags = pd.DataFrame(predicted, columns=[f"p_{label}" for label in labels])
    tags.insert(0, "label", np.asarray(labels, dtype=object)[targets.argmax(axis=1)])
    tags.insert(1, "predicted", np.asarray(labels, dtype=object)[predicted.argmax(axis=1)])
    return summary(tags.assign(hotel_id=hotels), classes=labels)


def _rating_figures(targets: np.ndarray, predicted: np.ndarray, hotels: np.ndarray) -> pd.DataFrame:
    """Return correlations, distances and so on, with intervals over hotels."""
    with warnings.catch_warnings():
        # What nobody can tell of equal ratings, or of one hotel's, is missing.
        warnings.filterwarnings("ignore", message="All-NaN", category=RuntimeWarning)
        return score_metrics(targets, predicted, groups=hotels)


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
    """Compute how much photos weigh in training, rare classes more.

    Parameters
    ----------
    rows : pandas.DataFrame
        With ``label`` and, where photos differ, ``weight``.
    balance : float
        Each weight is multiplied by the total of its class to the power of minus this: 0 for equal
        photos, 1 for equal classes.

    Returns
    -------
    numpy.ndarray
        float, one a row.

    Examples
    --------
    >>> balanced_weights(pd.DataFrame({"label": ["Pool", "Pool", "Foyer"]}), 1.0).tolist()
    [0.5, 0.5, 1.0]
    """
    own = _own_weights(rows)
    totals = pd.Series(own).groupby(rows["label"].to_numpy()).transform("sum").to_numpy()
    return np.asarray(own * totals**-balance)


def _own_weights(rows: pd.DataFrame) -> np.ndarray:
    return rows["weight"].to_numpy(dtype=float) if "weight" in rows else np.ones(len(rows))
