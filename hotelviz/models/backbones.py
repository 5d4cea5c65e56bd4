"""Backbones: networks of `keras.applications` by name, or any in a file, without its head."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import applications, layers

from hotelviz.errors import ModelError, check_choice
from hotelviz.models.archive import opened
from hotelviz.models.graph import check_ends, flattened, is_spatial, iter_nodes, with_input
from hotelviz.models.info import MEMBER, read_info
from hotelviz.models.preprocessing import Preprocessing
from hotelviz.models.pretrained import weights_folder
from hotelviz.models.storage import load_keras
from hotelviz.models.training_photos import TrainingPhotos, training_photos

#: What the families of `keras.applications` were trained with; the last that fits decides.
_FAMILIES = {
    "imagenet-bgr": "VGG|ResNet",
    "imagenet-normalised": "DenseNet",
    "-1..1": r"MobileNet|Inception|Xception|NASNet|ResNet\d+V2",
    "0..255": "MobileNetV3|EfficientNet|ConvNeXt",
}
#: Layers that leave the range of pixels as it is.
_UNSCALED = (layers.ZeroPadding2D, layers.Dropout, layers.Activation)
#: Pixels 0 to 255 become so wide a range, from tenths of -1..1 to ImageNet's deviations.
_SCALED = (0.5, 10.0)


class Backbone(NamedTuple):
    """A network without a head, and what is known of it.

    Attributes
    ----------
    network
        Flat; its output has height and width.
    name
        In `keras.applications`, or of the file.
    preprocessing
        How photos are prepared for it.
    origin
        Where its weights are from, for a model's description.
    record
        The photos that it has learned from, as far as its file says so.
    parent
        The description in its file, if it has one.
    """

    network: keras.Model
    name: str
    preprocessing: Preprocessing
    origin: dict[str, Any]
    record: TrainingPhotos
    parent: dict[str, Any] | None


def backbone_range(backbone: str) -> str:
    """Return the value range that a backbone of `keras.applications` expects.

    Examples
    --------
    >>> backbone_range("MobileNet"), backbone_range("ResNet50")
    ('-1..1', 'imagenet-bgr')
    """
    ranges = {
        name: value_range
        for name, _ in inspect.getmembers(applications, inspect.isfunction)
        for value_range, family in _FAMILIES.items()
        if re.match(family, name)
    }
    check_choice(backbone, list(ranges), "backbone", ModelError)
    return ranges[backbone]


def is_backbone_file(backbone: str) -> bool:
    """Return whether a backbone is the path of a file rather than a name.

    Examples
    --------
    >>> is_backbone_file("MobileNet"), is_backbone_file("networks/lite2.keras")
    (False, True)
    """
    return Path(backbone).suffix != "" or "/" in backbone or "\\" in backbone


def load_backbone(
    backbone: str,
    *,
    input_size: int,
    weights: str | None,
    value_range: str = "",
    options: Mapping[str, Any] | None = None,
) -> Backbone:
    """Return a backbone of `keras.applications`, or the one in a file, at an input size.

    Parameters
    ----------
    backbone
        A name such as ``MobileNet``, or the path of a ``.keras`` file.
    input_size
        Height and width of the input in pixels.
    weights
        ``imagenet`` for ImageNet's, or those in the file; None for random ones.
    value_range
        Pixels that it expects, see `hotelviz.models.Preprocessing`. Needed only of a file that
        does not say so itself.
    options
        More arguments of a network of `keras.applications`.

    Raises
    ------
    ModelError
        An unknown name, weights that cannot be had or do not fit, a file that is no network with
        one input and a place to put a head, or a value range that is not known, or another.
    """
    if keras.config.image_data_format() != "channels_last":
        raise ModelError(
            "Keras is set to channels first, but hotelviz builds networks with channels last: "
            "say keras.config.set_image_data_format('channels_last'), or so in keras.json"
        )
    if weights not in ("imagenet", None):
        raise ModelError(f"weights must be 'imagenet' or None, not {weights!r}")
    if is_backbone_file(backbone):
        return _from_file(Path(backbone), input_size, weights, value_range, options or {})
    expected = backbone_range(backbone)
    if value_range not in ("", expected):
        raise ModelError(f"{backbone} expects pixels {expected}, not value_range={value_range!r}")
    preprocessing = Preprocessing(input_size, input_size, value_range=expected)
    network = _from_applications(backbone, input_size, weights, options or {})
    origin = {"weights": weights, "backbone_kw": dict(options or {})}
    return Backbone(network, backbone, preprocessing, origin, TrainingPhotos.none(), None)


def _from_applications(
    name: str, size: int, weights: str | None, options: Mapping[str, Any]
) -> keras.Model:
    build = functools.partial(getattr(applications, name), include_top=False, **options)
    body = build(weights=None, input_shape=(size, size, 3))
    if weights is None:
        return flattened(body)
    try:
        # Some networks have weights per input size; without a size Keras takes the standard ones.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`input_shape` is undefined")
            pretrained = build(weights="imagenet", input_shape=(None, None, 3))
    except Exception as error:  # keras.utils.get_file raises a plain Exception
        file = re.search(r"[\w.-]+\.h5", str(error))
        raise ModelError(
            f"the ImageNet weights of {name} cannot be had ({error}). Put "
            f"{file.group() if file else 'their .h5 file'} into {weights_folder()} (KERAS_HOME "
            "says where that is), or train from scratch with weights=None"
        ) from error
    body.set_weights(pretrained.get_weights())
    return flattened(body)


def _from_file(
    file: Path, size: int, weights: str | None, value_range: str, options: Mapping[str, Any]
) -> Backbone:
    if options:
        raise ModelError(
            f"{file}: backbone_kw ({', '.join(options)}) is of networks of keras.applications; a "
            "file has its network as it is"
        )
    model = load_keras(file)
    with opened(file) as archive:
        described = MEMBER in archive.namelist()
    info = read_info(file) if described else None
    known = info.preprocessing if info else Preprocessing(size, size, value_range="0..255")
    try:
        network = without_head(model, (size, size))
        expected = _range_of(network, known.value_range if info else "", value_range)
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from error
    if weights is None:
        network = keras.models.clone_model(network)
        record, parent = TrainingPhotos.none(), None
    else:
        record = training_photos(file).inherited() if info else TrainingPhotos.none()
        parent = dataclasses.asdict(info) if info else None
    origin: dict[str, Any] = {
        "weights": weights and "file", "backbone_kw": {},
        "backbone_hash": hashlib.sha256(file.read_bytes()).hexdigest()[:16],
    }  # fmt: skip
    preprocessing = dataclasses.replace(known, height=size, width=size, value_range=expected)
    return Backbone(network, file.name, preprocessing, origin, record, parent)


def without_head(model: keras.Model, size: tuple[int, int]) -> keras.Model:
    """Return what stands before the global average pooling of a model, at another input size.

    Parameters
    ----------
    model
        Any model of layers; one without a head is returned whole.
    size
        Height and width of the photos that it is to be shown.

    Returns
    -------
    keras.Model
        The same layers, flat, with a float32 input of that size; its output has height and width.

    Raises
    ------
    ModelError
        No global average pooling and no output with height and width, a network that cannot be
        built at that size, or an input that `fitted` refuses.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> without_head(tagger, (64, 64)).output_shape
    (None, 2, 2, 1024)
    """
    model = flattened(model)
    check_ends(model)
    nodes, body = iter_nodes(model), None
    for node in reversed(nodes.values()):
        # Not the pooling of a block further up, such as squeeze and excitation has.
        if isinstance(node.layer, layers.GlobalAveragePooling2D) or is_spatial(node.output):
            pooled = isinstance(node.layer, layers.GlobalAveragePooling2D)
            body = node.inputs[0] if pooled else None
            break
    if body is None and len(model.outputs[0].shape) != 4:
        raise ModelError(
            "the model has no global average pooling (GlobalAveragePooling2D) under its head, and "
            f"its output {tuple(model.outputs[0].shape)} has no height and width; it ends in "
            f"{', '.join(list(nodes)[-4:])}. Save it without its head"
        )
    if body is not None:
        model = keras.Model(model.inputs[0], body, name=model.name)
    return with_input(model, size, (None, None))


def _range_of(network: keras.Model, described: str, given: str) -> str:
    """Return the pixels that a network expects: by what it says, how it scales, or as given."""
    scaling = scaling_layer(network)
    known = described or ("0..255" if scaling else "")
    if not known and not given:
        first = next(iter(iter_nodes(network)))
        raise ModelError(
            "it does not say which pixels it expects, and begins with no scaling of its own "
            f"({first}): say value_range= (--value-range), one of -1..1, 0..1, 0..255, "
            "imagenet-bgr, imagenet-normalised"
        )
    if known and given not in ("", known):
        why = "its description says so" if described else f"it scales them itself ({scaling})"
        raise ModelError(f"it expects pixels {known} ({why}), not value_range={given!r}")
    return known or given


def scaling_layer(network: keras.Model) -> str:
    """Return the layer by which a flat network scales pixels 0 to 255 itself: its name, or empty.

    Examples
    --------
    >>> from keras import layers
    >>> scaled = layers.Rescaling(1 / 255, name="scaled")
    >>> scaling_layer(keras.Sequential([keras.Input((8, 8, 3)), scaled, layers.Flatten()]))
    'scaled'
    """
    for node in iter_nodes(network).values():
        layer = node.layer
        if isinstance(layer, layers.Rescaling):
            width = 255 * float(np.max(np.abs(layer.scale)))
        elif isinstance(layer, layers.Normalization):
            width = 255 / float(np.sqrt(np.min(np.asarray(layer.variance))))
        elif isinstance(layer, _UNSCALED):
            continue
        else:
            return ""
        return str(layer.name) if _SCALED[0] <= width <= _SCALED[1] else ""
    return ""
