"""How far ratings can be trusted, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from shlex import quote

import pandas as pd

from hotelviz.labelling.inter_rater import reliability_of_means
from hotelviz.metrics import Interval
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.wording import counted, in_words, percent

#: Points by which a rater's mean may be off before somebody talks to them.
_MUCH = 0.5


def rating_verdict(
    alpha: Interval,
    raters: pd.DataFrame,
    ratings: pd.DataFrame,
    progress: pd.DataFrame,
    own: Mapping[str, Interval],
    *,
    name: str,
) -> Verdict:
    """Say how far raters agree, what that is good for, and who is unlike the others.

    Parameters
    ----------
    alpha : hotelviz.metrics.Interval
        From `hotelviz.labelling.inter_rater.krippendorff_alpha`.
    raters : pandas.DataFrame
        From `rater_statistics`.
    ratings : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.ratings`.
    progress : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.progress`.
    own : mapping
        From `self_agreement`.
    name : str
        The store, for commands.

    Returns
    -------
    Verdict
    """
    answered = ratings[ratings["score"].notna() | ratings["tag"].notna()]
    per_photo = answered[answered["repeat"] == 0].groupby("image_id").size()
    several = per_photo[per_photo > 1]
    n_raters, n_photos = counted(len(raters), "rater"), counted(len(several), "photo")
    left = int(progress["left"].sum())
    cards = []
    if math.isnan(alpha.value):
        why = "no photo has two answers" if several.empty else "all answers are the same"
        who = "raters" if len(raters) == 1 else n_raters
        text = f"How far {who} agree cannot be said yet: {why}."
    else:
        text = (
            f"{n_raters} {agreement(alpha.value)} on {n_photos}: Krippendorff's alpha "
            f"{alpha.value:.2f} ({_bounds(alpha)})."
        )
        bounds = f"{_bounds(alpha)}, {n_photos}"
        cards = [Card("Krippendorff's alpha", f"{alpha.value:.2f}", bounds)]
        if answered["score"].notna().any():
            mean = float(several.mean())
            together = f"{reliability_of_means(alpha.value, mean):.2f}"
            text += f" The mean of a photo's {mean:.1f} answers is reliable to {together} of 1."
            cards.append(Card("reliability of means", together, f"of {mean:.1f} answers a photo"))
    if unlike := unlike_the_others(raters):
        text += f" {unlike}"
    if "same" in own:
        repeats = counted(int((answered["repeat"] == 1).sum()), "repeated photo")
        same = own.get("within_one", own["same"])
        word = "same answer twice, or one apart" if "within_one" in own else "same answer twice"
        cards.append(Card(word, percent(*same), repeats))
    total = int(progress["assigned"].sum())
    cards.append(Card("answers", f"{total - left:,} of {total:,}", f"{left:,} to come"))
    said = answered[answered["repeat"] == 0].groupby("image_id")[["score", "tag"]].nunique()
    disputed = bool((said > 1).any(axis=None))
    steps = _next_steps(left, bool(unlike), disputed, ratings, name)
    return Verdict(text, cards=cards, next_steps=steps)


def agreement(alpha: float) -> str:
    """Say in words how far raters agree, by Krippendorff's own limits.

    Parameters
    ----------
    alpha : float
        Krippendorff's alpha.

    References
    ----------
    Krippendorff: Content Analysis, 2004, chapter 11: reliable from .8, tentative from .667.

    Examples
    --------
    >>> agreement(0.7), agreement(0.41)
    ('agree well enough for tentative conclusions', 'agree in part, as on most matters of taste,')
    """
    if alpha >= 0.8:
        return "agree reliably"
    if alpha >= 0.667:
        return "agree well enough for tentative conclusions"
    if alpha >= 0.2:
        return "agree in part, as on most matters of taste,"
    return "hardly agree"


def unlike_the_others(raters: pd.DataFrame) -> str:
    """Name who is stricter, milder or otherwise unlike the other raters, the most so first.

    Parameters
    ----------
    raters : pandas.DataFrame
        From `hotelviz.labelling.inter_rater.rater_statistics`.

    Returns
    -------
    str
        A sentence of up to three raters; empty where nobody is: a bias counts from half a point,
        where its interval leaves out 0 or it is the same on six photos or more.
    """
    known = raters[raters["compared"] > 0]
    if "bias" in known:
        sure = (known["bias_low"] > 0) | (known["bias_high"] < 0)
        # What is the same on every photo has no interval; by the sign test six are enough.
        sure |= known["noise"].eq(0) & (known["compared"] >= 6)
        known = known[sure & (known["bias"].abs() >= _MUCH)]
        known = known.sort_values(
            ["bias", "rater"], key=lambda column: -column.abs() if column.name == "bias" else column
        )
        texts = [
            f"{rater} gives {abs(bias):.1f} points {'more' if bias > 0 else 'less'}"
            for rater, bias in zip(known["rater"].head(3), known["bias"].head(3), strict=True)
        ]
        than = " than the others"
    elif "agrees" in known:
        typical = known["agrees"].median()
        known = known[known["agrees_high"] < typical].sort_values(["agrees", "rater"])
        texts = [
            f"{rater} agrees with {percent(share)} of the others' tags"
            for rater, share in zip(known["rater"].head(3), known["agrees"].head(3), strict=True)
        ]
        than = f" (median {percent(typical)})"
    else:
        return ""
    if not texts:
        return ""
    more = f", and {len(known) - 3:,} more" if len(known) > 3 else ""
    return f"{', '.join(texts)}{than}{more}."


def bias_words(raters: pd.DataFrame) -> str:
    """Return how to read the figure of how far raters are from the others.

    Parameters
    ----------
    raters : pandas.DataFrame
        From `hotelviz.labelling.inter_rater.rater_statistics`.

    Examples
    --------
    >>> bias_words(pd.DataFrame({"agrees": [0.9]}))[:52]
    "The dot is the share of the others' votes that were "
    """
    if "bias" not in raters:
        return (
            "The dot is the share of the others' votes that were the same as the rater's, the "
            "thick line its 95 % interval over hotels."
        )
    return (
        "The dot is a rater's mean difference from the others on the same photos, the thick line "
        "its 95 % interval over hotels, the thin line the spread of single answers. A bias does "
        "little harm if all raters rate equally many photos; much noise, or answers far from their "
        "own first ones, are a reason to talk to a rater."
    )


def repeats_table(pairs: pd.DataFrame, *, scores: bool) -> Table:
    """Return the photos that a rater answered differently when they saw them again.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `hotelviz.labelling.inter_rater.repeat_pairs`.
    scores : bool
        Whether the answers are scores, whose difference is told.

    Returns
    -------
    Table
    """
    words = {"image_id": "photo", "rater": "rater"}
    words |= {"first": "first answer", "second": "second answer"}
    words |= {"difference": "points apart"} if scores else {}
    rows = pairs[pairs["difference"] > 0]
    return Table(rows, words, max_rows=15, noun="photos answered differently")


def disputed_photos(found: pd.DataFrame) -> pd.DataFrame:
    """Return the photos that people disagree on, with a ``caption`` of what they said.

    Parameters
    ----------
    found : pandas.DataFrame
        From `hotelviz.labelling.inter_rater.disagreements`.

    Examples
    --------
    >>> found = pd.DataFrame({"disagreement": [0.5, 0.0], "said": ["Pool_bar (1), Spa (1)", "x"]})
    >>> disputed_photos(found)["caption"].to_list()
    ['0.50: Pool bar (1), Spa (1)']
    """
    rows = found[found["disagreement"] > 0]
    pairs = zip(rows["disagreement"], rows["said"], strict=True)
    return rows.assign(caption=[f"{value:.2f}: {in_words(said)}" for value, said in pairs])


def rater_table(raters: pd.DataFrame) -> pd.DataFrame:
    """Return the statistics of raters as a table for people, with what fits its task.

    Parameters
    ----------
    raters : pandas.DataFrame
        From `hotelviz.labelling.inter_rater.rater_statistics`.

    Returns
    -------
    pandas.DataFrame
        A row per rater; columns without any value are left out.
    """
    table = raters.copy()
    for name in {"bias", "agrees"} & set(raters):
        sign = "+" if name == "bias" else ""
        bounds = zip(*(raters[f"{name}{end}"] for end in ("", "_low", "_high")), strict=True)
        table[name] = [
            None if value != value
            else f"{value:{sign}.2f}"
            + (f" ({low:{sign}.2f} to {high:{sign}.2f})" if low <= high else "")
            for value, low, high in bounds
        ]  # fmt: skip
    words = {
        "rater": "rater",
        "photos": "photos",
        "skipped": "skipped",
        "seconds": "seconds a photo",
        "mean": "mean score",
        "bias": "points more than the others",
        "noise": "noise (points)",
        "correlation": "correlation with the others",
        "agrees": "share of the others' tags that were the same",
        "self_difference": f"{'points apart' if 'bias' in raters else 'different'}, asked twice",
    }
    kept = [name for name in words if name in table and table[name].notna().any()]
    return table[kept].rename(columns=words)


def self_agreement_table(own: Mapping[str, Interval]) -> pd.DataFrame:
    """Return how far raters agree with themselves as a table for people.

    Parameters
    ----------
    own : mapping
        From `hotelviz.labelling.inter_rater.self_agreement`.

    Returns
    -------
    pandas.DataFrame
        Empty where no photo was shown twice.
    """
    words = {
        "same": "the same answer",
        "within_one": "the same, or one point apart",
        "difference": "points apart, on average",
    }
    rows = []
    for name, value in own.items():
        said = [f"{figure:.2f}" if name == "difference" else percent(figure) for figure in value]
        bounds = f"{said[1]} to {said[2]}" if value.low <= value.high else "none"
        rows.append((words[name], said[0], bounds))
    return pd.DataFrame(
        rows, columns=["the second answer is", "share", "95 % interval over hotels"]
    )


def _bounds(value: Interval) -> str:
    return f"{value.low:.2f} to {value.high:.2f}" if value.low <= value.high else "no interval"


def _next_steps(
    left: int, unlike: bool, disputed: bool, ratings: pd.DataFrame, name: str
) -> list[NextStep]:
    steps, store = [], quote(name)
    if unlike:
        steps.append(NextStep("Talk to the raters who are unlike the others", "#Raters"))
    if disputed:
        steps.append(NextStep("Look at the photos that people disagree on", "#Disputed-photos"))
    if left:
        steps.append(NextStep(f"Wait for {counted(left, 'answer')}, or let others help out"))
    hidden = ratings["reason"].fillna("").str.startswith("cannot be shown")
    if hidden.any():
        steps.append(
            NextStep(f"Mend {counted(int(hidden.sum()), 'photo')} that could not be shown",
                     "#Skipped-photos")
        )  # fmt: skip
    export = f"hotelviz label-export --store {store} --out rated.csv"
    steps.append(NextStep("Train on them", command=export))
    choose = f"hotelviz label-choose PHOTOS.csv --store {store} --out next.csv"
    steps.append(NextStep("Choose the photos of the next round", command=choose))
    return steps
