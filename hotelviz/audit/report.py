"""Where an audit's model comes from, and where its results go."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hotelviz.audit.cleaning import suggest_decisions
from hotelviz.audit.issues import ISSUE_COLUMNS, Audit
from hotelviz.decisions import append_decisions, read_decisions
from hotelviz.errors import AuditError, OutputError
from hotelviz.io.atomic import atomic_path


def write_audit(found: Audit, out: str | os.PathLike[str]) -> int:
    """Write an audit to a folder.

    Parameters
    ----------
    found : Audit
        From `find_issues`.
    out : path
        The folder. Gets ``issues.parquet``, ``summary.json`` and ``decisions.csv``. To an existing
        ``decisions.csv`` only decisions on photos that it does not name are appended: what people
        decided counts.

    Returns
    -------
    int
        How many decisions were suggested and written.

    Raises
    ------
    OutputError, DecisionError
        As `check_audit_folder` raises them.
    """
    out, balance = Path(out), found.class_balance
    decided = check_audit_folder(out)
    with atomic_path(out / "issues.parquet") as temporary:
        found.issues.to_parquet(temporary, index=False)
    summary: dict[str, Any] = {
        "photos": len(found.properties.photos),
        "computed": found.properties.n_computed,
        "issues": found.summary.reset_index().to_dict("records"),
        "balance": [] if balance is None else balance.reset_index().to_dict("records"),
        "confused_labels": found.label_noise.to_dict("records"),
        "notes": found.notes,
    }
    with atomic_path(out / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1), encoding="utf-8")
    decisions = suggest_decisions(found.issues)
    decisions = decisions[~decisions["image_id"].isin(decided)]
    append_decisions(out / "decisions.csv", decisions)
    return len(decisions)


def read_audit(folder: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read what an audit left in a folder: its issues, and what was decided on them.

    Parameters
    ----------
    folder : path
        As given to `write_audit`.

    Returns
    -------
    issues, decisions : pandas.DataFrame
        As `find_issues` and `hotelviz.decisions.read_decisions` return them.

    Raises
    ------
    AuditError
        No audit is there.
    """
    folder = Path(folder)
    file, decisions = folder / "issues.parquet", folder / "decisions.csv"
    for one in (file, decisions):
        if not one.is_file():
            raise AuditError(
                f"{one}: there is no such file; `hotelviz audit CATALOG --out {folder}` writes it"
            )
    if not _is_ours(file):
        raise AuditError(f"{file}: was not written by an audit")
    return pd.read_parquet(file), read_decisions(decisions)


def check_audit_folder(out: str | os.PathLike[str]) -> set[str]:
    """Refuse a folder whose files an audit would replace although no audit wrote them.

    Parameters
    ----------
    out : path
        A folder, which need not exist yet.

    Returns
    -------
    set of str
        The photos that were decided on in its ``decisions.csv``.

    Raises
    ------
    OutputError
        A file in the place of the folder, or others' ``issues.parquet`` or ``summary.json``.
    DecisionError
        Others' ``decisions.csv``.

    Examples
    --------
    >>> check_audit_folder("/nowhere/audit")
    set()
    """
    out = Path(out)
    if out.is_file():
        raise OutputError(f"{out}: is a file; give the name of a folder")
    for other in (out / "issues.parquet", out / "summary.json"):
        if other.exists() and not _is_ours(other):
            raise OutputError(f"{other}: was not written by an audit; choose another folder")
    file = out / "decisions.csv"
    return set(read_decisions(file)["image_id"]) if file.exists() else set()


def _is_ours(file: Path) -> bool:
    try:
        if file.suffix == ".parquet":
            return set(ISSUE_COLUMNS) <= set(pq.read_schema(file).names)
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, pa.ArrowException):
        return False
    return isinstance(found, dict) and {"photos", "issues", "notes"} <= set(found)
