"""What changed from one delivery to the next, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from hotelviz.metrics import Shift
from hotelviz.reports.verdicts.deliveries import Deliveries
from hotelviz.reports.wording import counted, in_words, percent, photos_of_hotels

#: What has less of a property, and what has more of it.
_WORDS = {
    "brightness": ("darker", "brighter"),
    "highlights": ("dimmer", "with brighter highlights"),
    "black level": ("deeper black", "more washed out"),
    "sharpness": ("more blurred", "sharper"),
    "tones": ("fewer tones", "more tones"),
    "colour": ("less colour", "stronger colours"),
    "border": ("fewer borders", "more borders"),
    "megapixels": ("smaller", "larger"),
    "bytes per pixel": ("more strongly compressed", "less compressed"),
    "photos of the hotel": ("hotels with fewer photos", "hotels with more photos"),
    "confidence": ("tagger less sure", "tagger surer"),
    "score": ("lower scores", "higher scores"),
    "score_std": ("narrower distributions of scores", "wider distributions of scores"),
}
#: Between these shares a change is one of the middle, which medians say.
_MIDDLE = (0.2, 0.8)


def shift_words(row: pd.Series) -> str:
    """Return in words what changed in a column.

    Parameters
    ----------
    row : pandas.Series
        Of `hotelviz.metrics.column_drift`.

    Examples
    --------
    >>> row = pd.Series({"column": "brightness", "ordered": True, "value": 0.8, "distance": 0.4,
    ...     "share_reference": 0.3, "share_current": 0.7, "median_reference": 0.93,
    ...     "median_current": 0.71})
    >>> shift_words(row)
    'darker: median brightness 0.71 against 0.93'
    >>> shift_words(row.replace({0.3: 0.05, 0.7: 0.1}))
    'darker in part: brightness up to 0.8 of 10.0 %, against 5.0 %'
    >>> shift_words(pd.Series({"column": "format", "ordered": False, "value": "PNG",
    ...                        "share_reference": 0.0, "share_current": 0.12}))
    'format PNG: 12.0 % against 0.0 %'
    """
    name, was, now = str(row["column"]), row["share_reference"], row["share_current"]
    if row["value"] is None or pd.isna(row["value"]):
        return "the same everywhere"
    if not row["ordered"]:
        value = in_words(row["value"])
        return f"{in_words(name)} {value}: {share_words(now)} against {share_words(was)}"
    less, more = _WORDS.get(name, (f"less {in_words(name)}", f"more {in_words(name)}"))
    word, what = less if now > was else more, in_words(name)
    medians = [float(row[f"median_{side}"]) for side in ("current", "reference")]
    moved = medians[0] < medians[1] if now > was else medians[0] > medians[1]
    if _MIDDLE[0] <= (was + now) / 2 <= _MIDDLE[1] and moved:
        said = " against ".join(map(number_words, medians))
        return f"{word}: median {what} {said}"
    side = "up to"
    if (was + now) / 2 > 0.5:
        side, was, now = "over", 1 - was, 1 - now
    return (
        f"{word} in part: {what} {side} {number_words(float(row['value']))} of {share_words(now)}, "
        f"against {share_words(was)}"
    )


def changes_said(found: Deliveries) -> list[str]:
    """Return what changed, a line each; one line where nothing did."""
    lines = [shift_words(row) for _, row in found.columns.iterrows()
             if row["change"] == Shift.CHANGED]  # fmt: skip
    if told_apart(found) and found.classifier is not None:
        one = found.classifier
        lines.append(f"c2st: {percent(one.accuracy, one.low, one.high)} of the photos told apart")
    if lines:
        return lines
    few = (found.columns["change"] == Shift.TOO_FEW).any()
    return [str(Shift.TOO_FEW) + " to tell" if few else str(Shift.NONE)]


def told_apart(found: Deliveries) -> bool:
    """Return whether the classifier does better than chance, corrected for the other tests."""
    one = found.classifier
    return one is not None and min(1.0, 2 * one.p_value) < 1 - found.level


def any_change(found: Deliveries) -> bool:
    """Return whether anything is known to have changed."""
    return told_apart(found) or bool((found.columns["change"] == Shift.CHANGED).any())


def amount(delivery: Any) -> str:
    """Return how many photos of how many hotels a delivery has."""
    if delivery.scores is not None:
        return counted(len(delivery.scores), "scored photo")
    return photos_of_hotels(delivery.photos)


def share_words(share: float) -> str:
    """Return a share of photos, of which a few in a thousand may matter."""
    return f"{100 * share:z.1f} %"


def number_words(value: float) -> str:
    """Return the value of a property."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
