"""What a model is for, and the functions compiled for it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import hotelviz
from hotelviz.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from hotelviz.models.learned import Learned

Task = Literal["tagger", "aesthetic", "technical"]
TASKS: tuple[Task, ...] = ("tagger", "aesthetic", "technical")
#: What the outputs of aesthetic and technical models stand for.
SCORES = tuple(str(score) for score in range(1, 11))

#: How pixels 0 to 255 become what the network expects, by the value range's name.
#: The arithmetic is that of `keras.applications.imagenet_utils.preprocess_input`.
_VALUE_RANGES = ("-1..1", "0..1", "0..255", "imagenet-bgr", "imagenet-normalised")
_BGR_MEAN = (103.939, 116.779, 123.68)
_RGB_MEAN, _RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: The member of a model file that holds the description.
MEMBER = "hotelviz.json"
_ATTRIBUTE = "_hotelviz"


#: Of an input, in pixels a side.
_SMALLEST, _LARGEST = 32, 4096


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
            if not isinstance(value, str) or value not in choices:
                raise ModelError(
                    f"preprocessing: {name} must be one of {', '.join(choices)}; not {value!r}"
                    f"{did_you_mean(value, choices)}"
                )
        for name, side in (("height", self.height), ("width", self.width)):
            if isinstance(side, bool) or not isinstance(side, int | np.integer):
                raise ModelError(f"preprocessing: {side!r} is no whole number of pixels")
            object.__setattr__(self, name, int(side))
        if min(self.size) < _SMALLEST:
            raise ModelError(f"preprocessing: {self.height} x {self.width} is less than 32 pixels")
        if max(self.size) > _LARGEST:
            raise ModelError(
                f"preprocessing: {self.height} x {self.width} is more than {_LARGEST} pixels"
            )

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

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ModelError(
                f"task must be one of {', '.join(TASKS)}; not {self.task!r}"
                f"{did_you_mean(self.task, TASKS)}"
            )
        object.__setattr__(self, "classes", class_names(self.classes))
        check_classes(self.task, self.classes)
        for name in ("backbone", "version"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ModelError(f"{name} must be text, not {value!r}")
        for name in ("training", "parent"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) and (name != "parent" or value is not None):
                raise ModelError(f"{name} must have names and values, not {value!r}")
        if not isinstance(self.preprocessing, Preprocessing):
            raise ModelError(f"preprocessing must be a Preprocessing, not {self.preprocessing!r}")

    def to_json(self) -> str:
        """Give it as the text of ``hotelviz.json``."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Read it from the text of ``hotelviz.json``.

        Raises
        ------
        ModelError
            When the text is not such a description, is one of a later version of hotelviz, or says
            what no model can be.
        """
        try:
            values = json.loads(text)
            written_by = values.get("version")
            if _is_later(written_by):
                raise ModelError(
                    f"it was written by hotelviz {written_by}, which is later than "
                    f"{hotelviz.__version__}: update hotelviz to use it"
                )
            values["preprocessing"] = Preprocessing(**values["preprocessing"])
            return cls(**values)
        except ModelError as error:
            raise ModelError(f"{MEMBER}: {error}") from None
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelError(
                f"{MEMBER} is not a description of a model: {type(error).__name__}: {error}"
            ) from error


def _is_later(version: object) -> bool:
    """Say whether a version is one of the future; patches change nothing in the file."""
    mine, theirs = (
        tuple(int(part) for part in re.findall(r"\d{1,6}", str(each))[:2])
        for each in (hotelviz.__version__, version)
    )
    return theirs > mine


def class_names(classes: Any) -> tuple[str, ...]:
    """Return classes as they come, in a list, an array or a column, in their order.

    Raises
    ------
    ModelError
        A single text, which would be taken for its letters, or what has no order.
    """
    if isinstance(classes, str | bytes | Mapping | Set) or not isinstance(classes, Iterable):
        raise ModelError(f"classes must be a list, in the order of the outputs; not {classes!r}")
    return tuple(classes)


def check_classes(task: str, classes: Sequence[str]) -> None:
    """Refuse classes that outputs cannot stand for.

    Raises
    ------
    ModelError
        Classes that are not text, empty, or one twice; fewer than two of a tagger; others
        than the scores 1 to 10 of an aesthetic or technical model.
    """
    for name in classes:
        if not isinstance(name, str) or not name.strip():
            raise ModelError(f"a class is a text that is not empty; not {name!r}")
    if task == "tagger" and len(set(classes)) < max(2, len(classes)):
        raise ModelError(
            f"a tagger needs at least two different classes, each once; not {shown(classes)}"
        )
    if task != "tagger" and list(classes) != list(SCORES):
        raise ModelError(
            f"the outputs of a model for the task {task!r} are the scores 1 to 10, not "
            f"{shown(classes)}"
        )


def shown(values: Sequence[Any], count: int = 12) -> str:
    """List some values in a message."""
    more = f" and {len(values) - count} more" if len(values) > count else ""
    return f"{[*values[:count]]}{more}"


class _Attached:
    """What rides on a Keras model: its description, and functions compiled for it.

    A plain object on purpose: Keras tracks dictionaries and lists that are set on a model, and
    would write them into its file.
    """

    def __init__(self, info: ModelInfo, learned: Learned | None) -> None:
        self.info = info
        self.learned = learned
        self.functions: dict[Hashable, Any] = {}
        self.weights: int | None = None


def attach(model: keras.Model, info: ModelInfo, learned: Learned | None = None) -> keras.Model:
    """Put a description, and what was learned from, on a model; the model itself, for chaining."""
    outputs = model.output_shape[-1]
    if outputs != len(info.classes):
        raise ModelError(
            f"the model has {outputs} outputs, but the description {len(info.classes)} classes"
        )
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


def model_info(model: keras.Model) -> ModelInfo:
    """Say what a model is for.

    Parameters
    ----------
    model
        From `build_tagger`, `load_model` or `wrap_model`.

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
    >>> model_info(build_tagger(["Bed", "Pool"], input_size=32, weights=None)).classes
    ('Bed', 'Pool')
    """
    return attached(model).info


#: What does not change what a network computes, in the configuration of its layers.
_NO_MATTER = ("_initializer", "_regularizer", "_constraint")
_NOTHING = frozenset({"name", "trainable", "seed", "build_config", "shared_object_id"})


def weights_hash(model: keras.Model) -> str:
    """Name what a network computes in 16 letters; caches and scores go by it.

    That is its layers with their settings and how they are connected, its weights in their order,
    its preprocessing, and the classes that its outputs stand for. What layers are called, and what
    only training needs, does not count.
    """
    from hotelviz.models.graph import iter_nodes

    info = model_info(model)
    order = list(iter_nodes(model).values())
    place = {id(step.output): number for number, step in enumerate(order)}
    graph = [
        (type(step.layer).__name__, _settings(step.layer.get_config()),
         [place.get(id(tensor), -1) for tensor in step.inputs])
        for step in order
    ]  # fmt: skip
    says = (info.task, info.classes, dataclasses.asdict(info.preprocessing), graph)
    digest = hashlib.sha256(json.dumps(says, default=repr).encode())
    for weights in model.get_weights():
        digest.update(f"{weights.dtype} {weights.shape}".encode())
        digest.update(np.ascontiguousarray(weights).data.cast("B"))
    return digest.hexdigest()[:16]


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a layer's configuration what does not change what it computes."""
    return {
        key: value
        for key, value in sorted(config.items())
        if key not in _NOTHING and not key.endswith(_NO_MATTER)
    }


def update_info(model: keras.Model, **changes: Any) -> keras.Model:
    """Change fields of a model's description; the model itself, for chaining."""
    info = dataclasses.replace(model_info(model), **changes)
    return attach(model, info, attached(model).learned)


def cached_function(model: keras.Model, name: Hashable, make: Callable[[], Any]) -> Any:
    """Give a function compiled for `model`, made at the first call: tracing takes seconds.

    Functions hold the weights that they were compiled with. Where these have changed since, by
    more training or by hand, all functions are made anew.
    """
    about, weights = attached(model), _checksum(model)
    if about.weights != weights:
        about.functions.clear()
        about.weights = weights
    if name not in about.functions:
        about.functions[name] = make()
    return about.functions[name]


def _checksum(model: keras.Model) -> int:
    """Sum up all weights; 15 ms for MobileNet."""
    total = 0
    for weights in model.get_weights():
        total = zlib.crc32(np.ascontiguousarray(weights).data.cast("B"), total)
    return total


def constant_graph(function: Callable[..., Any], *signature: tf.TensorSpec) -> Any:
    """Give a function of tensors as TensorFlow's graph, with the weights it uses as constants."""
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    return convert_variables_to_constants_v2(concrete)


def freeze(
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
