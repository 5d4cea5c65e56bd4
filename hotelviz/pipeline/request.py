"""What a run is asked for, checked before anything begins."""

from __future__ import annotations

import ast
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotelviz.errors import ModelError, ReportError, check_choice
from hotelviz.reports.notebooks import (
    Parameter,
    find_notebook,
    notebook_parameters,
    read_cells,
)
from hotelviz.reports.parameters import convert_parameters

#: Step -> the notebook that it runs.
NOTEBOOKS = {
    step: step.rstrip("_12")
    for step in (
        "cleaning_audit", "tagger_training", "tagger_report", "explain_tagger", "cleaning_effect",
        "aesthetic_training_1", "aesthetic_training_2", "aesthetic_report", "compare_filters",
        "score_distribution", "hotel_ranking",
    )
} | {"compare_tagger": "compare_models", "compare_aesthetic": "compare_models"}  # fmt: skip
#: Step without a notebook -> its parameters.
OTHERS = {
    "split": {
        "test": Parameter("float", "0.25", "share of the photos that models are tested on"),
        "validation": Parameter("float", "0.1", "share of the photos that epochs are chosen by"),
    },
    "models": {},
    "scores": {
        "backend": Parameter("str", '"keras"', "keras, or openvino: faster on a processor"),
        "part_size": Parameter("int", "2048", "photos per part: what a stop can lose"),
    },
}
STEPS = ("split", "models", *NOTEBOOKS, "scores")
#: The pages about areas: aesthetic models have no part in them.
ABOUT_AREAS = {
    "cleaning_audit", "tagger_training", "tagger_report", "explain_tagger", "cleaning_effect",
    "compare_tagger",
}  # fmt: skip
#: What ties the steps of a run together, by whatever name a notebook has for it.
_TIES = {
    "catalog", "out", "model", "models", "parent", "scores", "tags", "tags_out", "audit", "tuned",
    "old", "new", "facts",
}  # fmt: skip
#: The one of these that is a choice: what the first aesthetic iteration starts from.
_PARENT = ("aesthetic_training_1", "parent")
#: What a model may be called -> the task of its file.
MODELS = {"tagger": "tagger", "aesthetic_1": "aesthetic", "aesthetic_2": "aesthetic"}
#: Stands in the files of models that hotelviz described; see `hotelviz.models.info`, which cannot
#: be asked without loading TensorFlow.
_MEMBER = "hotelviz.json"


@dataclass(frozen=True)
class Request:
    """What a run is asked for.

    Attributes
    ----------
    catalog : pathlib.Path
        The photos.
    out : pathlib.Path
        The folder of the reports.
    first : pathlib.Path, optional
        Other people's ratings, for the first aesthetic iteration.
    truth : pathlib.Path, optional
        The folder of a demo catalogue.
    models : mapping
        Name (``tagger``, ``aesthetic_1``, ``aesthetic_2``, or ``aesthetic`` for the last iteration)
        -> file.
    settings : mapping
        Step -> parameter -> value.
    seed : int
        For splits, trainings and samples.
    banner : str
        A line at the top of each page.
    note : str
        What has to be known of aesthetic models that were given, on the pages about scores.
    """

    catalog: Path
    out: Path
    first: Path | None = None
    truth: Path | None = None
    models: Mapping[str, Path] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    banner: str = ""
    note: str = ""

    def values(self, step: str) -> dict[str, Any]:
        """Return the defaults of a step's parameters, and what was asked for.

        Examples
        --------
        >>> Request(Path("a"), Path("b"), settings={"split": {"test": 0.5}}).values("split")
        {'test': 0.5, 'validation': 0.1}
        """
        known = parameters_of(step).items()
        defaults = {name: ast.literal_eval(about.default) for name, about in known}
        return defaults | dict(self.settings.get(step, {}))


def parameters_of(step: str) -> Mapping[str, Parameter]:
    """Return the parameters of a step: those of its notebook.

    Examples
    --------
    >>> parameters_of("tagger_training")["weights"].default
    '"imagenet"'
    """
    if step in OTHERS:
        return OTHERS[step]
    return notebook_parameters(read_cells(find_notebook(NOTEBOOKS[step])))


def check_settings(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Convert the parameters of steps to their declared types.

    Parameters
    ----------
    settings : mapping
        Step -> parameter -> value.

    Returns
    -------
    dict
        The same with converted values.

    Raises
    ------
    ReportError
        There is no such step, no such parameter, or a value is of another type; or the parameter
        is one by which the steps of a run are tied together.

    Examples
    --------
    >>> check_settings({"tagger_training": {"fine_tune_epochs": "3"}})
    {'tagger_training': {'fine_tune_epochs': 3}}
    >>> check_settings({"tagger_traning": {"fine_tune_epochs": "3"}})
    Traceback (most recent call last):
    hotelviz.errors.ReportError: the step must be one of ...; did you mean 'tagger_training'?
    """
    checked = {}
    for step, given in settings.items():
        check_choice(step, STEPS, "the step", ReportError)
        free = {
            name: about for name, about in parameters_of(step).items()
            if name not in _TIES or (step, name) == _PARENT
        }  # fmt: skip
        for name, value in given.items():
            if (step, name) == _PARENT:
                check_choice(value, ("", "tagger"), f"{step}.{name}", ReportError)
            elif name in _TIES:
                raise ReportError(
                    f"{step}.{name} ties the steps of a run together and is set by it; a model "
                    "that exists is given with --model"
                )
        checked[step] = convert_parameters(step, free, given)
    return checked


def check_models(models: Mapping[str, Path]) -> dict[str, Path]:
    """Refuse models that a run cannot take, before anything begins.

    Parameters
    ----------
    models : mapping
        Name -> file.

    Returns
    -------
    dict
        With full paths.

    Raises
    ------
    ModelError
        Another name, a file that is not there or no model, or one for another task.
    """
    names = [*MODELS, "aesthetic"]
    checked = {}
    for name, file in models.items():
        check_choice(name, names, "the name of a model", ModelError)
        task, found = name.partition("_")[0], task_of(file)
        if found is None and task == "tagger":
            raise ModelError(
                f"{file}: does not say which classes its outputs are; describe it with "
                "hotelviz.models.wrap_model and save it with save_model"
            )
        if found not in {task, None}:
            raise ModelError(f"{file}: is for the task {found!r}, not {task!r}")
        checked[name] = file.absolute()
    if "aesthetic" in checked and "aesthetic_2" in checked:
        raise ModelError("aesthetic and aesthetic_2 are two names of the last iteration; give one")
    return checked


def task_of(file: Path) -> str | None:
    """Return the task of a model file; None for one of another kit, which does not say it.

    Raises
    ------
    ModelError
        There is no such file, or it is no model.
    """
    if not file.is_file():
        raise ModelError(f"{file.absolute()}: there is no such model file")
    try:
        with zipfile.ZipFile(file) as archive:
            if _MEMBER not in archive.namelist():
                return None
            return str(json.loads(archive.read(_MEMBER))["task"])
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file}: is no model file (.keras): {error}") from error
