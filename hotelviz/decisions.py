"""What people decided about photos: an append-only log.

Decisions stand in a CSV file, ``decisions.csv``: the last line of a photo counts, to undo is to
write another line, and no photo is ever deleted on disk. `hotelviz.audit` suggests
decisions, and applies them to a catalogue.
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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, TypeAlias

import filelock
import pandas as pd

from hotelviz.errors import DecisionError, DecisionWarning, check_choice

StrPath: TypeAlias = str | os.PathLike[str]
ACTIONS = ("keep", "drop", "relabel", "later")  # the last decides nothing
DECISION_COLUMNS = ["image_id", "action", "label", "reason", "reviewer", "time"]
#: The reason of a line that takes back a decision.
UNDONE = "undo"
_HEADER = ",".join(DECISION_COLUMNS)
#: Ends a line that was cut off while it was written; a whole line ends with a time.
_CUT_OFF = ",cut off"
#: Bytes at a file's end in which its last time is looked for, and seconds until others let go.
_TAIL, _PATIENCE = 256, 30
#: What network disks say that know no locks; without one an append is still a single write.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


def read_decisions(paths: StrPath | Sequence[StrPath]) -> pd.DataFrame:
    """Read decisions, from one file or from several reviewers' files.

    Parameters
    ----------
    paths : path or sequence of paths
        CSV files with the columns ``image_id, action, label, reason, reviewer, time``. A header
        may stand anywhere, or be missing: without locks, two who began a file broke it so.

    Returns
    -------
    pandas.DataFrame
        All lines, the oldest first; lines of equal time are in the order of the files.

    Raises
    ------
    DecisionError
        A file that is not there or has other columns, or a line that cannot be a decision.

    Warns
    -----
    DecisionWarning
        A line was cut off while it was written; it is passed over.
    """
    files = [paths] if isinstance(paths, str | os.PathLike) else paths
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
            start = record.removesuffix(_CUT_OFF)[:60]
            message = f"{where}: cut off ({start!r}); passed over"
            warnings.warn(message, DecisionWarning, stacklevel=3)
            continue
        if number == 1 and not _is_whole(record):
            raise DecisionError(
                f"{path}: expected the columns {', '.join(DECISION_COLUMNS)}; found "
                f"{', '.join(_fields(record))}"
            )
        rows.append(_checked(where, _fields(record)))
    return rows


def _records(text: str) -> Iterator[tuple[int, str]]:
    """Split a file into its records, without headers; one that was cut off ends in `_CUT_OFF`.

    A record is one line, or more where a photo's name has line breaks, in quotes. A quote that was
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
    with contextlib.suppress(DecisionError):
        return bool(_checked("", _fields(record)))
    return False


def _checked(where: str, fields: list[str], *, timed: bool = True) -> list[str]:
    if len(fields) != len(DECISION_COLUMNS):
        raise DecisionError(
            f"{where}: expected {len(DECISION_COLUMNS)} fields, found {len(fields)}: "
            f"{','.join(fields)[:60]!r}; mend or remove the line"
        )
    image_id, action, label, *_, moment = fields
    if not image_id:
        raise DecisionError(f"{where}: no image_id")
    check_choice(action, ACTIONS, f"{where}, column 'action':", DecisionError)
    if action == "relabel" and not label:
        raise DecisionError(f"{where}: a photo is relabelled, but the column 'label' is empty")
    try:
        if timed or moment:
            datetime.datetime.fromisoformat(moment)
    except ValueError:
        raise DecisionError(
            f"{where}, column 'time': {moment!r} is not a time such as 2026-01-31T14:00:00+00:00"
        ) from None
    return fields


def decide(
    path: StrPath,
    image_ids: str | Iterable[str],
    action: str,
    *,
    label: str = "",
    reason: str = "",
    reviewer: str = "",
) -> None:
    """Append a decision to a file, which is created where it does not exist.

    Parameters
    ----------
    path : path
        The file. A line that was cut off at its end is marked as such, and stays.
    image_ids : str or iterable of str
        The photos. Several are one act, which `undo` takes back as one.
    action : {"keep", "drop", "relabel", "later"}
        What happens to them; ``later`` only notes that somebody has to look again.
    label : str, optional
        The new label, for ``relabel``.
    reason, reviewer : str, optional
        Why, and who.

    Raises
    ------
    DecisionError
        An unknown action, a relabelling without a label, or a file that others hold.

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
    said = {"action": action, "label": label, "reason": reason, "reviewer": reviewer}
    append_decisions(path, pd.DataFrame({"image_id": names}, dtype="object").assign(**said))


def append_decisions(path: StrPath, decisions: pd.DataFrame) -> None:
    """Append a table of decisions to a file, as one act; see `decide`, also for what is raised.

    Parameters
    ----------
    path : path
        The file. It is locked while it is written: any number of reviewers may share it.
    decisions : pandas.DataFrame
        ``image_id``, ``action``, and optionally ``label``, ``reason``, ``reviewer`` and ``time``
        (by default now, but later than the file's last line, whatever the clocks say).
    """
    path = Path(path)
    # Refuses what cannot be written, before a file is created.
    table = check_decisions(decisions, where=f"{path}, line")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        _lock(file, path)
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
        file.write((start + _lines(table, _later_than(tail))).encode())
        file.flush()
        os.fsync(file.fileno())


def check_decisions(decisions: pd.DataFrame, *, where: str = "decision") -> pd.DataFrame:
    """Return decisions that may be made by hand as a table of text; refuse bad ones as `decide`.

    Where a value is missing there is ``""``; errors begin with `where` and the row's number.

    Examples
    --------
    >>> check_decisions(pd.DataFrame({"image_id": ["a"], "action": ["keep"]})).loc[0, "label"]
    ''
    """
    table = decisions.reindex(columns=DECISION_COLUMNS)
    if any(isinstance(name, float) for name in table["image_id"]):
        raise DecisionError(
            "decisions: the column 'image_id' has numbers with a decimal point, or missing values; "
            "identifiers are text"
        )
    try:
        table = table.astype("object").where(table.notna(), "").astype("str")
    except UnicodeEncodeError as error:
        raise DecisionError(f"{error.object!r} is no text in UTF-8; rename the file") from error
    # What people wrote is one line; names of photos and classes stay as they are.
    for name in DECISION_COLUMNS[3:]:
        table[name] = table[name].map(lambda text: " ".join(text.splitlines()))
    for number, fields in enumerate(table.to_numpy().tolist(), start=1):
        _checked(f"{where} {number}", fields, timed=False)
    return table


def _lines(table: pd.DataFrame, now: str) -> str:
    rows = table.assign(time=table["time"].replace("", now)).to_numpy().tolist()
    lines: list[str] = []
    # The writer's own line ends, or it would leave one of both without quotes inside a name.
    csv.writer(SimpleNamespace(write=lines.append)).writerows(rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def _lock(file: BinaryIO, path: Path) -> None:
    """Lock the file, until it is closed, against others who append to it."""
    deadline = time.monotonic() + _PATIENCE
    try:
        while not filelock.lock_descriptor(file.fileno(), blocking=False):
            if time.monotonic() > deadline:
                raise DecisionError(
                    f"{path}: others have been writing it for more than {_PATIENCE} seconds"
                )
            time.sleep(random.uniform(0.0005, 0.003))
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _later_than(tail: bytes) -> str:
    """Return the time, but later than that of the last line: the last decision counts."""
    now = datetime.datetime.now(datetime.UTC)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        last = tail.decode(errors="replace").rstrip().rpartition(",")[2]
        now = max(now, datetime.datetime.fromisoformat(last) + datetime.timedelta(milliseconds=1))
    return now.astimezone(datetime.UTC).isoformat(timespec="milliseconds")


def undo(path: StrPath, image_id: str | None = None, *, reviewer: str = "") -> list[str]:
    """Take back the last act that still stands, by more lines; each call takes back one more.

    Parameters
    ----------
    path : path
        The file.
    image_id : str, optional
        Take back the last decision on this photo alone. By default the last act of the file,
        whoever's it was, with all photos that were decided on in it.
    reviewer : str, optional
        Who undoes.

    Returns
    -------
    list of str
        The photos. What was decided on them before counts again, else they are kept as they are.

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
    if image_id is None:
        if not standing:
            raise DecisionError(f"{path}: there is nothing to undo")
        last = max(past[-1] for past in standing.values())
        acts = list(zip(lines["reviewer"], lines["time"], strict=True))
        names = [name for name, past in standing.items() if acts[past[-1]] == acts[last]]
    elif (name := str(image_id)) in standing:
        names = [name]
    else:
        more = " more" if name in set(lines["image_id"]) else ""
        raise DecisionError(f"{path}: nothing{more} was decided on {name!r}")
    before = list(zip(lines["action"], lines["label"], strict=True))
    kept = ("keep", "")
    rows = [
        [name, *(before[past[-2]] if len(past := standing[name]) > 1 else kept), UNDONE, reviewer]
        for name in names
    ]
    append_decisions(path, pd.DataFrame(rows, columns=DECISION_COLUMNS[:-1]))
    return names


def _standing(lines: pd.DataFrame) -> dict[str, list[int]]:
    """Return the row numbers of each photo's lines that were not undone, the oldest first."""
    standing: dict[str, list[int]] = {}
    for row, (name, reason) in enumerate(zip(lines["image_id"], lines["reason"], strict=True)):
        past = standing.setdefault(name, [])
        if reason != UNDONE:
            past.append(row)
        elif past:
            past.pop()
    return {name: past for name, past in standing.items() if past}


def standing_decisions(decisions: pd.DataFrame, *, last: bool = True) -> pd.DataFrame:
    """Return the decisions that count: of each photo the last one that was not undone.

    Parameters
    ----------
    decisions : pandas.DataFrame
        From `read_decisions`, the oldest first.
    last : bool, default True
        False returns all that were not undone, also those that a later one overrules.

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
    wanted = slice(-1 if last else 0, None)
    rows = sorted(row for past in _standing(decisions).values() for row in past[wanted])
    return decisions.iloc[rows].reset_index(drop=True)
