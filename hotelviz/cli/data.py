"""Verbs of catalogues: audit, clean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from hotelviz.cli import options
from hotelviz.cli.options import AllowMissing, Catalog, Classes, app, say

if TYPE_CHECKING:
    import pandas as pd

    from hotelviz.audit import Cleaned


@app.command()
def audit(
    catalog: Catalog,
    out: Annotated[Path, Option(help="The folder for issues, summary and suggested decisions.")],
    model: Annotated[
        Path | None,
        Option(help="Gives the features (.keras); else MobileNet with ImageNet's weights."),
    ] = None,
    classes: Classes = "any",
    cache: Annotated[
        Path | None, Option(help="The folder of measures; else beside the catalogue.")
    ] = None,
    allow_missing: AllowMissing = False,
) -> None:
    """Find what is wrong with photos and labels."""
    from hotelviz.audit import check_audit_folder, find_issues, write_audit
    from hotelviz.catalog import read_catalog
    from hotelviz.embeddings import feature_model, properties_folder
    from hotelviz.io.claims import claim

    check_audit_folder(out)
    photos = read_catalog(catalog, classes=options.allowed_classes(classes))
    features, note = feature_model(model)
    with claim(out, folder=True):
        found = find_issues(
            photos, model=features, cache=cache or properties_folder(catalog),
            allow_missing=allow_missing,
        )  # fmt: skip
        suggested = write_audit(found, out)
    options.list_notes([note, *found.notes])
    say(found.summary[found.summary["photos"] > 0].round(4).to_string())
    say(
        f"{out}: {found.issues['image_id'].nunique():,} of {len(photos):,} photos have an "
        f"issue; {suggested:,} decisions suggested in decisions.csv"
    )


@app.command()
def clean(
    catalog: Catalog,
    decisions: Annotated[list[Path], Option(help="A file of decisions (.csv); may be repeated.")],
    out: Annotated[Path, Option(help="The cleaned catalogue (.csv or .parquet).")],
    classes: Classes = "any",
    allow_missing: AllowMissing = False,
) -> None:
    """Apply decisions to a catalogue. No photo is deleted on disk."""
    from hotelviz.audit import apply_decisions
    from hotelviz.catalog import check_missing, read_catalog, write_catalog
    from hotelviz.decisions import read_decisions
    from hotelviz.errors import DecisionError
    from hotelviz.io.claims import check_apart, claim
    from hotelviz.io.escaping import csv_safe
    from hotelviz.io.remote import is_url

    options.check_table(out)
    # The photos that are dropped would be gone with their decisions' undoing.
    check_apart(out, catalog, *decisions)
    allowed = options.allowed_classes(classes)
    photos = read_catalog(catalog, classes=allowed)
    lines = read_decisions(decisions)
    if len(lines) and not lines["image_id"].isin(photos["image_id"]).any():
        raise DecisionError(
            f"none of the {lines['image_id'].nunique():,} photos that were decided on, such as "
            f"{lines['image_id'].iloc[0]!r}, is in {catalog}: the decisions are of another "
            "catalogue"
        )
    gone = [
        (path, "missing") for path in photos["path"] if not is_url(path) and not Path(path).exists()
    ]
    check_missing(len(gone), len(photos), gone, allow=allow_missing)
    cleaned = apply_decisions(photos, lines, classes=allowed)
    with claim(out):
        write_catalog(cleaned.catalog, out)
        changes = out.with_name(f"{out.stem}.changes.csv")
        # For people, who open it in a spreadsheet; nothing reads it again.
        options.write_table(csv_safe(cleaned.changes), changes)
    _say_changes(photos, cleaned, catalog, out, changes)


def _say_changes(
    photos: pd.DataFrame, cleaned: Cleaned, catalog: Path, out: Path, changes: Path
) -> None:
    """Print how many photos were changed, and what the user may not expect."""
    from hotelviz.errors import did_you_mean

    counts = cleaned.changes["change"].value_counts()
    say(
        f"{out}: {len(cleaned.catalog):,} of {len(photos):,} photos; "
        + ", ".join(f"{n:,} {change}" for change, n in counts.items())
        + f"; listed in {changes}"
    )
    if len(cleaned.per_class):
        say(cleaned.per_class.to_string())
    for change, said in (
        ("unknown", f"decided on, but not in {catalog}"),
        ("passed over", "not dropped: a photo that was not found may still be a good one"),
    ):
        rows = cleaned.changes[cleaned.changes["change"] == change]
        options.list_errors(rows.assign(error=said), len(rows), f"in {changes}")
    relabelled = cleaned.changes[cleaned.changes["change"] == "relabelled"]
    known = set(photos["label"].dropna()) if "label" in photos else set()
    for name in sorted(set(relabelled["after"]) - known):
        say(f"  {options.on_one_line(name)}: a class that no photo of {catalog} had"
            f"{did_you_mean(name, sorted(known))}", err=True)  # fmt: skip
