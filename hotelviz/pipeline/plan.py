"""The plan of a run: what it does, what it leaves out and why, and about how long it takes."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hotelviz.demo.settings import demo_settings
from hotelviz.errors import ReportError
from hotelviz.pipeline.execution import about
from hotelviz.pipeline.facts import Facts, catalog_in
from hotelviz.pipeline.measure import Rates, measure_rates
from hotelviz.pipeline.request import Request, check_step, parameters_of, task_of
from hotelviz.pipeline.state import RunState, read_json, write_json
from hotelviz.pipeline.step import Step
from hotelviz.pipeline.steps import Steps

#: What a quick run changes: linear heads only, smaller drawings, fewer checks.
QUICK: dict[str, dict[str, Any]] = {
    "tagger_training": {"effort": "quick"},
    "aesthetic_training_1": {"effort": "quick"},
    "aesthetic_training_2": {"effort": "quick"},
    "explain_tagger": {
        "methods": ["cam", "layercam", "saliency"], "checked_methods": ["cam", "gradcam"],
        "n_checked": 20, "n_confusions": 2, "max_photos": 12,
    },
    "compare_filters": {
        "n_channels": 6, "size": 128, "steps": 64, "n_photos": 48, "n_searched": 300, "n_cards": 1,
    },
}  # fmt: skip
#: Most epochs of a tagger that learns from scratch.
_SCRATCH_EPOCHS = 18
_FROM_SCRATCH = (
    "ImageNet's weights could not be had, so the networks learned from scratch, from these photos "
    "alone: expect less of them, and put the weights into $KERAS_HOME/models for more."
)
_UNDESCRIBED = (
    "{} does not say how photos become its input: that is taken to be as in idealo's models (224 "
    "pixels, nearest neighbour, -1 to 1); describe it with models.wrap_model if it is not."
)
_QUICK = (
    "A quick run: without fine-tuning, with smaller drawings and fewer checks than the defaults."
)


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes
    ----------
    facts : Facts
        What the catalogue has.
    steps : list of Step
        In the order of the work.
    left_out : dict
        Part of the work -> why it is left out, and what to add.
    to_do : list of str
        The steps that are not done yet, as far as that can be known before.
    again : set of str
        Steps that are done again although nothing has changed.
    pretrained : bool
        Whether networks start from ImageNet's weights.
    rates : Rates or None
        How fast this machine is, where that was measured.
    banner : str
        What stands at the top of each page.
    """

    facts: Facts
    steps: list[Step]
    left_out: dict[str, str]
    to_do: list[str]
    again: set[str]
    pretrained: bool
    rates: Rates | None
    banner: str

    @property
    def seconds(self) -> float:
        """About how long the steps take that are not done yet, one after the other."""
        return sum(step.seconds or 0 for step in self.steps if step.name in self.to_do)

    def __str__(self) -> str:
        width = max(len(step.name) for step in self.steps)
        lines = [f"The catalogue: {self.facts}.", *filter(None, [self.banner]), "The plan:"]
        for number, step in enumerate(self.steps, start=1):
            when = about(step.seconds) if step.seconds is not None else "to do"
            told = when if step.name in self.to_do else "done, unchanged"
            lines.append(f"  {number:2}  {step.name:<{width}}  {told}")
        if self.left_out:
            lines.append("Left out:")
            lines += [f"  {part}: {why}" for part, why in self.left_out.items()]
        if self.to_do and self.rates:
            lines.append(
                f"In all {about(self.seconds)} one after the other, less where steps run side by "
                "side. Estimated from a few photos and an untrained network on this machine."
            )
        return "\n".join(lines)


def make_plan(
    request: Request,
    *,
    quick: bool = False,
    pretrained: bool | None = None,
    only: str | None = None,
    start: str | None = None,
) -> tuple[Plan, Request]:
    """Plan a run, and measure the machine where something is to be done.

    Parameters
    ----------
    request : Request
        What was asked for.
    quick : bool, default False
        Take linear heads, smaller drawings and fewer checks.
    pretrained : bool, optional
        Whether to start from ImageNet's weights; by default where they can be had.
    only : str, optional
        Do this step, with what it needs.
    start : str, optional
        Do this step again, and what needs it.

    Returns
    -------
    plan : Plan
    request : Request
        With the settings and the banner that the plan is made of.

    Raises
    ------
    ReportError
        A step that there is not, or that is left out.
    """
    for step in filter(None, (only, start)):
        check_step(step)
    state = RunState(state_file(request.out))
    if pretrained is None:
        pretrained = weights_available(request.out)
    request = _with_settings(request, quick=quick, pretrained=pretrained)
    facts = Facts.of(catalog_in(request.catalog))

    def made(rates: Rates | None) -> Steps:
        steps = Steps(request, facts, pretrained=pretrained, rates=rates)
        names = [step.name for step in steps.all]
        for step in filter(None, (only, start)):
            if step not in names:
                raise ReportError(f"{step} is left out: {_why(step, steps.left_out)}")
        if only:
            steps.choose([only])
        return steps

    steps = made(None)
    again = _after(steps.all, start) if start else set()
    to_do = _to_do(steps.all, state, again)
    rates = _measured(request.out, facts) if to_do else None
    if rates:
        steps = made(rates)
    planned = Plan(
        facts, steps.all, steps.left_out, to_do, again, pretrained, rates, request.banner
    )  # fmt: skip
    return planned, request


def state_file(out: Path) -> Path:
    """Return the file in which a run remembers what is done."""
    return out / "data" / "run.json"


def _with_settings(request: Request, *, quick: bool, pretrained: bool) -> Request:
    """Return a request with the settings of its kind of run below its own."""
    base: dict[str, dict[str, Any]] = {step: dict(QUICK[step]) for step in QUICK if quick}
    if not pretrained:
        drawn = demo_settings(False, _SCRATCH_EPOCHS // (2 if quick else 1))
        for step in ("tagger_training", "aesthetic_training_1", "aesthetic_training_2"):
            # Without labels the first iteration has no tagger to start from.
            learned = drawn["tagger_training"] | drawn.get(step, {})
            known = parameters_of(step)
            base[step] = {name: value for name, value in learned.items() if name in known}
    told = [_FROM_SCRATCH] if not pretrained and not request.banner else []
    told += [_UNDESCRIBED.format(name) for name, file in request.models.items()
             if task_of(file) is None]  # fmt: skip
    banner = " ".join([request.banner, *told, *([_QUICK] if quick else [])]).strip()
    settings = {
        step: base.get(step, {}) | dict(request.settings.get(step, {}))
        for step in {*base, *request.settings}
    }
    return replace(request, settings=settings, banner=banner)


def _why(step: str, left_out: Mapping[str, str]) -> str:
    """Return why a step is left out."""
    named = [why for part, why in left_out.items() if step in part]
    kind = step.partition("_")[0]
    return next(
        iter(named or [why for part, why in left_out.items() if kind in part]),
        "; ".join(left_out.values()) or "a model is given instead",
    )


def _after(steps: Sequence[Step], start: str) -> set[str]:
    """Return a step, and all that need it."""
    found = {start}
    for step in steps:  # each stands after those that it needs
        if found & set(step.needs):
            found.add(step.name)
    return found


def _to_do(steps: Sequence[Step], state: RunState, again: Collection[str]) -> list[str]:
    """Return the steps that are not done, or need one that is not."""
    found: list[str] = []
    for step in steps:
        if step.name in again or set(step.needs) & set(found) or not state.is_current(step):
            found.append(step.name)
    return found


def weights_available(out: str | os.PathLike[str]) -> bool:
    """Return whether ImageNet's weights can be had, as a run into a folder would find out.

    What was found out once is remembered there: the next run need not load TensorFlow for it.

    Parameters
    ----------
    out : path
        The folder of the reports.
    """
    known = read_json(_memory(Path(out))).get("pretrained", {})
    if known.get("folder") == _weights_folder():
        return bool(known["available"])
    from hotelviz.models import imagenet_weights_available

    return imagenet_weights_available()


def _weights_folder() -> list[str]:
    """Return the names of the files with weights: where they change, it is asked again."""
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    return sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []


def _measured(out: Path, facts: Facts) -> Rates | None:
    """Return how fast the machine is, on photos of the catalogue; measured once for a run."""
    known = read_json(_memory(out)).get("rates", {})
    if known.get("of") == list(facts.sample) and known.get("on") == platform.node():
        return Rates(*known["rates"])
    return measure_rates(facts.sample)


def _memory(out: Path) -> Path:
    return out / "data" / "machine.json"


def remember(plan: Plan, out: Path) -> None:
    """Remember what the next run need not find out again: the weights, and the machine."""
    values: dict[str, Any] = read_json(_memory(out)) | {
        "pretrained": {"available": plan.pretrained, "folder": _weights_folder()}
    }
    if plan.rates:
        values["rates"] = {
            "of": plan.facts.sample, "on": platform.node(), "rates": plan.rates
        }  # fmt: skip
    write_json(values, _memory(out))
