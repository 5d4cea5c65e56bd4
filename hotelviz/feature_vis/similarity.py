"""How alike the activations of two networks are: correlations, and linear CKA."""

from __future__ import annotations

import numpy as np


class PairedSums:
    """Sums over examples, from which correlations and CKA follow; examples are not kept.

    Parameters
    ----------
    n_channels
        Of the activations, the same before and after.
    """

    def __init__(self, n_channels: int) -> None:
        self.count = 0
        self.means = np.zeros((2, n_channels))
        self.products = np.zeros((3, n_channels, n_channels))

    def add(self, before: np.ndarray, after: np.ndarray) -> None:
        """Add activations of the same places, (..., n_channels)."""
        sides = [side.reshape(-1, side.shape[-1]).astype("float64") for side in (before, after)]
        self.count += len(sides[0])
        self.means += [side.sum(axis=0) for side in sides]
        pairs = (sides[:1] * 2, sides[1:] * 2, sides)
        self.products += [one.T @ other for one, other in pairs]

    def _centred(self) -> np.ndarray:
        """Return the covariances of before, after, and before with after, times the count."""
        one, other = self.means / self.count
        means = [np.outer(one, one), np.outer(other, other), np.outer(one, other)]
        return np.asarray(self.products - self.count * np.stack(means))

    def correlations(self) -> np.ndarray:
        """Compute Pearson's correlation of each channel, before with after; NaN for silent ones."""
        own, others, both = (np.diagonal(part) for part in self._centred())
        squares = np.maximum(own, 0) * np.maximum(others, 0)
        least = 1e-12 * max(float(squares.max()), 1e-300)
        result = np.full(len(both), np.nan)
        np.divide(both, np.sqrt(squares), out=result, where=squares > least)
        return result.clip(-1, 1)

    def cka(self) -> float:
        """Compute the linear CKA of before and after, 0 to 1."""
        own, others, both = self._centred()
        norms = np.linalg.norm(own) * np.linalg.norm(others)
        return float(np.linalg.norm(both) ** 2 / norms) if norms > 0 else np.nan
