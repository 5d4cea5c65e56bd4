r"""Decide what happens to photos, without losing anything.

Decisions stand in an append-only CSV file, ``decisions.csv``: of a photo's lines the last one
counts, to undo is to write another line, and no photo is ever deleted on disk.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import errno
import os
import random
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import filelock
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.errors import DecisionError, DecisionWarning, did_you_mean
from hotelviz.schema import ISSUES

ACTIONS = ("keep", "drop", "relabel")
DECISION_COLUMNS = ["image_id", "action", "label", "reason", "reviewer", "time"]

#: What may be decided without a look: nothing is lost with a copy, or a file that is no photo.
#: A photo that is unavailable says nothing about itself: no policy may drop it.
SAFE: Mapping[str, str] = {"unreadable": "drop", "exact_duplicate": "drop"}
#: Everything that the audit can suggest: for a cleaning without people.
AUTOMATIC: Mapping[str, str] = {**SAFE, "near_duplicate": "drop", "label_error": "relabel"}
#: The reason of a line that takes back a decision.
UNDONE = "undo"
_UNKNOWN_TIME = "1970-01-01"
_HEADER = ",".join(DECISION_COLUMNS)
#: Ends a line that was cut off while it was written; a whole line ends with a time.
_CUT_OFF = ",cut off"
#: Bytes at a file's end in which its last time is looked for, and seconds until others let go.
_TAIL, _PATIENCE = 256, 30
#: What network disks say that know no locks; without one an append is still a single write.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
_POLICIES = {"safe": SAFE, "automatic": AUTOMATIC}
#: Labels are changed without a look only where the score is at most this: another class is more
#: probable by a half. Other suspects would better be seen by people.
_SURE = 0.25


class Cleaned(NamedTuple):
    """A catalogue after decisions.

    Attributes
    ----------
    catalog
        What is left, with the labels that were decided.
    changes
        A row per decision that changed a photo or could not: ``image_id``, ``change``
        (``dropped``, ``relabelled``, ``unknown``: not in the catalogue, ``overruled``: by a later
        decision that says otherwise, or ``passed over``: an earlier version suggested to drop what
        was not to be found), ``before`` and ``after`` (labels), ``reason``, ``reviewer``, ``time``.
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
        CSV files with the columns ``image_id, action, label, reason, reviewer, time``. A header
        may stand anywhere, or be missing: reviewers who began a file at the same moment broke it
        in this way before a lock kept them apart.

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
    rows = [row for file in files for row in _read(Path(file))]
    frame = pd.DataFrame(rows, columns=DECISION_COLUMNS, dtype="str")
    order = pd.to_datetime(frame["time"], format="ISO8601", utc=True)
    return frame.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def _read(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise DecisionError(f"{path}: there is no such file")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecisionError(
            f"{path}: is no text in UTF-8 ({error.reason}, byte {error.start}); was it saved by "
            "another program? Save it as CSV in UTF-8"
        ) from error
    if "\r" in text and "\n" not in text:
        raise DecisionError(f"{path}: its lines end in carriage returns; save it with line feeds")
    rows = []
    # Files put together hold marks of their encoding inside; a system that went down leaves zeros.
    for number, record in _records(text.replace(f"\ufeff{_HEADER}", _HEADER).replace("\0", "")):
        where = f"{path}, line {number}"
        if record.endswith(_CUT_OFF):
            warnings.warn(
                f"{where}: cut off ({record.removesuffix(_CUT_OFF)[:60]!r}); passed over",
                DecisionWarning,
                stacklevel=3,
            )
            continue
        fields = _fields(record)
        if number == 1 and not _is_whole(record):
            raise DecisionError(
                f"{path}: expected the columns {', '.join(DECISION_COLUMNS)}; found "
                f"{', '.join(fields)}"
            )
        rows.append(_checked(where, fields))
    return rows


def _records(text: str) -> Iterator[tuple[int, str]]:
    """Split a file into its records without headers; what was cut off ends in `_CUT_OFF`.

    A record is a line, but for names of photos that have line breaks, in quotes. A quote that was
    cut off does not swallow the whole records after it.
    """
    lines = text.split("\n")
    whole = not lines[-1]
    lines = lines[:-1] if whole else lines
    number = 0
    while number < len(lines):
        first, record = number, lines[number]
        number += 1
        while record.count('"') % 2 and not _is_whole(record) and not record.endswith(_CUT_OFF):
            line = _without_header(lines[number]) if number < len(lines) else ""
            # What closes the quote has an odd number of them.
            if number == len(lines) or (line.count('"') % 2 == 0 and _is_whole(line)):
                record += _CUT_OFF
                break
            record += "\n" + lines[number]
            number += 1
        record = _without_header(record)
        # An editor may leave out the end of the last line.
        if number == len(lines) and not (whole or not record or _is_whole(record)):
            record = record.removesuffix(_CUT_OFF) + _CUT_OFF
        if record:
            yield first + 1, record


def _without_header(line: str) -> str:
    return line.removesuffix("\r").removesuffix(_HEADER).removeprefix(_HEADER)


def _fields(record: str) -> list[str]:
    try:
        return next(csv.reader([record]), [])
    except csv.Error:
        return [record]


def _is_whole(record: str) -> bool:
    try:
        _checked("", _fields(record))
    except DecisionError:
        return False
    return True


def _checked(where: str, fields: list[str]) -> list[str]:
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
            f"{did_you_mean(decision['action'], ACTIONS)}"
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
        The photos. Several are one act, which `undo` takes back as one.
    action
        ``keep``, ``drop`` or ``relabel``.
    label
        The new label, for ``relabel``.
    reason, reviewer
        Why, and who.

    Raises
    ------
    DecisionError
        An unknown action, a relabelling without label, or a file that others hold.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "decisions.csv"
    >>> decide(file, "a.jpg", "relabel", label="Pool", reviewer="Ada")
    >>> read_decisions(file)[["image_id", "action", "label", "reviewer"]].values.tolist()
    [['a.jpg', 'relabel', 'Pool', 'Ada']]
    """
    if reason == UNDONE:
        raise DecisionError(f"the reason {UNDONE!r} is that of lines which `undo` writes")
    one = isinstance(image_ids, str) or not isinstance(image_ids, Iterable)
    names = [image_ids] if one else list(image_ids)
    table = pd.DataFrame({"image_id": names}, dtype="object")
    table = table.assign(action=action, label=label, reason=reason, reviewer=reviewer)
    append_decisions(path, table)


def append_decisions(path: str | os.PathLike[str], decisions: pd.DataFrame) -> None:
    """Append a table of decisions to a file, as one act; see `decide`.

    Parameters
    ----------
    path
        The file. It is locked while it is written: any number of reviewers may share it.
    decisions
        ``image_id``, ``action``, and, where there are, ``label``, ``reason``, ``reviewer`` and
        ``time`` (by default now, but later than the file's last line, whatever the clocks say).

    Raises
    ------
    DecisionError
        As in `decide`.
    """
    path = Path(path)
    rows = _rows(decisions)
    _lines(path, rows, _later_than(b""))  # refuses what cannot be written before a file is made
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file, _locked(file, path):
        file.seek(0, os.SEEK_END)
        end = file.tell()
        file.seek(max(0, end - _TAIL))
        tail = file.read()
        start = f"{_HEADER}\n" if end == 0 else ""
        if end and not tail.endswith(b"\n"):
            file.seek(0)
            whole = [*_records(file.read().decode(errors="replace"))][-1:]
            cut = not whole or whole[0][1].endswith(_CUT_OFF)
            start = f"{_CUT_OFF}\n" if cut else "\n"
        # One write of whole lines, for those who do not ask for the lock.
        file.write((start + _lines(path, rows, _later_than(tail))).encode())
        file.flush()
        os.fsync(file.fileno())


def _rows(decisions: pd.DataFrame) -> list[list[str]]:
    table = decisions.reindex(columns=DECISION_COLUMNS)
    names = table["image_id"]
    if pd.api.types.is_float_dtype(names) or names.map(lambda name: isinstance(name, float)).any():
        raise DecisionError("decisions: the column 'image_id' has numbers with a decimal point, or "
                            "none at all; identifiers are text")  # fmt: skip
    return table.astype("object").where(table.notna(), "").astype("str").to_numpy().tolist()


def _lines(path: Path, rows: list[list[str]], now: str) -> str:
    lines = []
    for number, row in enumerate(rows, start=1):
        # What people wrote is one line; names of photos and classes stay as they are.
        words = [" ".join(field.splitlines()) for field in row[3:]]
        fields = _checked(f"{path}, line {number}", [*row[:3], *words[:2], words[2] or now])
        lines.append(",".join(map(_quoted, fields)) + "\n")
    text = "".join(lines)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        name = text[error.start - 20 : error.end]
        raise DecisionError(f"{path}: {name!r} is no text in UTF-8; rename the file") from error
    return text


def _quoted(field: str) -> str:
    if any(sign in field for sign in ',"\r\n'):
        return '"' + field.replace('"', '""') + '"'
    return field


@contextmanager
def _locked(file: BinaryIO, path: Path) -> Iterator[None]:
    """Hold the file against others who append to it; the system ends what a killed one held."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            held = filelock.lock_descriptor(file.fileno(), blocking=False)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            break
        if held:
            break
        if time.monotonic() > deadline:
            raise DecisionError(
                f"{path}: others have been writing it for more than {_PATIENCE} seconds"
            )
        time.sleep(random.uniform(0.0005, 0.003))
    yield


def _later_than(tail: bytes) -> str:
    """Give the time, at least a step later than that of the last line: the last decision counts."""
    now = datetime.datetime.now(datetime.UTC)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        last = tail.decode(errors="replace").rstrip().rpartition(",")[2]
        now = max(now, datetime.datetime.fromisoformat(last) + datetime.timedelta(milliseconds=1))
    return now.astimezone(datetime.UTC).isoformat(timespec="milliseconds")


def undo(
    path: str | os.PathLike[str], image_id: str | None = None, *, reviewer: str = ""
) -> list[str]:
    """Take back the last act that still stands, by more lines; each call takes back one more.

    Parameters
    ----------
    path
        The file.
    image_id
        Take back the last decision on this photo alone. None: the last act of the file, whoever's
        it was, with all photos that were decided on in it.
    reviewer
        Who undoes.

    Returns
    -------
    list of str
        The photos. What was decided on them before counts again; where nothing was, they are kept
        as they are.

    Raises
    ------
    DecisionError
        There is nothing, or nothing more, to undo.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "decisions.csv"
    >>> decide(file, "a.jpg", "keep")
    >>> decide(file, ["a.jpg", "b.jpg"], "drop")
    >>> undo(file), undo(file), len(standing_decisions(read_decisions(file)))
    (['a.jpg', 'b.jpg'], ['a.jpg'], 0)
    """
    lines = read_decisions(path)
    standing = _standing(lines)
    image_id = None if image_id is None else str(image_id)
    if image_id is None:
        last = max((past[-1] for past in standing.values()), default=None)
        if last is None:
            raise DecisionError(f"{path}: there is nothing to undo")
        act = _act(lines, last)
        names = [name for name, past in standing.items() if _act(lines, past[-1]) == act]
    elif image_id in standing:
        names = [image_id]
    else:
        more = " more" if (lines["image_id"] == image_id).any() else ""
        raise DecisionError(f"{path}: nothing{more} was decided on {image_id!r}")
    rows = []
    for name in names:
        past = standing[name]
        before = lines.loc[past[-2], ["action", "label"]] if len(past) > 1 else ("keep", "")
        rows.append([name, *before, UNDONE, reviewer])
    append_decisions(path, pd.DataFrame(rows, columns=DECISION_COLUMNS[:-1]))
    return names


def _act(lines: pd.DataFrame, row: int) -> tuple[str, ...]:
    """Tell what the lines of one act have in common."""
    return tuple(lines.loc[row, ["reviewer", "time"]])


def _standing(lines: pd.DataFrame) -> dict[str, list[int]]:
    """Find the lines of each photo that were not undone, the oldest first; none is left out."""
    standing: dict[str, list[int]] = {}
    for row, name, reason in zip(lines.index, lines["image_id"], lines["reason"], strict=True):
        past = standing.setdefault(name, [])
        if reason != UNDONE:
            past.append(row)
        elif past:
            past.pop()
    return {name: past for name, past in standing.items() if past}


def standing_decisions(decisions: pd.DataFrame) -> pd.DataFrame:
    """Select the decisions that count: of each photo the last one that was not undone.

    Parameters
    ----------
    decisions
        From `read_decisions`, the oldest first.

    Returns
    -------
    pandas.DataFrame
        At most one row per photo, in the order in which they were made.

    Examples
    --------
    >>> lines = pd.DataFrame({"image_id": ["a", "a", "b", "b"],
    ...     "action": ["keep", "drop", "drop", "keep"], "reason": ["", "", "", "undo"]})
    >>> standing_decisions(lines)[["image_id", "action"]].values.tolist()
    [['a', 'drop']]
    """
    rows = sorted(past[-1] for past in _standing(decisions.reset_index(drop=True)).values())
    return decisions.iloc[rows].reset_index(drop=True)


def suggest_decisions(
    issues: pd.DataFrame, *, policy: str | Mapping[str, str] = "safe", reviewer: str = "hotelviz"
) -> pd.DataFrame:
    """Turn issues into decisions where that is safe, and leave the rest to people.

    Parameters
    ----------
    issues
        From `find_issues`.
    policy
        ``safe``: files that are no photos, and copies of the same pixels, are dropped; a group of
        copies with different labels is left to people, since one label must be wrong.
        ``automatic``, for a cleaning without people: near-duplicates are dropped as well, labels
        changed where another class is more probable by a half, and the other label
        suspects dropped: they are too doubtful to learn from. Or a mapping of issues to ``drop``,
        ``relabel`` or ``keep``. None drops what is unavailable.
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
        An unknown policy, issue or action, or a policy that drops what is unavailable.
    """
    chosen = _policy(policy)
    needs = ["image_id", "issue", "score", "suggestion", "detail"]
    issues = check_table(issues, needs=needs, where="suggest_decisions", unique=False)
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
                f"{did_you_mean(policy, list(_POLICIES))}"
            )
        return _POLICIES[policy]
    for issue, action in policy.items():
        if issue not in ISSUES:
            raise DecisionError(
                f"{issue!r} is not one of the issues {', '.join(ISSUES)}"
                f"{did_you_mean(issue, ISSUES)}"
            )
        if action not in ACTIONS:
            raise DecisionError(f"{action!r} is not one of {', '.join(ACTIONS)}")
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
    rows = [_checked(f"decision {number}", [*row[:5], row[5] or _UNKNOWN_TIME])
            for number, row in enumerate(_rows(decisions), start=1)]  # fmt: skip
    decisions = pd.DataFrame(rows, columns=DECISION_COLUMNS, dtype="str")
    decisions["time"] = decisions["time"].mask(decisions["time"] == _UNKNOWN_TIME, "")
    # Earlier versions took what was not to be found for worthless.
    missing = decisions["reviewer"].eq("hotelviz") & decisions["reason"].str.startswith("missing:")
    passed, decisions = decisions[missing], decisions[~missing]
    last = decisions.drop_duplicates("image_id", keep="last").set_index("image_id")
    says = decisions["action"] + " " + decisions["label"]
    counts = says.groupby(decisions["image_id"]).transform("last")
    overruled = decisions[says != counts]
    known = last.index.isin(catalog["image_id"])
    mine = last[known]
    for name, row in mine[mine["action"] == "relabel"].iterrows():
        if classes is not None and row["label"] not in classes:
            raise DecisionError(
                f"{name}: the new label {row['label']!r} is not one of "
                f"{', '.join(classes)}{did_you_mean(row['label'], list(classes))}"
            )
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
        _changes(passed, "passed over", None, None),
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
