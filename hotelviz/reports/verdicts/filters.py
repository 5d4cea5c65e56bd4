"""What training changed inside a network, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.wording import agreeing, counted, in_words, percent, started_from

if TYPE_CHECKING:
    import keras

    from hotelviz.feature_vis import FilterComparison
    from hotelviz.models import ModelInfo

#: A channel that correlates less with what it was looks for something else: less than half of what
#: it does (r² of a quarter) is explained by what it did.
ELSEWHERE = 0.5
#: Likeness of a layer's outputs (linear CKA) from which on photos are seen so.
_SEEN = ((0.95, "nearly as {} does"), (0.8, "a little differently from {}"),
         (0.5, "differently from {}"), (0.0, "very differently from {}"))  # fmt: skip
#: Layers whose likenesses differ by less changed about as much.
_AS_MUCH = 0.05
_CKA = "linear CKA: how alike a layer's outputs for the same photos are, 1 is the same"


def filters_verdict(
    comparison: FilterComparison,
    names: tuple[str, str],
    *,
    n_photos: int,
    related: bool | None = None,
    task: str = "",
) -> Verdict:
    """Return what a comparison of two networks found.

    Parameters
    ----------
    comparison : hotelviz.feature_vis.FilterComparison
        With photos: its `profile` is not empty.
    names : tuple of str
        Of the model before and of the one after.
    n_photos : int
        On which they were compared.
    related : bool, optional
        Whether the one was trained from the other, as `trained_from` says.
    task : str, default ""
        Of the model after: its report is a next step.

    Returns
    -------
    Verdict
    """
    profile, photos = comparison.profile, counted(n_photos, "photo")
    most, least = (profile.sort_values("cka", kind="stable").iloc[place] for place in (0, -1))
    if not float(profile["weight_change"].max()) and float(most["cka"]) > 1 - 1e-6:
        return Verdict(
            f"{names[0]} and {names[1]} are the same network in all {len(profile)} convolutions: "
            f"nothing was changed.",
            cards=[Card("least likeness of a layer", f"{most['cka']:.2f}", f"{photos}; {_CKA}")],
            next_steps=[NextStep("Compare a model with the one that its training began from.")],
        )
    layers = channels_elsewhere(comparison.changes)
    elsewhere, judged = int(layers["elsewhere"].sum()), int(layers["judged"].sum())
    how = next((words for bound, words in _SEEN if most["cka"] >= bound), _SEEN[-1][1])
    where = _where(profile, most, least, "changed" if related is not False else "differs")
    said = f"{names[1]} sees photos {how.format(names[0])}: {where}."
    if related is False:
        said = f"The two come from different trainings. {said}"
    if judged:
        said += f" {_elsewhere_said(elsewhere, judged)}"
    if most["cka"] >= _SEEN[0][0]:
        said += " What it does otherwise comes mostly from its last layer."
    else:
        said += " Do these fit what it is to judge? Their pictures tell." * bool(elsewhere)
    steps = [
        NextStep("See what the channels that changed most look for.", "#The-same-channels"),
        NextStep("Look at the photos that activate them.", "#Channel-cards"),
    ]
    if related is False:
        steps.insert(0, NextStep("Compare with the model that the training began from."))
    report = {"tagger": "tagger_report", "aesthetic": "aesthetic_report"}.get(task)
    if report:
        steps.append(NextStep("Did it pay off? See how good the model is.", report))
    of_layers = [
        f"{some:,} of {of:,} in {layer}"
        for some, of, layer in zip(
            layers["elsewhere"], layers["judged"], layers["layer"], strict=True
        )
    ]
    return Verdict(
        said,
        cards=[
            Card(
                "layer that changed most", str(most["layer"]),
                f"{most['cka']:.2f} on {photos} ({_CKA})",
            ),
            Card(
                "channels that look for something else",
                percent(elsewhere / judged) if judged else "–",
                f"{', '.join(of_layers)}; correlation with before below {ELSEWHERE}",
            ),
        ],
        next_steps=steps,
    )  # fmt: skip


def _where(profile: pd.DataFrame, most: pd.Series, least: pd.Series, changed: str) -> str:
    """Return in which part of the network most changed, and in which least."""
    if least["cka"] - most["cka"] < _AS_MUCH:
        return f"about as much {changed} in all its layers"
    places = {layer: place for place, layer in enumerate(profile["layer"])}

    def named(layer: str) -> str:
        third = 3 * places[layer] // len(places)
        part = ("at the beginning of", "in the middle of", "near the end of")[third]
        return f"{part} the network ({layer})"

    little = "hardly anything" if least["cka"] >= _SEEN[0][0] else "least"
    return f"most {changed} {named(most['layer'])}, {little} {named(least['layer'])}"


def _elsewhere_said(elsewhere: int, judged: int) -> str:
    """Return how many channels look for something else, in a sentence."""
    if judged == 1:
        looks = "looks for something else" if elsewhere else "still looks for what it did before"
        return f"The only channel that could be compared {looks}."
    if not elsewhere:
        return f"All {judged:,} channels that were compared still look for what they did before."
    return (
        f"{elsewhere:,} of {judged:,} channels that were compared (each finds one kind of pattern) "
        f"{agreeing(elsewhere, 'looks', 'look')} for something else now."
    )


def channels_elsewhere(changes: pd.DataFrame) -> pd.DataFrame:
    """Count the channels of each layer that look for something else than before.

    Parameters
    ----------
    changes : pandas.DataFrame
        The table of `hotelviz.feature_vis.change_by_channel`, with photos.

    Returns
    -------
    pandas.DataFrame
        ``layer``; ``channels``; ``judged``, those that are active on the photos in both networks;
        ``elsewhere``, those of them that correlate by less than 0.5; ``share``, theirs.

    Examples
    --------
    >>> table = pd.DataFrame({"layer": "a", "channel": range(3), "correlation": [0.9, 0.1, None]})
    >>> channels_elsewhere(table).to_numpy().tolist()
    [['a', 3, 2, 1, 0.5]]
    """
    known = changes.assign(elsewhere=changes["correlation"] < ELSEWHERE)
    counts = known.groupby("layer", sort=False, as_index=False).agg(
        channels=("channel", "size"),
        judged=("correlation", "count"),
        elsewhere=("elsewhere", "sum"),
    )
    return counts.assign(share=counts["elsewhere"] / counts["judged"])


def trained_from(info: ModelInfo, original: str) -> bool | None:
    """Return whether a model was trained from another one, at once or by models between.

    Parameters
    ----------
    info : hotelviz.models.ModelInfo
        Of the model.
    original : str
        ``imagenet``, or the hash of the other's weights (`hotelviz.models.weights_hash`).

    Returns
    -------
    bool or None
        None where the model does not say what its training began from.
    """
    training, parent = info.training, info.parent
    while True:
        if original in (begun := _began_from(training)):
            return True
        if parent is None:
            # Random weights are a beginning too; models from elsewhere say nothing.
            return False if begun else None
        training, parent = parent.get("training", {}), parent.get("parent")


def origin_of(info: ModelInfo) -> str:
    """Return what the training of a model began from, in words."""
    if info.parent is not None:
        return f"another model ({info.parent.get('task', 'unknown')})"
    begun = _began_from(info.training)
    return started_from(begun[0]) if begun else "not known"


def models_table(models: Sequence[keras.Model], names: Sequence[str]) -> Table:
    """Return which models were compared, the one before first, and what their trainings began from.

    Parameters
    ----------
    models : sequence of keras.Model
        The model before and the one after.
    names : sequence of str
        What they are called.

    Returns
    -------
    Table
    """
    from hotelviz.models import model_info

    rows = [
        {
            "which": when, "model": name, "task": info.task, "backbone": info.backbone,
            "input (pixels)": info.preprocessing.height, "training began from": origin_of(info),
        }
        for when, name, info in zip(
            ("before", "after"), names, map(model_info, models), strict=True
        )
    ]  # fmt: skip
    return Table(pd.DataFrame(rows))


def output_titles(info: ModelInfo, outputs: Sequence[str] = ()) -> dict[Any, str]:
    """Return the outputs of a model that are drawn -> what they are called.

    Parameters
    ----------
    info : hotelviz.models.ModelInfo
        Of the model.
    outputs : sequence of str, default ()
        Those that are asked for; by default all classes of a tagger, or the lowest and the highest
        score.
    """
    if info.task == "tagger":
        return {name: in_words(name) for name in outputs or info.classes}
    return {name: f"score {name}" for name in outputs or (info.classes[0], info.classes[-1])}


def _began_from(training: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return the weights that a training began from, and its parent's hash; nothing if unknown."""
    settings = training.get("settings", training)
    if "weights" not in settings:
        return ()
    return settings["weights"], settings.get("parent")
