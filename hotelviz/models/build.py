"""Build networks: a backbone, global average pooling, and a head."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
from keras import layers

from hotelviz.errors import ModelError, check_choice
from hotelviz.models.backbones import load_backbone
from hotelviz.models.graph import split_head
from hotelviz.models.info import (
    SCORE_CLASSES,
    ModelInfo,
    Task,
    attach,
    check_classes,
    class_names,
    model_info,
)
from hotelviz.models.levels import Features, kernel_of_levels, level_widths, with_levels
from hotelviz.models.scales import with_scales
from hotelviz.models.training_photos import training_photos
from hotelviz.schema import AREAS


def build_tagger(
    classes: Sequence[str] = AREAS,
    *,
    backbone: str = "MobileNet",
    input_size: int = 224,
    weights: Literal["imagenet"] | None = "imagenet",
    dropout: float = 0.5,
    seed: int = 0,
    backbone_kw: Mapping[str, Any] | None = None,
    value_range: str = "",
    features: Features = "last",
    n_scales: int = 1,
) -> keras.Model:
    """Build an untrained tagger: backbone, global average pooling, dropout, dense, softmax.

    Parameters
    ----------
    classes
        What it tells apart, at least two.
    backbone
        A network of `keras.applications`, by name: ``MobileNet``, ``VGG16``,
        ``EfficientNetV2B0``, ... Or the path of a ``.keras`` file, of which everything from its
        global average pooling on is cut off.
    input_size
        Height and width of the input in pixels, at least 32. ImageNet weights are those of the
        backbone's standard size (MobileNet: 224) whatever the input's size is.
    weights
        ``imagenet`` for ImageNet's or those in the file, or None for random ones.
    dropout
        Share of the pooled features that are dropped in training, 0 to 1.
    seed
        For the random weights.
    backbone_kw
        More arguments of the backbone, e.g. ``{"alpha": 0.25}`` for a narrow MobileNet.
    value_range
        Pixels that a backbone in a file expects, such as ``-1..1``; by default what its
        description says, or ``0..255`` where it scales them itself.
    features
        What the head takes: the ``last`` feature map, or those of all ``levels`` side by side (see
        `with_levels`).
    n_scales
        How many sizes of a photo the backbone sees: the input's, half of it, a quarter (see
        `with_scales`), 1 to 3.

    Returns
    -------
    keras.Model
        A flat model; input (N, input_size, input_size, 3) in the value range that
        `model_info` ``(model).preprocessing`` names, output (N, len(classes)) probabilities.

    Raises
    ------
    ModelError
        An unknown backbone, fewer than two classes or one twice, ImageNet weights that cannot
        be had (the message says where to put the file), a file that is no backbone, unknown
        `features`, levels or scales that do not divide each other at that input size, or both.

    Examples
    --------
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None,
    ...                       backbone_kw={"alpha": 0.25})
    >>> tagger.output_shape
    (None, 2)
    """
    classes = tuple(map(str, class_names(classes)))
    return _with_head(
        "tagger", classes, dropout, seed, backbone, input_size=input_size, weights=weights,
        options=backbone_kw, value_range=value_range, features=features, n_scales=n_scales,
    )  # fmt: skip


def build_aesthetic(
    *,
    task: Literal["aesthetic", "technical"] = "aesthetic",
    backbone: str = "MobileNet",
    input_size: int = 224,
    weights: Literal["imagenet"] | None = "imagenet",
    dropout: float = 0.75,
    seed: int = 0,
    backbone_kw: Mapping[str, Any] | None = None,
    value_range: str = "",
    features: Features = "last",
) -> keras.Model:
    """Build an untrained NIMA model: backbone, global average pooling, dropout, dense 10, softmax.

    Parameters
    ----------
    task
        ``aesthetic``, or ``technical`` for the quality of the picture as such.
    backbone, input_size, weights, seed, backbone_kw, value_range, features
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
        An unknown task, and otherwise as in `build_tagger`.

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
        task, SCORE_CLASSES, dropout, seed, backbone, input_size=input_size, weights=weights,
        options=backbone_kw, value_range=value_range, features=features,
    )  # fmt: skip


def copy_model(model: keras.Model) -> keras.Model:
    """Return a copy of a model, with weights and description of its own.

    Examples
    --------
    >>> tagger = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> copy_model(tagger).get_layer("conv1") is tagger.get_layer("conv1")
    False
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return attach(copy, model_info(model), training_photos(model))


def clone_for_task(
    parent: keras.Model, *, task: Task, classes: Sequence[str], features: Features = "last"
) -> keras.Model:
    """Copy a model to train it further; the copy's description names its parent.

    Parameters
    ----------
    parent
        With its description; itself untouched.
    task, classes
        What the copy is for. When they differ from the parent's it gets a new head of the same
        kind, with random weights.
    features
        What the head takes: what the parent's did, or all ``levels`` of its network. A head that
        stays then gives what it gave, until it learns of the other levels.

    Returns
    -------
    keras.Model
        The copy, with weights and a description of its own.

    Raises
    ------
    ModelError
        When the parent's head is not global average pooling and one dense layer, or for unknown
        `features`.

    Examples
    --------
    >>> parent = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> clone_for_task(parent, task="tagger", classes=["Bed", "Pool", "Bar"]).output_shape
    (None, 3)
    """
    check_choice(features, ("last", "levels"), "features", ModelError)
    info = model_info(parent)
    pooled, head = split_head(parent)
    stays = (info.task, info.classes) == (task, tuple(classes))
    stays = stays or {info.task, task} <= {"aesthetic", "technical"}
    wider = features == "levels" and not level_widths(parent)
    if stays and not wider:
        model = copy_model(parent)
    else:
        body = keras.models.clone_model(keras.Model(parent.input, pooled.inputs[0]))
        body.set_weights(parent.get_weights()[: len(body.weights)])
        output = (with_levels(body) if wider else body).output
        for layer in (pooled.layer, *head):
            changes = {"units": len(classes)} if isinstance(layer, layers.Dense) else {}
            output = type(layer).from_config({**layer.get_config(), **changes})(output)
        model = keras.Model(body.input, output, name=task)
        if stays:
            theirs, ours = (
                next(layer for layer in each if isinstance(layer, layers.Dense))
                for each in (head, model.layers[::-1])
            )
            kernel, *bias = theirs.get_weights()
            ours.set_weights([kernel_of_levels(model, kernel), *bias])
    lineage = dataclasses.asdict(info)
    info = ModelInfo(task, tuple(classes), info.backbone, info.preprocessing, parent=lineage)
    return attach(model, info, training_photos(parent).inherited())


def _with_head(
    task: Task,
    classes: tuple[str, ...],
    dropout: float,
    seed: int,
    backbone: str,
    features: Features,
    n_scales: int = 1,
    **how: Any,
) -> keras.Model:
    check_classes(task, classes)
    check_choice(features, ("last", "levels"), "features", ModelError)
    keras.utils.set_random_seed(seed)
    found = load_backbone(backbone, **how)
    origin = found.origin | ({"n_scales": n_scales} if n_scales > 1 else {})
    info = ModelInfo(task, classes, found.name, found.preprocessing, origin, parent=found.parent)
    body = with_scales(found.network, n_scales)
    body = with_levels(body) if features == "levels" else body
    pooled = layers.GlobalAveragePooling2D(name="pooled")(body.output)
    taken = {layer.name for layer in body.layers}
    name = "dropout" if "dropout" not in taken else "dropout_of_head"
    dropped = layers.Dropout(dropout, seed=seed, name=name)(pooled)
    dense = layers.Dense(len(classes), activation="softmax", dtype="float32", name="probabilities")
    return attach(keras.Model(body.input, dense(dropped), name=task), info, found.record)
