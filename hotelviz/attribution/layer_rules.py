"""How each kind of layer moves places: which cells of its input a cell of its output sees.

A layer that is not known here is refused by name: if it were followed as one that moves nothing,
every map would lie beside what it explains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hotelviz.attribution.geometry import NOWHERE, Move, Places, joined
from hotelviz.errors import AttributionError

if TYPE_CHECKING:
    import keras

    from hotelviz.models import Node


def places_behind(node: Node, inputs: Sequence[Places]) -> Places:
    """Return where the output of a layer lies.

    Raises
    ------
    AttributionError
        When that is not known.
    """
    layer, shape = node.layer, tuple(node.output.shape[1:])
    kind = type(layer).__name__
    if type(layer).__module__.startswith("keras."):
        if kind == "SpectralNormalization":
            layer, kind = layer.layer, type(layer.layer).__name__
        known = _RULES.get(kind)
        if known is not None and _computes_like_keras(layer):
            found = known(layer, list(inputs), shape)
            if found is not None and found.fits(shape):
                return found
    raise AttributionError(
        f"layer {node.name!r} ({kind}) moves places in a way that is not known, so that maps of it "
        "and of the layers behind it cannot be laid over the photo; take a layer before it, or "
        "method='saliency'"
    )


def _computes_like_keras(layer: keras.layers.Layer) -> bool:
    activation = getattr(layer, "activation", None)
    module = str(getattr(activation, "__module__", "keras."))
    return activation is None or module.startswith("keras.")


Rule = Callable[[Any, list[Places], tuple[int, ...]], "Places | None"]


def _along(move: Callable[[Any, int, int, int], Move | None]) -> Rule:
    """Return the rule of what a layer does along a side: layer, side, cells before and behind."""

    def rule(layer: Any, inputs: list[Places], shape: tuple[int, ...]) -> Places | None:
        if inputs[0].kind != "grid" or len(shape) != 3:
            return None
        axes = []
        for side, axis in enumerate(inputs[0][:2]):
            found = move(layer, side, len(axis.first), shape[side])
            if found is None or len(found.seen) != shape[side]:
                return None
            axes.append(axis.moved(found))
        return Places(axes[0], axes[1])

    return rule


def _within(seen: np.ndarray, cells: int) -> np.ndarray:
    return np.where((seen >= 0) & (seen < cells), seen, NOWHERE)


def _kernel(layer: Any, side: int, large: int, small: int) -> tuple[np.ndarray, int, int, int]:
    """Return taps, stride, reach and padding of a layer's kernel along a side."""
    size = (getattr(layer, "kernel_size", None) or layer.pool_size)[side]
    taps = np.arange(size) * getattr(layer, "dilation_rate", (1, 1))[side]
    stride, reach = layer.strides[side], int(taps[-1]) + 1
    padded = max((small - 1) * stride + reach - large, 0) // 2 if layer.padding == "same" else 0
    return taps, stride, reach, padded


def _window(layer: Any, side: int, before: int, behind: int) -> Move:
    taps, stride, reach, padded = _kernel(layer, side, before, behind)
    seen = np.arange(behind)[:, None] * stride - padded + taps
    return Move(stride, (reach - 1) / 2 - padded, _within(seen, before), reach)


def _transposed(layer: Any, side: int, before: int, behind: int) -> Move:
    # It is a convolution backwards, from the output to the input.
    taps, stride, reach, padded = _kernel(layer, side, behind, before)
    from_kernel = np.arange(behind)[:, None] + padded - taps
    seen = np.where(from_kernel % stride == 0, from_kernel // stride, NOWHERE)
    shift = (padded - (reach - 1) / 2) / stride
    return Move(1 / stride, shift, _within(seen, before), (reach - 1) // stride + 1)


def _shifted(cut: int, before: int, behind: int) -> Move:
    return Move(1, cut, _within(np.arange(behind)[:, None] + cut, before), 1)


def _centred(layer: Any, side: int, before: int, behind: int) -> Move | None:  # noqa: ARG001
    # Where the photo is smaller, it is enlarged, and cut at the other side.
    return _shifted((before - behind) // 2, before, behind) if before >= behind else None


def _resized(layer: Any, side: int, before: int, behind: int) -> Move | None:  # noqa: ARG001
    import keras

    if any(getattr(layer, f"{how}_to_aspect_ratio", False) for how in ("crop", "pad")):
        return None
    stride = before / behind
    shift = (stride - 1) / 2
    if layer.interpolation == "nearest" and behind % before == 0:
        cells = np.arange(behind)[:, None] // (behind // before)
        return Move(stride, shift, cells, 1)
    # What each pixel becomes, one in each channel, says what is seen.
    pixels = np.eye(before, dtype="float32")[:, None]
    spread = keras.ops.image.resize(
        pixels, (behind, 1), interpolation=layer.interpolation,
        antialias=getattr(layer, "antialias", False),
    )  # fmt: skip
    weights = np.asarray(spread)[:, 0] != 0
    widest = int(weights.sum(axis=1).max())
    order = np.argsort(~weights, axis=1, kind="stable")[:, :widest]
    seen = np.where(np.take_along_axis(weights, order, axis=1), order, NOWHERE)
    return Move(stride, shift, seen, widest)


def _adaptive(layer: Any, side: int, before: int, behind: int) -> Move:  # noqa: ARG001
    cells = np.arange(behind)
    first, behind_last = cells * before // behind, -(-(cells + 1) * before // behind)
    widest = int((behind_last - first).max())
    seen = first[:, None] + np.arange(widest)
    seen = np.where(seen < behind_last[:, None], seen, NOWHERE)
    stride = before / behind
    return Move(stride, (stride - 1) / 2, seen, widest)


def _normalised(layer: Any, inputs: list[Places], shape: tuple[int, ...]) -> Places:
    """Return the same places, or all, where other axes than the channels' have a part."""
    own = set(np.atleast_1d(layer.axis).tolist()) <= {-1, len(shape)}
    return inputs[0] if own else inputs[0].all_seen()


def _attention(layer: Any, inputs: list[Places], shape: tuple[int, ...]) -> Places | None:
    """Return the places of the query; each of its cells sees all that is attended to."""
    if getattr(layer, "attention_axes", None) not in (None, tuple(range(1, len(shape)))):
        return None
    seen = _merged(layer, [places.one_cell("vector") for places in inputs], shape)
    return _merged(layer, [inputs[0], seen], shape) if seen else None


def _reshaped(layer: Any, inputs: list[Places], shape: tuple[int, ...]) -> Places | None:  # noqa: ARG001
    places = inputs[0]
    cells = (len(places.rows.first), len(places.columns.first))
    if math.prod(cells) == 1 and math.prod(shape[:-1]) == 1:
        return places._replace(kind="vector" if len(shape) == 1 else "grid")
    if places.kind == "vector":
        return None
    if len(shape) == 3 and shape[:2] == cells:
        return places._replace(kind="grid")
    if len(shape) == 2 and shape[0] == math.prod(cells):
        return places._replace(kind="sequence")
    return places.one_cell("vector")


def _merged(layer: Any, inputs: list[Places], shape: tuple[int, ...]) -> Places | None:  # noqa: ARG001
    """Return the places of branches that meet: a cell sees what the cells in its place see."""
    kinds = {places.kind for places in inputs} - {"vector"}
    if len(kinds) > 1:
        return None
    rows = joined([places.rows for places in inputs])
    columns = joined([places.columns for places in inputs])
    if rows is None or columns is None:
        return None
    return Places(rows, columns, next(iter(kinds), "vector"))


#: Layers and operations that leave each value in its place, in prediction.
_STILL = (
    "Activation", "ActivityRegularization", "AlphaDropout", "BatchNormalization", "Dense",
    "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "Identity", "LayerScale", "LeakyReLU",
    "Normalization", "PReLU", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter",
    "RandomContrast", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale",
    "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation",
    "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom",
    "ReLU", "Rescaling", "SpatialDropout2D", "StochasticDepth",
    # operations: x * 2, keras.ops.relu(x)
    "Abs", "Absolute", "Cast", "Celu", "Clip", "ConvertToTensor", "Elu", "Exp", "Gelu",
    "HardSigmoid", "HardSilu", "HardTanh", "LeakyRelu", "Log", "LogSigmoid", "Negative", "Relu",
    "Relu6", "Rsqrt", "Selu", "Sigmoid", "Silu", "Softplus", "Softsign", "Sqrt", "Square",
    "Squareplus", "Tanh",
)  # fmt: skip
_JOINING = (
    "Add", "Average", "CustomScaleLayer", "Divide", "Maximum", "Minimum", "Multiply", "Power",
    "Subtract", "TrueDivide",
)  # fmt: skip

_RULES: dict[str, Rule] = {
    **dict.fromkeys(_STILL, lambda _layer, inputs, _shape: inputs[0]),
    **dict.fromkeys(_JOINING, _merged),
    **dict.fromkeys(
        ("AveragePooling2D", "Conv2D", "DepthwiseConv2D", "MaxPooling2D", "SeparableConv2D"),
        _along(_window),
    ),
    **dict.fromkeys(("AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D"), _along(_adaptive)),
    **dict.fromkeys(
        ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
         "GlobalMaxPooling2D"),
        lambda _layer, inputs, shape: inputs[0].one_cell("grid" if len(shape) == 3 else "vector"),
    ),
    **dict.fromkeys(("AdditiveAttention", "Attention", "GroupQueryAttention",
                     "MultiHeadAttention"), _attention),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "Softmax", "UnitNormalization"),
                    _normalised),
    "CenterCrop": _along(_centred),
    "Concatenate": lambda layer, inputs, shape:
        _merged(layer, inputs, shape) if layer.axis in (-1, len(shape)) else None,
    "Conv2DTranspose": _along(_transposed),
    "Cropping2D": _along(lambda layer, side, *cells: _shifted(layer.cropping[side][0], *cells)),
    "Flatten": lambda _layer, inputs, _shape: inputs[0].one_cell("vector"),
    "GroupNormalization": lambda _layer, inputs, _shape: inputs[0].all_seen(),
    "Permute": lambda layer, inputs, _shape:
        inputs[0] if sorted(layer.dims) == list(layer.dims) else None,
    "Reshape": _reshaped,
    "Resizing": _along(_resized),
    "UpSampling2D": _along(_resized),
    "ZeroPadding2D": _along(lambda layer, side, *cells: _shifted(-layer.padding[side][0], *cells)),
}  # fmt: skip
