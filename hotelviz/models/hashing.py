"""The hash that names what a network computes; caches and scores go by it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from hotelviz.models.graph import iter_nodes
from hotelviz.models.info import model_info

#: What does not change what a network computes, in the configuration of its layers.
_NO_MATTER = ("_initializer", "_regularizer", "_constraint")
_NOTHING = frozenset({"name", "trainable", "seed", "build_config", "shared_object_id"})


def weights_hash(model: keras.Model) -> str:
    """Return the hash of what a network computes, 16 letters.

    It covers the layers with their settings and connections, the weights in their order, the
    preprocessing, and the classes that the outputs stand for. The names of layers, and what only
    training needs, do not count.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> one, other = (build_tagger(["Bed", "Pool"], input_size=32, weights=None, seed=seed)
    ...               for seed in (0, 1))
    >>> weights_hash(one) == weights_hash(other)
    False
    """
    info = model_info(model)
    order = list(iter_nodes(model).values())
    place = {id(node.output): number for number, node in enumerate(order)}
    graph = [
        (type(node.layer).__name__, _settings(node.layer.get_config()),
         [place.get(id(tensor), -1) for tensor in node.inputs])
        for node in order
    ]  # fmt: skip
    content = (info.task, info.classes, dataclasses.asdict(info.preprocessing), graph)
    digest = hashlib.sha256(json.dumps(content, default=repr).encode())
    for weights in model.get_weights():
        digest.update(f"{weights.dtype} {weights.shape}".encode())
        digest.update(np.ascontiguousarray(weights).data.cast("B"))
    return digest.hexdigest()[:16]


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changes what a layer computes, of its configuration."""
    return {
        key: value
        for key, value in sorted(config.items())
        if key not in _NOTHING and not key.endswith(_NO_MATTER)
    }
