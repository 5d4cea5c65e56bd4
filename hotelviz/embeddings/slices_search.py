"""Which groups err more than chance, one after the other, and seen again on other hotels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hotelviz.embeddings.slices_candidates import Candidates
from hotelviz.embeddings.slices_statistics import excess_errors

#: Photos that each half of the hotels needs of a slice; how far two slices may overlap, in photos
#: of both over photos of either; and how often errors are shuffled for one candidate.
_IN_HALF, _OVERLAP, _CONFIRMING = 5, 0.5, 400


class Found(NamedTuple):
    """A candidate that errs more than chance.

    Attributes
    ----------
    number
        Of the candidate.
    p
        How often one of all candidates would be as far from chance with shuffled errors.
    p_other
        The same of this candidate alone, on the half of the hotels where it stands out less.
    other
        bool (n_photos,): the photos of that half.
    strata
        (n_photos,): what it was compared within, by area and by slices found before.
    """

    number: int
    p: float
    p_other: float
    other: np.ndarray
    strata: np.ndarray


def search(
    candidates: Candidates,
    errors: np.ndarray,
    strata: np.ndarray,
    hotels: np.ndarray,
    *,
    two_sided: bool,
    level: float,
    max_slices: int,
    n_shuffles: int,
    seed: int,
) -> list[Found]:
    """Find slices step by step, each beyond those that were found before it.

    Each step takes the candidate that stands out most against the largest of all candidates under
    shuffled errors, and that stands out on either half of the hotels by itself as well. Each of the
    two tests has half of `level`: shuffles imitate how alike a hotel's photos are, they do not know
    it. What a slice explains is then taken out: photos of it are compared with one another, and the
    others with the others.
    """
    members, left = candidates.members, np.ones(len(candidates.members), bool)
    halves = hotel_halves(hotels, seed)
    found: list[Found] = []
    while left.any() and len(found) < max_slices:
        numbers = np.flatnonzero(left)
        excess, by_chance = excess_errors(
            members[left], errors, strata, hotels,
            two_sided=two_sided, n_shuffles=n_shuffles, seed=seed,
        )  # fmt: skip
        largest = np.sort(by_chance.max(axis=1))
        as_far = n_shuffles - np.searchsorted(largest, excess)
        step = None
        # Of those that no shuffle comes near the one that explains most is the slice itself, the
        # others are parts of it, or hold it.
        for place in np.lexsort([-_explained(members[left], errors, strata), as_far]):
            p = float((1 + as_far[place]) / (1 + n_shuffles))
            if 2 * p > level or not np.isfinite(excess[place]):
                break
            number = int(numbers[place])
            p_other, other = _other_half(
                members[number], errors, strata, hotels, halves, two_sided=two_sided, seed=seed
            )
            if 2 * p_other <= level:
                step = Found(number, p, p_other, other, strata)
                break
            left[number] = False
        if step is None:
            break
        found.append(step)
        own = members[step.number]
        overlap = (members & own).sum(axis=1) / np.maximum((members | own).sum(axis=1), 1)
        family = candidates.family(step.number)
        left &= overlap <= _OVERLAP
        left &= [candidates.family(number) != family for number in range(len(members))]
        strata = np.unique(2 * strata + own, return_inverse=True)[1]
    return found


def hotel_halves(hotels: np.ndarray, seed: int) -> np.ndarray:
    """Return for each photo whether its hotel is in the first half: large and small ones in both.

    Examples
    --------
    >>> half = hotel_halves(np.array(["a", "a", "b", "b"]), 0)
    >>> bool(half[0] == half[1] != half[2] == half[3])
    True
    """
    random = np.random.default_rng(seed)
    hotel, sizes = np.unique(hotels, return_inverse=True, return_counts=True)[1:]
    order = random.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    # Of two hotels of about the same size one is in each half.
    coins = random.random((len(sizes) + 1) // 2) < 0.5
    sides = np.empty(len(sizes), bool)
    sides[order] = np.column_stack([coins, ~coins]).ravel()[: len(sizes)]
    return np.asarray(sides[hotel])


def _explained(members: np.ndarray, errors: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return how much of the squared errors within strata each group explains."""
    weight = np.maximum(np.bincount(strata), 1)
    residuals = errors - (np.bincount(strata, errors) / weight)[strata]
    of_stratum = np.zeros((len(strata), len(weight)), "float32")
    of_stratum[np.arange(len(strata)), strata] = 1
    sizes = members @ of_stratum
    spread = (sizes * (1 - sizes / weight)).sum(axis=1)
    return np.asarray((members @ residuals) ** 2 / np.maximum(spread, 1e-9))


def _other_half(
    own: np.ndarray,
    errors: np.ndarray,
    strata: np.ndarray,
    hotels: np.ndarray,
    halves: np.ndarray,
    *,
    two_sided: bool,
    seed: int,
) -> tuple[float, np.ndarray]:
    """Return how surely a slice stands out where it does so less, and which photos these are."""
    sign = 1.0
    if two_sided:
        # In both halves to the same side as in all.
        of_stratum = np.bincount(strata, errors) / np.maximum(np.bincount(strata), 1)
        sign = float(np.sign((errors - of_stratum[strata])[own].sum()))
    worst = (0.0, halves)
    for half in (halves, ~halves):
        p = 1.0
        if own[half].sum() >= _IN_HALF:
            excess, by_chance = excess_errors(
                own[None, half], sign * errors[half], strata[half], hotels[half],
                n_shuffles=_CONFIRMING, seed=seed,
            )  # fmt: skip
            p = float((1 + (by_chance[:, 0] >= excess[0]).sum()) / (1 + _CONFIRMING))
        worst = max(worst, (p, half), key=lambda pair: pair[0])
    return worst
