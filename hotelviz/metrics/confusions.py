"""Which classes a tagger confuses, and the photos that it gets wrong.

A confusion is a pair of classes: the ``label`` of a photo and another one as which it is
``predicted``. Photos without either are in no confusion.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.errors import MetricsError
from hotelviz.scores.predictions import class_probabilities

_NEEDS = ["label", "predicted"]


def confusions(
    predictions: pd.DataFrame, *, by: Literal["n_photos", "confidence_gap"] = "n_photos"
) -> pd.DataFrame:
    """Return the pairs of classes that are confused, a row per pair.

    Parameters
    ----------
    predictions
        A row per photo with ``label``, ``predicted`` and, for confidence gaps, ``p_<class>``.
    by
        What comes first: the pairs with most photos, or with the largest confidence gap. Few
        errors of which the model is sure may weigh more than many of which it is not.

    Returns
    -------
    pandas.DataFrame
        ``label``, ``predicted``, ``n_photos``, ``share`` (of the photos of that label, 0 to 1) and
        ``confidence_gap``: summed over the photos, the probability of the wrong class less that of
        the right one; missing where the table has no probabilities.

    Raises
    ------
    CatalogError
        A column that is missing, or a photo that stands there twice.
    MetricsError
        `by` is ``confidence_gap``, but the table has no probabilities.

    See Also
    --------
    misclassified : the photos themselves.
    confusion_matrix : all pairs, those that are right included.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["Pool", "Pool"], "predicted": ["Bed", "Pool"],
    ...                      "p_Pool": [0.25, 0.9], "p_Bed": [0.75, 0.1]})
    >>> confusions(tags)
      label predicted  n_photos  share  confidence_gap
    0  Pool       Bed         1    0.5             0.5
    """
    ids = ["image_id"] if "image_id" in predictions else []
    table = check_table(predictions, needs=[*ids, *_NEEDS], where="confusions")
    wrong = misclassified(table)
    if by == "confidence_gap" and len(wrong) and wrong["confidence_gap"].isna().all():
        raise MetricsError(
            "the table has no probabilities: columns p_<class>, of each class that is predicted"
        )
    pairs = wrong.groupby(_NEEDS, as_index=False).agg(
        n_photos=("confidence_gap", "size"),
        confidence_gap=("confidence_gap", lambda gaps: gaps.sum(min_count=1)),
    )
    n_labelled = table.loc[table["predicted"].notna(), "label"].value_counts()
    pairs.insert(3, "share", pairs["n_photos"] / pairs["label"].map(n_labelled).astype(float))
    order = list(dict.fromkeys([by, "n_photos", "share"]))
    return pairs.sort_values(order, ascending=False, ignore_index=True, kind="stable")


def misclassified(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the wrong predictions: the most frequent confusion, in it the most confident first.

    Parameters
    ----------
    predictions
        With ``label``, ``predicted`` and ``p_<class>``. Without probabilities the photos of a
        confusion keep their order.

    Returns
    -------
    pandas.DataFrame
        The rows with three more columns: ``confusion``, such as ``Pool predicted as Bathroom``;
        ``confidence``, the probability of the wrong class; and ``confidence_gap``, how much higher
        it is than that of the right class. A label that the model does not know has none, which
        counts as 0; both are missing where the table has no probabilities.

    Raises
    ------
    CatalogError
        A column that is missing.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "a", "b"], "predicted": ["b", "a", "b"],
    ...                      "p_a": [0.25, 0.9, 0.1], "p_b": [0.75, 0.1, 0.9]})
    >>> misclassified(tags)[["confusion", "confidence", "confidence_gap"]]
              confusion  confidence  confidence_gap
    0  a predicted as b        0.75             0.5
    """
    table = check_table(predictions, needs=_NEEDS, where="misclassified", unique=False)
    names = confusion_names(table)
    wrong = names.notna().to_numpy()
    shares, found = class_probabilities(table)[wrong], table[wrong]
    confidence = _probability(shares, found["predicted"])
    found = found.assign(
        confusion=names[wrong],
        confidence=confidence,
        confidence_gap=confidence - _probability(shares, found["label"]),
        _n_photos=found.groupby(_NEEDS)["label"].transform("size"),
    )
    order = ["_n_photos", "confusion", "confidence"]
    found = found.sort_values(order, ascending=[False, True, False], kind="stable")
    return found.drop(columns="_n_photos")


def correctly_classified(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the right predictions with their ``confidence``, the most confident first.

    Parameters
    ----------
    predictions
        With ``label``, ``predicted`` and ``p_<class>``, as for `misclassified`.

    Returns
    -------
    pandas.DataFrame
        The rows of the photos whose predicted class is the label, with ``confidence``, 0 to 1.

    Raises
    ------
    CatalogError
        A column that is missing.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["a", "a", "b"], "predicted": ["a", "b", "b"],
    ...                      "p_a": [0.6, 0.1, 0.1], "p_b": [0.4, 0.9, 0.9]})
    >>> correctly_classified(tags)["confidence"].to_list()
    [0.9, 0.6]
    """
    table = check_table(predictions, needs=_NEEDS, where="correctly_classified", unique=False)
    right = table["label"].eq(table["predicted"])
    found, shares = table[right], class_probabilities(table)[right]
    found = found.assign(confidence=_probability(shares, found["predicted"]))
    return found.sort_values("confidence", ascending=False, kind="stable")


def confusion_names(predictions: pd.DataFrame) -> pd.Series:
    """Return the name of the confusion that each photo is in.

    Parameters
    ----------
    predictions
        With ``label`` and ``predicted``.

    Returns
    -------
    pandas.Series
        Text such as ``Pool predicted as Bathroom``; missing where the prediction is right, or the
        label or the prediction is missing.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["Pool", "Bar", None], "predicted": ["Spa", "Bar", "Bar"]})
    >>> confusion_names(tags).to_list()
    ['Pool predicted as Spa', nan, nan]
    """
    label, predicted = (predictions[name].astype("str") for name in _NEEDS)
    return (label + " predicted as " + predicted).where(label != predicted)


def _probability(shares: pd.DataFrame, classes: pd.Series) -> np.ndarray:
    """Return the probability of each photo's class; 0 of a class that the model does not know."""
    if shares.shape[1] == 0:
        return np.full(len(classes), np.nan)
    columns = shares.columns.get_indexer(pd.Index(classes))
    values = shares.to_numpy(dtype=float)[np.arange(len(classes)), columns]
    return np.where(columns < 0, 0.0, values)
