"""Save and load models, and wrap those of other people."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from hotelviz.errors import ModelError, ModelWarning
from hotelviz.io.atomic import atomic_path
from hotelviz.io.claims import check_output
from hotelviz.models.archive import check_archive, foreign_objects, opened
from hotelviz.models.graph import fitted, flattened
from hotelviz.models.info import (
    MEMBER,
    SCORE_CLASSES,
    ModelInfo,
    Task,
    attach,
    class_names,
    model_info,
    read_info,
)
from hotelviz.models.outputs import Outputs, as_probabilities
from hotelviz.models.preprocessing import Preprocessing
from hotelviz.models.training_photos import read_training_photos, write_training_photos


def wrap_model(
    model: keras.Model | str | os.PathLike[str],
    *,
    task: Task,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing,
    outputs: Outputs | None = None,
    name: str | None = None,
) -> keras.Model:
    """Return someone else's Keras model with the description that hotelviz needs.

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
    outputs
        What its outputs are, where they are not the probabilities of a softmax. ``logits`` get the
        softmax. ``sigmoid``: a single unit tells two classes apart, and becomes two outputs, the
        class that 0 stands for first; several units, each the probability of its class on its own,
        become the probabilities of the classes given that exactly one is true, which is the softmax
        of their logits. ``probabilities`` are what sums to 1 by other means, such as the average of
        two networks; their maps can vanish where a prediction is certain. None goes by the network,
        and refuses what is not certain.
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
        When a model inside it cannot be taken apart, its input or output do not fit, its outputs
        are no probabilities and `outputs` does not say how they become some, or it computes in a
        way that nothing else here can follow (channels first, integers).

    Warns
    -----
    ModelWarning
        When the model has layers that are not Keras' own, or hold code: it can be used, but
        `save_model` refuses it, since its file could not be loaded again.

    Examples
    --------
    >>> from keras import layers
    >>> inputs = keras.Input((64, 64, 3))
    >>> pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    >>> theirs = keras.Model(inputs, layers.Dense(10)(pooled))
    >>> ours = wrap_model(theirs, task="aesthetic", outputs="logits",
    ...              preprocessing=Preprocessing(64, 64, "nearest"))
    >>> model_info(ours).classes[-1], ours.layers[-1].activation.__name__
    ('10', 'softmax')
    """
    if not isinstance(model, keras.Model):
        if not isinstance(model, str | os.PathLike):
            kind = type(model).__name__
            raise ModelError(f"a model is one of Keras or the path of a .keras file, not {kind}")
        name = name or Path(model).name
        model = load_keras(Path(model))
    if classes is None:
        if task == "tagger":
            raise ModelError(
                "a tagger needs classes=[...] (--classes A,B), in the order of its outputs"
            )
        classes = SCORE_CLASSES
    info = ModelInfo(task, class_names(classes), name or model.name, preprocessing)
    model = _checked(model, info, outputs)
    foreign = _not_of_keras(model)
    if foreign:
        warnings.warn(
            f"{info.backbone}: {', '.join(foreign)} is not one of Keras' own layers, or holds "
            "code: the model can be used in this session, but not be saved, since its file could "
            "not be loaded again",
            ModelWarning,
            stacklevel=2,
        )
    return attach(model, info)


def _checked(model: keras.Model, info: ModelInfo, outputs: Outputs | None = None) -> keras.Model:
    """Return a model as one that everything here can work with, or refuse it."""
    model = fitted(flattened(model), info.preprocessing.size)
    for variable in model.weights:
        if not np.isfinite(np.asarray(variable, "float32")).all():
            raise ModelError(
                f"the weights {variable.path!r} have values that are no numbers (NaN): take a file "
                "from before they broke down"
            )
    return as_probabilities(model, len(info.classes), info.preprocessing, outputs)


def _not_of_keras(model: keras.Model) -> list[str]:
    """Return the names of what a model is made of that Keras could not load again."""
    try:
        config: Any = keras.saving.serialize_keras_object(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        return [str(error).splitlines()[0]]
    return foreign_objects({**config, "compile_config": None})


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Write a model with its description as one ``.keras`` file, whole or not at all.

    Parameters
    ----------
    model
        From `build_tagger`, `wrap_model` or `hotelviz.training.train_tagger`.
    path
        Ends in ``.keras``.

    Raises
    ------
    ModelError
        When the model has no description, the name another ending, or the file could not be loaded
        again, since the model has layers that are not Keras' own or hold code.
    OutputError
        A folder of this name, or one that cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.models import build_tagger, read_info
    >>> file = Path(tempfile.mkdtemp()) / "tagger.keras"
    >>> save_model(build_tagger(["Bed", "Pool"], input_size=32, weights=None), file)
    >>> read_info(file).classes
    ('Bed', 'Pool')
    """
    info = model_info(model)
    path = Path(path)
    if path.suffix != ".keras":
        raise ModelError(f"{path}: a model file ends in .keras")
    check_output(path)
    foreign = _not_of_keras(model)
    if foreign:
        raise ModelError(
            f"{path}: {', '.join(foreign)} is not one of Keras' own layers, or holds code; the "
            "file could not be loaded again. Build the model of Keras' layers to save it"
        )
    with atomic_path(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(MEMBER, info.to_json())
            write_training_photos(archive, model)
        with opened(temporary, f"{path}: it could not be loaded again") as archive:
            check_archive(archive)


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
        With its description, see `model_info`.

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
    >>> model_info(load_model(file, task="tagger")).backbone
    'MobileNet'
    """
    info = read_info(path)
    if task is not None and info.task != task:
        raise ModelError(f"{path}: the model is for the task {info.task!r}, not {task!r}")
    model = load_keras(Path(path))
    try:
        return attach(_checked(model, info), info, read_training_photos(path))
    except ModelError as error:  # what else is raised here is a bug, and no fault of the file
        raise ModelError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def load_keras(path: str | os.PathLike[str]) -> keras.Model:
    """Load the network of any ``.keras`` file in Keras' safe mode, checked before.

    Raises
    ------
    ModelError
        No such file, none of Keras, one that runs code, or weights that do not fit its layers.

    Examples
    --------
    >>> import tempfile
    >>> file = f"{tempfile.mkdtemp()}/theirs.keras"
    >>> keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()]).save(file)
    >>> load_keras(file).output_shape
    (None, 192)
    """
    path = Path(path)
    with opened(path) as archive:
        check_archive(archive)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
