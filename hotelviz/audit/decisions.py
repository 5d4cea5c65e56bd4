r"""Decide what happens to photos, without losing anything.

Decisions stand in an append-only CSV file, ``decisions.csv``: of a photo's lines the last one
counts, to undo is to write another line, and no photo is ever deleted on disk.
"""

from __future__ import annotations

import csv
import datetime
import io
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from hotelviz.audit.issues import ISSUES
from hotelviz.catalog import nearest
from hotelviz.errors import HotelvizError

ACTIONS = ("keep", "drop", "relabel")
DECISION_COLUMNS = ["image_id", "action", "label", "reason", "reviewer", "time"]

#: What may be decided without a look: nothing is lost with a copy, or a file that nobody can open.
SAFE: Mapping[str, str] = {"unreadable": "drop", "missing": "drop", "exact_duplicate": "drop"}
#: Everything that the audit can suggest: for a cleaning without people.
AUTOMATIC: Mapping[str, str] = {**SAFE, "near_duplicate": "drop", "label_error": "relabel"}
#: Ends a line that was cut off while it was written; a whole line ends with a time.
_CUT_OFF = ",cut off"
_POLICIES = {"safe": SAFE, "automatic": AUTOMATIC}
#: Labels are changed without a look only where the score is at most this: another class is more
#: probable by a half. Other suspects would better be seen by people.
_SURE = 0.25


class DecisionError(HotelvizError):
    """A decision cannot be read, written or applied; the message names file and line."""


class DecisionWarning(UserWarning):
    """A line of a decisions file was passed over; the message says which and why."""


class Cleaned(NamedTuple):
    """A catalogue after decisions.

    Attributes
    ----------
    catalog
        What is left, with the labels that were decided.
    changes
        A row per decision that changed a photo or could not: ``image_id``, ``change``
        (``dropped``, ``relabelled``, ``unknown``: not in the catalogue, or ``overruled``: by a
        later decision that says otherwise), ``before`` and ``after`` (labels), ``reason``,
        ``reviewer``, ``time``.
    per_class
        Photos per class: ``before``, ``dropped``, ``relabelled_away``, ``relabelled_here``,
        ``after``. Empty without labels.
    """

    catalog: pd.DataFrame
    changes: pd.DataFrame
    per_class: pd.DataFrame


def read_decisions(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> pd.DataFrame:
    """Read decisions, of one file or of several reviewers' files.

    Parameters
    ----------
    paths
        CSV files with the columns ``image_id, action, label, reason, reviewer, time``.

    Returns
    -------
    pandas.DataFrame
        All lines, the oldest first (of equal time, in the order of the files).

    Raises
    ------
    DecisionError
        A file that is not there or has other columns, or a line with an unknown action or a
        relabelling without label.

    Warns
    -----
    DecisionWarning
        A line was cut off while it was written; it is passed over.
    """
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    frame = pd.concat([_read(Path(file)) for file in files], ignore_index=True)
    order = pd.to_datetime(frame["time"], format="ISO8601", utc=True)
    frame = frame.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    return frame.drop(columns="_line")


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DecisionError(f"{path}: there is no such file")
    text = path.read_text(encoding="utf-8-sig")
    lines = text.splitlines()
    header = lines[0].split(",") if lines else []
    if header != DECISION_COLUMNS:
        raise DecisionError(
            f"{path}: expected the columns {', '.join(DECISION_COLUMNS)}; found "
            f"{', '.join(header) or 'nothing'}"
        )
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if line.endswith(_CUT_OFF) or (number == len(lines) and not text.endswith("\n")):
            warnings.warn(
                f"{path}, line {number}: cut off ({line.removesuffix(_CUT_OFF)[:60]!r}); passed "
                "over",
                DecisionWarning,
                stacklevel=3,
            )
        elif line:
            rows.append([*_checked(path, number, next(csv.reader([line]))), number])
    return pd.DataFrame(rows, columns=[*DECISION_COLUMNS, "_line"])


def _checked(path: Path, number: int, fields: list[str]) -> list[str]:
    where = f"{path}, line {number}"
    if len(fields) != len(DECISION_COLUMNS):
        raise DecisionError(
            f"{where}: expected {len(DECISION_COLUMNS)} fields, found {len(fields)}: "
            f"{','.join(fields)[:60]!r}; mend or remove the line"
        )
    decision = dict(zip(DECISION_COLUMNS, fields, strict=True))
    if not decision["image_id"]:
        raise DecisionError(f"{where}: no image_id")
    if decision["action"] not in ACTIONS:
        raise DecisionError(
            f"{where}, column 'action': {decision['action']!r} is not one of {', '.join(ACTIONS)}"
            f"{nearest(decision['action'], ACTIONS)}"
        )
    if decision["action"] == "relabel" and not decision["label"]:
        raise DecisionError(f"{where}: a photo is relabelled, but the column 'label' is empty")
    try:
        datetime.datetime.fromisoformat(decision["time"])
    except ValueError:
        raise DecisionError(
            f"{where}, column 'time': {decision['time']!r} is not a time such as "
            "2026-01-31T14:00:00+00:00"
        ) from None
    return fields


def decide(
    path: str | os.PathLike[str],
    image_ids: str | Iterable[str],
    action: str,
    *,
    label: str = "",
    reason: str = "",
    reviewer: str = "",
) -> None:
    r"""Append decisions to a file, which is made if need be.

    Parameters
    ----------
    path
        The file. A line that was cut off at its end is marked as such, and stays.
    image_ids
        The photos.
    action
        ``keep``, ``drop`` or ``relabel``.
    label
        The new label, for ``relabel``.
    reason, reviewer
        Why, and who.

    Raises
    ------
    DecisionError
        An unknown action, or a relabelling without label.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "decisions.csv"
    >>> decide(file, "a.jpg", "relabel", label="Pool", reviewer="Ada")
    >>> read_decisions(file)[["image_id", "action", "label", "reviewer"]].values.tolist()
    [['a.jpg', 'relabel', 'Pool', 'Ada']]
    """
    names = [image_ids] if isinstance(image_ids, str) else list(image_ids)
    table = pd.DataFrame({"image_id": names})
    table = table.assign(action=action, label=label, reason=reason, reviewer=reviewer)
    append_decisions(path, table)


def append_decisions(path: str | os.PathLike[str], decisions: pd.DataFrame) -> None:
    """Append a table of decisions to a file; see `decide`.

    Parameters
    ----------
    path
        The file.
    decisions
        ``image_id``, ``action``, and, where there are, ``label``, ``reason``, ``reviewer`` and
        ``time`` (now, by default).

    Raises
    ------
    DecisionError
        As in `decide`.
    """
    path = Path(path)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    table = decisions.reindex(columns=DECISION_COLUMNS)
    table["time"] = table["time"].fillna(now)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, row in enumerate(table.fillna("").astype(str).itertuples(index=False), start=1):
        # A decision is one line, whatever its reason: a cut-off one cannot swallow the next.
        fields = [" ".join(field.splitlines()) for field in row]
        writer.writerow(_checked(path, number, fields))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        start = b""
        if file.tell() == 0:
            start = (",".join(DECISION_COLUMNS) + "\n").encode()
        elif not _ends_with_newline(path):
            start = f"{_CUT_OFF}\n".encode()
        # One write of whole lines: reviewers may append to one file at a time.
        file.write(start + text.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def undo(path: str | os.PathLike[str], image_id: str, *, reviewer: str = "") -> None:
    """Undo the last decision on a photo, by another line.

    Parameters
    ----------
    path
        The file.
    image_id
        The photo. What was decided before counts again; where nothing was, it is kept as it is.
    reviewer
        Who.

    Raises
    ------
    DecisionError
        Nothing was decided on this photo.
    """
    lines = read_decisions(path)
    lines = lines[lines["image_id"] == image_id]
    if lines.empty:
        raise DecisionError(f"{path}: nothing was decided on {image_id!r}")
    before = lines.iloc[-2] if len(lines) > 1 else pd.Series({"action": "keep", "label": ""})
    decide(
        path, image_id, before["action"], label=before["label"], reason="undo", reviewer=reviewer
    )


def suggest_decisions(
    issues: pd.DataFrame, *, policy: str | Mapping[str, str] = "safe", reviewer: str = "hotelviz"
) -> pd.DataFrame:
    """Turn issues into decisions where that is safe, and leave the rest to people.

    Parameters
    ----------
    issues
        From `find_issues`.
    policy
        ``safe``: files that are missing or unreadable, and copies of the same pixels, are
        dropped; a group of copies with different labels is left to people, since one label must
        be wrong. ``automatic``, for a cleaning without people: near-duplicates are dropped as
        well, labels changed where another class is more probable by a half, and the other label
        suspects dropped: they are too doubtful to learn from. Or a mapping of issues to ``drop``,
        ``relabel`` or ``keep``.
    reviewer
        Who decides.

    Returns
    -------
    pandas.DataFrame
        ``image_id``, ``action``, ``label``, ``reason``, ``reviewer``: one row per photo, ready
        for `append_decisions`.

    Raises
    ------
    DecisionError
        An unknown policy, issue or action.
    """
    chosen = _policy(policy)
    rows: dict[str, dict[str, str]] = {}
    dropped_copies = {"exact_duplicate", "near_duplicate"}
    for issue in issues.itertuples():
        action = chosen.get(issue.issue)
        if action is None or (issue.issue in dropped_copies and issue.suggestion == "keep"):
            continue
        if policy == "safe" and "spans labels" in issue.detail:
            continue
        label = ""
        if action == "relabel":
            if not issue.suggestion.startswith("relabel:"):
                continue
            label = issue.suggestion.removeprefix("relabel:")
            if policy == "automatic" and issue.score > _SURE:
                action, label = "drop", ""
        before = rows.get(issue.image_id)
        # What is dropped needs no label.
        if before is None or (before["action"] != "drop" and action == "drop"):
            rows[issue.image_id] = {
                "image_id": issue.image_id, "action": action, "label": label,
                "reason": f"{issue.issue}: {issue.detail}", "reviewer": reviewer,
            }  # fmt: skip
    return pd.DataFrame(list(rows.values()), columns=DECISION_COLUMNS[:-1])


def _policy(policy: str | Mapping[str, str]) -> Mapping[str, str]:
    if isinstance(policy, str):
        if policy not in _POLICIES:
            raise DecisionError(
                f"policy {policy!r} is not one of {', '.join(_POLICIES)}"
                f"{nearest(policy, list(_POLICIES))}"
            )
        return _POLICIES[policy]
    for issue, action in policy.items():
        if issue not in ISSUES:
            raise DecisionError(
                f"{issue!r} is not one of the issues {', '.join(ISSUES)}{nearest(issue, ISSUES)}"
            )
        if action not in ACTIONS:
            raise DecisionError(f"{action!r} is not one of {', '.join(ACTIONS)}")
    return policy


def apply_decisions(
    catalog: pd.DataFrame, decisions: pd.DataFrame, *, classes: Sequence[str] | None = None
) -> Cleaned:
    """Apply decisions to a catalogue.

    Parameters
    ----------
    catalog
        As `hotelviz.catalog.read_catalog` gives it; itself untouched.
    decisions
        From `read_decisions`, the oldest first: of a photo's decisions the last one counts.
    classes
        The labels that are allowed; None allows any.

    Returns
    -------
    Cleaned

    Raises
    ------
    DecisionError
        A new label that is not allowed.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "label": ["Pool", "Foyer"]})
    >>> cleaned = apply_decisions(photos, pd.DataFrame(
    ...     {"image_id": ["a", "b"], "action": ["drop", "relabel"], "label": ["", "Reception"]}))
    >>> cleaned.catalog
      image_id      label
    1        b  Reception
    """
    decisions = decisions.reindex(columns=DECISION_COLUMNS).fillna("")
    if classes is not None:
        for row in decisions[decisions["action"] == "relabel"].itertuples():
            if row.label not in classes:
                raise DecisionError(
                    f"{row.image_id}: the new label {row.label!r} is not one of "
                    f"{', '.join(classes)}{nearest(row.label, list(classes))}"
                )
    last = decisions.drop_duplicates("image_id", keep="last").set_index("image_id")
    says = decisions["action"] + " " + decisions["label"]
    counts = says.groupby(decisions["image_id"]).transform("last")
    overruled = decisions[says != counts]
    known = last.index.isin(catalog["image_id"])
    mine = last[known]
    labels = catalog["label"] if "label" in catalog else pd.Series(None, catalog.index, dtype="str")
    before = pd.Series(labels.to_numpy(), index=catalog["image_id"].to_numpy(), dtype="str")
    after = before.copy()
    relabelled = mine.index[mine["action"] == "relabel"]
    after[relabelled] = mine.loc[relabelled, "label"]
    relabelled = relabelled[before[relabelled].fillna("") != after[relabelled].fillna("")]
    dropped = mine.index[mine["action"] == "drop"]
    result = catalog.copy()
    if "label" in catalog or len(relabelled):
        result["label"] = after.to_numpy()
    result = result[~result["image_id"].isin(dropped)]
    changes = [
        _changes(last.loc[dropped].reset_index(), "dropped", before, None),
        _changes(last.loc[relabelled].reset_index(), "relabelled", before, after),
        _changes(last[~known].reset_index(), "unknown", None, None),
        _changes(overruled, "overruled", None, None),
    ]
    return Cleaned(
        result,
        pd.concat(changes, ignore_index=True),
        _per_class(before, after, set(dropped)),
    )


def _changes(
    rows: pd.DataFrame, change: str, before: pd.Series | None, after: pd.Series | None
) -> pd.DataFrame:
    table = rows[["image_id", "reason", "reviewer", "time"]].copy()
    table.insert(1, "change", change)
    for place, (name, values) in enumerate((("before", before), ("after", after)), start=2):
        found = pd.NA if values is None else values.reindex(rows["image_id"]).to_numpy()
        table.insert(place, name, pd.Series(found, index=table.index, dtype="str"))
    return table


def _per_class(before: pd.Series, after: pd.Series, dropped: set[str]) -> pd.DataFrame:
    gone = before.index.isin(list(dropped))
    moved = (before.fillna("") != after.fillna("")).to_numpy() & ~gone
    columns = {
        "before": before,
        "dropped": before[gone],
        "relabelled_away": before[moved],
        "relabelled_here": after[moved],
        "after": after[~gone],
    }
    table = pd.DataFrame({name: labels.value_counts() for name, labels in columns.items()})
    return table.fillna(0).astype(int).rename_axis("label").sort_index()
