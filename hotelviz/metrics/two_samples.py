"""Whether a classifier can tell the photos of two deliveries apart, hotels kept whole."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from hotelviz.metrics.jackknife import jackknife_table
from hotelviz.metrics.proportions import share_interval
from hotelviz.metrics.shifts import deal_units

#: Principal components of the features that are looked at.
_COMPONENTS = 64
_FOLDS = 5
#: What errors of a mean over folds are larger by than those of one test: two hotels of different
#: folds meet twice, when the one is learned from and the other judged, and the other way round.
_COUNTED_TWICE = 2**0.5
#: Values of a property that trees tell apart: as many as scikit-learn does.
_BINS = 255
#: Photos that say which classifier is right where it is surest.
_SUREST = 40


class TwoSamples(NamedTuple):
    """How well a classifier tells two deliveries apart.

    Attributes
    ----------
    accuracy
        Of photos of hotels that it has not seen, both deliveries counting half: 0.5 by chance.
    low, high, standard_error
        Its interval over hotels.
    p_value
        That it is no better than chance.
    unlike
        (n_current,), how much more likely each photo of the current delivery is there than in the
        reference, as a logarithm, by a classifier that has not seen its hotel; missing where the
        photo has no properties.
    n_photos, n_hotels
        That were judged.
    by
        ``features`` or ``properties``: what the classifier looks at that `accuracy` is of.
    unlike_by
        Likewise, of `unlike`: the classifier whose surest photos are most often current ones.
    """

    accuracy: float
    low: float
    high: float
    standard_error: float
    p_value: float
    unlike: np.ndarray
    n_photos: int
    n_hotels: int
    by: str
    unlike_by: str


@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def classifier_test(
    reference: np.ndarray,
    current: np.ndarray,
    hotels: tuple[pd.Series, pd.Series],
    *,
    features: tuple[np.ndarray, np.ndarray] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> TwoSamples:
    """Train a classifier to tell two deliveries apart, and judge it on hotels that it has not seen.

    Parameters
    ----------
    reference, current : numpy.ndarray
        (n_photos, n_properties): numbers, such as those of `hotelviz.embeddings.photo_properties`.
        Missing where a photo could not be read; such photos are left out.
    hotels : tuple of pandas.Series
        The hotel of each photo, of both deliveries.
    features : tuple of numpy.ndarray, optional
        What a network sees in each photo, (n_photos, n_features), of both deliveries.
    level : float, default 0.95
        Of the interval.
    seed : int, default 0
        Of the folds.

    Returns
    -------
    TwoSamples

    Raises
    ------
    MetricsError
        Fewer than two hotels with photos that could be read in a delivery.

    Notes
    -----
    Two classifiers: logistic regression on the principal components of the features, which see
    what photos are of; and boosted trees on the properties, which see a few photos within a narrow
    range. The accuracy is that of the surer one, its p corrected for the choice. Which photos are
    unlike is said by the one of whose surest photos, of both deliveries, most are current: a few
    photos that are wholly unlike the others hardly count in an accuracy. Folds keep hotels whole,
    and the two halves of a hotel that is in both deliveries.

    Of a mean over folds the error is larger than over as many hotels of one test, by the root of
    two where the classifier is linear and there is nothing to find (``benchmarks/drift.py``): two
    hotels of different folds are compared twice. Intervals and p are those of that error, so that
    where the deliveries are far apart the interval is wider than it need be.

    References
    ----------
    Lopez-Paz and Oquab: Revisiting Classifier Two-Sample Tests, ICLR 2017.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> light, hotels = random.normal(size=(400, 1)), pd.Series(np.arange(400) // 4)
    >>> found = classifier_test(light[:200], light[200:] + 3, (hotels[:200], hotels[200:]))
    >>> bool(found.low > 0.85), bool(found.p_value < 0.001)
    (True, True)
    """
    from sklearn.model_selection import StratifiedGroupKFold

    both = np.vstack([reference, current]).astype(float)
    whole = np.isfinite(both).all(axis=1)
    seen = None if features is None else np.vstack(features).astype("float32")
    if seen is not None:
        whole &= np.isfinite(seen).all(axis=1)
        seen = seen[whole]
    side, n = np.arange(len(both)) >= len(reference), len(reference)
    owners = [one.reset_index(drop=True)[part] for one, part in
              zip(hotels, (whole[:n], whole[n:]), strict=True)]  # fmt: skip
    deal_units(*owners)
    groups = pd.factorize(pd.concat(owners))[0]
    both, side = both[whole], side[whole]
    n_folds = min(_FOLDS, *(one.nunique() for one in owners))
    cut = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(both, side, groups)
    # A fold that holds all hotels of a delivery leaves nothing to learn from.
    folds = [(fitted, judged) for fitted, judged in cut if len(np.unique(side[fitted])) == 2]
    looked_at = {"properties": (_trees(seed), both)}
    if seen is not None and np.ptp(seen, axis=0).any():
        most = min(_COMPONENTS, seen.shape[1], *(len(fitted) for fitted, _ in folds))
        looked_at["features"] = (_regression(most), seen)
    found, pure = [], []
    for name, (classifier, values) in looked_at.items():
        margins = np.zeros(len(side))
        for fitted, judged in folds:
            seen_as = _places(values, fitted, side) if name == "properties" else values
            classifier.fit(seen_as[fitted], side[fitted])
            margins[judged] = classifier.decision_function(seen_as[judged])
        unlike = np.full(len(current), np.nan)
        unlike[whole[n:]] = margins[side]
        row = _accuracy(margins, side, groups, level, seed)
        p_value = min(1.0, len(looked_at) * float(row["p_value"]))
        found.append(TwoSamples(
            0.5 + row["value"], 0.5 + row["low"], 0.5 + row["high"], row["standard_error"],
            p_value, unlike, len(both), len(np.unique(groups)), name, name,
        ))  # fmt: skip
        pure.append((_purity(margins, side), row["value"]))
    surer = min(found, key=lambda one: (one.p_value, -one.accuracy))
    shown = found[max(range(len(found)), key=pure.__getitem__)]
    return surer._replace(unlike=shown.unlike, unlike_by=shown.by)


def _purity(margins: np.ndarray, side: np.ndarray) -> float:
    """Return how many of the photos that are surest taken for current ones are such."""
    top = side[np.argsort(-margins, kind="stable")[:_SUREST]]
    shares = [(top == one).sum() / max(1, (side == one).sum()) for one in (False, True)]
    return float(shares[1] / max(sum(shares), 1e-12))


def _accuracy(
    margins: np.ndarray, side: np.ndarray, groups: np.ndarray, level: float, seed: int
) -> pd.Series:
    """Return by how much photos are told apart better than by chance, over hotels; one-sided."""
    from scipy import stats

    right = np.where(margins == 0, 0.5, (margins > 0) == side)

    def beyond(rows: np.ndarray) -> dict[str, float]:
        sides = [right[rows][side[rows] == one] for one in (False, True)]
        if not all(map(len, sides)):
            return {"c2st": np.nan}
        return {"c2st": float(sum(one.mean() for one in sides) / 2 - 0.5)}

    row = jackknife_table(beyond, len(side), groups=groups, level=level, seed=seed).iloc[0].copy()
    for name in ("low", "high"):
        row[name] = row["value"] + _COUNTED_TWICE * (row[name] - row["value"])
    row["standard_error"] *= _COUNTED_TWICE
    if not np.isfinite(row["low"]):
        # All are told apart: the jackknife knows no interval of that.
        sides = [share_interval(right[side == one], groups=groups[side == one], level=level)
                 for one in (False, True)]  # fmt: skip
        row["low"], row["high"] = (
            sum(one[end] for one in sides) / 2 - 0.5 for end in (1, 2)
        )  # fmt: skip
        row["standard_error"] = (row["high"] - row["low"]) / 4
    row["low"], row["high"] = max(-0.5, row["low"]), min(0.5, row["high"])
    # One-sided: worse than chance is chance. Never less than signs of so many hotels can tell.
    deviations = row["value"] / row["standard_error"] if row["standard_error"] else 0.0
    p_value = stats.t.sf(deviations, row["n_groups"] - 1)
    row["p_value"] = max(float(p_value), 2.0 ** (1 - row["n_groups"]))
    return row


def _places(values: np.ndarray, fitted: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Return properties as their places among quantiles of photos that are learned from.

    Trees ask for no more, and both deliveries count half in them. Left to scikit-learn, finding
    these quantiles takes ten times as long as growing the trees.
    """
    share = side[fitted].mean()
    weights = np.where(side[fitted], 1 / share, 1 / (1 - share))
    levels = np.linspace(0, 1, _BINS + 1)[1:-1]
    places = np.empty(values.shape)
    for number, (known, every) in enumerate(zip(values[fitted].T, values.T, strict=True)):
        ends = np.unique(known)
        if len(ends) > _BINS:
            ends = np.unique(np.quantile(known, levels, weights=weights, method="inverted_cdf"))
        else:
            # Between the values, as scikit-learn does: others are as the nearest one.
            ends = (ends[1:] + ends[:-1]) / 2
        places[:, number] = np.searchsorted(ends, every)
    return places


def _regression(n_components: int) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(), PCA(n_components, svd_solver="covariance_eigh"), StandardScaler(),
        LogisticRegression(C=0.01, class_weight="balanced", max_iter=300),
    )  # fmt: skip


def _trees(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=60, max_leaf_nodes=8, early_stopping=False,
        class_weight="balanced", random_state=seed,
    )  # fmt: skip
