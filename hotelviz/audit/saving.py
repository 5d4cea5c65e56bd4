"""Where an audit's model comes from, and where its results go."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotelviz.audit.decisions import append_decisions, read_decisions, suggest_decisions
from hotelviz.audit.issues import Audit
from hotelviz.io.atomic import atomic_path

if TYPE_CHECKING:
    import keras


def feature_model(file: str | os.PathLike[str] | None = None) -> tuple[keras.Model | None, str]:
    """Give the model whose features judge labels, and say which it is.

    Parameters
    ----------
    file
        A model file; None or empty takes MobileNet with ImageNet's weights.

    Returns
    -------
    model
        None where ImageNet's weights cannot be had.
    note
        Which model it is, or why there is none.

    Raises
    ------
    ModelError
        When the file cannot be loaded.
    """
    from hotelviz.models import ModelError, build_tagger, describe, load_model

    if file:
        model = load_model(file)
        info = describe(model)
        return model, f"features of {Path(file).name}, a {info.backbone} trained as {info.task}"
    try:
        return build_tagger(), "features of MobileNet with ImageNet's weights"
    except ModelError as error:
        return None, f"no features: {error}"


def cache_folder(catalog: str | os.PathLike[str]) -> Path:
    """Give the folder beside a catalogue in which its photos' measures are cached."""
    path = Path(catalog)
    return path.parent / f"{path.stem}.measures"


def write_audit(found: Audit, out: str | os.PathLike[str]) -> int:
    """Write an audit to a folder.

    Parameters
    ----------
    found
        From `find_issues`.
    out
        Gets ``issues.parquet``, ``summary.json`` and ``decisions.csv``. To an existing
        ``decisions.csv`` only decisions on photos that it does not name are appended: what people
        decided counts.

    Returns
    -------
    int
        How many decisions were suggested and written.
    """
    out = Path(out)
    with atomic_path(out / "issues.parquet") as temporary:
        found.issues.to_parquet(temporary, index=False)
    summary: dict[str, Any] = {
        "photos": len(found.measured.photos),
        "computed": found.measured.computed,
        "issues": found.summary.reset_index().to_dict("records"),
        "balance": [] if found.balance is None else found.balance.reset_index().to_dict("records"),
        "confused_labels": found.confused.to_dict("records"),
        "notes": found.notes,
    }
    with atomic_path(out / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1, default=_plain), encoding="utf-8")
    decisions = suggest_decisions(found.issues)
    file = out / "decisions.csv"
    if file.is_file():
        decided = read_decisions(file)["image_id"]
        decisions = decisions[~decisions["image_id"].isin(decided)]
    append_decisions(file, decisions)
    return len(decisions)


def _plain(value: Any) -> Any:
    """Make NumPy's numbers ordinary ones."""
    return value.item() if hasattr(value, "item") else str(value)
