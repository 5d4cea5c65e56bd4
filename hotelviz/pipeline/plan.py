"""The plan of a run: what it does, what it leaves out and why, and about how long it takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hotelviz.demo.settings import scratch_settings
from hotelviz.errors import ReportError, check_choice
from hotelviz.pipeline.earlier import earlier_file
from hotelviz.pipeline.estimate import Rates, estimated_seconds, measure_rates
from hotelviz.pipeline.execution import about
from hotelviz.pipeline.facts import Facts, catalog_in
from hotelviz.pipeline.request import (
    STEPS,
    Request,
    check_models,
    check_settings,
    parameters_of,
    task_of,
)
from hotelviz.pipeline.state import RunState, read_json, write_json
from hotelviz.pipeline.step import Step
from hotelviz.pipeline.steps import Steps, with_needing, with_needs

_TRAININGS = ("tagger_training", "aesthetic_training_1", "aesthetic_training_2")
#: What a quick run changes: linear heads only, smaller drawings, fewer checks.
QUICK: dict[str, dict[str, Any]] = {
    **{name: {"effort": "quick"} for name in _TRAININGS},
    "explain_tagger": {
        "methods": ["cam", "layercam", "saliency"], "checked_methods": ["cam", "saliency"],
        "n_checked": 20, "n_confusions": 2, "max_photos": 12,
    },
    "compare_filters": {
        "n_channels": 6, "size": 128, "steps": 64, "n_photos": 48, "n_searched": 300, "n_cards": 1,
    },
}  # fmt: skip
#: Most epochs of a tagger that learns from scratch.
_SCRATCH_EPOCHS = 30
_FROM_SCRATCH = (
    "ImageNet's weights could not be had, so the networks learned from scratch, from these photos "
    "alone: expect less of them, and put the weights into $KERAS_HOME/models for more."
)
_UNDESCRIBED = (
    "{} does not say how photos become its input: that is taken to be as in idealo's models (224 "
    "pixels, nearest neighbour, -1 to 1); describe it with hotelviz wrap if it is not."
)
_QUICK = (
    "A quick run: without fine-tuning, with smaller drawings and fewer checks than the defaults."
)


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes
    ----------
    request : Request
        What was asked for, with the settings of its kind of run and the line at the top of pages.
    facts : Facts
        What the catalogue has.
    steps : list of Step
        In the order of the work.
    left_out : dict
        Part of the work -> why it is left out, and what to add.
    to_do : set of str
        The steps that are not done yet, as far as that can be known before.
    again : set of str
        Steps that are done again although nothing has changed.
    pretrained : bool
        Whether networks start from ImageNet's weights.
    """

    request: Request
    facts: Facts
    steps: list[Step]
    left_out: dict[str, str]
    to_do: set[str]
    again: set[str]
    pretrained: bool

    @property
    def seconds(self) -> float:
        """About how long the steps take that are not done yet, one after the other."""
        return sum(step.seconds or 0 for step in self.steps if step.name in self.to_do)

    def __str__(self) -> str:
        width = max(len(step.name) for step in self.steps)
        lines = [
            f"The catalogue: {self.facts}.",
            *filter(None, [self.request.banner, self.request.note]),
            "The plan:",
        ]
        for number, step in enumerate(self.steps, start=1):
            when = about(step.seconds) if step.seconds is not None else "to do"
            told = when if step.name in self.to_do else "done, unchanged"
            lines.append(f"  {number:2}  {step.name:<{width}}  {told}")
        if self.left_out:
            lines.append("Left out:")
            lines += [f"  {part}: {why}" for part, why in self.left_out.items()]
        if self.seconds:
            lines.append(
                f"In all {about(self.seconds)} one after the other, less where steps run side by "
                "side. Estimated from a few photos and an untrained network on this machine, as "
                "busy as it is now."
            )
        return "\n".join(lines)


def plan(
    catalog: str | os.PathLike[str],
    out: str | os.PathLike[str] = "reports",
    *,
    first: str | os.PathLike[str] | None = None,
    models: Mapping[str, str | os.PathLike[str]] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    quick: bool = False,
    only: str | None = None,
    start: str | None = None,
    seed: int = 0,
    truth: str | os.PathLike[str] | None = None,
    banner: str = "",
    pretrained: bool | None = None,
) -> Plan:
    """Plan everything that can be done with a catalogue: nothing is written, nothing trained.

    Parameters
    ----------
    catalog : path
        The photos: what `hotelviz.catalog.read_catalog` reads, a folder with ``catalog.csv`` or
        ``catalog.parquet`` in it, or a folder of photos.
    out : path, default "reports"
        The folder of the reports. ``data/`` in it gets the catalogue with the split that all steps
        use, and the state of the run; ``models/`` the models, and as ``NAME.earlier.keras`` the one
        whose place a training took, ``scores/`` the scores, ``audit/``
        the audit, ``tags.parquet`` the tagger's predictions, ``figures/`` the figures at print
        size.
    first : path, optional
        A catalogue with other people's ratings: the first aesthetic iteration learns from it, the
        second from the ratings of `catalog`.
    models : mapping of str to path, optional
        Models that exist: ``tagger``, ``aesthetic_1``, ``aesthetic_2``, or ``aesthetic`` for the
        last iteration, whichever that is. They are not trained. Aesthetic models without
        hotelviz' description are taken for such as idealo published.
    settings : mapping of str to mapping, optional
        Step -> parameter -> value; the others are the defaults of the notebooks.
    quick : bool, default False
        Take linear heads, smaller drawings and fewer checks.
    only : str, optional
        Do this step, and what it needs as far as that is not done.
    start : str, optional
        Do this step again, and what needs it.
    seed : int, default 0
        For splits, trainings and samples.
    truth : path, optional
        The folder of a demo catalogue, where its faults are known.
    banner : str, default ""
        A line at the top of each page.
    pretrained : bool, optional
        Whether to start from ImageNet's weights; by default where they can be had.

    Returns
    -------
    Plan
        As text: the steps with an estimate of time, and what is left out and why.

    Raises
    ------
    CatalogError
        The catalogue cannot be used.
    ReportError
        A step or a parameter that there is not, or a value of another type.
    ModelError
        A model that is not there, or for another task.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> folder = tempfile.mkdtemp()
    >>> _ = make_demo_catalog(folder, n_hotels=3, size=(96, 128))
    >>> planned = plan(f"{folder}/catalog.csv", f"{folder}/reports", only="cleaning_audit",
    ...                pretrained=True)
    >>> [step.name for step in planned.steps]
    ['split', 'cleaning_audit']
    """
    asked = [step for step in (only, start) if step]
    for step in asked:
        check_choice(step, STEPS, "the step", ReportError)
    request = Request(
        Path(catalog),
        Path(out),
        first=Path(first) if first else None,
        truth=Path(truth) if truth else None,
        models=check_models({name: Path(file) for name, file in (models or {}).items()}),
        settings=check_settings(settings or {}),
        seed=seed,
        banner=banner,
    )
    # A wrong path is refused before TensorFlow is loaded.
    facts = Facts.of(catalog_in(request.catalog))
    if request.first:
        catalog_in(request.first)
    if pretrained is None:
        pretrained = weights_available(request.out)
    request = _with_settings(request, quick=quick, pretrained=pretrained)
    made = Steps(request, facts, pretrained=pretrained)
    if not any("_training" in step.name for step in made.all):
        # Where nothing is trained, nothing has learned from scratch.
        request = replace(request, banner=request.banner.removeprefix(_FROM_SCRATCH).strip())
        made = Steps(request, facts, pretrained=pretrained)
    state = RunState(state_file(request.out))
    again = with_needing(made.all, [start] if start else [])
    to_do = with_needing(made.all, again | _stale(made.all, state))
    nothing = _not_compared(made, to_do, state)
    left_out = made.left_out | {step: why for step, why in nothing.items() if why}
    steps = [step for step in made.all if step.name not in nothing]
    for step in asked:
        if step not in {one.name for one in steps}:
            raise ReportError(f"{step} is left out: {_why(step, left_out)}")
    if only:
        steps = with_needs(steps, [only])
    names = {step.name for step in steps}
    again, to_do = again & names, to_do & names
    if rates := measure_rates(facts.sample) if to_do else None:
        steps = _with_estimates(steps, request, facts, rates, scratch=not pretrained)
    return Plan(request, facts, steps, left_out, to_do, again, pretrained)


def _stale(steps: list[Step], state: RunState) -> set[str]:
    return {step.name for step in steps if not state.is_current(step)}


def _not_compared(made: Steps, to_do: set[str], state: RunState) -> dict[str, str]:
    """Return the comparisons with earlier models that are left out, and why.

    The reason is empty where no model was ever replaced: nobody misses a comparison then.
    """
    found = {}
    for name, one in made.comparisons.items():
        step = next(step for step in made.all if step.name == name)
        why = "" if name in to_do else state.left_out(step)
        if why or (one.training not in to_do and not earlier_file(one.model).exists()):
            found[name] = why
    return found


def state_file(out: Path) -> Path:
    """Return the file in which a run remembers what is done."""
    return out / "data" / "run.json"


def _with_settings(request: Request, *, quick: bool, pretrained: bool) -> Request:
    """Return a request with the settings of its kind of run below its own."""
    base: dict[str, dict[str, Any]] = {step: dict(QUICK[step]) for step in QUICK if quick}
    if not pretrained:
        scratch = scratch_settings(_SCRATCH_EPOCHS // (2 if quick else 1))
        for step in _TRAININGS:
            # Without labels the first iteration has no tagger to start from.
            learned = scratch["tagger_training"] | scratch[step]
            known = parameters_of(step)
            base[step] = {name: value for name, value in learned.items() if name in known}
    told = [request.banner or ("" if pretrained else _FROM_SCRATCH)]
    banner = " ".join(filter(None, [*told, _QUICK * quick]))
    foreign = [name for name, file in request.models.items() if task_of(file) is None]
    note = " ".join(map(_UNDESCRIBED.format, foreign))
    settings = {
        step: base.get(step, {}) | dict(request.settings.get(step, {}))
        for step in {*base, *request.settings}
    }
    return replace(request, settings=settings, banner=banner, note=note)


def _with_estimates(
    steps: list[Step], request: Request, facts: Facts, rates: Rates, *, scratch: bool
) -> list[Step]:
    """Return steps with about how long they take."""
    network = request.values("tagger_training") if scratch and not request.models else {}

    def seconds(step: Step) -> float:
        values = request.values(step.name) | step.key.get("parameters", {})
        return estimated_seconds(step.name, facts, values, network, rates)

    return [replace(step, seconds=seconds(step)) for step in steps]


def _why(step: str, left_out: Mapping[str, str]) -> str:
    """Return why a step is left out."""
    if step in ("compare_tagger", "compare_aesthetic") and not left_out.get(step):
        return "no training of this run replaces the model of an earlier one"
    for name in (step, step.partition("_")[0]):
        for part, why in left_out.items():
            if name in part:
                return why
    return "; ".join(left_out.values()) or "a model is given instead"


def weights_available(out: str | os.PathLike[str]) -> bool:
    """Return whether ImageNet's weights can be had, as a run into a folder would find out.

    What was found out once is remembered there: the next run need not load TensorFlow for it.

    Parameters
    ----------
    out : path
        The folder of the reports.

    Examples
    --------
    >>> import tempfile
    >>> weights_available(tempfile.mkdtemp()) in (True, False)
    True
    """
    known = read_json(_memory(Path(out)))
    if known.get("folder") == _weights_folder():
        return bool(known["pretrained"])
    from hotelviz.models import imagenet_weights_available

    return imagenet_weights_available()


def _weights_folder() -> list[str]:
    """Return the names of the files with weights: where they change, it is asked again."""
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    return sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []


def _memory(out: Path) -> Path:
    return out / "data" / "weights.json"


def remember(plan: Plan) -> None:
    """Remember what the next run need not find out again: whether there are weights."""
    known = {"pretrained": plan.pretrained, "folder": _weights_folder()}
    write_json(known, _memory(plan.request.out))
