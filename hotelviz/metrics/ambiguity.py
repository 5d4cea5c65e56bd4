"""Which part of a tagger's error is ambiguity: photos of two areas, or on which labellers differ.

A photo is ambiguous where the catalogue names a second area (``label_2``) or its votes
(``votes_<Class>``) went to several classes. It is clear where they all went to one, two at least,
or, in a catalogue with second areas, where none is named. Of other photos it is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hotelviz.catalog import class_votes
from hotelviz.metrics.classification import in_top_k, judged_photos
from hotelviz.metrics.proportions import share_interval

#: Figures of `ambiguity` that are looked up by name.
EITHER = "right if either area counts"
OTHER_AREA = "errors that name the other area"
LABELLER = "a labeller, judged by the others"


def ambiguity(
    predictions: pd.DataFrame,
    *,
    classes: Sequence[str] | None = None,
    k: int = 2,
    min_share: float = 0.25,
) -> pd.DataFrame:
    """Compute how much of a tagger's error is ambiguity, with intervals.

    Parameters
    ----------
    predictions : pandas.DataFrame
        As for `hotelviz.metrics.summary`, and what the catalogue says beside the label.
    classes : sequence of str, optional
        The model's, as in `hotelviz.metrics.summary`.
    k : int, default 2
        Of the top-k accuracy, which is left out for a model of no more than k classes.
    min_share : float, default 0.25
        A class with this share of a photo's votes, 0 to 1, is an area of it.

    Returns
    -------
    pandas.DataFrame
        ``metric``, ``value``, ``low`` and ``high`` (95 % interval over hotels, see
        `hotelviz.metrics.share_interval`), and ``n_photos``, those that the share is of.
        ``top-1 accuracy`` and ``top-k accuracy`` always;
        where the catalogue has second areas or votes also the accuracy ``right if either area
        counts``; which share of the ``errors that name the other area``, and of ``errors on
        ambiguous photos``; the share of ``ambiguous photos``, and the accuracy on these and on
        clear ones; and of ``a labeller, judged by the others``, what `labeller_accuracy` says. What
        there is no photo of is left out.

    Raises
    ------
    MetricsError
        Missing labels, predictions or probabilities.
    CatalogError
        Votes that are none.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": ["Foyer", "Foyer", "Pool"], "label_2": ["Bar", None, None],
    ...                      "predicted": ["Bar", "Foyer", "Bar"], "p_Bar": [0.5, 0.2, 0.6],
    ...                      "p_Foyer": [0.4, 0.7, 0.3], "p_Pool": [0.1, 0.1, 0.1]})
    >>> ambiguity(tags).set_index("metric").loc[[EITHER, OTHER_AREA], "value"].round(2).to_list()
    [0.67, 0.5]
    """
    table, shares, true, predicted = judged_photos(predictions, classes, where="ambiguity")
    right = true == predicted
    whole = np.ones(len(table), dtype=bool)
    parts = {"top-1 accuracy": (right, whole)}
    if len(shares.columns) > k:
        parts[f"top-{k} accuracy"] = (in_top_k(true, shares, k=k), whole)
    other, ambiguous, clear = _areas(table, predicted, min_share)
    if ambiguous.any() or clear.any():
        either, known, wrong = right | other, ambiguous | clear, ~right
        parts |= {
            EITHER: (either, whole),
            OTHER_AREA: (either, wrong),
            "errors on ambiguous photos": (ambiguous, wrong & known),
            "ambiguous photos": (ambiguous, known),
            "top-1 accuracy on ambiguous photos": (right, ambiguous),
            "top-1 accuracy on clear photos": (right, clear),
        }
    labeller = labeller_accuracy(class_votes(table)).to_numpy()
    parts[LABELLER] = (labeller, ~np.isnan(labeller))
    return _with_intervals(parts, table.get("hotel_id"))


def labeller_accuracy(votes: pd.DataFrame) -> pd.Series:
    """Compute how often one labeller chooses what most of the others chose.

    That is what a person reaches who is judged as a tagger is, by a label that others gave: what a
    tagger's accuracy is to be held against. Judged by all votes, the labeller's own among them, it
    would be too high.

    Parameters
    ----------
    votes : pandas.DataFrame
        From `hotelviz.catalog.class_votes`: numbers of labellers.

    Returns
    -------
    pandas.Series
        Of each photo the mean over its labellers, 0 to 1; where the others are divided between
        some classes, choosing one of them is right by the share 1 / their number. Missing with
        fewer than two votes, and where only shares of votes are known.

    Examples
    --------
    >>> votes = pd.DataFrame({"Foyer": [2, 3, 1, 1], "Pool": [1, 0, 1, 0]})
    >>> labeller_accuracy(votes).round(2).to_list()
    [0.33, 1.0, 0.0, nan]
    """
    counts = votes.to_numpy(dtype=float, na_value=0)
    total = counts.sum(axis=1)
    usable = (total > 1) & (counts % 1 == 0).all(axis=1)
    right = np.zeros(len(counts))
    for place in range(counts.shape[1]):
        others = counts - np.eye(counts.shape[1])[place]
        leads = others == others.max(axis=1, keepdims=True)
        right += counts[:, place] * leads[:, place] / leads.sum(axis=1)
    return pd.Series(np.where(usable, right / np.maximum(total, 1), np.nan), votes.index)


def _areas(
    table: pd.DataFrame, predicted: np.ndarray, min_share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each photo whether its other area was predicted, it is ambiguous, it is clear."""
    none = np.zeros(len(table), dtype=bool)
    second = table["label_2"] if "label_2" in table else pd.Series(None, table.index, dtype="str")
    has_second = second.notna().to_numpy()
    votes = class_votes(table)
    counts = votes.to_numpy(dtype=float, na_value=0)
    total = counts.sum(axis=1)
    other = has_second & (second.to_numpy(dtype=object) == predicted)
    if len(votes.columns):
        chosen = votes.columns.get_indexer(pd.Index(predicted))
        share = counts[np.arange(len(table)), chosen] / np.maximum(total, 1e-9)
        other |= (chosen >= 0) & (total > 0) & (share >= min_share)
    ambiguous = has_second | ((counts > 0).sum(axis=1) > 1)
    unvoted = total == 0 if has_second.any() else none
    return other, ambiguous, ~ambiguous & ((total > 1) | unvoted)


def _with_intervals(
    parts: dict[str, tuple[np.ndarray, np.ndarray]], hotels: pd.Series | None
) -> pd.DataFrame:
    """Return means of values over those photos that they are of."""
    rows = []
    for name, (values, of) in parts.items():
        if of.any():
            groups = None if hotels is None else hotels.to_numpy()[of]
            rows.append((name, *share_interval(values[of], groups=groups), int(of.sum())))
    return pd.DataFrame(rows, columns=["metric", "value", "low", "high", "n_photos"])
