"""How many concepts: whether they are found again, and what they leave of other hotels' logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from hotelviz.concepts.coefficients import coefficients, error_readers
from hotelviz.concepts.head import split
from hotelviz.concepts.nmf import Metric, factorised
from hotelviz.images import usable_cores

if TYPE_CHECKING:
    from hotelviz.concepts.head import Head
    from hotelviz.concepts.sample import Sample

#: A number of concepts is stable where those of one half of the hotels have their like in the
#: other: median cosine of matched pairs, at least. And it explains where no more than this share of
#: a logit is left.
STABLE, LEFT = 0.8, 0.1


# Several numbers are judged side by side, each by one thread.
@threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]
def judged(
    head: Head, sample: Sample, metric: Metric, numbers: Sequence[int], seed: int
) -> pd.DataFrame:
    """Return how stable numbers of concepts are, and what share of logits they leave.

    Both are of concepts found in one half of the hotels and in the other: the median cosine of
    matched pairs, and the size of the residual as a share of the logit's, in photos of the half
    that they were not found in.
    """
    groups = np.unique(sample.groups)
    dealt = np.random.default_rng(seed).permutation(groups)
    first = dealt[: (len(dealt) + 1) // 2]
    halves = [np.isin(sample.groups, first), ~np.isin(sample.groups, first)]
    others = [~np.isin(sample.whole_groups, first), np.isin(sample.whole_groups, first)]
    fewest = min(int(half.sum()) for half in halves)

    def judge(n_concepts: int) -> dict[str, float]:
        row = {"n_concepts": n_concepts, "stability": np.nan, "residual": np.nan}
        if fewest >= n_concepts:
            found = [factorised(sample.cells[half], metric, n_concepts, seed) for half in halves]
            row["stability"] = float(np.median(matched_cosines(*found)))
            left = [
                share_left(head, sample.whole[other], one, metric)
                for one, other in zip(found, others, strict=True)
                if other.any()
            ]
            row["residual"] = float(np.mean(left)) if left else np.nan
        return row

    # The largest first, so that none is waited for at the end.
    order = sorted(numbers, reverse=True)
    rows = Parallel(n_jobs=usable_cores(), prefer="threads")(delayed(judge)(n) for n in order)
    return pd.DataFrame(rows).sort_values("n_concepts").reset_index(drop=True)


def matched_cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the cosines of components of length 1, matched one to one for the largest sum."""
    from scipy.optimize import linear_sum_assignment

    cosines = one @ other.T
    return np.asarray(cosines[linear_sum_assignment(cosines, maximize=True)])


def share_left(head: Head, features: np.ndarray, components: np.ndarray, metric: Metric) -> float:
    """Return the size of the residual of the largest logit, as a share of that logit's.

    Both less their mean over the outputs, which softmax does not see, and the logit less its bias.
    """
    found = coefficients(features, components, error_readers(components, *metric))
    parts = split(head, features, found, components)
    return residual_share(parts.evidence, parts.residual)


def residual_share(evidence: np.ndarray, residual: np.ndarray) -> float:
    """Return the mean size of the residual of the largest logit, as a share of that logit's."""
    left = residual - residual.mean(axis=1, keepdims=True)
    whole = evidence.sum(axis=1) + residual
    whole = whole - whole.mean(axis=1, keepdims=True)
    rows, top = np.arange(len(whole)), whole.argmax(axis=1)
    size = np.abs(whole[rows, top]).mean()
    return float(np.abs(left[rows, top]).mean() / size) if size > 0 else float("nan")


def chosen(choice: pd.DataFrame) -> int:
    """Return the number of concepts that is taken, of those that were tried."""
    stable = choice[choice["stability"] >= STABLE]
    enough = stable[stable["residual"] <= LEFT]
    if len(enough):
        best = enough.sort_values("n_concepts")
    elif len(stable):
        best = stable.sort_values("residual")
    else:
        best = choice.sort_values("stability", ascending=False, na_position="last")
    return int(best["n_concepts"].iloc[0])
