"""The verbs of hotelviz on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import hotelviz

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["app"]

# Quiet what TensorFlow prints at every start on processors and missing GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Analyse and interpret the image models of a hotel price comparison.",
)

_Catalog = Annotated[
    Path, typer.Argument(help="CSV, Parquet, or a folder with one folder of photos per class.")
]
_Classes = Annotated[
    str,
    typer.Option(
        help="The labels that are allowed: 'areas' (the eight of the talk), 'any', or a list "
        "separated by commas."
    ),
]


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Print errors that speak to the user as one message, without a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        typer.secho(f"{type(error).__name__}: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def _allowed(classes: str) -> list[str] | None:
    from hotelviz.catalog import AREAS

    if classes == "any":
        return None
    return list(AREAS) if classes == "areas" else [name.strip() for name in classes.split(",")]


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Take what stands before a command."""
    if version:
        typer.echo(hotelviz.__version__)
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder that gets the reports.")] = Path("reports"),
    seed: Annotated[int, typer.Option(help="Of the drawings and the training.")] = 0,
    hotels: Annotated[int, typer.Option(help="How many hotels are drawn.")] = 60,
    epochs: Annotated[int, typer.Option(help="Most epochs of the tagger's training.")] = 16,
) -> None:
    """Draw a catalogue, train small models on it from scratch, and write all reports."""
    from hotelviz.showcase import run_demo

    with _plain_errors():
        index = run_demo(out, hotels=hotels, seed=seed, epochs=epochs, say=typer.echo)
        typer.echo(f"open {index}")


@app.command("train-tagger")
def train_tagger(
    catalog: _Catalog,
    out: Annotated[Path, typer.Option(help="The model file (.keras).")],
    classes: _Classes = "areas",
    backbone: Annotated[str, typer.Option(help="A network of keras.applications.")] = "MobileNet",
    weights: Annotated[str, typer.Option(help="imagenet, or none: from scratch.")] = "imagenet",
    input_size: Annotated[int, typer.Option(help="Height and width of the input.")] = 224,
    head_epochs: Annotated[int, typer.Option(help="Most epochs of phase one.")] = 40,
    fine_tune_epochs: Annotated[int, typer.Option(help="Most epochs of phase two.")] = 12,
    seed: Annotated[int, typer.Option(help="Of split, weights, order and augmentation.")] = 0,
) -> None:
    """Train a tagger in two phases. An interrupted training goes on when called again."""
    with _plain_errors():
        from hotelviz import training
        from hotelviz.catalog import read_catalog, split_catalog
        from hotelviz.models import save_model

        _check_model_options(out, weights)
        photos = split_catalog(read_catalog(catalog, classes=_allowed(classes)), seed=seed)
        model = training.train_tagger(
            photos,
            backbone=backbone,
            weights="imagenet" if weights == "imagenet" else None,
            input_size=input_size,
            head_epochs=head_epochs,
            fine_tune_epochs=fine_tune_epochs,
            seed=seed,
            checkpoint_dir=f"{out}.training",
        )
        save_model(model, out)
        last = training.history(model).iloc[-1].to_dict()
        typer.echo(
            f"{out}: " + ", ".join(f"{key} {last[key]}" for key in last if "accuracy" in str(key))
        )


@app.command()
def tag(
    catalog: _Catalog,
    model: Annotated[Path, typer.Option(help="A tagger (.keras).")],
    out: Annotated[Path, typer.Option(help="The predictions (.parquet or .csv).")],
    classes: _Classes = "any",
) -> None:
    """Predict the area that each photo shows."""
    with _plain_errors():
        from hotelviz.catalog import read_catalog
        from hotelviz.models import load_model
        from hotelviz.scoring import predict_tags

        _check_table(out)
        tagger = load_model(model, task="tagger")
        tags = predict_tags(read_catalog(catalog, classes=_allowed(classes)), tagger)
        _write_table(tags, out)
        problems = tags[tags["problem"] != ""]
        typer.echo(f"{out}: {len(tags):,} photos, {len(problems):,} with problems")
        _list_problems(problems, len(problems), "in the column 'problem'")


@app.command("train-aesthetic")
def train_aesthetic(
    catalog: _Catalog,
    out: Annotated[Path, typer.Option(help="The model file (.keras).")],
    parent: Annotated[
        Path | None, typer.Option(help="An earlier model (.keras) to start from.")
    ] = None,
    task: Annotated[str, typer.Option(help="aesthetic or technical.")] = "aesthetic",
    backbone: Annotated[str, typer.Option(help="A network of keras.applications.")] = "MobileNet",
    weights: Annotated[str, typer.Option(help="imagenet, or none: from scratch.")] = "imagenet",
    input_size: Annotated[int, typer.Option(help="Height and width of the input.")] = 224,
    head_epochs: Annotated[int, typer.Option(help="Most epochs of phase one.")] = 40,
    fine_tune_epochs: Annotated[int, typer.Option(help="Most epochs of phase two.")] = 12,
    seed: Annotated[int, typer.Option(help="Of split, weights, order and augmentation.")] = 0,
) -> None:
    """Train a NIMA model on ratings. An interrupted training goes on when called again."""
    with _plain_errors():
        from hotelviz import training
        from hotelviz.catalog import read_catalog, split_catalog
        from hotelviz.models import save_model

        _check_model_options(out, weights)
        if task not in {"aesthetic", "technical"}:
            raise typer.BadParameter(f"{task!r} is not aesthetic or technical", param_hint="--task")
        photos = split_catalog(read_catalog(catalog, classes=None), seed=seed)
        model = training.train_aesthetic(
            photos,
            task="aesthetic" if task == "aesthetic" else "technical",
            parent=parent,
            backbone=backbone,
            weights="imagenet" if weights == "imagenet" else None,
            input_size=input_size,
            head_epochs=head_epochs,
            fine_tune_epochs=fine_tune_epochs,
            seed=seed,
            checkpoint_dir=f"{out}.training",
        )
        save_model(model, out)
        last = training.history(model).iloc[-1].to_dict()
        shown = [key for key in last if "loss" in str(key) or "error" in str(key)]
        typer.echo(f"{out}: " + ", ".join(f"{key} {last[key]}" for key in shown))


def _check_model_options(out: Path, weights: str) -> None:
    if out.suffix != ".keras":
        raise typer.BadParameter(f"{out} must end in .keras", param_hint="--out")
    if weights not in {"imagenet", "none"}:
        raise typer.BadParameter(f"{weights!r} is not imagenet or none", param_hint="--weights")


@app.command()
def score(
    catalog: _Catalog,
    model: Annotated[list[Path], typer.Option(help="A model (.keras); may be repeated.")],
    out: Annotated[Path, typer.Option(help="The folder of Parquet parts.")],
    part_size: Annotated[
        int, typer.Option(min=1, help="Photos a part: what a stop can lose.")
    ] = 2048,
    engine: Annotated[
        str, typer.Option(help="keras, or openvino: faster on a processor.")
    ] = "keras",
    precision: Annotated[
        str | None,
        typer.Option(help="float32 or bfloat16; else the fastest that is exact enough."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Decoding threads, on a cluster actors; else as many as fit."),
    ] = None,
    engine_cluster: Annotated[
        str | None, typer.Option(help="ray: on many machines, from a Parquet catalogue.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster; else one on this machine.")
    ] = None,
) -> None:
    """Score photos with one or more models, decoding each once. A stopped run goes on."""
    with _plain_errors():
        from hotelviz.models import load_model
        from hotelviz.scores import open_scores

        if engine_cluster not in {None, "ray"}:
            raise typer.BadParameter(
                f"{engine_cluster!r} is not ray", param_hint="--engine-cluster"
            )
        if address is not None and engine_cluster is None:
            raise typer.BadParameter("needs --engine-cluster ray", param_hint="--address")
        settings: dict[str, Any] = {
            "engine": engine, "precision": precision, "workers": workers, "part_size": part_size,
        }  # fmt: skip
        if engine_cluster:
            from hotelviz.scoring.cluster import score_on_cluster

            speed = score_on_cluster(catalog, model, out, address=address, **settings)
        else:
            from hotelviz.catalog import read_catalog
            from hotelviz.scoring import score_photos

            photos = read_catalog(catalog, classes=None)
            speed = score_photos(photos, [load_model(file) for file in model], out, **settings)
        dataset = open_scores(out)
        problems = dataset.problems(limit=21)
        wrong = dataset.count("problem <> ''")
        typer.echo(
            f"{out}: {len(dataset):,} photos, {speed.photos:,} computed now, "
            f"{wrong:,} with problems"
        )
        if speed.photos:
            typer.echo(str(speed))
        _list_problems(problems, wrong, "in the column 'problem'")


def _list_problems(problems: pd.DataFrame, count: int, rest: str) -> None:
    for row in problems.head(20).itertuples():
        typer.echo(f"  {row.image_id}: {row.problem}", err=True)
    if count > 20:
        typer.echo(f"  and {count - 20:,} more, {rest}", err=True)


@app.command()
def rank(
    scores: Annotated[Path, typer.Option(help="The folder of scores.")],
    out: Annotated[
        Path, typer.Option(help="The ranking (.parquet or .csv), or a folder of Parquet parts.")
    ],
    tags: Annotated[
        Path | None, typer.Option(help="The tagger's predictions; else those in the scores.")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="The catalogue, for the positions of today.")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(help="Tags less sure give no photo the slot of its area.")
    ] = 0.6,
) -> None:
    """Rank the photos of each hotel by score, and with coverage of its areas."""
    with _plain_errors():
        from hotelviz import ranking
        from hotelviz.scores import open_scores

        if out.suffix:
            _check_table(out)
        dataset = open_scores(scores)
        options: dict[str, Any] = {"catalog": catalog, "min_confidence": min_confidence}
        if out.suffix:
            ranked = ranking.rank_hotel_photos(dataset, tags, **options)
            _write_table(ranked, out)
            figures = ranking.ranking_figures(ranked)
        else:
            ranking.rank_dataset(dataset, out, tags, **options)
            figures = ranking.over_parts(out, ranking.ranking_figures)
        hotels = figures[figures["order"] == "with coverage"]
        typer.echo(f"{out}: {hotels['photos'].sum():,} photos of {len(hotels):,} hotels")
        typer.echo(ranking.ranking_summary(figures).T.round(3).to_string())
        if tags is not None:
            unmatched = dataset.unmatched(tags)
            typer.echo(f"{len(unmatched):,} photos have only a score or only a tag")
            for row in unmatched.head(20).itertuples():
                typer.echo(f"  {row.image_id}: no {row.missing}", err=True)


def _check_table(out: Path) -> None:
    if out.suffix not in {".parquet", ".csv"}:
        raise typer.BadParameter(f"{out} must end in .parquet or .csv", param_hint="--out")


def _write_table(table: pd.DataFrame, out: Path) -> None:
    from hotelviz.files import atomic_path

    with atomic_path(out) as temporary:
        write: Callable[..., Any] = table.to_csv if out.suffix == ".csv" else table.to_parquet
        write(temporary, index=False)


@app.command()
def audit(
    catalog: _Catalog,
    out: Annotated[
        Path, typer.Option(help="The folder for issues, summary and suggested decisions.")
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="Gives the features (.keras); else MobileNet with ImageNet's weights."),
    ] = None,
    classes: _Classes = "any",
    cache: Annotated[
        Path | None, typer.Option(help="The folder of measures; else beside the catalogue.")
    ] = None,
) -> None:
    """Find what is wrong with photos and labels."""
    with _plain_errors():
        from hotelviz.audit import cache_folder, feature_model, find_issues, write_audit
        from hotelviz.catalog import read_catalog

        photos = read_catalog(catalog, classes=_allowed(classes))
        features, note = feature_model(model)
        found = find_issues(photos, model=features, cache=cache or cache_folder(catalog))
        suggested = write_audit(found, out)
        for line in [note, *found.notes]:
            typer.echo(line, err=True)
        typer.echo(found.summary[found.summary["photos"] > 0].round(4).to_string())
        typer.echo(
            f"{out}: {found.issues['image_id'].nunique():,} of {len(photos):,} photos have an "
            f"issue; {suggested:,} decisions suggested in decisions.csv"
        )


@app.command()
def clean(
    catalog: _Catalog,
    decisions: Annotated[
        list[Path], typer.Option(help="A file of decisions (.csv); may be repeated.")
    ],
    out: Annotated[Path, typer.Option(help="The cleaned catalogue (.csv or .parquet).")],
    classes: _Classes = "any",
) -> None:
    """Apply decisions to a catalogue. No photo is deleted on disk."""
    with _plain_errors():
        from hotelviz.audit import DecisionError, apply_decisions, read_decisions
        from hotelviz.catalog import read_catalog, write_catalog

        _check_table(out)
        allowed = _allowed(classes)
        photos = read_catalog(catalog, classes=allowed)
        lines = read_decisions(decisions)
        if len(lines) and not lines["image_id"].isin(photos["image_id"]).any():
            raise DecisionError(
                f"none of the {lines['image_id'].nunique():,} photos that were decided on, such as "
                f"{lines['image_id'].iloc[0]!r}, is in {catalog}: the decisions are of another "
                "catalogue"
            )
        cleaned = apply_decisions(photos, lines, classes=allowed)
        write_catalog(cleaned.catalog, out)
        changes = out.with_name(f"{out.stem}.changes.csv")
        _write_table(cleaned.changes, changes)
        counts = cleaned.changes["change"].value_counts()
        typer.echo(
            f"{out}: {len(cleaned.catalog):,} of {len(photos):,} photos; "
            + ", ".join(f"{count:,} {change}" for change, count in counts.items())
            + f"; listed in {changes}"
        )
        if len(cleaned.per_class):
            typer.echo(cleaned.per_class.to_string())
        unknown = cleaned.changes[cleaned.changes["change"] == "unknown"]
        for row in unknown.head(20).itertuples():
            typer.echo(f"  {row.image_id}: not in {catalog}", err=True)


@app.command()
def label(
    catalog: _Catalog,
    store: Annotated[
        str, typer.Option(help="A file of SQLite, or an address such as postgresql://host/labels.")
    ],
    task: Annotated[str, typer.Option(help="aesthetic, technical or tags.")] = "aesthetic",
    raters: Annotated[int, typer.Option(min=1, help="How many people label.")] = 12,
    overlap: Annotated[int, typer.Option(min=1, help="How many of them see each photo.")] = 3,
    gold: Annotated[int, typer.Option(min=0, help="Photos that each of them sees twice.")] = 10,
    classes: _Classes = "areas",
    name: Annotated[str, typer.Option("--round", help="Begin, or go on with, this round.")] = "1",
    seed: Annotated[int, typer.Option(help="Of who sees what, in which order.")] = 0,
    ip: Annotated[str, typer.Option(help="Listen here; 0.0.0.0 lets others in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8866,
) -> None:
    """Serve the labelling app: people rate or tag photos in their browsers, by one key each."""
    with _plain_errors():
        from hotelviz.catalog import AREAS, read_catalog
        from hotelviz.labelling import open_store
        from hotelviz.labelling.server import serve_labelling

        photos = read_catalog(catalog, classes=None)
        opened = open_store(store)
        begun = opened.begin_round(
            photos, name=name, task=task, raters=raters, overlap=overlap, gold=gold, seed=seed,
            classes=_allowed(classes) or _found_classes(photos) or AREAS,
        )  # fmt: skip
        progress = begun.progress()
        typer.echo(
            f"{opened.name}: round {name!r}, {task}: {len(photos):,} photos, "
            f"{progress['done'].sum():,} of {progress['assigned'].sum():,} answers so far"
        )
        typer.echo("raters open the link in a browser; Ctrl-C ends; nothing is lost by that")
        serve_labelling(store, name, ip=ip, port=port, say=typer.echo)


def _found_classes(photos: pd.DataFrame) -> list[str]:
    return sorted(photos["label"].dropna().unique()) if "label" in photos else []


@app.command("label-export")
def label_export(
    store: Annotated[str, typer.Option(help="The store of labels.")],
    out: Annotated[Path, typer.Option(help="The catalogue (.csv or .parquet).")],
    name: Annotated[
        list[str] | None, typer.Option("--round", help="May be repeated; the latest by default.")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="Keeps this catalogue's other columns and photos.")
    ] = None,
    train: Annotated[int, typer.Option(min=0, help="Deal rated photos: to train with.")] = 0,
    test: Annotated[int, typer.Option(min=0, help="Deal rated photos: to test with.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the deal.")] = 0,
) -> None:
    """Write what raters said as a catalogue: ratings to train on, or tags with their votes."""
    with _plain_errors():
        import pandas as pd

        from hotelviz.catalog import read_catalog, write_catalog
        from hotelviz.labelling import open_store
        from hotelviz.labelling.export import labelled_catalog, split_rated

        _check_table(out)
        opened = open_store(store, create=False)
        rounds = [opened.round(one) for one in name] if name else [opened.round()]
        photos = read_catalog(catalog, classes=None) if catalog else None
        labelled = labelled_catalog(rounds, photos)
        if train or test:
            labelled = split_rated(labelled, train=train, test=test, seed=seed)
        write_catalog(labelled, out)
        skips = pd.concat([one.ratings() for one in rounds])
        skips = skips[skips["reason"].notna()]
        rated = labelled["rating_1" if rounds[0].task != "tags" else "votes"].notna()
        typer.echo(f"{out}: {len(labelled):,} photos, {rated.sum():,} with answers; "
                   f"{len(skips):,} skips")  # fmt: skip
        for row in skips.head(20).itertuples():
            typer.echo(f"  {row.image_id}: skipped by {row.rater}: {row.reason}", err=True)


@app.command("label-choose")
def label_choose(
    catalog: _Catalog,
    out: Annotated[Path, typer.Option(help="The chosen photos, a catalogue (.csv or .parquet).")],
    count: Annotated[int, typer.Option(min=1, help="How many photos.")] = 500,
    store: Annotated[
        str | None, typer.Option(help="The store of labels: where raters disagree.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--round", help="Of the store; the latest by default.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Scores or tags (Parquet): where the model is uncertain."),
    ] = None,
    random_share: Annotated[float, typer.Option(help="The share of random photos.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the random photos.")] = 0,
) -> None:
    """Choose photos for the next round: uncertain ones, disputed ones and some random ones."""
    with _plain_errors():
        from hotelviz.catalog import read_catalog, write_catalog
        from hotelviz.labelling import open_store
        from hotelviz.labelling.choose import choose_photos
        from hotelviz.scores import open_scores

        _check_table(out)
        chosen = choose_photos(
            read_catalog(catalog, classes=None),
            count,
            predictions=open_scores(predictions).query("FROM scores") if predictions else None,
            ratings=open_store(store, create=False).round(name).ratings() if store else None,
            random_share=random_share,
            seed=seed,
        )
        write_catalog(chosen, out)
        reasons = chosen["chosen_for"].str.split().str[0].value_counts()
        counted = ", ".join(f"{number:,} {reason}" for reason, number in reasons.items())
        typer.echo(f"{out}: {len(chosen):,} photos: {counted}")


@app.command()
def report(
    name: Annotated[str | None, typer.Argument(help="A report, or the path of a notebook.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", help="A parameter: name=value; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page (.html).")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List reports and parameters.")] = False,
) -> None:
    """Run a notebook and write what it shows as one self-contained HTML page."""
    from hotelviz.reports import list_reports, run_report

    with _plain_errors():
        if show_list:
            for row in list_reports().itertuples():
                typer.echo(f"{row.name}: {row.title}")
                for line in row.parameters:
                    typer.echo(f"    {line}")
            return
        if name is None or out is None:
            raise typer.BadParameter("a report needs its name and --out; see --list")
        parameters = dict(_assignment(text) for text in parameter or [])
        typer.echo(run_report(name, parameters, out))


def _assignment(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter(f"{text!r} is not name=value", param_hint="-p")
    return name.strip(), value


if __name__ == "__main__":
    app()
