r"""Class activation maps: channels of a feature map, weighted by what they do for the target.

With global average pooling under one dense layer, the score of class :math:`c` is :math:`b_c +
\sum_k w_{kc} \, \mathrm{mean}_{xy} f_k(x, y)`, so :math:`M_c(x, y) = \sum_k w_{kc} f_k(x, y)` is
how much each place of the last feature map contributes to it (Zhou et al. 2016, arXiv 1512.04150).
It takes one forward pass and no gradient. For a target that is not a logit, such as the mean score,
:math:`w` is the target's slope at the prediction.

Grad-CAM, Grad-CAM++ and Layer-CAM come from tf-keras-vis. The network is cut at the layer whose
maps are shown: the part below runs compiled, on batches, and only the head above it is
differentiated, which makes Grad-CAM as fast as predicting.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from hotelviz.attribution.targets import MakeMaps, fill_predicted, gradient_target, target_gradient
from hotelviz.errors import AttributionError

if TYPE_CHECKING:
    import keras


def class_activation_map(model: keras.Model) -> MakeMaps:
    """Return the function from pixels and target weights to class activation maps, (N, h, w).

    The mean over a map is the target less its bias.
    """
    from hotelviz.models import activations, split_head

    pooled, head = split_head(model)
    kernel = next(np.asarray(layer.kernel) for layer in head if hasattr(layer, "kernel"))
    run = activations(model, [pooled.inputs[0], "logits"])

    def compute(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        features, logits = run(pixels)
        of_channels = target_gradient(fill_predicted(weights, logits), logits) @ kernel.T
        n_photos, height, width, n_channels = features.shape
        cells = features.reshape(n_photos, -1, n_channels) @ of_channels[:, :, None]
        return np.asarray(cells.reshape(n_photos, height, width))

    return compute


def gradient_activation_map(model: keras.Model, method: str, layer: str) -> MakeMaps:
    """Return the function of ``gradcam``, ``gradcam++`` or ``layercam`` at a layer, to (N, h, w).

    What they differentiate is `gradient_target`.
    """
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam

    from hotelviz.models import activations, cached_function, spatial_node

    features_of = spatial_node(model, layer).output
    run = activations(model, [features_of, "logits"])
    head = cached_function(model, ("head", id(features_of)), lambda: head_model(model, features_of))
    kind = {"gradcam": Gradcam, "gradcam++": GradcamPlusPlus, "layercam": Layercam}[method]

    def compute(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        features, logits = run(pixels)
        with warnings.catch_warnings():
            # It hands Keras 3 the input as a list; harmless.
            warnings.filterwarnings("ignore", message="The structure of `inputs`")
            maps = kind(head)(
                gradient_target(fill_predicted(weights, logits)), features,
                penultimate_layer=head.layers[0], seek_penultimate_conv_layer=False,
                expand_cam=False, normalize_cam=False,
            )  # fmt: skip
        return np.asarray(maps)

    return compute


def head_model(model: keras.Model, features: Any) -> keras.Model:
    """Return the part of a network above a layer, from its features to the logits, in float32.

    Parameters
    ----------
    model
        A flat model.
    features
        The layer's output, a tensor of the model's graph.

    Raises
    ------
    AttributionError
        The outputs come by other ways than through this layer, too.
    """
    import keras

    from hotelviz.models import logits

    try:
        head = keras.Model(features, logits(model))
        if features.dtype != "float32":
            # tf-keras-vis mixes no types: in and out it goes in single precision.
            cells = keras.Input(features.shape[1:], dtype="float32")
            outputs = head(keras.ops.cast(cells, features.dtype))
            head = keras.Model(cells, keras.ops.cast(outputs, "float32"))
    except ValueError as error:
        raise AttributionError(
            f"the outputs do not come from layer {features._keras_history[0].name!r} alone, but by "
            "another way, too: take a layer that all ways lead through, or method='saliency'"
        ) from error
    return head
