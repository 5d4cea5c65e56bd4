"""From issues to a cleaned catalogue: suggest decisions, and apply those that people made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.decisions import ACTIONS, DECISION_COLUMNS, check_decisions, standing_decisions
from hotelviz.errors import DecisionError, check_choice
from hotelviz.schema import ISSUES

#: What may be decided without people: nothing is lost with a copy, or with a file that is no photo.
#: That a photo is unavailable says nothing about it: no policy may drop it.
SAFE: Mapping[str, str] = {"unreadable": "drop", "exact_duplicate": "drop"}
#: All that an audit can suggest, for a cleaning without people.
AUTOMATIC: Mapping[str, str] = {**SAFE, "near_duplicate": "drop", "label_error": "relabel"}
_POLICIES = {"safe": SAFE, "automatic": AUTOMATIC}
#: Without people, labels are changed only where the score is at most this: another class is more
#: probable by a half.
_MAX_RELABEL_SCORE = 0.25


class Cleaned(NamedTuple):
    """A catalogue after decisions.

    Attributes
    ----------
    catalog
        The photos that are left, with the labels that were decided.
    changes
        A row per decision that changed a photo or could not: ``image_id``, ``change``
        (``dropped``, ``relabelled``, ``unknown``: not in the catalogue, ``overruled``: by a later
        decision that says otherwise, or ``passed over``: version 0.1 suggested to drop photos that
        were not to be found), ``before`` and ``after`` (labels), ``reason``, ``reviewer``,
        ``time``.
    per_class
        Photos per class: ``before``, ``dropped``, ``relabelled_away``, ``relabelled_here``,
        ``after``. Empty without labels.
    """

    catalog: pd.DataFrame
    changes: pd.DataFrame
    per_class: pd.DataFrame


def suggest_decisions(
    issues: pd.DataFrame, *, policy: str | Mapping[str, str] = "safe", reviewer: str = "hotelviz"
) -> pd.DataFrame:
    """Return decisions on issues where these are safe, and leave the rest to people.

    Parameters
    ----------
    issues : pandas.DataFrame
        From `find_issues`.
    policy : {"safe", "automatic"} or mapping, default "safe"
        ``safe``: files that are no photos, and copies of the same pixels, are dropped; a group of
        copies with different labels is left to people, since one label must be wrong.
        ``automatic``, for a cleaning without people: near-duplicates are dropped as well, labels
        are changed where another class is more probable by a half, and photos with other label
        issues are dropped: they are too doubtful to learn from. Or a mapping of issues to
        ``drop``, ``relabel`` or ``keep``. None drops what is unavailable.
    reviewer : str, default "hotelviz"
        Who decides.

    Returns
    -------
    pandas.DataFrame
        ``image_id``, ``action``, ``label``, ``reason``, ``reviewer``: one row per photo, ready
        for `hotelviz.decisions.append_decisions`.

    Raises
    ------
    DecisionError
        An unknown policy, issue or action, or a policy that drops what is unavailable.

    Examples
    --------
    >>> issues = pd.DataFrame({"image_id": ["a", "b"], "issue": ["unreadable", "blurry"],
    ...                        "score": 0.0, "group": "", "suggestion": ["drop", "look"],
    ...                        "detail": ["empty file", "sharpness 9"]})
    >>> suggest_decisions(issues)[["image_id", "action"]].values.tolist()
    [['a', 'drop']]
    """
    actions = _checked_policy(policy)
    needs = ["image_id", "issue", "score", "suggestion", "detail"]
    issues = check_table(issues, needs=needs, where="suggest_decisions", unique=False)
    table = issues.assign(action=issues["issue"].map(dict(actions)), label="", reviewer=reviewer)
    kept = table["issue"].str.endswith("_duplicate") & table["suggestion"].eq("keep")
    relabelled = table["action"].eq("relabel")
    named = table["suggestion"].str.startswith("relabel:")
    chosen = table["action"].notna() & ~kept & (named | ~relabelled)
    if policy == "safe":
        chosen &= ~table["detail"].str.contains("spans labels", regex=False)
    table["label"] = table["suggestion"].str.removeprefix("relabel:").where(relabelled, "")
    if policy == "automatic":
        doubtful = relabelled & (table["score"] > _MAX_RELABEL_SCORE)
        table.loc[doubtful, ["action", "label"]] = ["drop", ""]
    table["reason"] = table["issue"] + ": " + table["detail"]
    table = table[chosen]
    # One decision per photo; what is dropped needs no label.
    drops_first = table.sort_values("action", key=lambda action: action != "drop", kind="stable")
    decided = drops_first.drop_duplicates("image_id").set_index("image_id")
    decided = decided.loc[table["image_id"].unique()].reset_index()
    return decided[DECISION_COLUMNS[:-1]]


def _checked_policy(policy: str | Mapping[str, str]) -> Mapping[str, str]:
    if isinstance(policy, str):
        check_choice(policy, _POLICIES, "policy", DecisionError)
        return _POLICIES[policy]
    for issue, action in policy.items():
        check_choice(issue, ISSUES, "issue", DecisionError)
        check_choice(action, ACTIONS, "action", DecisionError)
        if issue == "unavailable" and action != "keep":
            raise DecisionError(
                "a photo that is unavailable here may be there at another time or place: no policy "
                f"may {action} it; people may, by `decide`"
            )
    return policy


def apply_decisions(
    catalog: pd.DataFrame, decisions: pd.DataFrame, *, classes: Sequence[str] | None = None
) -> Cleaned:
    """Apply decisions to a catalogue.

    Parameters
    ----------
    catalog : pandas.DataFrame
        From `hotelviz.catalog.read_catalog`; it stays as it is.
    decisions : pandas.DataFrame
        From `hotelviz.decisions.read_decisions`, the oldest first: the last one on a photo counts
        that was not undone. ``keep`` and ``later`` change nothing.
    classes : sequence of str, optional
        The labels that are allowed; by default any.

    Returns
    -------
    Cleaned

    Raises
    ------
    DecisionError
        An unknown action, or a new label that counts and is not allowed.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "label": ["Pool", "Foyer"]})
    >>> cleaned = apply_decisions(photos, pd.DataFrame(
    ...     {"image_id": ["a", "b"], "action": ["drop", "relabel"], "label": ["", "Reception"]}))
    >>> cleaned.catalog
      image_id      label
    1        b  Reception
    """
    catalog = check_table(catalog, where="apply_decisions")
    decisions = standing_decisions(check_decisions(decisions), last=False)
    # Version 0.1 took what was not to be found for worthless.
    missing = decisions["reviewer"].eq("hotelviz") & decisions["reason"].str.startswith("missing:")
    passed_over, decisions = decisions[missing], decisions[~missing]
    says = decisions["action"] + " " + decisions["label"]
    overruled = decisions[says != says.groupby(decisions["image_id"]).transform("last")]
    # Who only put a photo off did not say anything else.
    overruled = overruled[overruled["action"] != "later"]
    last = decisions.drop_duplicates("image_id", keep="last")
    known = last["image_id"].isin(catalog["image_id"])
    last, unknown = last[known], last[~known]
    dropped, relabelled = (last[last["action"] == action] for action in ("drop", "relabel"))
    if classes is not None:
        for name, label in zip(relabelled["image_id"], relabelled["label"], strict=True):
            check_choice(label, classes, f"{name}: the new label", DecisionError)
    before = catalog.set_index("image_id").reindex(columns=["label"])["label"].astype("str")
    after = before.copy()
    after[relabelled["image_id"]] = relabelled["label"].to_numpy()
    given = before[relabelled["image_id"]].to_numpy()
    relabelled = relabelled[relabelled["label"].to_numpy() != given]
    cleaned = catalog.copy()
    if "label" in catalog or len(relabelled):
        cleaned["label"] = after.to_numpy()
        if "label_2" in catalog:
            # A second area that is the first now is none.
            cleaned["label_2"] = cleaned["label_2"].mask(cleaned["label_2"] == cleaned["label"])
    unlabelled = pd.Series(dtype="str")
    changes = [
        _changes(dropped, "dropped", before, unlabelled),
        _changes(relabelled, "relabelled", before, after),
        _changes(unknown, "unknown", unlabelled, unlabelled),
        _changes(overruled, "overruled", unlabelled, unlabelled),
        _changes(passed_over, "passed over", unlabelled, unlabelled),
    ]
    gone = cleaned["image_id"].isin(dropped["image_id"])
    per_class = _per_class(before, after, gone.to_numpy())
    return Cleaned(cleaned[~gone], pd.concat(changes, ignore_index=True), per_class)


def _changes(
    decisions: pd.DataFrame, change: str, before: pd.Series, after: pd.Series
) -> pd.DataFrame:
    names = decisions["image_id"]
    table = decisions.assign(change=change, before=names.map(before), after=names.map(after))
    table = table.astype({"before": "str", "after": "str"})
    return table[["image_id", "change", "before", "after", "reason", "reviewer", "time"]]


def _per_class(before: pd.Series, after: pd.Series, dropped: np.ndarray) -> pd.DataFrame:
    moved = (before.fillna("") != after.fillna("")).to_numpy() & ~dropped
    columns = {
        "before": before,
        "dropped": before[dropped],
        "relabelled_away": before[moved],
        "relabelled_here": after[moved],
        "after": after[~dropped],
    }
    table = pd.DataFrame({name: labels.value_counts() for name, labels in columns.items()})
    return table.fillna(0).astype(int).rename_axis("label").sort_index()
