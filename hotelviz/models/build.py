"""Build networks of a backbone and a head."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
from keras import applications, layers

from hotelviz.errors import ModelError, check_choice
from hotelviz.models.graph import flattened, split_head
from hotelviz.models.info import SCORE_CLASSES, ModelInfo, Task, attach, class_names, model_info
from hotelviz.models.preprocessing import Preprocessing
from hotelviz.models.pretrained import weights_folder
from hotelviz.models.training_photos import TrainingPhotos, training_photos
from hotelviz.schema import AREAS

#: What the families of `keras.applications` were trained with; the last that fits decides.
_FAMILIES = {
    "imagenet-bgr": "VGG|ResNet",
    "imagenet-normalised": "DenseNet",
    "-1..1": r"MobileNet|Inception|Xception|NASNet|ResNet\d+V2",
    "0..255": "MobileNetV3|EfficientNet|ConvNeXt",
}


def backbone_range(backbone: str) -> str:
    """Return the value range that a backbone of `keras.applications` expects."""
    ranges = {
        name: value_range
        for name, _ in inspect.getmembers(applications, inspect.isfunction)
        for value_range, family in _FAMILIES.items()
        if re.match(family, name)
    }
    check_choice(backbone, list(ranges), "backbone", ModelError)
    return ranges[backbone]


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
    classes = tuple(map(str, class_names(classes)))
    return _with_head("tagger", classes, backbone, input_size, weights, dropout, seed, backbone_kw)


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
    check_choice(task, ("aesthetic", "technical"), "task", ModelError)
    return _with_head(
        task, SCORE_CLASSES, backbone, input_size, weights, dropout, seed, backbone_kw
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
    same = (info.task, info.classes) == (task, tuple(classes))
    if same or {info.task, task} <= {"aesthetic", "technical"}:
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
    info = ModelInfo(task, tuple(classes), info.backbone, info.preprocessing, parent=lineage)
    return attach(model, info, training_photos(parent).inherited())


def _with_head(
    task: Task,
    classes: tuple[str, ...],
    backbone: str,
    input_size: int,
    weights: str | None,
    dropout: float,
    seed: int,
    backbone_kw: Mapping[str, Any] | None,
) -> keras.Model:
    preprocessing = Preprocessing(input_size, input_size, value_range=backbone_range(backbone))
    training = {"weights": weights, "backbone_kw": dict(backbone_kw or {})}
    info = ModelInfo(task, classes, backbone, preprocessing, training)
    keras.utils.set_random_seed(seed)
    body = _backbone(backbone, input_size, weights, backbone_kw or {})
    pooled = layers.GlobalAveragePooling2D(name="pooled")(body.output)
    dropped = layers.Dropout(dropout, seed=seed, name="dropout")(pooled)
    dense = layers.Dense(len(classes), activation="softmax", dtype="float32", name="probabilities")
    return attach(keras.Model(body.input, dense(dropped), name=task), info, TrainingPhotos.none())


def _backbone(name: str, size: int, weights: str | None, options: Mapping[str, Any]) -> keras.Model:
    if keras.config.image_data_format() != "channels_last":
        raise ModelError(
            "Keras is set to channels first, but hotelviz builds networks with channels last: "
            "say keras.config.set_image_data_format('channels_last'), or so in keras.json"
        )
    build = functools.partial(getattr(applications, name), include_top=False, **options)
    body = build(weights=None, input_shape=(size, size, 3))
    if weights is None:
        return flattened(body)
    if weights != "imagenet":
        raise ModelError(f"weights must be 'imagenet' or None, not {weights!r}")
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
