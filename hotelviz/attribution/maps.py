r"""Compute maps of which pixels led to a prediction.

Class activation maps (Zhou et al. 2016, arXiv 1512.04150): with global average pooling under one
dense layer, the score of class :math:`c` is :math:`b_c + \sum_k w_{kc} \, \mathrm{mean}_{xy}
f_k(x, y)`, so :math:`M_c(x, y) = \sum_k w_{kc} f_k(x, y)` says how much each place of the last
feature map contributes to it. It takes one forward pass, and no gradient. For a target that is not
a logit, such as the mean score, :math:`w` is the target's slope at the prediction.

The other methods come from tf-keras-vis. The network is cut at the layer whose maps are shown: the
part below runs compiled, on batches, and only the head above it is differentiated, which makes
Grad-CAM as fast as predicting.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hotelviz.attribution.receptive_field import Grid, feature_grid, upsample_to_input
from hotelviz.attribution.targets import (
    Target,
    fill_predicted,
    tangent,
    target_gradient,
    target_value,
    target_weights,
)
from hotelviz.errors import AttributionError, did_you_mean

if TYPE_CHECKING:
    import keras
    import pandas as pd
    import tensorflow as tf

    from hotelviz.models import ModelInfo

METHODS = ("cam", "gradcam", "gradcam++", "layercam", "scorecam", "saliency", "smoothgrad")
#: Those that take no longer than predicting, or little longer.
QUICK_METHODS = ("cam", "gradcam", "gradcam++", "layercam", "saliency")
#: Methods whose maps have a cell for each cell of a feature map.
_OF_CELLS = METHODS[:5]
#: Channels that Score-CAM tries, those that vary most over the photo; noisy copies of a photo that
#: SmoothGrad averages over, and their noise as a share of the photo's range.
_CHANNELS, _COPIES, _NOISE = 16, 12, 0.15
#: What is brighter than this share of a map's pixels is drawn as bright as that (Smilkov et al.).
_CAP = 99.0
#: The blur that hides a part of a photo, as a share of the photo's side.
_BLUR = 1 / 12


def explain(
    model: keras.Model,
    images: np.ndarray | Sequence[str] | pd.Series,
    target: Target = None,
    *,
    method: str | None = None,
    layer: str | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> np.ndarray:
    """Say which pixels led to a prediction.

    Parameters
    ----------
    model
        A tagger, an aesthetic or a technical model.
    images
        uint8 (N, height, width, 3) at the model's size, as `hotelviz.images.read_image` gives it;
        or the paths of photos, decoded as the model wants them.
    target
        What the maps speak for. A class; a pair such as ``("Pool", "Bathroom")``, what speaks for
        the first and against the second; for aesthetic models ``"mean_score"`` or
        ``"score>=7"``, the probability of such scores. A list has one for each photo. None is the
        predicted class, or the mean score.
    method
        ``cam`` (the default where the head is global average pooling and one dense layer),
        ``gradcam`` (otherwise), ``gradcam++``, ``layercam``, ``scorecam`` (the fast variant, of 16
        channels), ``saliency`` or ``smoothgrad``.
    layer
        Whose maps are weighted, by name; None takes the last convolution. ``cam`` and the methods
        of pixels, ``saliency`` and ``smoothgrad``, have no choice.
    batch_size
        Photos per pass; it bounds the memory.
    seed
        Of the noise of ``smoothgrad``.

    Returns
    -------
    numpy.ndarray
        float32 (N, height, width): what speaks *for* the target, scaled to a maximum of 1 in each
        map; all zero where nothing does, and for a photo that cannot be read.

    Raises
    ------
    AttributionError
        An unknown method or class, or ``cam`` for another head.
    ModelError
        A layer that is not there, or has no height and width.

    Notes
    -----
    Each cell of a feature map is laid where its receptive field is centred, see `feature_grid`.
    Stretching the map over the photo instead, as is often done, shifts every map to the upper left
    by half a cell (16 of 224 pixels for MobileNet).

    References
    ----------
    CAM: Zhou et al., CVPR 2016, arXiv 1512.04150, eq. 2. Grad-CAM: Selvaraju et al., ICCV 2017,
    arXiv 1610.02391. Grad-CAM++: Chattopadhay et al., WACV 2018, arXiv 1710.11063. Layer-CAM:
    Jiang et al., IEEE TIP 2021. Score-CAM: Wang et al., CVPRW 2020, arXiv 1910.01279. Saliency:
    Simonyan et al., arXiv 1312.6034. SmoothGrad: Smilkov et al., arXiv 1706.03825.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> explain(tagger, np.zeros((3, 64, 64, 3), "uint8"), ("Pool", "Bedroom")).shape
    (3, 64, 64)
    """
    from hotelviz.models import model_info

    info = model_info(model)
    images = _images(images, info)
    method = _method(model, method, layer)
    weights = target_weights(target, info, len(images))
    size = info.preprocessing.size
    maps = np.zeros((len(images), *size), "float32")
    grid = _grid(model, method, layer)
    for rows, pixels in _batches(images, model, batch_size):
        drawn = _draw(model, method, layer, pixels, weights[rows], seed)
        maps[rows] = _to_one(
            drawn if grid is None else upsample_to_input(np.maximum(drawn, 0), grid, size)
        )
    return maps


def contributions(
    model: keras.Model, pixels: np.ndarray, target: Target = None, *, batch_size: int = 64
) -> np.ndarray:
    """Compute what each cell of the last feature map contributes to the target.

    Parameters
    ----------
    model
        With a head of global average pooling and one dense layer.
    pixels
        uint8 (N, height, width, 3) at the model's size.
    target
        As in `explain`.
    batch_size
        Photos per forward pass.

    Returns
    -------
    numpy.ndarray
        float32 (N, h, w), signed; 7 x 7 for MobileNet at 224 pixels. The mean over a map is the
        class's logit less its bias (of a pair: the difference of both).

    Raises
    ------
    AttributionError
        When the head is another one, or a class is not the model's.
    """
    from hotelviz.models import model_info

    _method(model, "cam", None)
    weights = target_weights(target, model_info(model), len(pixels))
    parts = [
        _draw(model, "cam", None, part, weights[rows], 0)
        for rows, part in _batches(pixels, model, batch_size)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 1, 1), "float32")


def layer_activations(
    model: keras.Model, pixels: np.ndarray, layer: str, *, batch_size: int = 32
) -> np.ndarray:
    """Compute the output of a layer.

    Parameters
    ----------
    model
        Any.
    pixels
        uint8 (N, height, width, 3) at the model's size.
    layer
        By name.
    batch_size
        Photos per pass.

    Returns
    -------
    numpy.ndarray
        float32 (N, h, w, channels).
    """
    cut = _cut(model, "gradcam", layer)
    parts = [cut.run(part)[0] for _, part in _batches(pixels, model, batch_size)]
    return np.concatenate(parts) if parts else np.zeros((0, *cut.shape), "float32")


def read_pixels(
    model: keras.Model, paths: Sequence[str] | pd.Series
) -> tuple[np.ndarray, list[int]]:
    """Read photos as a model wants them; those that cannot be read are left out.

    Parameters
    ----------
    model
        Any.
    paths
        Of the photos; they are held in memory.

    Returns
    -------
    pixels, rows
        uint8 (N, height, width, 3), and the places in `paths` of the photos that were read.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> pixels, rows = read_pixels(tagger, ["lost.jpg"])
    >>> pixels.shape, rows
    ((0, 64, 64, 3), [])
    """
    from hotelviz.models import model_info

    empty = np.zeros((0, *model_info(model).preprocessing.size, 3), "uint8")
    batches = list(_batches(paths, model, 64))
    rows = [int(row) for part, _ in batches for row in part]
    return np.concatenate([empty, *(pixels for _, pixels in batches)]), rows


def blur_baseline(photo: np.ndarray) -> np.ndarray:
    """Blur a photo until nothing in it can be recognised; what hides its parts in all checks."""
    from PIL import Image, ImageFilter

    return np.asarray(
        Image.fromarray(photo).filter(ImageFilter.GaussianBlur(_BLUR * photo.shape[0]))
    )


def _method(model: keras.Model, method: str | None, layer: str | None) -> str:
    from hotelviz.models import gap_node, iter_nodes

    pooled = gap_node(model)
    if method is None:
        return "cam" if pooled and layer is None else "gradcam"
    if method not in METHODS:
        raise AttributionError(
            f"method must be one of {', '.join(METHODS)}; not {method!r}"
            f"{did_you_mean(method, METHODS)}"
        )
    if layer is not None and method not in _OF_CELLS[1:]:
        raise AttributionError(f"{method} has no choice of layer; leave layer={layer!r} out")
    if method == "cam" and not pooled:
        raise AttributionError(
            "class activation maps need a head of global average pooling and one dense layer; "
            f"this model ends in {', '.join(list(iter_nodes(model))[-4:])}: use method='gradcam'"
        )
    return method


def _grid(model: keras.Model, method: str, layer: str | None) -> Grid | None:
    """Say where a method's cells lie; None for the methods of pixels."""
    from hotelviz.models import last_convolution

    if method not in _OF_CELLS:
        return None
    if method != "cam" and layer is None:
        layer = last_convolution(model).name
    return feature_grid(model, layer)


def _images(images: Any, info: ModelInfo) -> Any:
    """Check what is to be explained: pixels at the model's size, or paths."""
    import pandas as pd

    if isinstance(images, pd.DataFrame):
        raise AttributionError("give the paths of the photos, photos['path'], not their table")
    if isinstance(images, str | os.PathLike):
        return [images]
    if not isinstance(images, np.ndarray) or images.dtype.kind in "OUT":
        return images
    wanted = info.preprocessing
    if images.dtype != np.uint8 or images.shape[1:] != (*wanted.size, 3):
        span = f" from {images.min():.3g} to {images.max():.3g}" if images.size else ""
        hint = (
            "" if images.dtype == np.uint8 else ": bring them to 0 to 255, round, .astype('uint8')"
        )
        raise AttributionError(
            f"the model takes uint8 pixels of shape (N, {wanted.height}, {wanted.width}, 3), "
            f"not {images.dtype} {images.shape}{span}{hint}"
        )
    return images


def _batches(
    images: np.ndarray | Sequence[str] | pd.Series, model: keras.Model, batch_size: int
) -> Iterator[tuple[Any, np.ndarray]]:
    """Give rows and pixels, a batch at a time; photos that cannot be read are passed over."""
    from hotelviz.images import iterate_images
    from hotelviz.models import model_info

    if batch_size < 1:
        raise AttributionError(f"a batch has at least one photo, not {batch_size}")
    images = _images(images, model_info(model))
    wanted = model_info(model).preprocessing
    if isinstance(images, np.ndarray) and images.dtype == np.uint8:
        for start in range(0, len(images), batch_size):
            yield slice(start, start + batch_size), images[start : start + batch_size]
        return
    for batch in iterate_images(
        images, size=wanted.size, batch_size=batch_size, resample=wanted.resample
    ):
        if len(batch.rows):
            yield batch.rows, batch.pixels


def _to_one(maps: np.ndarray) -> np.ndarray:
    peak = maps.max(axis=(1, 2), keepdims=True, initial=0)
    return np.divide(maps, peak, out=np.zeros_like(maps), where=peak > 0)


def _draw(
    model: keras.Model,
    method: str,
    layer: str | None,
    pixels: np.ndarray,
    weights: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Compute a batch of maps, of cells (before they are laid over the photo) or of pixels."""
    if method not in _OF_CELLS:
        return _of_pixels(model, pixels, weights, _COPIES * (method == "smoothgrad"), seed)
    cut = _cut(model, method, layer)
    features, logits = cut.run(pixels)
    weights = fill_predicted(weights, logits)
    if method == "cam":
        return _cam(model, features, target_gradient(weights, logits))
    if method == "scorecam":
        return _scorecam(cut, _grid(model, method, layer), pixels, features, weights)
    return _through_the_head(cut, method, features, weights)


class _Cut:
    """A model in two parts: below a layer, compiled with constant weights, and above it."""

    def __init__(self, model: keras.Model, features: Any) -> None:
        import keras
        import tensorflow as tf

        from hotelviz.models import freeze, logits, model_info

        preprocessing = model_info(model).preprocessing
        below = keras.Model(model.input, [features, logits(model)])
        shape = (None, *preprocessing.size, 3)

        def run(pixels: tf.Tensor) -> list[tf.Tensor]:
            found = below(preprocessing.scale(tf.cast(pixels, tf.float32)), training=False)
            return [tf.cast(each, tf.float32) for each in found]

        self.run = freeze(run, tf.TensorSpec(shape, tf.uint8))
        try:
            self.above = keras.Model(features, logits(model))
            if features.dtype != "float32":
                # tf-keras-vis mixes no types: in and out it goes in single precision.
                cells = keras.Input(features.shape[1:], dtype="float32")
                outputs = self.above(keras.ops.cast(cells, features.dtype))
                self.above = keras.Model(cells, keras.ops.cast(outputs, "float32"))
        except ValueError as error:
            made_by = features._keras_history[0].name
            raise AttributionError(
                f"the outputs do not come from layer {made_by!r} alone, but by another way, too: "
                "take a layer that all ways lead through, or method='saliency'"
            ) from error
        self.size = preprocessing.size
        self.shape = tuple(features.shape[1:])


def _cut(model: keras.Model, method: str, layer: str | None) -> _Cut:
    from hotelviz.models import cached_function, gap_node, last_convolution, spatial_node

    pooled = gap_node(model)
    if method == "cam" and pooled:
        features = pooled.inputs[0]
    else:
        step = last_convolution(model) if layer is None else spatial_node(model, layer)
        features = step.output
    return cached_function(model, f"cut at {features.name}", lambda: _Cut(model, features))


def _cam(model: keras.Model, features: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    from hotelviz.models import split_head

    _, head = split_head(model)
    kernel = next(np.asarray(layer.kernel) for layer in head if hasattr(layer, "kernel"))
    weights = slopes @ kernel.T
    count, height, width, channels = features.shape
    cells = features.reshape(count, -1, channels) @ weights[:, :, None]
    return np.asarray(cells.reshape(count, height, width))


def _through_the_head(
    cut: _Cut, method: str, features: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    import tensorflow as tf
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam

    def score(outputs: tf.Tensor) -> tf.Tensor:
        targets = tangent(weights, outputs)
        # Grad-CAM++ takes the exponential of the target and cancels it again: it may not overflow.
        return targets - tf.stop_gradient(targets)

    method_of = {"gradcam": Gradcam, "gradcam++": GradcamPlusPlus, "layercam": Layercam}
    with warnings.catch_warnings():
        # It hands Keras 3 the input as a list; harmless.
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        maps = method_of[method](cut.above)(
            score, features, penultimate_layer=cut.above.layers[0],
            seek_penultimate_conv_layer=False, expand_cam=False, normalize_cam=False,
        )  # fmt: skip
    return np.asarray(maps)


def _scorecam(
    cut: _Cut,
    grid: Grid | None,
    pixels: np.ndarray,
    features: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Weigh channels by what is left of the target when only what excites them is shown.

    By its own few lines: `tf_keras_vis.scorecam.Scorecam` chooses the channels of a whole batch
    together, so that a map would depend on what else is in the batch, and cannot subtract what the
    empty picture scores, which the paper does and a mean score needs.
    """
    assert grid is not None
    maps = np.zeros(features.shape[:3], "float32")
    for number, (photo, cells) in enumerate(zip(pixels, features, strict=True)):
        varied = np.argsort(-cells.std(axis=(0, 1)), kind="stable")[:_CHANNELS]
        chosen = np.moveaxis(cells[..., varied], -1, 0)
        masks = upsample_to_input(
            _to_one(chosen - chosen.min(axis=(1, 2), keepdims=True)), grid, cut.size
        )
        # The last one hides everything; what is hidden has the photo's mean colour.
        masks = np.concatenate([masks, np.zeros_like(masks[:1])])[..., None]
        mean = photo.mean(axis=(0, 1), dtype="float32")
        logits = cut.run((mean + (photo - mean) * masks).round().astype("uint8"))[1]
        left = target_value(weights[number : number + 1], logits)
        if not np.ptp(left):  # certain of every one of them
            left = (
                logits @ target_gradient(weights[number : number + 1], cut.run(photo[None])[1])[0]
            )
        gains = left[:-1] - left[-1]
        maps[number] = np.tensordot(gains, chosen, axes=1)
    return maps


class _Compiled:
    """What tf-keras-vis needs of a model, with its pass compiled: about three times as fast."""

    def __init__(self, model: keras.Model) -> None:
        import keras
        import tensorflow as tf

        from hotelviz.models import logits, model_info

        whole = keras.Model(model.input, logits(model))
        self.inputs, self.outputs = whole.inputs, whole.outputs
        shape = (None, *model_info(model).preprocessing.size, 3)
        self._run = tf.function(
            lambda batch: whole(batch, training=False),
            input_signature=[tf.TensorSpec(shape, tf.float32)],
        )

    def __call__(self, inputs: Any, training: bool = False) -> Any:  # noqa: ARG002
        return self._run(inputs[0])


def _of_pixels(
    model: keras.Model, pixels: np.ndarray, weights: np.ndarray, copies: int, seed: int
) -> np.ndarray:
    """Differentiate the target by the pixels, averaged over noisy copies of the photo if any.

    The noise is the same for every photo, so that a map does not depend on its batch.
    """
    from tf_keras_vis.saliency import Saliency

    from hotelviz.models import cached_function, model_info

    network = cached_function(model, "saliency", lambda: _Compiled(model))
    clear = model_info(model).preprocessing.scale(pixels.astype("float32"))
    logits = np.asarray(network([clear]))
    weights = fill_predicted(weights, logits)
    random = np.random.default_rng(seed)
    spread = np.ptp(clear, axis=(1, 2, 3), keepdims=True) * _NOISE
    shape = (max(1, copies), *clear.shape[1:])
    noises = random.standard_normal(shape, "float32") if copies else np.zeros(shape, "float32")
    total = np.zeros_like(clear)
    # Copies of a single photo go through the network together.
    together = max(1, _COPIES // len(pixels))
    for start in range(0, len(noises), together):
        some = noises[start : start + together]
        seen = (clear + spread * some[:, None]).reshape(-1, *clear.shape[1:])
        wanted = np.tile(weights, (len(some), 1, 1))
        slopes = Saliency(network)(
            lambda outputs, wanted=wanted: tangent(wanted, outputs), seen,
            keepdims=True, gradient_modifier=None, normalize_map=False,
        )  # fmt: skip
        total += np.asarray(slopes).reshape(len(some), *clear.shape).sum(axis=0)
    maps = np.abs(total).max(axis=-1)
    cap = np.percentile(maps, _CAP, axis=(1, 2), keepdims=True)
    # A map that is nearly everywhere zero keeps its few peaks.
    return np.minimum(maps, np.where(cap > 0, cap, np.inf))
