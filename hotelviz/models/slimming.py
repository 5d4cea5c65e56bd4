"""A narrower copy of a network: what a student without ImageNet's weights of its width starts from.

Of each layer the channels are kept from which the others can best be told, and the pointwise
convolutions are fitted anew, layer by layer, so that the narrower network computes for these
channels what the wide one does. No labels are needed, and no gradients.

References
----------
He, Zhang and Sun: Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017, arXiv
1707.06168.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import layers
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpstrf

from hotelviz.errors import ModelError
from hotelviz.models.backbones import without_head
from hotelviz.models.graph import Node, iter_nodes
from hotelviz.models.info import model_info
from hotelviz.models.levels import without_levels

#: Places in photos that a layer is fitted on, at most.
_PLACES = 8_192
#: Photos that are run at once: early layers are large.
_AT_ONCE = 16
#: How strongly weights are held at zero, of the mean variance of what they are applied to.
_RIDGE = 1e-4
#: A convolution by its number, before or after its activation.
_Place: TypeAlias = tuple[int, str]
_WEIGHTED = (layers.Conv2D, layers.DepthwiseConv2D, layers.BatchNormalization)


def slim(wide: keras.Model, narrow: keras.Model, pixels: np.ndarray, *, seed: int = 0) -> None:
    """Give a narrow network the weights of a wide one of the same layers, as far as they go.

    Parameters
    ----------
    wide : keras.Model
        A chain of convolutions, depthwise convolutions and batch normalisations before the pooling,
        such as a tagger on MobileNet.
    narrow : keras.Model
        The same layers, of the same names, with fewer channels; its weights are replaced, but those
        of its head.
    pixels : numpy.ndarray
        uint8 (n_photos, height, width, 3), photos at the size of the narrow one: a few hundred, of
        the kind that the network will see.
    seed : int, default 0
        For the places of the photos that are looked at.

    Raises
    ------
    ModelError
        The networks do not have the same layers.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> wide, narrow = (build_tagger(["Bed", "Pool"], input_size=32, weights=None,
    ...                              backbone_kw={"alpha": alpha}) for alpha in (0.5, 0.25))
    >>> slim(wide, narrow, np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), "uint8"))
    >>> [model.get_layer("conv1").filters for model in (wide, narrow)]
    [16, 8]
    """
    inputs = model_info(wide).preprocessing.scale(pixels.astype("float32"))
    height, width = pixels.shape[1:3]
    # The same layers, and so the same weights, whatever size the wide one was built for.
    wide, narrow = (
        without_levels(without_head(model, (height, width))) for model in (wide, narrow)
    )
    pairs = _paired(wide, narrow)
    convolutions = [
        number for number, (node, _) in enumerate(pairs) if type(node.layer) is layers.Conv2D
    ]
    looked_at = {
        (number, when): tensor
        for number in convolutions
        for when, tensor in (
            ("before", pairs[number][0].output),
            ("after", _activated(wide, pairs[number][0])),
        )
    }
    seen = _at_places(wide, looked_at, inputs, seed)
    kept, bias = np.arange(3), np.zeros(3)
    for number, (theirs, ours) in enumerate(pairs):
        given = [np.asarray(weight) for weight in theirs.layer.get_weights()]
        if isinstance(ours.layer, layers.DepthwiseConv2D):
            ours.layer.set_weights([given[0][:, :, kept], *(each[kept] for each in given[1:])])
        elif isinstance(ours.layer, layers.BatchNormalization):
            ours.layer.set_weights([each[kept] for each in given])
            # A convolution without a bias leaves its own to the normalisation.
            ours.layer.moving_mean.assign_sub(bias)
        else:
            before, kept = kept, _chosen(seen[number, "after"], ours.layer.filters)
            kernel, bias = given[0][:, :, before][..., kept], np.zeros(len(kept))
            own = [each[kept] for each in given[1:]]
            if kernel.shape[:2] == (1, 1):
                place = (number, "before")
                found = _at_places(narrow, {place: ours.inputs[0]}, inputs, seed)[place]
                kernel, bias = fitted_pointwise(found, seen[place][:, kept])
                own, bias = ([bias], np.zeros(len(kept))) if own else (own, bias)
            ours.layer.set_weights([kernel, *own])


def _paired(wide: keras.Model, narrow: keras.Model) -> list[tuple[Node, Node]]:
    """Return the layers with weights of both networks, side by side."""
    chains = [
        [node for node in iter_nodes(model).values() if node.layer.weights or len(node.inputs) > 1]
        for model in (wide, narrow)
    ]
    named = [[(type(node.layer), node.layer.name) for node in chain] for chain in chains]
    plain = all(isinstance(node.layer, _WEIGHTED) and len(node.inputs) == 1 for node in chains[0])
    if named[0] != named[1] or not plain:
        raise ModelError(
            "the narrow network cannot be cut out of the wide one: both have to be the same chain "
            "of convolutions, such as MobileNet of two widths. Give weights instead"
        )
    return list(zip(*chains, strict=True))


def _chosen(values: np.ndarray, count: int) -> np.ndarray:
    """Return the channels from which the others can best be told.

    They are the first of a Cholesky decomposition with pivoting of their covariance: the next one
    is always that of which those before it say least.
    """
    _, order, _, _ = dpstrf(np.cov(values.astype("float64"), rowvar=False))
    return np.sort(order[:count] - 1)


def _activated(model: keras.Model, node: Node) -> Any:
    """Return the tensor after a convolution, its normalisation and its activation."""
    tensor = node.output
    for other in iter_nodes(model).values():
        light = isinstance(other.layer, layers.BatchNormalization | layers.ReLU | layers.Activation)
        if light and other.inputs[0] is tensor:
            tensor = other.output
    return tensor


def _at_places(
    model: keras.Model, tensors: Mapping[_Place, Any], inputs: np.ndarray, seed: int
) -> dict[_Place, np.ndarray]:
    """Compute layers at some places of the photos, the same ones for the same layer and seed."""
    network = keras.Model(model.input, list(tensors.values()))
    randoms = [np.random.default_rng((seed, number)) for number, _ in tensors]
    found: dict[_Place, list[np.ndarray]] = {place: [] for place in tensors}
    for start in range(0, len(inputs), _AT_ONCE):
        outputs = keras.tree.flatten(network(inputs[start : start + _AT_ONCE], training=False))
        for place, random, output in zip(tensors, randoms, outputs, strict=True):
            values = np.asarray(output)
            values = values.reshape(len(values), -1, values.shape[-1])
            count = min(values.shape[1], -(-_PLACES // len(inputs)))
            found[place] += [
                each[random.choice(len(each), count, replace=False)] for each in values
            ]
    return {place: np.concatenate(values) for place, values in found.items()}


def fitted_pointwise(given: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the pointwise convolution that comes nearest to what is wanted, by ridge regression.

    Parameters
    ----------
    given, wanted
        float (n_places, n_inputs) and (n_places, n_outputs): channels at the same places.

    Returns
    -------
    kernel, bias
        float32 (1, 1, n_inputs, n_outputs) and float (n_outputs,).

    Examples
    --------
    >>> given = np.random.default_rng(0).normal(size=(100, 2))
    >>> kernel, bias = fitted_pointwise(given, given @ [[1.0], [2.0]] + 3)
    >>> kernel[0, 0, :, 0].round(2).tolist(), bias.round(2).tolist()
    ([1.0, 2.0], [3.0])
    """
    mean, goal = given.mean(axis=0), wanted.mean(axis=0)
    centred = (given - mean).astype("float64")
    gram = centred.T @ centred
    gram[np.diag_indices_from(gram)] += max(_RIDGE * float(np.trace(gram)) / len(gram), 1e-9)
    kernel = cho_solve(cho_factor(gram), centred.T @ (wanted - goal))
    return kernel[None, None].astype("float32"), goal - mean @ kernel
