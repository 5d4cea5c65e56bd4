"""What training made of concepts: those of two models, matched over the same photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.concepts.activity import as_activity, concept_activity
from hotelviz.concepts.factorisation import Concepts
from hotelviz.errors import ConceptError

if TYPE_CHECKING:
    from hotelviz.concepts.activity import ConceptActivity

#: A concept is kept where its strength in photos correlates with its match's: half of what it does
#: is then explained by what it did.
KEPT = 0.7


def match_concepts(
    original: Concepts,
    tuned: Concepts,
    photos: pd.DataFrame | tuple[ConceptActivity, ConceptActivity],
) -> pd.DataFrame:
    """Match the concepts of a model with those of the one that was trained from it.

    Parameters
    ----------
    original, tuned
        From `find_concepts`, of either model.
    photos
        As in `concept_activity`: both models look at the same; or what that returned for either.

    Returns
    -------
    pandas.DataFrame
        A row per concept, or pair of them: ``original`` and ``tuned``, their numbers (missing for
        one without a match); ``correlation`` of their strengths over the photos; ``status``:
        ``kept`` where it is at least 0.7, else the one is ``lost`` and the other ``new``, in rows
        of their own, with the correlation of the most similar one of the other model. Concepts
        that are in none of the photos have no correlation.

    Raises
    ------
    ConceptError
        Fewer than three photos that both can read.

    Notes
    -----
    Pairs are those of the largest sum of correlations (the Hungarian method, scipy's
    `linear_sum_assignment`).

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.concepts import find_concepts
    >>> from hotelviz.demo import make_demo_catalog
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(8, 5, activation="relu"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bedroom", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128))
    >>> concepts = find_concepts(small, photos, 2, progress=False)
    >>> match_concepts(concepts, concepts, photos)["status"].to_list()
    ['kept', 'kept']
    """
    from scipy.optimize import linear_sum_assignment

    if isinstance(photos, tuple):
        one, other = (as_activity(*each) for each in zip((original, tuned), photos, strict=True))
    else:
        one, other = (concept_activity(each, photos, progress=False) for each in (original, tuned))
    names = [activity.photos["image_id"] for activity in (one, other)]
    both = pd.Index(names[0]).intersection(pd.Index(names[1]))
    if len(both) < 3:
        raise ConceptError(
            f"both models were shown {len(both)} photos in common; a correlation takes three"
        )
    strengths = [
        activity.strength[pd.Index(own).get_indexer(both)]
        for activity, own in zip((one, other), names, strict=True)
    ]
    likeness = _correlations(*strengths)
    # What is nowhere has no like: it is matched last.
    pairs = zip(*linear_sum_assignment(np.nan_to_num(likeness, nan=-2.0), maximize=True),
                strict=True)  # fmt: skip
    kept = {int(i): int(j) for i, j in pairs if likeness[i, j] >= KEPT}
    rows: list[Any] = [(i, j, likeness[i, j], "kept") for i, j in kept.items()]
    rows += [
        (i, None, _largest(likeness[i]), "lost") for i in range(len(original)) if i not in kept
    ]
    new = sorted(set(range(len(tuned))) - set(kept.values()))
    rows += [(None, j, _largest(likeness[:, j]), "new") for j in new]
    table = pd.DataFrame(rows, columns=["original", "tuned", "correlation", "status"])
    return table.astype({"original": "Int64", "tuned": "Int64", "correlation": float})


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the correlations of columns; NaN for one that is the same in all rows."""
    scaled = []
    for values in (one.astype("float64"), other.astype("float64")):
        centred = values - values.mean(axis=0)
        norms = np.linalg.norm(centred, axis=0)
        scaled.append(centred / np.where(norms > 1e-12, norms, np.nan))
    return np.asarray(scaled[0].T @ scaled[1])


def _largest(values: np.ndarray) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")
