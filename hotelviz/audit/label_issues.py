"""Find labels that are probably wrong."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import keras
    from sklearn.linear_model import LogisticRegression

#: A label is an issue when the best other class is more probable by at least this.
MARGIN = 0.3


class LabelIssues(NamedTuple):
    """Labels, each judged by a linear model that was fitted to other hotels' photos.

    It has not seen the label; the network that gave the features may have: see
    `hotelviz.audit.seen_labels`.

    Attributes
    ----------
    rows
        The rows of the catalogue that were judged.
    classes
        What the columns of `probabilities` stand for.
    given
        int (n_rows,), the labels as numbers of `classes`.
    probabilities
        float (n_rows, n_classes), out of fold.
    quality
        float (n_rows,), cleanlab's normalised margin: (p of the given label - p of the best
        other + 1) / 2, 0 to 1, lower is worse.
    is_issue
        bool (n_rows,), whether the label is probably wrong.
    notes
        What could not be judged, and why.
    """

    rows: np.ndarray
    classes: tuple[str, ...]
    given: np.ndarray
    probabilities: np.ndarray
    quality: np.ndarray
    is_issue: np.ndarray
    notes: list[str]


def find_label_issues(
    vectors: np.ndarray,
    labels: pd.Series,
    groups: np.ndarray,
    *,
    n_folds: int = 5,
    margin: float = MARGIN,
    seed: int = 0,
) -> LabelIssues:
    """Judge each label by a linear model that was fitted to the other hotels' photos.

    The model is fitted twice: the second time without the photos that the first one, itself out of
    fold, would have labelled otherwise, since wrong labels teach it wrong.

    Parameters
    ----------
    vectors : float32 array of shape (n_photos, n_features)
        Of length 1 (see `hotelviz.embeddings.reduce_features`); NaN for photos that could
        not be read.
    labels : pandas.Series of length n_photos
        Missing ones are not judged.
    groups : array of length n_photos
        The hotel or group of duplicates of each photo; a fold has whole groups.
    n_folds : int, default 5
        A class that fewer groups have cannot be judged.
    margin : float, default 0.3
        A label is an issue when another class is more probable by at least this, 0 to 1.
    seed : int, default 0
        Of the folds.

    Returns
    -------
    LabelIssues

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 2021, arXiv 1911.00068; Kuan, Mueller:
    Model-agnostic label quality scoring, 2022 (the normalised margin). Computed by cleanlab.

    Examples
    --------
    >>> vectors = np.eye(2, dtype="float32")[[0] * 20 + [1] * 20]
    >>> labels = pd.Series(["Pool"] * 20 + ["Foyer"] * 20)
    >>> labels[0] = "Foyer"
    >>> found = find_label_issues(vectors, labels, np.arange(40) // 2)
    >>> found.rows[found.is_issue].tolist()
    [0]
    """
    from cleanlab.rank import get_label_quality_scores
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    labels = labels.reset_index(drop=True)
    usable = labels.notna().to_numpy() & np.isfinite(vectors).all(axis=1)
    n_groups = pd.Series(groups[usable]).groupby(labels[usable].to_numpy()).nunique()
    notes = [
        f"{name}: photos of {n_groups[name]} hotels (or groups of duplicates) are too few to "
        f"judge the label in {n_folds} folds"
        for name in n_groups.index[n_groups < n_folds]
    ]
    classes = tuple(map(str, n_groups.index[n_groups >= n_folds]))
    rows = np.flatnonzero(usable & labels.isin(classes))
    if len(classes) < 2:
        notes.append(f"{len(classes)} classes can be judged; labels need at least two")
        none, shares = np.zeros(0, int), np.zeros((0, len(classes)))
        return LabelIssues(none, classes, none, shares, np.zeros(0), np.zeros(0, bool), notes)
    given, chosen = labels[rows].map(classes.index).to_numpy(dtype=int), vectors[rows]
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)

    def out_of_fold(splits: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        model = _linear_model()
        shares = cross_val_predict(model, chosen, given, cv=splits, method="predict_proba")
        return np.asarray(shares, dtype=float)

    with warnings.catch_warnings():
        # A fold that happens to hold all photos of a class leaves none to learn it from.
        warnings.filterwarnings("ignore", message="The least populated class|Number of classes in")
        splits = list(splitter.split(chosen, given, groups[rows]))
        probabilities = out_of_fold(splits)
        agreed = probabilities.argmax(axis=1) == given
        if len(set(given[agreed])) == len(classes):
            splits = [(learned[agreed[learned]], asked) for learned, asked in splits]
            probabilities = out_of_fold(splits)
    quality = get_label_quality_scores(given, probabilities, method="normalized_margin")
    is_issue = quality <= (1 - margin) / 2
    return LabelIssues(rows, classes, given, probabilities, quality, is_issue, notes)


def _linear_model() -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    # The penalty is for vectors of length 1.
    return LogisticRegression(C=3.0, class_weight="balanced", max_iter=300)


def label_noise_matrix(found: LabelIssues) -> pd.DataFrame:
    """Estimate which classes are mislabelled as which.

    Parameters
    ----------
    found : LabelIssues
        From `find_label_issues`.

    Returns
    -------
    pandas.DataFrame
        ``label``, ``suggestion``, ``photos`` (with the issue) and ``estimated`` (photos, by
        confident learning's joint distribution of given and true labels), the most first.

    Examples
    --------
    >>> vectors = np.eye(2, dtype="float32")[[0] * 20 + [1] * 20]
    >>> labels = pd.Series(["Foyer"] + ["Pool"] * 19 + ["Foyer"] * 20)
    >>> found = find_label_issues(vectors, labels, np.arange(40) // 2)
    >>> label_noise_matrix(found)[["label", "suggestion", "photos"]].values.tolist()
    [['Foyer', 'Pool', 1]]
    """
    from cleanlab.count import estimate_joint

    if not len(found.rows):
        return pd.DataFrame(columns=["label", "suggestion", "photos", "estimated"])
    joint = estimate_joint(found.given, found.probabilities) * len(found.given)
    np.fill_diagonal(joint, 0)
    wrong = suggested_labels(found)[found.is_issue]
    pairs = pd.MultiIndex.from_product([found.classes] * 2, names=["label", "suggestion"])
    table = pd.DataFrame({"photos": wrong[pairs.names].value_counts()}, pairs).fillna(0)
    table = table.astype(int).assign(estimated=joint.ravel()).reset_index()
    table = table[(table["photos"] > 0) | (table["estimated"] >= 0.5)].round({"estimated": 1})
    return table.sort_values(["photos", "estimated"], ascending=False, ignore_index=True)


def suggested_labels(found: LabelIssues) -> pd.DataFrame:
    """Return the best other class of each judged photo, and how probable both are.

    Parameters
    ----------
    found : LabelIssues
        From `find_label_issues`.

    Returns
    -------
    pandas.DataFrame
        A row per judged photo: ``row``, ``label``, ``suggestion``, ``p_suggestion``, ``p_given``.

    Examples
    --------
    >>> vectors = np.eye(2, dtype="float32")[[0] * 20 + [1] * 20]
    >>> labels = pd.Series(["Foyer"] + ["Pool"] * 19 + ["Foyer"] * 20)
    >>> found = find_label_issues(vectors, labels, np.arange(40) // 2)
    >>> suggested_labels(found).loc[0, ["label", "suggestion"]].to_list()
    ['Foyer', 'Pool']
    """
    numbers, others = np.arange(len(found.rows)), found.probabilities.copy()
    others[numbers, found.given] = -1
    best = others.argmax(axis=1) if len(others) else found.given
    classes = np.array(found.classes, dtype=object)
    return pd.DataFrame(
        {
            "row": found.rows,
            "label": classes[found.given],
            "suggestion": classes[best],
            "p_suggestion": found.probabilities[numbers, best],
            "p_given": found.probabilities[numbers, found.given],
        }
    )


def label_issue_rows(
    found: LabelIssues, copies: pd.DataFrame, *, margin: float = MARGIN
) -> pd.DataFrame:
    """Return the issues of labels: ``row``, ``issue``, ``score`` and so on.

    Of copies with different labels (see `find_duplicates`) one label must be wrong. That of a copy
    which is more probable than any other class by the margin is held to be right, unless this would
    clear all copies of the photo.
    """
    table = suggested_labels(found)
    torn = copies[copies["spans"].str.contains("labels")]
    table["group"] = table["row"].map(torn.set_index("row")["group"]).fillna("")
    impossible = table["group"] != ""
    doubtful = impossible & (found.quality < (1 + margin) / 2)
    cleared = ~doubtful.groupby(table["group"]).transform("any")
    # Certain before probable: below all that is only probable.
    table["score"] = pd.Series(found.quality, table.index).mask(impossible, found.quality * 1e-3)
    detail = (
        "given " + table["label"] + table["p_given"].map(" {:.2f}".format)
        + ", rather " + table["suggestion"] + table["p_suggestion"].map(" {:.2f}".format)
    )  # fmt: skip
    table["detail"] = detail.mask(impossible, detail + "; a copy of the photo has another label")
    likelier = table["p_suggestion"] > table["p_given"]
    table["suggestion"] = ("relabel:" + table["suggestion"]).where(likelier, "look")
    chosen = table[found.is_issue | doubtful | (impossible & cleared)].assign(issue="label_error")
    return chosen[["row", "issue", "score", "group", "suggestion", "detail"]]


def label_issue_tagger(model: keras.Model, features: np.ndarray, found: LabelIssues) -> keras.Model:
    """Build a tagger of the features' network and a linear head, to see why a label is an issue.

    Parameters
    ----------
    model : keras.Model
        The one that gave the features.
    features : float array of shape (n_photos, n_features)
        Of the catalogue's photos.
    found : LabelIssues
        From `find_label_issues`; the head is fitted to the labels that are no issue.

    Returns
    -------
    keras.Model
        For class activation maps. Its head saw centred vectors of length 1, its network does not
        scale them: the maps are right, the probabilities roughly so.
    """
    import keras

    from hotelviz.models import clone_for_task

    rows = found.rows[~found.is_issue]
    middle = features[rows].mean(axis=0)
    vectors = features[rows] - middle
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    fitted = _linear_model().fit(vectors / np.maximum(length, 1e-12), found.given[~found.is_issue])
    kernel = np.zeros((vectors.shape[1], len(found.classes)), "float32")
    bias = np.full(len(found.classes), -30.0, "float32")
    weights, offsets = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn keeps one row for two classes
        weights, offsets = np.concatenate([-weights, weights]) / 2, np.array([-1, 1]) * offsets / 2
    kernel[:, fitted.classes_], bias[fitted.classes_] = weights.T, offsets
    tagger = clone_for_task(model, task="tagger", classes=found.classes)
    dense = next(layer for layer in tagger.layers[::-1] if isinstance(layer, keras.layers.Dense))
    kernel /= length.mean()
    dense.set_weights([kernel, bias - middle @ kernel])
    return tagger
