"""Find labels that are probably wrong, and photos that belong nowhere."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.audit.neighbours import Neighbours
from hotelviz.catalog import check_table

if TYPE_CHECKING:
    import keras

#: A label is a suspect when the best other class is more probable by at least this.
MARGIN = 0.3
#: Inverse strength of the penalty on the linear model's weights, for vectors of length 1.
_C = 3.0
#: Neighbours whose mean similarity says whether a photo belongs anywhere.
_NEIGHBOURS = 5
#: A photo is an outlier when its similarity is this many deviations below the usual one.
_DEVIATIONS = 3.5


class LabelIssues(NamedTuple):
    """Labels, each judged by a linear model that was fitted to other hotels' photos.

    It has not seen the label; the network that gave the features may have: see `seen_notes`.

    Attributes
    ----------
    rows
        The rows of the catalogue that were judged.
    classes
        What the columns of `probabilities` stand for.
    probabilities
        float (len(rows), len(classes)), out of fold.
    quality
        float (len(rows),), cleanlab's normalised margin: (p of the given label - p of the best
        other + 1) / 2, 0 to 1, lower is worse.
    suspect
        bool (len(rows),).
    notes
        What could not be judged, and why.
    """

    rows: np.ndarray
    classes: tuple[str, ...]
    probabilities: np.ndarray
    quality: np.ndarray
    suspect: np.ndarray
    notes: list[str]


def seen_notes(model: keras.Model, catalog: pd.DataFrame) -> list[str]:
    """Say in words how far the network of the features has seen the labels that are judged.

    Parameters
    ----------
    model
        The one that gave the features.
    catalog
        The photos, with ``label``.

    Returns
    -------
    list of str
        Empty where it has learned from none of them, as a network with ImageNet's weights.
    """
    from hotelviz.models import seen_photos, training_photos

    labelled = catalog[catalog["label"].notna()]
    seen = seen_photos(model, labelled).isin(["train", "val"]).sum()
    notes = [
        f"{name}, which gives the features or which their network started from, does not say what "
        "it learned from: it may have seen the labels that are judged here"
        for name in training_photos(model).unrecorded
    ]
    if seen:
        notes.append(
            f"the network that gives the features has seen {seen:,} of the {len(labelled):,} "
            "labelled photos with their labels: it learned the wrong ones, too, and fewer of them "
            "are found; features of a network with ImageNet's weights have seen none"
        )
    return notes


def find_label_issues(
    vectors: np.ndarray,
    labels: pd.Series,
    groups: np.ndarray,
    *,
    folds: int = 5,
    margin: float = MARGIN,
    seed: int = 0,
) -> LabelIssues:
    """Judge each label by a linear model that was fitted to the other hotels' photos.

    The model is fitted twice: the second time without the photos that the first one, itself out of
    fold, would have labelled otherwise, since wrong labels teach it wrong.

    Parameters
    ----------
    vectors
        float32 (N, d), of length 1 (see `hotelviz.audit.neighbours.reduce_features`); NaN for
        photos that could not be read.
    labels
        The N given labels; missing ones are not judged.
    groups
        The hotel or group of duplicates of each photo; a fold has whole groups.
    folds
        How many; a class that fewer groups have cannot be judged.
    margin
        A label is a suspect when another class is more probable by at least this, 0 to 1.
    seed
        Of the folds.

    Returns
    -------
    Suspects

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 2021, arXiv 1911.00068; Kuan, Mueller:
    Model-agnostic label quality scoring, 2022 (the normalised margin). Computed by cleanlab.
    """
    from cleanlab.rank import get_label_quality_scores
    from sklearn.model_selection import StratifiedGroupKFold

    labels = labels.reset_index(drop=True)
    usable = labels.notna().to_numpy() & np.isfinite(vectors).all(axis=1)
    notes = []
    spread = pd.Series(groups[usable]).groupby(labels[usable].to_numpy()).nunique()
    for name in spread.index[spread < folds]:
        notes.append(
            f"{name}: photos of {spread[name]} hotels (or groups of duplicates) are too few to "
            f"judge the label in {folds} folds"
        )
    classes = tuple(map(str, spread.index[spread >= folds]))
    usable &= labels.isin(classes).to_numpy()
    rows = np.flatnonzero(usable)
    if len(classes) < 2:
        notes.append(f"{len(classes)} classes can be judged; labels need at least two")
        none = np.zeros(0, dtype=int)
        return LabelIssues(
            none, classes, np.zeros((0, len(classes))), np.zeros(0), none.astype(bool), notes
        )
    given = labels[rows].map(classes.index).to_numpy(dtype=int)
    chosen = vectors[rows]
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        splits = list(dealer.split(chosen, given, groups[rows]))
    probabilities = _out_of_fold(chosen, given, len(classes), splits)
    agreed = probabilities.argmax(axis=1) == given
    if (np.bincount(given[agreed], minlength=len(classes)) > 0).all():
        probabilities = _out_of_fold(chosen, given, len(classes), splits, taught=agreed)
    quality = get_label_quality_scores(given, probabilities, method="normalized_margin")
    return LabelIssues(rows, classes, probabilities, quality, quality <= (1 - margin) / 2, notes)


def _out_of_fold(
    vectors: np.ndarray,
    given: np.ndarray,
    classes: int,
    splits: list[tuple[np.ndarray, np.ndarray]],
    *,
    taught: np.ndarray | None = None,
) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    probabilities = np.zeros((len(given), classes))
    for learned, asked in splits:
        rows = learned if taught is None else learned[taught[learned]]
        model = LogisticRegression(C=_C, class_weight="balanced", max_iter=300)
        model.fit(vectors[rows], given[rows])
        # A fold that happens to hold all photos of a class leaves none to learn it from.
        probabilities[np.ix_(asked, model.classes_)] = model.predict_proba(vectors[asked])
    return probabilities


def label_noise_matrix(suspects: LabelIssues, labels: pd.Series) -> pd.DataFrame:
    """Estimate which classes are mislabelled as which.

    Parameters
    ----------
    suspects
        From `find_label_issues`.
    labels
        The given labels, as there.

    Returns
    -------
    pandas.DataFrame
        ``label``, ``suggestion``, ``photos`` (suspects) and ``estimated`` (photos, by confident
        learning's joint distribution of given and true labels), the most first.
    """
    from cleanlab.count import estimate_joint

    columns = ["label", "suggestion", "photos", "estimated"]
    if not len(suspects.rows):
        return pd.DataFrame(columns=columns)
    classes = np.array(suspects.classes, dtype=object)
    given = labels.reset_index(drop=True)[suspects.rows].map(suspects.classes.index).to_numpy(int)
    joint = estimate_joint(given, suspects.probabilities) * len(given)
    best = _best_other(suspects.probabilities, given)
    counts = np.zeros(joint.shape, dtype=int)
    np.add.at(counts, (given[suspects.suspect], best[suspects.suspect]), 1)
    a, b = np.nonzero((counts > 0) | (joint >= 0.5))
    table = pd.DataFrame(
        {
            "label": classes[a],
            "suggestion": classes[b],
            "photos": counts[a, b],
            "estimated": joint[a, b].round(1),
        }
    )
    table = table[table["label"] != table["suggestion"]]
    return table.sort_values(["photos", "estimated"], ascending=False, ignore_index=True)


def _best_other(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    others = probabilities.copy()
    others[np.arange(len(given)), given] = -1
    return others.argmax(axis=1)


def suggestions(suspects: LabelIssues, labels: pd.Series) -> pd.DataFrame:
    """Name the best other class of each judged photo, and how probable both are.

    Parameters
    ----------
    suspects, labels
        As in `label_noise_matrix`.

    Returns
    -------
    pandas.DataFrame
        A row per judged photo: ``row``, ``suggestion``, ``p_suggestion``, ``p_given``.
    """
    given = labels.reset_index(drop=True)[suspects.rows].map(suspects.classes.index).to_numpy(int)
    best = _best_other(suspects.probabilities, given) if len(given) else given
    numbers = np.arange(len(given))
    return pd.DataFrame(
        {
            "row": suspects.rows,
            "suggestion": np.array(suspects.classes, dtype=object)[best],
            "p_suggestion": suspects.probabilities[numbers, best],
            "p_given": suspects.probabilities[numbers, given],
        }
    )


def suspects_tagger(
    model: keras.Model, features: np.ndarray, labels: pd.Series, suspects: LabelIssues
) -> keras.Model:
    """Make a tagger of the features' model and a linear head, to see why a label is a suspect.

    Parameters
    ----------
    model
        The one that gave the features.
    features, labels
        Of the catalogue's photos, as measured and as given.
    suspects
        From `find_label_issues`; the head is fitted to the labels that are no suspects.

    Returns
    -------
    keras.Model
        For class activation maps. Its head saw centred vectors of length 1, its network does not
        scale them: the maps are right, the probabilities roughly so.
    """
    import keras
    from sklearn.linear_model import LogisticRegression

    from hotelviz.models import clone_for_task

    rows = suspects.rows[~suspects.suspect]
    middle = features[rows].mean(axis=0)
    vectors = features[rows] - middle
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    given = labels.reset_index(drop=True)[rows].map(suspects.classes.index).to_numpy(int)
    fitted = LogisticRegression(C=_C, class_weight="balanced", max_iter=300)
    fitted.fit(vectors / np.maximum(length, 1e-12), given)
    kernel = np.zeros((vectors.shape[1], len(suspects.classes)), "float32")
    bias = np.full(len(suspects.classes), -30.0, "float32")
    if len(fitted.classes_) == 2:  # scikit-learn keeps one row for two classes
        kernel[:, fitted.classes_] = np.concatenate([-fitted.coef_, fitted.coef_]).T / 2
        bias[fitted.classes_] = np.array([-1, 1]) * fitted.intercept_ / 2
    else:
        kernel[:, fitted.classes_] = fitted.coef_.T
        bias[fitted.classes_] = fitted.intercept_
    tagger = clone_for_task(model, task="tagger", classes=suspects.classes)
    dense = next(layer for layer in tagger.layers[::-1] if isinstance(layer, keras.layers.Dense))
    kernel /= length.mean()
    dense.set_weights([kernel, bias - middle @ kernel])
    return tagger


def outlyingness(neighbours: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """Say how alone photos are: which belong to no class.

    Parameters
    ----------
    neighbours
        Of each photo, at least five.

    Returns
    -------
    score
        float (N,), the mean similarity to the five nearest photos, from 0 (like nothing else) to
        1.
    alone
        bool (N,), those far below the others: by 3.5 times the median deviation (scaled to that
        of a normal distribution).
    """
    similarity = neighbours.similarity[:, :_NEIGHBOURS]
    score = similarity.mean(axis=1).clip(0, 1) if similarity.size else np.ones(len(similarity))
    middle = np.median(score) if len(score) else 1.0
    deviation = 1.4826 * np.median(abs(score - middle)) if len(score) else 0.0
    return score, score < middle - _DEVIATIONS * deviation


def balance(catalog: pd.DataFrame, *, target: int | None = None, folds: int = 5) -> pd.DataFrame:
    """Count photos per class, and say which classes need topping up.

    Parameters
    ----------
    catalog
        With ``label`` and ``hotel_id``, and, if known, ``source``.
    target
        How many photos a class should have; by default as many as the median class has.
    folds
        A class that fewer hotels have is nearly empty: it cannot be cross-validated.

    Returns
    -------
    pandas.DataFrame
        A row per class: ``photos``, ``hotels``, ``top_up`` (photos missing to the target),
        ``nearly_empty``, and a column per source.

    Examples
    --------
    >>> photos = pd.DataFrame({"label": ["Pool"] * 6 + ["Foyer"], "hotel_id": list("abcdefg")})
    >>> balance(photos, target=5).reset_index()
       label  photos  hotels  top_up  nearly_empty
    0   Pool       6       6       0         False
    1  Foyer       1       1       4          True
    """
    catalog = check_table(catalog, needs=["label", "hotel_id"], where="balance", unique=False)
    labelled = catalog[catalog["label"].notna()]
    table = labelled.groupby("label").agg(photos=("label", "size"), hotels=("hotel_id", "nunique"))
    wanted = int(table["photos"].median()) if target is None and len(table) else target or 0
    table["top_up"] = (wanted - table["photos"]).clip(lower=0)
    table["nearly_empty"] = table["hotels"] < folds
    if "source" in labelled and labelled["source"].nunique() > 1:
        sources = pd.crosstab(labelled["label"], labelled["source"]).add_prefix("from ")
        table = table.join(sources.rename_axis(columns=None))
    return table.sort_values("photos", ascending=False, kind="stable")
