"""Which layers learn in fine-tuning, and how fast: less from the last one to the first.

What the first layers see, edges and colours, is right for any photo, and what the last ones see is
of the old task: all learn, the early ones gently.

References
----------
Howard and Ruder: Universal Language Model Fine-tuning, ACL 2018, arXiv 1801.06146.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


def frozen_layers(network: keras.Model, share: float) -> list[keras.layers.Layer]:
    """Return the layers that fine-tuning leaves as they are: all before the last that learn.

    Parameters
    ----------
    network : keras.Model
        Its layers come in the order in which they compute.
    share : float
        Of the weights, from the end, that at least learn: 0 to 1.

    Examples
    --------
    >>> units = [keras.Input((2,)), *(keras.layers.Dense(2, name=name) for name in "ab")]
    >>> [layer.name for layer in frozen_layers(keras.Sequential(units), 0.5)]
    ['a']
    """
    weighed = [layer for layer in network.layers if layer.weights]
    counts = np.array([layer.count_params() for layer in weighed], dtype=float)
    after = counts[::-1].cumsum()[::-1] - counts
    return [
        layer
        for layer, later in zip(weighed, after, strict=True)
        if later >= share * counts.sum() and share < 1
    ]


def layer_rates(network: keras.Model, first: float) -> list[float]:
    """Return by how much the learning rate is multiplied for the weights of each layer.

    Parameters
    ----------
    network : keras.Model
        Its layers come in the order in which they compute; those that do not learn do not count.
    first : float
        Factor of the first layer that learns; that of the last is 1, and between them it grows
        from layer to layer in the same proportion.

    Returns
    -------
    list of float
        One for each of the network's ``trainable_weights``, in their order.

    Examples
    --------
    >>> units = [keras.Input((2,)), *(keras.layers.Dense(2, use_bias=False) for _ in range(3))]
    >>> layer_rates(keras.Sequential(units), 0.25)
    [0.25, 0.5, 1.0]
    """
    learning = [layer for layer in network.layers if layer.trainable_weights]
    factors = np.geomspace(first, 1.0, len(learning)) if len(learning) > 1 else np.ones(1)
    rates = {
        id(weight): float(factor)
        for layer, factor in zip(learning, factors, strict=False)
        for weight in layer.trainable_weights
    }
    return [rates[id(weight)] for weight in network.trainable_weights]


class LayerAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam with a factor of the learning rate for each variable, as `layer_rates` gives them."""

    def __init__(self, learning_rate: float, rates: Sequence[float], **others: Any) -> None:
        super().__init__(learning_rate, **others)
        self.rates = list(rates)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        rate = self.rates[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * rate)
