"""What every channel of a layer does, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.gallery import Gallery
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.filters import ELSEWHERE
from hotelviz.reports.wording import agreeing, counted, in_words, percent

if TYPE_CHECKING:
    from hotelviz.feature_vis import ChannelAtlas

#: Outputs that a channel's caption names.
_NAMED = 3


def atlas_verdict(atlas: ChannelAtlas, *, task: str = "") -> Verdict:
    """Return what an atlas found.

    Parameters
    ----------
    atlas : hotelviz.feature_vis.ChannelAtlas
        Of a layer.
    task : str, default ""
        Of the model: scores are called so.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> from hotelviz.feature_vis import ChannelAtlas
    >>> table = pd.DataFrame({"channel": [0, 1], "state": ["active", "dead"], "x": [0.5, None]})
    >>> none = pd.DataFrame(index=range(2))
    >>> atlas_verdict(ChannelAtlas("conv", table, np.ones((2, 10)), np.arange(11), none, 50)).text
    'Of 2 channels of conv, 1 is dead on 50 photos and none is a duplicate of another.'
    """
    table, photos = atlas.channels, counted(atlas.n_photos, "photo")
    many, counts = len(table), table["state"].value_counts()
    dead, copies = int(counts.get("dead", 0)), int(counts.get("duplicate", 0))
    channels = counted(many, "channel")
    cards = [
        Card("dead channels", f"{dead:,} of {many:,}", f"the same at all places of {photos}"),
        Card(
            "duplicates", f"{copies:,} of {many:,}",
            f"correlation with an earlier channel of at least 0.95 on {photos}",
        ),
    ]  # fmt: skip
    if dead == many:
        said = f"All {channels} of {atlas.layer} are dead on {photos}: nothing gets through."
        step = NextStep("Is the model whole, and are these photos like those it learned from?")
        return Verdict(said, cards=cards, next_steps=[step])
    copied = agreeing(max(copies, 1), "is a duplicate", "are duplicates")
    said = (
        f"Of {channels} of {atlas.layer}, {dead or 'none'} {agreeing(max(dead, 1))} dead on "
        f"{photos} and {copies or 'none'} {copied} of another."
    )
    if "change" in table and table["change"].notna().any():
        judged = int(table["correlation"].notna().sum())
        elsewhere = int((table["correlation"] < ELSEWHERE).sum())
        said += (
            f" Training made {elsewhere:,} of {judged:,} channels look for something else: their "
            f"activations correlate by less than {ELSEWHERE} with those before."
        )
        cards.append(
            Card(
                "look for something else", percent(elsewhere / judged),
                f"{elsewhere:,} of {judged:,}; correlation with before below {ELSEWHERE}",
            )
        )  # fmt: skip
    if atlas.effects.shape[1]:
        most = table["drives"].value_counts()
        drives = _output(most.index[0], task)
        said += f" The output that most of them speak for is {drives}: {most.iloc[0]:,} do."
    steps = [NextStep("Walk over the map: like channels lie near each other.", "#The-atlas")]
    if atlas.effects.shape[1]:
        steps.append(NextStep("See what each output rests on.", "#What-drives-what"))
    return Verdict(said, cards=cards, next_steps=steps)


def atlas_gallery(atlas: ChannelAtlas, *, task: str = "", **gallery_kw: Any) -> Gallery:
    """Return the gallery of an atlas: its pictures, on a map where there is one.

    Parameters
    ----------
    atlas : hotelviz.feature_vis.ChannelAtlas
        Of a layer.
    task : str, default ""
        Of the model: scores are called so.
    **gallery_kw
        Further arguments of `hotelviz.gallery.Gallery`.
    """
    table = atlas.channels.copy()
    table.insert(0, "image_id", [f"{atlas.layer}/{channel}" for channel in table["channel"]])
    named = _named(atlas, task)
    if "drives" in table:
        known = table["drives"].notna()
        table["drives"] = [
            _output(one, task) if there else None
            for one, there in zip(table["drives"], known, strict=True)
        ]
    low, high = atlas.edges[[0, -1]]
    bars = f"photos by the channel's mean activation, {low:.2g} to {high:.2g} and more"
    return Gallery(
        table.assign(named=named), caption=channel_caption, positions=atlas.positions,
        distributions={"share": atlas.histograms}, bars=bars,
        colour=next(one for one in ("drives", "active_in", "state") if one in table), **gallery_kw,
    )  # fmt: skip


def channel_caption(row: pd.Series) -> str:
    """Return what a channel does.

    Parameters
    ----------
    row : pandas.Series
        Of the table of `atlas_gallery`.

    Examples
    --------
    >>> channel_caption(pd.Series({"channel": 7, "state": "duplicate", "duplicate_of": 3,
    ...                            "named": "Pool +0.12", "active_in": "Pool", "correlation": 0.4}))
    '7: duplicate of 3; for Pool +0.12; most active in Pool; r 0.40 with before'
    """
    parts = []
    if row["state"] != "active":
        copy = row["state"] == "duplicate"
        parts.append(f"duplicate of {row['duplicate_of']}" if copy else str(row["state"]))
    if row.get("named"):
        parts.append(f"for {row['named']}")
    if not pd.isna(row.get("active_in")):
        parts.append(f"most active in {in_words(row['active_in'])}")
    if not pd.isna(row.get("correlation")):
        parts.append(f"r {row['correlation']:.2f} with before")
    return f"{row['channel']}: {'; '.join(parts)}" if parts else str(row["channel"])


def drivers_table(atlas: ChannelAtlas, *, task: str = "", n_channels: int = 5) -> Table | None:
    """Return the channels that add most to each output, and that take most from it.

    Parameters
    ----------
    atlas : hotelviz.feature_vis.ChannelAtlas
        Of a layer.
    task : str, default ""
        Of the model: scores are called so.
    n_channels : int, default 5
        How many of each.

    Returns
    -------
    Table or None
        None for an atlas without outputs.
    """
    if not atlas.effects.shape[1]:
        return None
    lead = atlas.lead
    rows = []
    for name in lead:
        order = lead[name].sort_values(ascending=False, kind="stable")
        ends = order.head(n_channels), order[::-1].head(n_channels)
        adds, takes = (
            ", ".join(f"{channel} ({effect:+.2f})" for channel, effect in end.items())
            for end in ends
        )
        rows.append({"output": _output(name, task), "adds": adds, "takes": takes})
    words = {"output": "output", "adds": "channels for it", "takes": "channels against it"}
    return Table(pd.DataFrame(rows), words)


def _named(atlas: ChannelAtlas, task: str) -> list[str]:
    """Return the outputs that each channel adds most to, in words."""
    if not atlas.effects.shape[1]:
        return [""] * len(atlas.channels)
    lead = atlas.lead
    names, values = [_output(name, task) for name in lead], lead.to_numpy()
    order = np.argsort(-values, axis=1, kind="stable")[:, :_NAMED]
    return [
        ", ".join(f"{names[place]} {row[place]:+.2f}" for place in places if row[place] > 0.005)
        for row, places in zip(values, order, strict=True)
    ]


def _output(name: object, task: str) -> str:
    return in_words(name) if task in ("", "tagger") else f"score {name}"
