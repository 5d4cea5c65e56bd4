"""Build networks of a backbone and a head; save and load them.

Models are flat: the head stands on ``backbone.output``, so that every layer is one of the model's
own layers and class activation maps, gradients and filter pictures reach it by name. A model file
is one ``.keras`` archive with a member ``hotelviz.json`` that says what the model is for, which
classes it knows and how its photos are prepared.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import applications, layers
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import hotelviz
from hotelviz.catalog import AREAS, nearest
from hotelviz.files import atomic_path

__all__ = [
    "TASKS",
    "ModelError",
    "ModelInfo",
    "Preprocessing",
    "Task",
    "adopt",
    "build_tagger",
    "describe",
    "load_model",
    "pooled_layer",
    "save_model",
]

Task = Literal["tagger", "aesthetic", "technical"]
TASKS: tuple[Task, ...] = ("tagger", "aesthetic", "technical")

#: How pixels 0 to 255 become what the network expects, by the value range's name.
#: The arithmetic is that of `keras.applications.imagenet_utils.preprocess_input`.
_VALUE_RANGES = ("-1..1", "0..1", "0..255", "imagenet-bgr", "imagenet-normalised")
_BGR_MEAN = (103.939, 116.779, 123.68)
_RGB_MEAN, _RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

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

_MEMBER = "hotelviz.json"
_ATTRIBUTE = "_hotelviz"


class ModelError(ValueError):
    """A model, or a model file, cannot be used as it is."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input: the same in training and prediction.

    Parameters
    ----------
    height, width
        Of the input, in pixels; photos are stretched to it.
    resample
        The filter of the resizing: ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``.
    value_range
        ``-1..1``, ``0..1``, ``0..255``, ``imagenet-bgr`` (channels reversed, ImageNet's mean
        subtracted) or ``imagenet-normalised`` (0..1, then ImageNet's mean and deviation).

    Examples
    --------
    >>> Preprocessing(224, 224).scale(np.array([0.0, 127.5, 255.0]))
    array([-1.,  0.,  1.])
    """

    height: int
    width: int
    resample: str = "bilinear"
    value_range: str = "-1..1"

    def __post_init__(self) -> None:
        filters = ("nearest", "bilinear", "bicubic", "lanczos")
        for name, value, choices in (
            ("resample", self.resample, filters),
            ("value_range", self.value_range, _VALUE_RANGES),
        ):
            if value not in choices:
                raise ModelError(
                    f"preprocessing: {name} must be one of {', '.join(choices)}; not {value!r}"
                    f"{nearest(value, choices)}"
                )
        if self.height < 32 or self.width < 32:
            raise ModelError(f"preprocessing: {self.height} x {self.width} is less than 32 pixels")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def scale(self, pixels: Any) -> Any:
        """Bring pixels from 0 to 255 to the network's value range.

        Parameters
        ----------
        pixels
            RGB in 0 to 255, shape (..., 3), a float array or tensor.

        Returns
        -------
        array or tensor
            Of the same kind and shape.
        """
        if self.value_range == "-1..1":
            return pixels / 127.5 - 1.0
        if self.value_range == "0..1":
            return pixels / 255.0
        if self.value_range == "imagenet-bgr":
            return pixels[..., ::-1] - np.array(_BGR_MEAN, "float32")
        if self.value_range == "imagenet-normalised":
            return (pixels / 255.0 - np.array(_RGB_MEAN, "float32")) / np.array(_RGB_STD, "float32")
        return pixels


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model is for; it travels inside the model file.

    Parameters
    ----------
    task
        ``tagger``, ``aesthetic`` or ``technical``.
    classes
        What the outputs stand for, in their order: areas, or the scores ``1`` to ``10``.
    backbone
        The name in `keras.applications`, or of the file that was adopted.
    preprocessing
        How photos are prepared.
    training
        How it was trained: phases, learning rates, history, the catalogue's fingerprint, the
        photos that could not be read. Empty for a model that was not trained here.
    parent
        The `ModelInfo` of the model that training started from, as a dictionary.
    version
        Of hotelviz that wrote it.
    """

    task: Task
    classes: tuple[str, ...]
    backbone: str
    preprocessing: Preprocessing
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    parent: Mapping[str, Any] | None = None
    version: str = hotelviz.__version__

    def to_json(self) -> str:
        """Give it as the text of ``hotelviz.json``."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Read it from the text of ``hotelviz.json``.

        Raises
        ------
        ValueError
            When the text is not such a description.
        """
        try:
            values = json.loads(text)
            values["classes"] = tuple(values["classes"])
            values["preprocessing"] = Preprocessing(**values["preprocessing"])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{_MEMBER} is not a description of a model: {error}") from error


class _Attached:
    """What rides on a Keras model: its description, and functions compiled for it.

    A plain object on purpose: Keras tracks dictionaries and lists that are set on a model, and
    would write them into its file.
    """

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self.functions: dict[str, Callable[..., Any]] = {}


def _attach(model: keras.Model, info: ModelInfo) -> keras.Model:
    setattr(model, _ATTRIBUTE, _Attached(info))
    return model


def _attached(model: keras.Model) -> _Attached:
    attached = getattr(model, _ATTRIBUTE, None)
    if not isinstance(attached, _Attached):
        raise ModelError(
            "this model does not say what it is for; give it a description with "
            "hotelviz.models.adopt(model, task=..., classes=..., preprocessing=...)"
        )
    return attached


def describe(model: keras.Model) -> ModelInfo:
    """Say what a model is for.

    Parameters
    ----------
    model
        From `build_tagger`, `load_model` or `adopt`.

    Returns
    -------
    ModelInfo

    Raises
    ------
    ModelError
        When the model carries no description.

    Examples
    --------
    >>> describe(build_tagger(["Bed", "Pool"], input_size=32, weights=None)).classes
    ('Bed', 'Pool')
    """
    return _attached(model).info


def redescribe(model: keras.Model, **changes: Any) -> keras.Model:
    """Change fields of a model's description; the model itself, for chaining."""
    return _attach(model, dataclasses.replace(describe(model), **changes))


def compiled(model: keras.Model, name: str, make: Callable[[], Callable[..., Any]]) -> Any:
    """Give a function compiled for `model`, made at the first call: tracing takes seconds."""
    functions = _attached(model).functions
    if name not in functions:
        functions[name] = make()
    return functions[name]


def frozen(
    function: Callable[..., Any], *signature: tf.TensorSpec
) -> Callable[..., list[np.ndarray]]:
    """Compile a function of tensors with the weights it uses as constants.

    With constant weights TensorFlow folds batch normalisation and activations into the
    convolutions, which makes MobileNet about 1.3 times as fast on a processor. Weights that change
    later are not seen.

    Parameters
    ----------
    function
        Takes tensors, gives a tensor or a list of them.
    signature
        Shape and type of each argument.

    Returns
    -------
    callable
        Takes arrays, gives the list of results as arrays.
    """
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    constant = convert_variables_to_constants_v2(concrete)

    def call(*arrays: np.ndarray) -> list[np.ndarray]:
        return [result.numpy() for result in constant(*map(tf.constant, arrays))]

    return call


def backbone_range(backbone: str) -> str:
    """Name the value range that a backbone of `keras.applications` expects."""
    prefixes = [prefix for prefix in _BACKBONE_RANGES if backbone.startswith(prefix)]
    names = sorted(
        name
        for name in dir(applications)
        if isinstance(getattr(applications, name), type(applications.MobileNet))
        and name.startswith(tuple(_BACKBONE_RANGES))
    )
    if not prefixes or backbone not in names:
        raise ModelError(
            f"backbone {backbone!r} is not one of {', '.join(names)}{nearest(backbone, names)}"
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
        `describe` ``(model).preprocessing`` names, output (N, len(classes)) probabilities.

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
    classes = tuple(str(name) for name in classes)
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ModelError(f"a tagger needs at least two different classes, not {list(classes)}")
    preprocessing = Preprocessing(input_size, input_size, value_range=backbone_range(backbone))
    keras.utils.set_random_seed(seed)
    body = _backbone(backbone, input_size, weights, dict(backbone_kw or {}))
    pooled = layers.GlobalAveragePooling2D(name="pooled")(body.output)
    dropped = layers.Dropout(dropout, seed=seed, name="dropout")(pooled)
    output = layers.Dense(
        len(classes), activation="softmax", dtype="float32", name="probabilities"
    )(dropped)
    model = keras.Model(body.input, output, name="tagger")
    training = {"weights": weights, "backbone_kw": dict(backbone_kw or {})}
    return _attach(model, ModelInfo("tagger", classes, backbone, preprocessing, training))


def _backbone(
    name: str, input_size: int, weights: str | None, backbone_kw: dict[str, Any]
) -> keras.Model:
    build = getattr(applications, name)
    body = build(
        include_top=False, weights=None, input_shape=(input_size, input_size, 3), **backbone_kw
    )
    if weights is None:
        return body
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
    return body


def adopt(
    model: keras.Model | str | os.PathLike[str],
    *,
    task: Task,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing,
    name: str | None = None,
) -> keras.Model:
    """Give someone else's flat Keras model the description that hotelviz needs.

    Parameters
    ----------
    model
        A model, or a ``.keras`` file (loaded in safe mode).
    task
        ``tagger``, ``aesthetic`` or ``technical``.
    classes
        What its outputs stand for; by default the scores 1 to 10 for the last two tasks.
    preprocessing
        How its photos are prepared: size, resize filter, value range.
    name
        What to call it; by default the name of the file or of the model.

    Returns
    -------
    keras.Model
        The model itself, now described; `save_model` writes it as a hotelviz model.

    Raises
    ------
    ModelError
        When the model is not flat, or its input or output do not fit.

    Examples
    --------
    >>> inputs = keras.Input((64, 64, 3))
    >>> pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    >>> theirs = keras.Model(inputs, layers.Dense(10, activation="softmax")(pooled))
    >>> ours = adopt(theirs, task="aesthetic", preprocessing=Preprocessing(64, 64, "nearest"))
    >>> describe(ours).classes[-1]
    '10'
    """
    if task not in TASKS:
        raise ModelError(
            f"task must be one of {', '.join(TASKS)}; not {task!r}{nearest(task, TASKS)}"
        )
    if not isinstance(model, keras.Model):
        name = name or Path(model).name
        model = _load_keras(Path(model))
    nested = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    if nested:
        raise ModelError(
            f"the model is not flat: {', '.join(nested)} is a model inside it. Build the head on "
            "the backbone's output instead of calling the backbone as a layer"
        )
    if classes is None:
        if task == "tagger":
            raise ModelError("a tagger needs classes=[...], in the order of its outputs")
        classes = [str(score) for score in range(1, 11)]
    outputs = model.output_shape[-1]
    if outputs != len(classes):
        raise ModelError(f"the model has {outputs} outputs, but {len(classes)} classes were given")
    expected = (None, preprocessing.height, preprocessing.width, 3)
    if any(
        theirs is not None and theirs != ours
        for theirs, ours in zip(model.input_shape, expected, strict=True)
    ):
        raise ModelError(f"the model's input is {model.input_shape}, not {expected}")
    info = ModelInfo(task, tuple(map(str, classes)), name or model.name, preprocessing)
    return _attach(model, info)


def pooled_layer(model: keras.Model) -> keras.layers.Layer | None:
    """Give the global average pooling under the head, where class activation maps are read.

    Parameters
    ----------
    model
        Any flat model.

    Returns
    -------
    keras.layers.Layer or None
        None when the head is not global average pooling and one dense layer (dropout and
        activations in between do not matter).

    Examples
    --------
    >>> pooled_layer(build_tagger(["Bed", "Pool"], input_size=32, weights=None)).name
    'pooled'
    """
    dense_layers = 0
    for layer in reversed(model.layers):
        if isinstance(layer, layers.GlobalAveragePooling2D):
            return layer if dense_layers == 1 else None
        if isinstance(layer, layers.Dense):
            dense_layers += 1
        elif not isinstance(layer, layers.Dropout | layers.Activation | layers.Softmax):
            return None
    return None


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Write a model with its description as one ``.keras`` file, whole or not at all.

    Parameters
    ----------
    model
        From `build_tagger`, `adopt` or `hotelviz.training`.
    path
        Ends in ``.keras``.

    Raises
    ------
    ModelError
        When the model has no description, or the name another ending.
    """
    info = describe(model)
    path = Path(path)
    if path.suffix != ".keras":
        raise ModelError(f"{path}: a model file ends in .keras")
    with atomic_path(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_MEMBER, info.to_json())


def load_model(path: str | os.PathLike[str], *, task: Task | None = None) -> keras.Model:
    """Load a model that hotelviz wrote, in Keras' safe mode.

    Parameters
    ----------
    path
        The ``.keras`` file.
    task
        What it must be for; None takes any.

    Returns
    -------
    keras.Model
        With its description, see `describe`.

    Raises
    ------
    ModelError
        When the file is missing, not a model, without hotelviz' description, or for another task.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "tagger.keras"
    >>> save_model(build_tagger(["Bed", "Pool"], input_size=32, weights=None), file)
    >>> describe(load_model(file, task="tagger")).backbone
    'MobileNet'
    """
    info = read_info(path)
    if task is not None and info.task != task:
        raise ModelError(f"{path}: the model is for the task {info.task!r}, not {task!r}")
    return _attach(_load_keras(Path(path)), info)


def read_info(path: str | os.PathLike[str]) -> ModelInfo:
    """Read the description in a model file without loading the network."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return ModelInfo.from_json(archive.read(_MEMBER).decode())
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such model file") from None
    except zipfile.BadZipFile:
        raise ModelError(f"{path}: not a Keras model file (.keras)") from None
    except KeyError:
        raise ModelError(
            f"{path}: a Keras model, but without hotelviz' description; see hotelviz.models.adopt"
        ) from None
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error


def _load_keras(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: Keras cannot load the model: {error}") from error
