"""How a training went, in rows and in words."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

#: What a training ends with, as the model's description says it.
LINEAR, FINE_TUNED = "linear head", "fine-tuned"
#: The phase in which the network that is kept learns from the photos that judged it, too.
ALL_PHOTOS = "all_photos"


class Course(NamedTuple):
    """How a training went.

    Attributes
    ----------
    rows
        A row per epoch, see `hotelviz.training.history`.
    about
        What a model's description says beside them: ``kept`` (the linear head or the fine-tuned
        network), ``why``, ``linear`` (see `hotelviz.training.head.Head`), ``judged``, the figures
        of both on the photos held out, ``judged_loss``, their losses there (of a tagger at the
        temperature that is best for each), ``judged_by``, the number of these ``photos`` and of
        their ``hotels``, and of a tagger ``temperature``. From scratch there is only that one.
    """

    rows: list[dict[str, Any]]
    about: dict[str, Any]


def numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of all phases with their number, from 1."""
    return [{**row, "epoch": number} for number, row in enumerate(rows, start=1)]


def deciding(figures: list[dict[str, Any]]) -> float:
    """Return the figure that decides; one that cannot be computed is worse than any other."""
    value = figures[0]["value"] if figures else 0.0
    return -np.inf if value is None else float(value)


def linear_words(about: dict[str, Any]) -> str:
    """Return how good the linear model is."""
    of = f"{about['photos']:,} photos of {about['hotels']:,} hotels"
    if not about["figures"]:
        return f"linear model on frozen features of {of}: too few hotels to judge it by"
    first, *_ = about["figures"]
    known = first["value"] is not None
    figure = "{value:.3f} ({low:.3f} to {high:.3f})".format(**first) if known else "none"
    of += ", each predicted without its hotel"
    if about["seen"]:
        of += f" (the networks that it comes from had learned from the hotels of {about['seen']:,})"
    return f"linear model on frozen features: {first['metric']} {figure} on {of}"


def better(judged: dict[str, list[dict[str, Any]]], losses: dict[str, float]) -> str:
    """Return which of the two is better by the photos that were held out."""
    linear, tuned = (deciding(judged[name]) for name in (LINEAR, FINE_TUNED))
    return FINE_TUNED if losses[FINE_TUNED] < losses[LINEAR] and tuned >= linear else LINEAR


def why_kept(kept: str, judged: dict[str, list[dict[str, Any]]], losses: dict[str, float]) -> str:
    """Return in words what decided, on the photos that were held out."""
    if FINE_TUNED not in judged:
        return "fine-tuning came to no whole epoch"
    if not judged[LINEAR]:
        return f"on the photos held out the {kept} had the lower loss"
    metric = judged[LINEAR][0]["metric"]
    found = {name: deciding(of) for name, of in judged.items()}
    values = ", ".join(
        f"{name} {value:.3f}" if np.isfinite(value) else f"{name} not computable"
        for name, value in found.items()
    )
    verb = "had" if kept == FINE_TUNED else "did not have"
    lost = f"loss {losses[LINEAR]:.3f} and {losses[FINE_TUNED]:.3f}"
    return (
        f"on the photos held out fine-tuning {verb} a lower loss and no lower {metric} "
        f"({values}; {lost})"
    )
