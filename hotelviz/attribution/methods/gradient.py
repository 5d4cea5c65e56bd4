"""Gradients of the target by the pixels: saliency (arXiv 1312.6034), SmoothGrad (1706.03825)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hotelviz.attribution.targets import MakeMaps, fill_predicted, gradient_target

if TYPE_CHECKING:
    import keras

#: Noisy copies of a photo that SmoothGrad averages over, and their noise as a share of the photo's
#: range.
_COPIES, _NOISE = 12, 0.15
#: Passes that are kept for their gradients at a time: MobileNet's takes 150 MB for each photo.
_AT_ONCE = 6
#: What is brighter than this share of a map's pixels is drawn as bright as that (Smilkov et al.).
_CAP = 99.0


def pixel_gradient(model: keras.Model, *, smooth: bool, seed: int) -> MakeMaps:
    """Return the function from pixels and target weights to gradients, (N, height, width).

    With `smooth` they are averaged over noisy copies of a photo. The noise is the same for every
    photo, so that a map does not depend on its batch.
    """
    from tf_keras_vis.saliency import Saliency

    from hotelviz.models import cached_function, model_info

    network = cached_function(model, "saliency", lambda: _Compiled(model))
    preprocessing = model_info(model).preprocessing
    shape = (_COPIES if smooth else 1, *preprocessing.size, 3)
    noises = np.zeros(shape, "float32")
    if smooth:
        noises = np.random.default_rng(seed).standard_normal(shape, "float32")

    def compute(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        clear = preprocessing.scale(pixels.astype("float32"))
        weights = fill_predicted(weights, np.asarray(network([clear])))
        spread = np.ptp(clear, axis=(1, 2, 3), keepdims=True) * _NOISE
        total = np.zeros_like(clear)
        places = np.arange(len(noises) * len(clear))
        for start in range(0, len(places), _AT_ONCE):
            photo, copy = np.divmod(places[start : start + _AT_ONCE], len(noises))
            slopes = Saliency(network)(
                gradient_target(weights[photo]), clear[photo] + spread[photo] * noises[copy],
                keepdims=True, gradient_modifier=None, normalize_map=False,
            )  # fmt: skip
            np.add.at(total, photo, np.asarray(slopes))
        maps = np.abs(total).max(axis=-1)
        cap = np.percentile(maps, _CAP, axis=(1, 2), keepdims=True)
        # A map that is nearly everywhere zero keeps its few peaks.
        return np.asarray(np.minimum(maps, np.where(cap > 0, cap, np.inf)))

    return compute


class _Compiled:
    """What tf-keras-vis needs of a model, with its pass compiled: about three times as fast."""

    def __init__(self, model: keras.Model) -> None:
        import keras
        import tensorflow as tf

        from hotelviz.models import logits

        whole = keras.Model(model.input, logits(model))
        self.inputs, self.outputs = whole.inputs, whole.outputs
        self._run = tf.function(
            lambda batch: whole(batch, training=False),
            input_signature=[tf.TensorSpec(model.input_shape, tf.float32)],
            autograph=False,
        )

    def __call__(self, inputs: Any, training: bool = False) -> Any:  # noqa: ARG002
        return self._run(inputs[0])
