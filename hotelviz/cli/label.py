"""Verbs of labelling: label, label-export, label-choose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from hotelviz.cli import options
from hotelviz.cli.options import Catalog, Classes, app, say

if TYPE_CHECKING:
    import pandas as pd


@app.command()
def label(
    catalog: Catalog,
    store: Annotated[
        str, Option(help="A file of SQLite, or an address such as postgresql://host/labels.")
    ],
    task: Annotated[str, Option(help="aesthetic, technical or tags.")] = "aesthetic",
    raters: Annotated[int, Option(min=1, help="How many people label.")] = 12,
    overlap: Annotated[int, Option(min=1, help="How many of them see each photo.")] = 3,
    repeats: Annotated[int, Option(min=0, help="Photos that each sees twice.")] = 10,
    classes: Classes = "areas",
    name: Annotated[str, Option("--round", help="Begin, or go on with, this round.")] = "1",
    anchor: Annotated[
        list[str] | None,
        Option(help='What a score means, such as 2="dull"; may be repeated. Else the usual words.'),
    ] = None,
    rules: Annotated[
        Path | None, Option(help="What counts as a class (TOML), shown below the tags.")
    ] = None,
    seed: Annotated[int, Option(help="Of who sees what, in which order.")] = 0,
    ip: Annotated[str, Option(help="Listen here; 0.0.0.0 lets others in.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="0 takes any free one.")] = 8866,
) -> None:
    """Serve the labelling app: people rate or tag photos in their browsers, by one key each."""
    from hotelviz.catalog import read_catalog, read_class_rules
    from hotelviz.labelling import open_store
    from hotelviz.labelling.anchors import parse_anchors
    from hotelviz.labelling.server import serve_labelling
    from hotelviz.reports import find_notebook
    from hotelviz.schema import AREAS

    photos = read_catalog(catalog, classes=None)
    tags = options.allowed_classes(classes) or _found_classes(photos) or AREAS
    counts = read_class_rules(rules, tags) if rules else None
    opened = open_store(store)
    begun = opened.begin_round(
        photos, name=name, task=task, n_raters=raters, overlap=overlap, repeats=repeats,
        seed=seed, anchors=parse_anchors(anchor or []), rules=counts, classes=tags,
    )  # fmt: skip
    progress = begun.progress()
    say(
        f"{opened.name}: round {name!r}, {task}: {len(photos):,} photos, "
        f"{progress['done'].sum():,} of {progress['assigned'].sum():,} answers so far"
    )
    say("raters open the link in a browser; Ctrl-C ends; nothing is lost by that")
    serve_labelling(find_notebook("label_photos"), store, name, ip=ip, port=port, say=say)


def _found_classes(photos: pd.DataFrame) -> list[str]:
    return sorted(photos["label"].dropna().unique()) if "label" in photos else []


@app.command("label-export")
def label_export(
    store: Annotated[str, Option(help="The store of labels.")],
    out: Annotated[Path, Option(help="The catalogue (.csv or .parquet).")],
    name: Annotated[
        list[str] | None, Option("--round", help="May be repeated; the latest by default.")
    ] = None,
    catalog: Annotated[
        Path | None, Option(help="Keeps this catalogue's other columns and photos.")
    ] = None,
    train: Annotated[int, Option(min=0, help="Split: rated photos to train with.")] = 0,
    test: Annotated[int, Option(min=0, help="Split: rated photos to test with.")] = 0,
    seed: Annotated[int, Option(help="Of the split.")] = 0,
) -> None:
    """Write what raters said as a catalogue: ratings to train on, or tags with their votes."""
    import pandas as pd

    from hotelviz.catalog import read_catalog, write_catalog
    from hotelviz.io.claims import claim
    from hotelviz.labelling import open_store
    from hotelviz.labelling.export import labelled_catalog, split_rated

    options.check_table(out)
    opened = open_store(store, create=False)
    rounds = [opened.round(one) for one in name] if name else [opened.round()]
    photos = read_catalog(catalog, classes=None) if catalog else None
    labelled = labelled_catalog(rounds, photos)
    if train or test:
        labelled = split_rated(labelled, train=train, test=test, seed=seed)
        # A training refuses photos of which nobody says what they are for.
        more = labelled["rating_1"].notna() & labelled["split"].isna()
        labelled = labelled[~more]
        say(f"{more.sum():,} rated photos more than were asked for are left out")
    with claim(out):
        write_catalog(labelled, out)
    skips = pd.concat([one.ratings() for one in rounds])
    skips = skips[skips["reason"].notna()]
    rated = labelled["rating_1" if rounds[0].task != "tags" else "votes"].notna()
    say(f"{out}: {len(labelled):,} photos, {rated.sum():,} with answers; "
               f"{len(skips):,} skips")  # fmt: skip
    left = int((rated & labelled["split"].isna()).sum()) if "split" in labelled else 0
    if left:
        say(f"  {left:,} of them are in no split; train with --unsplit leave")
    for row in skips.head(20).itertuples():
        photo, rater, reason = map(options.on_one_line, (row.image_id, row.rater, row.reason))
        say(f"  {photo}: skipped by {rater}: {reason}", err=True)


@app.command("label-choose")
def label_choose(
    catalog: Catalog,
    out: Annotated[Path, Option(help="The chosen photos, a catalogue (.csv or .parquet).")],
    count: Annotated[int, Option(min=1, help="How many photos.")] = 500,
    store: Annotated[str | None, Option(help="The store of labels: where raters disagree.")] = None,
    name: Annotated[
        str | None, Option("--round", help="Of the store; the latest by default.")
    ] = None,
    predictions: Annotated[
        Path | None,
        Option(help="Scores or tags (Parquet): where the model is uncertain."),
    ] = None,
    area: Annotated[
        list[str] | None,
        Option(help="Uncertain photos that may show this class; may be repeated."),
    ] = None,
    random_share: Annotated[float, Option(help="The share of random photos.")] = 0.2,
    seed: Annotated[int, Option(help="Of the random photos.")] = 0,
) -> None:
    """Choose photos for the next round: uncertain ones, disputed ones and some random ones."""
    from hotelviz.catalog import read_catalog, write_catalog
    from hotelviz.io.claims import check_apart, claim
    from hotelviz.labelling import open_store
    from hotelviz.labelling.active_learning import choose_photos
    from hotelviz.scores import open_scores

    options.check_table(out)
    check_apart(out, catalog, predictions)
    chosen = choose_photos(
        read_catalog(catalog, classes=None),
        count,
        predictions=open_scores(predictions).query("FROM scores") if predictions else None,
        ratings=open_store(store, create=False).round(name).ratings() if store else None,
        classes=area or (),
        random_share=random_share,
        seed=seed,
    )
    with claim(out):
        write_catalog(chosen, out)
    reasons = chosen["chosen_for"].str.split().str[0].value_counts()
    counted = ", ".join(f"{number:,} {reason}" for reason, number in reasons.items())
    say(f"{out}: {len(chosen):,} photos: {counted}")
