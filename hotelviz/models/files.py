"""Save and load models; take in those of other people."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras

from hotelviz.catalog import nearest
from hotelviz.io.atomic import atomic_path
from hotelviz.models.description import (
    MEMBER,
    TASKS,
    ModelError,
    ModelInfo,
    Preprocessing,
    Task,
    attach,
    describe,
)
from hotelviz.models.graph import flattened
from hotelviz.models.learned import read_learned, write_learned


def adopt(
    model: keras.Model | str | os.PathLike[str],
    *,
    task: Task,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing,
    name: str | None = None,
) -> keras.Model:
    """Give someone else's Keras model the description that hotelviz needs.

    Parameters
    ----------
    model
        A model built of layers, or a ``.keras`` file (loaded in safe mode).
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
        The model itself, now described; `save_model` writes it as a hotelviz model. One with
        models inside it, such as a backbone that was called as a layer, is taken apart first: a
        flat model of the same layers, with the same weights and predictions.

    Raises
    ------
    ModelError
        When a model inside it cannot be taken apart, or its input or output do not fit.

    Examples
    --------
    >>> from keras import layers
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
    model = flattened(model)
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
    return attach(model, info)


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
            archive.writestr(MEMBER, info.to_json())
            write_learned(archive, model)


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
    >>> from hotelviz.models import build_tagger
    >>> file = Path(tempfile.mkdtemp()) / "tagger.keras"
    >>> save_model(build_tagger(["Bed", "Pool"], input_size=32, weights=None), file)
    >>> describe(load_model(file, task="tagger")).backbone
    'MobileNet'
    """
    info = read_info(path)
    if task is not None and info.task != task:
        raise ModelError(f"{path}: the model is for the task {info.task!r}, not {task!r}")
    return attach(_load_keras(Path(path)), info, read_learned(path))


def read_info(path: str | os.PathLike[str]) -> ModelInfo:
    """Read the description in a model file without loading the network."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return ModelInfo.from_json(archive.read(MEMBER).decode())
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
