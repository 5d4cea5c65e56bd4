"""Conditions on differences, such as ``accuracy < -0.01``, judged by their intervals."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.errors import MetricsError, did_you_mean
from hotelviz.metrics.required import required_photos, without_flips

#: Short names of figures.
_SHORT = {
    "accuracy": "top-1 accuracy",
    "calibration error": "expected calibration error",
    "rmse": "RMSE of the mean",
}
_OPERATOR = re.compile(r"<=|>=|<|>")
#: Figures that there are several of: of a class, or of a column of two deliveries.
_OF = ("recall", "ks", "tv")
_BRACKETS = re.compile(rf"^({'|'.join(_OF)})\s*\[(.*)\]$", re.IGNORECASE)
#: Figures that may differ by more than 1.
_UNBOUNDED = ("RMSE of the mean", "range use")


class Outcome(enum.StrEnum):
    """What is known of a condition that is to fail a comparison."""

    FAILED = "failed"
    PASSED = "passed"
    TOO_FEW = "not enough photos to tell"


class Condition(NamedTuple):
    """What is to fail a comparison.

    Attributes
    ----------
    text
        As it was written.
    metric
        The name of the figure, as it was written.
    operator
        ``<``, ``<=``, ``>`` or ``>=``.
    bound
        What the figure is compared with: of two models its difference, new less old.
    """

    text: str
    metric: str
    operator: str
    bound: float


def read_condition(text: str) -> Condition:
    """Read a condition on the difference of a figure.

    Parameters
    ----------
    text : str
        A figure, ``<``, ``<=``, ``>`` or ``>=``, and a number: ``accuracy < -0.01``,
        ``recall[Bathroom] < -0.05``, ``EMD > 0.005``.

    Returns
    -------
    Condition

    Raises
    ------
    MetricsError
        It cannot be read: says at which character, and what was expected there.

    Examples
    --------
    >>> read_condition("recall[Pool] < -0.05")[1:]
    ('recall[Pool]', '<', -0.05)
    >>> read_condition("accuracy < two points")
    Traceback (most recent call last):
    hotelviz.errors.MetricsError: the condition 'accuracy < two points', character 12: 'two ...
    """
    # The name of a class may have such a sign, too; a number has none.
    found = list(_OPERATOR.finditer(text))
    example = "such as 'accuracy < -0.01' or 'recall[Bathroom] < -0.05'"

    def refuse(place: int, what: str) -> MetricsError:
        return MetricsError(f"the condition {text!r}, character {place + 1}: {what}, {example}")

    if not found:
        raise refuse(len(text.rstrip()), "expected <, <=, > or >= and a number after the figure")
    sign = found[-1]
    name, number = text[: sign.start()].strip(), text[sign.end() :]
    if not name:
        raise refuse(0, f"expected the name of a figure before {sign[0]!r}")
    start = sign.end() + len(number) - len(number.lstrip())
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise refuse(start, f"{number.strip()!r} is no number; expected a difference")
    return Condition(text.strip(), name, sign[0], bound)


def judge_conditions(conditions: Sequence[Condition], figures: pd.DataFrame) -> pd.DataFrame:
    r"""Judge conditions by the intervals of a comparison.

    A condition **failed** when the whole interval of the difference fulfils it, **passed** when
    none of the interval does; otherwise there are **not enough photos to tell**. Each of the two
    claims is wrong in at most 2.5 % of cases (of 95 % intervals), wherever the true difference
    lies. A point estimate beyond the bound fails nothing by itself: it is beyond the bound in half
    of the cases in which the true difference lies on it. Nor does a loss that is measurable, but
    may be smaller than the bound. Neither passes for that: what is not known is said to be so.

    Parameters
    ----------
    conditions : sequence of Condition
        From `read_condition`: what is to fail.
    figures : pandas.DataFrame
        The figures of `hotelviz.metrics.Comparison`, or those of `hotelviz.metrics.drift_figures`.
        Of the latter ``difference`` is the figure itself, and ``chance`` what it is where nothing
        differs; 0 where there is no such column.

    Returns
    -------
    pandas.DataFrame
        A row per condition: ``condition``, ``metric`` (as the figures call it), ``bound``,
        ``difference``, ``low``, ``high``, ``outcome`` (see `Outcome`), ``n_photos``, ``n_hotels``,
        and ``required``: of what cannot be told yet, about how many photos would do. Missing where
        no number would: a difference that lies on the bound.

    Raises
    ------
    MetricsError
        A figure that is not there (names the nearest), or a bound that no difference can reach.

    Notes
    -----
    The required photos are those with which no difference at all would be told from one on the
    bound in 8 of 10 cases. Where that has been enough already, or where no difference fulfils the
    condition (``accuracy < 0.01``), those that tell the present difference from the bound.

    Intervals are not widened for the number of conditions. That all passed is wrong in at most
    2.5 % all the same (it takes each to be wrong: Berger, Technometrics 24, 1982); that one of k
    failed, in up to k times as many, if all the true differences lay on their bounds.

    Examples
    --------
    >>> figures = pd.DataFrame({"metric": ["top-1 accuracy"], "difference": [-0.03], "low": [-0.05],
    ...     "high": [-0.01], "standard_error": [0.01], "n_photos": [800], "n_hotels": [40]})
    >>> asked = ["accuracy < -0.005", "accuracy < -0.02", "accuracy < -0.06"]
    >>> judge_conditions([read_condition(text) for text in asked], figures)["outcome"].to_list()
    ['failed', 'not enough photos to tell', 'passed']
    """
    rows = [_judged(condition, figures) for condition in conditions]
    columns = [
        "condition", "metric", "bound", "difference", "low", "high", "outcome", "n_photos",
        "n_hotels", "required",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype({"required": "Int64"})


def _judged(condition: Condition, figures: pd.DataFrame) -> dict[str, object]:
    row = figures[figures["metric"] == find_metric(condition, figures["metric"])].iloc[0]
    low, high, bound = float(row["low"]), float(row["high"]), condition.bound
    chance = float(row.get("chance", 0.0))
    away = bound - chance
    if condition.operator in ("<", "<="):
        low, high, bound, away = -high, -low, -bound, -away
    # From here on what is large fails.
    strict = condition.operator in ("<", ">")
    outcome = Outcome.TOO_FEW
    if low > bound or (low == bound and not strict):
        outcome = Outcome.FAILED
    elif high < bound or (high == bound and strict):
        outcome = Outcome.PASSED
    required = _required(condition, row, away) if outcome is Outcome.TOO_FEW else pd.NA
    kept = ["difference", "low", "high", "n_photos", "n_hotels"]
    return {
        "condition": condition.text, "metric": row["metric"], "bound": condition.bound,
        **row[kept], "outcome": outcome.value, "required": required,
    }  # fmt: skip


def _required(condition: Condition, row: pd.Series, away: float) -> object:
    """Return with how many photos it could be told; `away`: above 0 where none at all passes."""
    error, n_photos = float(row["standard_error"]), int(row["n_photos"])
    if not np.isfinite(row["low"]):
        return pd.NA
    if error == 0:  # No photo of a class flipped.
        open_ended = away <= 0 or row["high"] >= 1
        return pd.NA if open_ended else without_flips(away, float(row["high"]), n_photos)
    if away > 0:
        enough = required_photos(away, standard_error=error, n_photos=n_photos)
        if enough > n_photos:
            return enough
    gap = float(row["difference"]) - condition.bound
    return required_photos(gap, standard_error=error, n_photos=n_photos) if gap else pd.NA


def find_metric(condition: Condition, metrics: Sequence[str] | pd.Series) -> str:
    """Return the figure that a condition is about, whose name may be short or in other letters.

    Examples
    --------
    >>> find_metric(read_condition("Accuracy < 0"), ["top-1 accuracy", "macro F1"])
    'top-1 accuracy'
    >>> find_metric(read_condition("recall[View of Exterior] < 0"), ["recall View_of_Exterior"])
    'recall View_of_Exterior'
    """
    offered = {_plain(name): str(name) for name in metrics}
    offered |= {short: offered[_plain(name)] for short, name in _SHORT.items()
                if _plain(name) in offered}  # fmt: skip
    asked = re.sub(_BRACKETS, r"\1 \2", condition.metric)
    name = offered.get(_plain(asked))
    written = [_written(one) for one in metrics]
    if name is None:
        near = did_you_mean(
            condition.metric, [*written, *(one for one in _SHORT if one in offered)]
        )
        raise MetricsError(
            f"the condition {condition.text!r}: no figure {condition.metric!r}{near}; there are "
            f"{', '.join(written)}"
        )
    if abs(condition.bound) >= 1 and name not in _UNBOUNDED:
        raise MetricsError(
            f"the condition {condition.text!r}: {name} cannot differ by {condition.bound:g}; "
            "one point is 0.01"
        )
    return name


def _plain(name: str) -> str:
    return " ".join(str(name).replace("_", " ").lower().split())


def _written(name: str) -> str:
    """Return the name of a figure as conditions write it."""
    short = {metric: one for one, metric in _SHORT.items() if one != "rmse"}
    kind, _, of = name.partition(" ")
    return f"{kind}[{of}]" if kind in _OF and of else short.get(name, name)
