"""Build networks of a backbone and a head."""

from __future__ import annotations

import dataclasses
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
from keras import applications, layers

from hotelviz.errors import ModelError, did_you_mean
from hotelviz.models.graph import flattened, split_head
from hotelviz.models.info import (
    SCORE_CLASSES,
    ModelInfo,
    Task,
    attach,
    check_classes,
    class_names,
    model_info,
)
from hotelviz.models.preprocessing import Preprocessing
from hotelviz.models.training_photos import TrainingPhotos, training_photos
from hotelviz.schema import AREAS

#: What each family of `keras.applications` was trained with; the longest prefix decides.
_BACKBONE_RANGES = {
    "MobileNet": "-1..1",
    "MobileNetV3": "0..255",
    "Inception": "-1..1",
    "Xception": "-1..1",
    "NASNet": "-1..1",
    "VGG": "imagenet-bgr",
    "ResNet": "imagenet-bgr",
    "ResNet50V2": "-1..1",
    "ResNet101V2": "-1..1",
    "ResNet152V2": "-1..1",
    "DenseNet": "imagenet-normalised",
    "EfficientNet": "0..255",
    "ConvNeXt": "0..255",
}


def backbone_range(backbone: str) -> str:
    """Return the value range that a backbone of `keras.applications` expects."""
    prefixes = [prefix for prefix in _BACKBONE_RANGES if backbone.startswith(prefix)]
    names = sorted(
        name
        for name in dir(applications)
        if isinstance(getattr(applications, name), type(applications.MobileNet))
        and name.startswith(tuple(_BACKBONE_RANGES))
    )
    if not prefixes or backbone not in names:
        raise ModelError(
            f"backbone {backbone!r} is not one of {', '.join(names)}{did_you_mean(backbone, names)}"
        )
    return _BACKBONE_RANGES[max(prefixes, key=len)]


def build_tagger(
    classes: Sequence[str] = AREAS,
    *,
    backbone: str = "MobileNet",
    input_size: int = 224,
    weights: Literal["imagenet"] | None = "imagenet",
    dropout: float = 0.5,
    seed: int = 0,
    backbone_kw: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Build an untrained tagger: backbone, global average pooling, dropout, dense, softmax.

    Parameters
    ----------
    classes
        What it tells apart, at least two.
    backbone
        A network of `keras.applications`, by name: ``MobileNet``, ``VGG16``,
        ``EfficientNetV2B0``, ...
    input_size
        Height and width of the input in pixels, at least 32. ImageNet weights are those of the
        backbone's standard size (MobileNet: 224) whatever the input's size is.
    weights
        ``imagenet``, or None for random ones.
    dropout
        Share of the pooled features that are dropped in training, 0 to 1.
    seed
        For the random weights.
    backbone_kw
        More arguments of the backbone, e.g. ``{"alpha": 0.25}`` for a narrow MobileNet.

    Returns
    -------
    keras.Model
        A flat model; input (N, input_size, input_size, 3) in the value range that
        `model_info` ``(model).preprocessing`` names, output (N, len(classes)) probabilities.

    Raises
    ------
    ModelError
        An unknown backbone, fewer than two classes or one twice, or ImageNet weights that cannot
        be had: the message says where to put the file.

    Examples
    --------
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None,
    ...                       backbone_kw={"alpha": 0.25})
    >>> tagger.output_shape
    (None, 2)
    """
    classes = tuple(str(name) for name in class_names(classes))
    check_classes("tagger", classes)
    return _with_head(
        "tagger", classes, backbone, input_size, weights, dropout, seed, dict(backbone_kw or {})
    )


def build_aesthetic(
    *,
    task: Literal["aesthetic", "technical"] = "aesthetic",
    backbone: str = "MobileNet",
    input_size: int = 224,
    weights: Literal["imagenet"] | None = "imagenet",
    dropout: float = 0.75,
    seed: int = 0,
    backbone_kw: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Build an untrained NIMA model: backbone, global average pooling, dropout, dense 10, softmax.

    Parameters
    ----------
    task
        ``aesthetic``, or ``technical`` for the quality of the picture as such.
    backbone, input_size, weights, seed, backbone_kw
        As in `build_tagger`.
    dropout
        Share of the pooled features that are dropped in training, 0 to 1.

    Returns
    -------
    keras.Model
        A flat model; output (N, 10), the probabilities of the scores 1 to 10.

    Raises
    ------
    ModelError
        An unknown task or backbone, or ImageNet weights that cannot be had.

    References
    ----------
    Talebi and Milanfar: NIMA: Neural Image Assessment, IEEE TIP 2018, arXiv 1709.05424.

    Examples
    --------
    >>> build_aesthetic(input_size=64, weights=None, backbone_kw={"alpha": 0.25}).output_shape
    (None, 10)
    """
    if task not in ("aesthetic", "technical"):
        raise ModelError(f"task must be 'aesthetic' or 'technical', not {task!r}")
    return _with_head(
        task, SCORE_CLASSES, backbone, input_size, weights, dropout, seed, dict(backbone_kw or {})
    )


def copy_model(model: keras.Model) -> keras.Model:
    """Return a copy of a model, with weights and description of its own."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return attach(copy, model_info(model), training_photos(model))


def clone_for_task(parent: keras.Model, *, task: Task, classes: Sequence[str]) -> keras.Model:
    """Copy a model to train it further; the copy's description names its parent.

    Parameters
    ----------
    parent
        With its description; itself untouched.
    task, classes
        What the copy is for. When they differ from the parent's it gets a new head of the same
        kind, with random weights.

    Returns
    -------
    keras.Model

    Raises
    ------
    ModelError
        When the parent's head is not global average pooling and one dense layer.
    """
    info = model_info(parent)
    pooled, head = split_head(parent)
    if (info.task, info.classes) == (task, tuple(classes)) or (
        {info.task, task} <= {"aesthetic", "technical"}
    ):
        model = copy_model(parent)
    else:
        body = keras.models.clone_model(keras.Model(parent.input, pooled.output))
        body.set_weights(parent.get_weights()[: len(body.weights)])
        output = body.output
        for layer in head:
            changes = {"units": len(classes)} if isinstance(layer, layers.Dense) else {}
            output = type(layer).from_config({**layer.get_config(), **changes})(output)
        model = keras.Model(body.input, output, name=task)
    lineage = dataclasses.asdict(info)
    return attach(
        model,
        ModelInfo(task, tuple(classes), info.backbone, info.preprocessing, parent=lineage),
        training_photos(parent).inherited(),
    )


def _with_head(
    task: Task,
    classes: tuple[str, ...],
    backbone: str,
    input_size: int,
    weights: str | None,
    dropout: float,
    seed: int,
    backbone_kw: dict[str, Any],
) -> keras.Model:
    preprocessing = Preprocessing(input_size, input_size, value_range=backbone_range(backbone))
    keras.utils.set_random_seed(seed)
    body = _backbone(backbone, input_size, weights, backbone_kw)
    pooled = layers.GlobalAveragePooling2D(name="pooled")(body.output)
    dropped = layers.Dropout(dropout, seed=seed, name="dropout")(pooled)
    output = layers.Dense(
        len(classes), activation="softmax", dtype="float32", name="probabilities"
    )(dropped)
    model = keras.Model(body.input, output, name=task)
    training = {"weights": weights, "backbone_kw": backbone_kw}
    return attach(
        model, ModelInfo(task, classes, backbone, preprocessing, training), TrainingPhotos.none()
    )


def _backbone(
    name: str, input_size: int, weights: str | None, backbone_kw: dict[str, Any]
) -> keras.Model:
    if keras.config.image_data_format() != "channels_last":
        raise ModelError(
            "Keras is set to channels first, but hotelviz builds networks with channels last: "
            "say keras.config.set_image_data_format('channels_last'), or so in keras.json"
        )
    build = getattr(applications, name)
    body = build(
        include_top=False, weights=None, input_shape=(input_size, input_size, 3), **backbone_kw
    )
    if weights is None:
        return flattened(body)
    if weights != "imagenet":
        raise ModelError(f"weights must be 'imagenet' or None, not {weights!r}")
    try:
        # Some networks have weights per input size; without a size Keras takes the standard ones.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`input_shape` is undefined")
            pretrained = build(
                include_top=False, weights="imagenet", input_shape=(None, None, 3), **backbone_kw
            )
    except Exception as error:  # keras.utils.get_file raises a plain Exception
        file = re.search(r"[\w.-]+\.h5", str(error))
        folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
        raise ModelError(
            f"the ImageNet weights of {name} cannot be had ({error}). Put "
            f"{file.group() if file else 'their .h5 file'} into {folder} (KERAS_HOME says where "
            "that is), or train from scratch with weights=None"
        ) from error
    body.set_weights(pretrained.get_weights())
    return flattened(body)
