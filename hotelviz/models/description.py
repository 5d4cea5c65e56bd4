"""What a model is for, and the functions compiled for it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import hotelviz
from hotelviz.catalog import nearest
from hotelviz.errors import HotelvizError

if TYPE_CHECKING:
    from hotelviz.models.learned import Learned

Task = Literal["tagger", "aesthetic", "technical"]
TASKS: tuple[Task, ...] = ("tagger", "aesthetic", "technical")

#: How pixels 0 to 255 become what the network expects, by the value range's name.
#: The arithmetic is that of `keras.applications.imagenet_utils.preprocess_input`.
_VALUE_RANGES = ("-1..1", "0..1", "0..255", "imagenet-bgr", "imagenet-normalised")
_BGR_MEAN = (103.939, 116.779, 123.68)
_RGB_MEAN, _RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: The member of a model file that holds the description.
MEMBER = "hotelviz.json"
_ATTRIBUTE = "_hotelviz"


class ModelError(HotelvizError):
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
            raise ValueError(f"{MEMBER} is not a description of a model: {error}") from error


class _Attached:
    """What rides on a Keras model: its description, and functions compiled for it.

    A plain object on purpose: Keras tracks dictionaries and lists that are set on a model, and
    would write them into its file.
    """

    def __init__(self, info: ModelInfo, learned: Learned | None) -> None:
        self.info = info
        self.learned = learned
        self.functions: dict[str, Any] = {}


def attach(model: keras.Model, info: ModelInfo, learned: Learned | None = None) -> keras.Model:
    """Put a description, and what was learned from, on a model; the model itself, for chaining."""
    setattr(model, _ATTRIBUTE, _Attached(info, learned))
    return model


def attached(model: keras.Model) -> _Attached:
    """Return what rides on a model; one without it is refused."""
    found = getattr(model, _ATTRIBUTE, None)
    if not isinstance(found, _Attached):
        raise ModelError(
            "this model does not say what it is for; give it a description with "
            "hotelviz.models.adopt(model, task=..., classes=..., preprocessing=...)"
        )
    return found


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
    >>> from hotelviz.models import build_tagger
    >>> describe(build_tagger(["Bed", "Pool"], input_size=32, weights=None)).classes
    ('Bed', 'Pool')
    """
    return attached(model).info


def weights_fingerprint(model: keras.Model) -> str:
    """Name a network's weights and preprocessing in 16 letters; caches go by it."""
    digest = hashlib.sha256(repr(describe(model).preprocessing).encode())
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()[:16]


def redescribe(model: keras.Model, **changes: Any) -> keras.Model:
    """Change fields of a model's description; the model itself, for chaining."""
    info = dataclasses.replace(describe(model), **changes)
    return attach(model, info, attached(model).learned)


def compiled(model: keras.Model, name: str, make: Callable[[], Any]) -> Any:
    """Give a function compiled for `model`, made at the first call: tracing takes seconds."""
    functions = attached(model).functions
    if name not in functions:
        functions[name] = make()
    return functions[name]


def constant_graph(function: Callable[..., Any], *signature: tf.TensorSpec) -> Any:
    """Give a function of tensors as TensorFlow's graph, with the weights it uses as constants."""
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    return convert_variables_to_constants_v2(concrete)


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
    constant = constant_graph(function, *signature)

    def call(*arrays: np.ndarray) -> list[np.ndarray]:
        return [result.numpy() for result in constant(*map(tf.constant, arrays))]

    return call
