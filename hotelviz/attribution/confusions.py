"""The photos of one confusion, and what speaks for the wrong class and for the right one in them.

What they have in common, `hotelviz.concepts.find_shortcuts` says, of all confusions at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.attribution.maps import explain
from hotelviz.attribution.photos import read_pixels
from hotelviz.attribution.targets import Target
from hotelviz.catalog import check_table
from hotelviz.errors import AttributionError
from hotelviz.metrics import misclassified

if TYPE_CHECKING:
    import keras


class Confusion(NamedTuple):
    """What `explain_confusion` returns.

    Attributes
    ----------
    true, predicted
        The pair of classes.
    photos
        The wrongly predicted photos: the rows of the predictions, the most confident first.
    maps
        ``predicted``, ``true`` and ``difference`` -> float32 (photos, height, width): what speaks
        for the one class, for the other, and for the first rather than the second.
    """

    true: str
    predicted: str
    photos: pd.DataFrame
    maps: dict[str, np.ndarray]


def explain_confusion(
    model: keras.Model,
    predictions: pd.DataFrame,
    *,
    true: str,
    predicted: str,
    max_photos: int = 100,
) -> Confusion:
    """Return the photos of one class that are predicted as another, with what speaks for that.

    Parameters
    ----------
    model
        A tagger.
    predictions
        ``path``, ``label`` and ``predicted``; with ``p_<class>`` the most confident errors come
        first.
    true, predicted
        The confusion: the label of the photos, and what the model predicts.
    max_photos
        Errors that are looked at, at most.

    Returns
    -------
    Confusion
        Without photos when there is no such error.

    Raises
    ------
    AttributionError
        A class that the model does not know.
    CatalogError
        A column that is missing.

    See Also
    --------
    hotelviz.concepts.find_shortcuts : What the photos of confusions have in common.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bathroom", "Pool"], input_size=64, weights=None)
    >>> right = pd.DataFrame({"path": ["a.jpg"], "label": ["Pool"], "predicted": ["Pool"]})
    >>> len(explain_confusion(tagger, right, true="Pool", predicted="Bathroom").photos)
    0
    """
    from hotelviz.models import model_info

    needs = ["path", "label", "predicted"]
    predictions = check_table(predictions, needs=needs, where="explain_confusion")
    if max_photos < 1:
        raise AttributionError(f"at least one photo is needed, not max_photos={max_photos}")
    pair = (predicted, true)
    size = model_info(model).preprocessing.size
    # Refuses classes that the model does not know, even when there is no such error.
    explain(model, np.zeros((0, *size, 3), "uint8"), pair)
    pair_rows = (predictions["label"] == true) & (predictions["predicted"] == predicted)
    wrong = misclassified(predictions[pair_rows]).head(max_photos).reset_index(drop=True)
    pixels, rows = read_pixels(model, wrong["path"])
    wrong = wrong.iloc[rows].reset_index(drop=True)
    targets: dict[str, Target] = {"predicted": predicted, "true": true, "difference": pair}
    maps = {name: explain(model, pixels, target) for name, target in targets.items()}
    return Confusion(true, predicted, wrong, maps)


def explain_confusions(
    model: keras.Model,
    predictions: pd.DataFrame,
    gaps: pd.DataFrame,
    pair: Sequence[str] = (),
    *,
    n_confusions: int = 3,
) -> list[Confusion]:
    """Explain the confusions of the largest confidence gaps, or the one that is asked for.

    Parameters
    ----------
    model, predictions
        As in `explain_confusion`.
    gaps
        From `hotelviz.metrics.confusions`, in the order in which they are to be explained. Labels
        that the model does not know have no evidence of their own, and are passed over.
    pair
        The label and the prediction of the one confusion to explain; empty for those of `gaps`.
    n_confusions
        How many of `gaps`.

    Returns
    -------
    list of Confusion

    Examples
    --------
    >>> from hotelviz.metrics import confusions
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bathroom", "Pool"], input_size=64, weights=None)
    >>> tags = pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"], "label": ["Pool"],
    ...                      "predicted": ["Bathroom"]})
    >>> explained = explain_confusions(tagger, tags, confusions(tags))
    >>> [(one.true, one.predicted, len(one.photos)) for one in explained]  # nobody has a.jpg
    [('Pool', 'Bathroom', 0)]
    """
    from hotelviz.models import model_info

    known = gaps[gaps["label"].isin(model_info(model).classes)].head(n_confusions)
    pairs = [tuple(pair)] if pair else zip(known["label"], known["predicted"], strict=True)
    return [
        explain_confusion(model, predictions, true=true, predicted=predicted)
        for true, predicted in pairs
    ]
