"""What a tagger's report found: how often it is right, and which areas it confuses."""

from __future__ import annotations

import shlex
from urllib.parse import quote

import pandas as pd

from hotelviz import metrics
from hotelviz.catalog import knows_hotels
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.verdicts.ambiguity import ambiguity_said
from hotelviz.reports.verdicts.trust import Trust, threshold_card, threshold_step
from hotelviz.reports.wording import (
    agreeing,
    counted,
    in_words,
    percent,
    photos_of_hotels,
    the_counted,
)

#: With fewer photos, or fewer hotels, or a wider interval, a figure is too uncertain to act on.
_PHOTOS, _HOTELS, _WIDTH = 30, 5, 0.2
#: Photos that a class needs to be called the weakest.
_OF_CLASS = 10


def confusion_name(true: str, predicted: str) -> str:
    """Return a confusion in words: a section of ``explain_tagger`` has this heading.

    Examples
    --------
    >>> confusion_name("Pool", "View_of_Exterior")
    'Pool predicted as View of Exterior'
    """
    return f"{in_words(true)} predicted as {in_words(predicted)}"


def confusion_anchor(true: str, predicted: str) -> str:
    """Return the address of a confusion's section in ``explain_tagger``.

    Examples
    --------
    >>> confusion_anchor("Pool", "View_of_Exterior")
    '#Pool-predicted-as-View-of-Exterior'
    """
    return "#" + quote(confusion_name(true, predicted).replace(" ", "-"))


def tagger_verdict(
    judged: pd.DataFrame,
    figures: pd.DataFrame,
    report: pd.DataFrame,
    *,
    unseen: bool,
    trust: Trust | None = None,
    catalog: str = "photos.csv",
    tags: str = "",
) -> Verdict:
    """Say how often a tagger is right, which area is weakest and what it is confused with.

    Parameters
    ----------
    judged : pandas.DataFrame
        The photos with ``label``, ``predicted``, ``hotel_id`` and ``image_id``; with ``seen`` (see
        `hotelviz.models.seen_photos`) it is said how many were seen in training.
    figures : pandas.DataFrame
        The table of `hotelviz.metrics.summary`.
    report : pandas.DataFrame
        The table of `hotelviz.metrics.classification_report`.
    unseen : bool
        Whether the model has seen none of the photos, as far as is known.
    trust : Trust, optional
        From which confidence on tags can be trusted, from `hotelviz.reports.verdicts.trust`.
    catalog, tags : str
        The files of the photos and of their predictions, for the commands.

    Returns
    -------
    Verdict
        It holds for a model without errors, a single class, photos without hotels and very few
        photos too.
    """
    table = figures.set_index("metric")
    value, low, high = _figure(table, "top-1 accuracy")
    error, least, most = _figure(table, "expected calibration error")
    photos = photos_of_hotels(judged, hotel="unseen hotel" if unseen else "hotel")
    weakest, pairs = _weakest(report), metrics.confusions(judged)
    n_right = int((judged["label"] == judged["predicted"]).sum())
    if too_few(judged, low, high if n_right < len(judged) else low):
        said = f"Right on {n_right:,} of {photos}: too few to tell how good the model is."
        # What it confuses can be seen all the same.
        said += _weakness(report, "", pairs) if len(judged) >= _PHOTOS and len(pairs) else ""
    elif n_right == len(judged):
        said = f"Right on all {photos}."
    else:
        said = f"Right on {percent(value, low, high)} of {photos}."
        said += _weakness(report, weakest, pairs) + ambiguity_said(judged)
    said += _caveats(judged, unseen)
    over = "hotels" if knows_hotels(judged) else "photos, as their hotels are not known"
    label = "top-1 accuracy" if unseen else "top-1 accuracy, not known to be of unseen photos"
    interval = f"{_between(low, high)}, 95 % interval over {over}"
    detail = f"{interval}; {photos}"
    cards = [Card(label, percent(value), detail)]
    if weakest:
        cards.append(_class_card(judged, weakest, _weak_figure(report, weakest)))
    if len(pairs):
        first = pairs.iloc[0]
        name = confusion_name(first["label"], first["predicted"])
        cards.append(Card("most frequent confusion", _of_class(first), name))
    bounds = f"{least:.2f}–{most:.2f}; " if least <= most else ""
    detail = f"{bounds}expected calibration error: 0 is as often right as confident"
    cards.append(Card("confidence is off by", f"{error:.2f}", detail))
    steps = _next_steps(pairs, weakest, catalog, tags)
    if trust:
        cards += filter(None, [threshold_card(trust)])
        steps[-1:-1] = filter(None, [threshold_step(trust, tags)])
    return Verdict(said, cards=cards, next_steps=steps)


def too_few(photos: pd.DataFrame, low: float, high: float) -> bool:
    """Return whether photos are too few, or a share's interval too wide, to act on it.

    Parameters
    ----------
    photos : pandas.DataFrame
        What the share is of.
    low, high : float
        Its interval.
    """
    n_hotels = photos["hotel_id"].nunique() if knows_hotels(photos) else len(photos)
    return few_photos(len(photos), n_hotels) or high - low > _WIDTH


def few_photos(n_photos: int, n_hotels: int) -> bool:
    """Return whether photos, or their hotels, are too few for more than a rough figure.

    Examples
    --------
    >>> few_photos(3, 2)
    True
    """
    return n_photos < _PHOTOS or n_hotels < _HOTELS


def per_class_table(report: pd.DataFrame, matrix: pd.DataFrame) -> Table:
    """Return precision, recall and F1 of each area with their n, the weakest first.

    Parameters
    ----------
    report : pandas.DataFrame
        The table of `hotelviz.metrics.classification_report`.
    matrix : pandas.DataFrame
        The counts of `hotelviz.metrics.confusion_matrix`.

    Returns
    -------
    Table
    """
    areas = report.loc[matrix.index].sort_values("f1", kind="stable")
    rows = areas.assign(
        area=[in_words(name) for name in areas.index], predicted=matrix.sum().reindex(areas.index)
    )
    words = {
        "area": "area, weakest first", "support": "photos", "recall": "recall (share of these)",
        "predicted": "predicted as it", "precision": "precision (share of these)", "f1": "F1",
    }  # fmt: skip
    return Table(rows, words, noun="areas")


def confusion_table(predictions: pd.DataFrame, *, n_explained: int, max_rows: int = 12) -> Table:
    """Return the most frequent confusions, with links to their explanations and photos.

    Parameters
    ----------
    predictions : pandas.DataFrame
        As for `hotelviz.metrics.confusions`.
    n_explained : int
        So many, of the largest confidence gaps, have a section in ``explain_tagger``.
    max_rows : int, default 12
        Most confusions.

    Returns
    -------
    Table
    """
    pairs = metrics.confusions(predictions)
    explained = set(pairs["confidence_gap"].nlargest(n_explained).index)
    names = [confusion_name(*pair) for pair in zip(pairs["label"], pairs["predicted"], strict=True)]
    pairs = pairs.assign(
        confusion=names, why=["see why" if n in explained else "" for n in pairs.index]
    )
    words = {
        "confusion": "confusion", "n_photos": "photos", "share": "share of the area",
        "confidence_gap": "confidence gap (sum)", "why": "explanation",
    }  # fmt: skip

    def explanation(row: pd.Series) -> str:
        return f"report:explain_tagger{confusion_anchor(row['label'], row['predicted'])}"

    return Table(
        pairs, words, percent=["share"], max_rows=max_rows, noun="confusions",
        links={"why": lambda row: explanation(row) if row["why"] else ""},
    )  # fmt: skip


def figures_table(judged: pd.DataFrame, *, seed: int = 0) -> Table:
    """Return the figures of `hotelviz.metrics.summary` with their intervals.

    Parameters
    ----------
    judged : pandas.DataFrame
        As for `tagger_verdict`. Where the model saw some of the photos, or their hotels, in
        training, these have figures of their own.
    seed : int, default 0
        Of the blocks of hotels that are left out, of more than 200.

    Returns
    -------
    Table
    """
    seen = judged["seen"].ne("") if "seen" in judged else pd.Series(False, judged.index)
    parts = {"not seen": judged[~seen], "seen in training, or others of the hotel": judged[seen]}
    tables = [
        metrics.summary(rows, seed=seed).assign(photos=len(rows), seen=name)
        for name, rows in parts.items()
        if len(rows)
    ]
    words = {"metric": "figure", "value": "value", "low": "from", "high": "to", "photos": "photos"}
    if len(tables) > 1:
        words = {"seen": "photos that were"} | words
    return Table(pd.concat(tables), words, digits=3)


def shown_of(shown: pd.DataFrame, wrong: pd.DataFrame) -> str:
    """Return the title of a gallery of misclassified photos: how many of how many.

    Examples
    --------
    >>> shown_of(pd.DataFrame(index=[0]), pd.DataFrame(index=[0, 1]))
    '1 of 2 misclassified photos'
    """
    photos = counted(len(wrong), "misclassified photo")
    return f"{f'{len(shown):,} of ' if len(shown) < len(wrong) else ''}{photos}"


def _figure(table: pd.DataFrame, name: str) -> list[float]:
    """Return a figure and its interval."""
    return [float(table[column][name]) for column in ("value", "low", "high")]


def _weakest(report: pd.DataFrame) -> str:
    """Return the class of lowest F1 among those with enough photos; empty without an error."""
    classes = report.drop(index=["macro avg", "weighted avg"], errors="ignore")
    classes = classes[(classes["support"] >= _OF_CLASS) & (classes["f1"] < 1)]
    return str(classes["f1"].idxmin()) if len(classes) else ""


def _weakness(report: pd.DataFrame, weakest: str, pairs: pd.DataFrame) -> str:
    """Return in words what is weak: the class, by its lower figure, and the first confusion."""
    first = pairs.iloc[0]
    said = f"{_of_class(first)} {in_words(first['label'])} photos"
    said += f" {agreeing(first['n_photos'])} predicted as {in_words(first['predicted'])}"
    if not weakest:
        return f" {said}."
    figure = _weak_figure(report, weakest)
    share = percent(report[figure][weakest])
    found = f"{share} of its photos are found (recall)"
    if figure == "precision":
        found = f"{share} of what is tagged so is right (precision)"
    return f" Weakest: {in_words(weakest)}, {found}; {said}."


def _weak_figure(report: pd.DataFrame, weakest: str) -> str:
    """Return which figure of a class is the lower one."""
    return "precision" if report["precision"][weakest] < report["recall"][weakest] else "recall"


def _of_class(pair: pd.Series) -> str:
    return f"{pair['n_photos']:,} of {round(pair['n_photos'] / pair['share']):,}"


def _between(low: float, high: float) -> str:
    return f"{100 * low:.0f}–{100 * high:.0f} %"


def _caveats(judged: pd.DataFrame, unseen: bool) -> str:
    """Return what has to be known beside the figures."""
    said = ""
    classes = judged["label"].unique()
    if len(classes) == 1:
        said += (
            f" All are of one area, {in_words(classes[0])}: how it tells areas apart is not tested."
        )
    seen = judged["seen"].ne("").sum() if "seen" in judged else 0
    if seen:
        said += (
            f" The model saw {seen:,} of them, or others of their hotels, in training: this says"
        )
        said += " nothing about new hotels."
    elif not unseen:
        said += " It is not known whether the model learned from them: the figure may be too good."
    return said


def _class_card(judged: pd.DataFrame, name: str, figure: str) -> Card:
    """Return the recall or the precision of a class with its interval."""
    own = judged[judged["label" if figure == "recall" else "predicted"] == name]
    right = (own["label"] == own["predicted"]).to_numpy()
    hotels = own["hotel_id"] if knows_hotels(own) else None
    share = metrics.share_interval(right, groups=hotels)
    of = counted(len(own), "photo") + " predicted as it" * (figure == "precision")
    detail = f"{_between(share.low, share.high)}; {right.sum():,} of {of}"
    return Card(f"{figure} of {in_words(name)}, the weakest area", percent(share.value), detail)


def _next_steps(pairs: pd.DataFrame, weakest: str, catalog: str, tags: str) -> list[NextStep]:
    """Return what to do: look at the errors, at their reasons and labels, and label more."""
    steps = []
    if len(pairs):
        true, predicted = map(str, (pairs["label"].iloc[0], pairs["predicted"].iloc[0]))
        steps += [
            NextStep(
                f"See why {in_words(true)} is predicted as {in_words(predicted)}",
                "explain_tagger" + confusion_anchor(true, predicted),
            ),
            NextStep(
                f"Look at {the_counted(int(pairs['n_photos'].sum()), 'misclassified photo')}",
                "#Misclassified-photos",
            ),
            NextStep("Check the labels: a wrong label looks like an error", "cleaning_audit"),
        ]
    command = f"hotelviz label {shlex.quote(catalog)} --store labels.sqlite --task tags"
    if tags:
        area = f" --area {shlex.quote(weakest)}" if weakest else ""
        command = (
            f"hotelviz label-choose {shlex.quote(catalog)} --predictions "
            f"{shlex.quote(tags)}{area} --out to_label.csv"
        )
    more = f"photos of {in_words(weakest)}" if weakest else "photos"
    text = f"Label more {more} if that would help, as the training's curve says, and train again"
    return [*steps, NextStep(text, "tagger_training#What-more-photos-would-bring", command)]
