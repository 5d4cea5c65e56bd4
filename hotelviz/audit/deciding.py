"""Which decisions on a catalogue apply: those of files, those that are suggested, and answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from hotelviz.audit.cleaning import suggest_decisions
from hotelviz.audit.issues import find_issues
from hotelviz.audit.report import read_audit
from hotelviz.decisions import read_decisions, standing_decisions


class Gathered(NamedTuple):
    """The decisions on a catalogue.

    Attributes
    ----------
    decisions
        As `hotelviz.decisions.read_decisions` returns them.
    files
        Where they stand; empty where they are suggested.
    undecided
        Label suspects on which nobody has decided.
    """

    decisions: pd.DataFrame
    files: list[str]
    undecided: int


def gather_decisions(
    photos: pd.DataFrame,
    files: Sequence[str | os.PathLike[str]] = (),
    *,
    audit: str | os.PathLike[str] = "",
    ask: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    **settings: Any,
) -> Gathered:
    """Gather the decisions that apply to a catalogue.

    Parameters
    ----------
    photos : pandas.DataFrame
        The catalogue. It is audited where there are neither files nor an audit, or where someone
        is to be asked and there is no audit.
    files : sequence of path, default ()
        Files of decisions.
    audit : path, optional
        The folder of an audit, whose decisions come before those of `files`.
    ask : callable, optional
        From issues to decisions, such as `hotelviz.demo.decide_by_truth`: counts for photos that
        nobody has decided on.
    **settings
        Further arguments of `find_issues`.

    Returns
    -------
    Gathered
        Without files and an audit, what an audit can suggest: all of it, or only what is safe where
        someone is asked about the rest.

    Raises
    ------
    AuditError, DecisionError
        No audit is there, or no file with decisions.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.decisions import decide
    >>> file = f"{tempfile.mkdtemp()}/decisions.csv"
    >>> decide(file, "a.jpg", "drop")
    >>> photos = pd.DataFrame({"image_id": ["a.jpg", "b.jpg"], "path": ["a.jpg", "b.jpg"]})
    >>> gather_decisions(photos, [file]).decisions[["image_id", "action"]].values.tolist()
    [['a.jpg', 'drop']]
    """
    read = [*([f"{audit}/decisions.csv"] if audit else []), *map(str, files)]
    issues = pd.DataFrame({"image_id": [], "issue": []})
    if audit:
        issues = read_audit(audit)[0]
    elif ask or not read:
        issues = find_issues(photos, **settings).issues
    if read:
        decided = read_decisions(read)
    else:
        decided = suggest_decisions(issues, policy="safe" if ask else "automatic")
    if ask:
        answers = ask(issues)
        # What was decided on already stays.
        answers = answers[~answers["image_id"].isin(_decided_on(decided))]
        decided = pd.concat([decided, answers], ignore_index=True)
    suspects = set(issues.loc[issues["issue"] == "label_error", "image_id"])
    return Gathered(decided, read, len(suspects - _decided_on(decided)))


def _decided_on(decisions: pd.DataFrame) -> set[str]:
    """Return the photos with a decision that stands; what is left for later is not decided."""
    standing = standing_decisions(decisions)
    return set(standing.loc[standing["action"] != "later", "image_id"])
