"""What a model is for: the description that travels in its file."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Literal

import keras

import hotelviz
from hotelviz.errors import ModelError, check_choice
from hotelviz.models.archive import opened, read_member
from hotelviz.models.preprocessing import Preprocessing
from hotelviz.schema import SCORES

#: What a model predicts.
Task = Literal["tagger", "aesthetic", "technical"]
#: The same, to look a name up in.
TASKS: tuple[Task, ...] = ("tagger", "aesthetic", "technical")
#: What the outputs of aesthetic and technical models stand for.
SCORE_CLASSES = tuple(str(score) for score in SCORES)

#: The member of a model file that holds the description.
MEMBER = "hotelviz.json"
_ATTRIBUTE = "_hotelviz"


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
        The name in `keras.applications`, or of the file that was wrapped.
    preprocessing
        How photos are prepared.
    training
        How it was trained: phases, learning rates, history, the catalogue's hash, the photos that
        could not be read. Empty for a model that was not trained here.
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
        check_choice(self.task, TASKS, "task", ModelError)
        object.__setattr__(self, "classes", class_names(self.classes))
        check_classes(self.task, self.classes)
        for name, value in (("backbone", self.backbone), ("version", self.version)):
            if not isinstance(value, str) or not value.strip():
                raise ModelError(f"{name} must be text, not {value!r}")
        for name in ("training", "parent"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) and (name != "parent" or value is not None):
                raise ModelError(f"{name} must have names and values, not {value!r}")
        if not isinstance(self.preprocessing, Preprocessing):
            raise ModelError(f"preprocessing must be a Preprocessing, not {self.preprocessing!r}")

    def to_json(self) -> str:
        """Return the description as the text of ``hotelviz.json``."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Read a description from the text of ``hotelviz.json``.

        Raises
        ------
        ModelError
            When the text is no description, one of a later version of hotelviz, or one of what no
            model can be.
        """
        try:
            values = json.loads(text)
            written_by = values.get("version")
            if _release(written_by) > _release(hotelviz.__version__):
                later = f"{written_by}, which is later than {hotelviz.__version__}"
                raise ModelError(f"it was written by hotelviz {later}: update hotelviz to use it")
            values["preprocessing"] = Preprocessing(**values["preprocessing"])
            return cls(**values)
        except ModelError as error:
            raise ModelError(f"{MEMBER}: {error}") from None
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ModelError(f"{MEMBER} is not a description of a model: {reason}") from error


def _release(version: object) -> list[int]:
    """Return the numbers of a version without its patch, which changes nothing in the file."""
    return [int(part) for part in re.findall(r"\d{1,6}", str(version))[:2]]


def class_names(classes: Any) -> tuple[str, ...]:
    """Return classes as they come, in a list, an array or a column, in their order.

    Raises
    ------
    ModelError
        A single text, whose letters are no classes, or what has no order.
    """
    if isinstance(classes, str | bytes | Mapping | Set) or not isinstance(classes, Iterable):
        raise ModelError(f"classes must be a list, in the order of the outputs; not {classes!r}")
    return tuple(classes)


def check_classes(task: str, classes: Sequence[str]) -> None:
    """Check that outputs can stand for classes.

    Raises
    ------
    ModelError
        A class that is no text, empty, or given twice; fewer than two classes of a tagger; other
        classes than the scores 1 to 10 of an aesthetic or technical model.
    """
    for name in classes:
        if not isinstance(name, str) or not name.strip():
            raise ModelError(f"a class is a text that is not empty; not {name!r}")
    more = f" and {len(classes) - 12} more" if len(classes) > 12 else ""
    given = f"{list(classes[:12])}{more}"
    if task == "tagger" and len(set(classes)) < max(2, len(classes)):
        raise ModelError(f"a tagger needs at least two different classes, each once; not {given}")
    if task != "tagger" and tuple(classes) != SCORE_CLASSES:
        raise ModelError(f"the outputs for the task {task!r} are the scores 1 to 10, not {given}")


class _Attached:
    """What a Keras model carries: its description, training photos and compiled functions.

    A plain object on purpose: Keras tracks dictionaries and lists that are set on a model, and
    would write them into its file.
    """

    def __init__(self, info: ModelInfo, training_photos: Any) -> None:
        self.info = info
        self.training_photos = training_photos
        self.functions: dict[Hashable, Any] = {}
        self.weights: int | None = None


def attach(model: keras.Model, info: ModelInfo, training_photos: Any = None) -> keras.Model:
    """Attach a description and the record of training photos to a model, and return the model."""
    outputs, classes = model.output_shape[-1], len(info.classes)
    if outputs != classes:
        raise ModelError(f"the model has {outputs} outputs, but the description {classes} classes")
    setattr(model, _ATTRIBUTE, _Attached(info, training_photos))
    return model


def attached(model: keras.Model) -> _Attached:
    """Return what a model carries; a model without a description is refused."""
    found = getattr(model, _ATTRIBUTE, None)
    if not isinstance(found, _Attached):
        raise ModelError(
            "this model has no description of what it is for; give it one with "
            "hotelviz.models.wrap_model(model, task=..., classes=..., preprocessing=...)"
        )
    return found


def model_info(model: keras.Model) -> ModelInfo:
    """Return what a model is for.

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


def update_info(model: keras.Model, **changes: Any) -> keras.Model:
    """Change fields of a model's description, and return the model.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> model_info(update_info(tagger, classes=("Bedroom", "Pool"))).classes
    ('Bedroom', 'Pool')
    """
    info = dataclasses.replace(model_info(model), **changes)
    return attach(model, info, attached(model).training_photos)


def refuse_described(path: str | os.PathLike[str]) -> None:
    """Refuse a model file that hotelviz wrote: described anew, it would forget what it knows.

    Raises
    ------
    ModelError
        It has a description; or it is no model file.

    Examples
    --------
    >>> refuse_described("/nowhere/their.keras")
    Traceback (most recent call last):
    hotelviz.errors.ModelError: /nowhere/their.keras: there is no such model file
    """
    with opened(Path(path)) as archive:
        if MEMBER in archive.namelist():
            raise ModelError(
                "it has a description, and needs no other one: use it as it is. A new one would "
                "hide which photos it learned from"
            )


def read_info(path: str | os.PathLike[str]) -> ModelInfo:
    """Read the description in a model file without loading the network.

    Raises
    ------
    ModelError
        As `load_model`.

    Examples
    --------
    >>> read_info("/nowhere/their.keras")
    Traceback (most recent call last):
    hotelviz.errors.ModelError: /nowhere/their.keras: there is no such model file
    """
    with opened(Path(path)) as archive:
        if MEMBER not in archive.namelist():
            raise ModelError(
                "a Keras model, but without hotelviz' description: give it one with hotelviz wrap, "
                "or hotelviz.models.wrap_model"
            )
        return ModelInfo.from_json(read_member(archive, MEMBER).decode())
