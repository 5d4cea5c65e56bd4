"""Verbs of models: train, tag, score, rank."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hotelviz.cli.options import (
    AllowMissing,
    Catalog,
    Classes,
    Unsplit,
    allowed_classes,
    app,
    check_table,
    list_notes,
    list_problems,
    on_one_line,
    plain_errors,
    say,
    write_table,
)


@app.command("train-tagger")
def train_tagger(
    catalog: Catalog,
    out: Annotated[Path, typer.Option(help="The model file (.keras).")],
    classes: Classes = "areas",
    unsplit: Unsplit = "refuse",
    backbone: Annotated[str, typer.Option(help="A network of keras.applications.")] = "MobileNet",
    weights: Annotated[str, typer.Option(help="imagenet, or none: from scratch.")] = "imagenet",
    input_size: Annotated[int, typer.Option(help="Height and width of the input.")] = 224,
    head_epochs: Annotated[int, typer.Option(help="Most epochs of phase one.")] = 40,
    fine_tune_epochs: Annotated[int, typer.Option(help="Most epochs of phase two.")] = 12,
    seed: Annotated[int, typer.Option(help="Of split, weights, order and augmentation.")] = 0,
    allow_missing: AllowMissing = False,
) -> None:
    """Train a tagger in two phases. An interrupted training goes on when called again."""
    with plain_errors():
        from hotelviz import training
        from hotelviz.catalog import read_catalog, split_catalog

        _check_model_options(out, weights)
        photos = read_catalog(catalog, classes=allowed_classes(classes))
        photos = split_catalog(photos, seed=seed, by="label", unsplit=unsplit)
        model = training.train_tagger(
            photos,
            backbone=backbone,
            weights="imagenet" if weights == "imagenet" else None,
            input_size=input_size,
            head_epochs=head_epochs,
            fine_tune_epochs=fine_tune_epochs,
            seed=seed,
            out=out,
            unsplit="leave" if unsplit == "leave" else "refuse",
            allow_missing=allow_missing,
        )
        last = training.history(model).iloc[-1].to_dict()
        say(f"{out}: " + ", ".join(f"{key} {last[key]}" for key in last if "accuracy" in str(key)))


@app.command()
def tag(
    catalog: Catalog,
    model: Annotated[Path, typer.Option(help="A tagger (.keras).")],
    out: Annotated[Path, typer.Option(help="The predictions (.parquet or .csv).")],
    classes: Classes = "any",
    allow_missing: AllowMissing = False,
) -> None:
    """Predict the area that each photo shows."""
    with plain_errors():
        from hotelviz.catalog import read_catalog
        from hotelviz.inference import predict_tags
        from hotelviz.inference.preflight import SAMPLE, Watch, check_access
        from hotelviz.io.claims import check_apart, claim
        from hotelviz.models import load_model

        check_table(out)
        check_apart(out, catalog)
        photos = read_catalog(catalog, classes=allowed_classes(classes))
        watch = Watch(len(photos), allow_missing=allow_missing)
        some = photos["path"].sample(min(SAMPLE, len(photos)), random_state=0)
        watch.look(some.to_list(), len(photos))
        check_access(photos["path"])
        tagger = load_model(model, task="tagger")
        with claim(out):
            tags = predict_tags(photos, tagger)
            lost = (tags["status"] == "unavailable").to_numpy()
            watch.add(len(tags), zip(photos["path"][lost], tags["error"][lost], strict=True))
            watch.check()
            write_table(tags, out)
        problems = tags[tags["error"] != ""]
        say(f"{out}: {len(tags):,} photos, {len(problems):,} with problems")
        list_notes(watch.notes())
        list_problems(problems, len(problems), "in the column 'error'")


@app.command("train-aesthetic")
def train_aesthetic(
    catalog: Catalog,
    out: Annotated[Path, typer.Option(help="The model file (.keras).")],
    parent: Annotated[
        Path | None, typer.Option(help="An earlier model (.keras) to start from.")
    ] = None,
    task: Annotated[str, typer.Option(help="aesthetic or technical.")] = "aesthetic",
    unsplit: Unsplit = "refuse",
    backbone: Annotated[str, typer.Option(help="A network of keras.applications.")] = "MobileNet",
    weights: Annotated[str, typer.Option(help="imagenet, or none: from scratch.")] = "imagenet",
    input_size: Annotated[int, typer.Option(help="Height and width of the input.")] = 224,
    head_epochs: Annotated[int, typer.Option(help="Most epochs of phase one.")] = 40,
    fine_tune_epochs: Annotated[int, typer.Option(help="Most epochs of phase two.")] = 12,
    seed: Annotated[int, typer.Option(help="Of split, weights, order and augmentation.")] = 0,
    allow_missing: AllowMissing = False,
) -> None:
    """Train a NIMA model on ratings. An interrupted training goes on when called again."""
    with plain_errors():
        from hotelviz import training
        from hotelviz.catalog import read_catalog, split_catalog

        _check_model_options(out, weights)
        if task not in {"aesthetic", "technical"}:
            raise typer.BadParameter(f"{task!r} is not aesthetic or technical", param_hint="--task")
        photos = read_catalog(catalog, classes=None)
        photos = split_catalog(photos, seed=seed, by="ratings", unsplit=unsplit)
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
            out=out,
            unsplit="leave" if unsplit == "leave" else "refuse",
            allow_missing=allow_missing,
        )
        last = training.history(model).iloc[-1].to_dict()
        shown = [key for key in last if "loss" in str(key) or "error" in str(key)]
        say(f"{out}: " + ", ".join(f"{key} {last[key]}" for key in shown))


def _check_model_options(out: Path, weights: str) -> None:
    from hotelviz.io.claims import check_output

    if out.suffix != ".keras":
        raise typer.BadParameter(f"{out} must end in .keras", param_hint="--out")
    if weights not in {"imagenet", "none"}:
        raise typer.BadParameter(f"{weights!r} is not imagenet or none", param_hint="--weights")
    check_output(out)


@app.command()
def score(
    catalog: Catalog,
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
    check_files: Annotated[
        bool, typer.Option(help="Score photos again whose files have changed since.")
    ] = True,
    prune: Annotated[
        bool, typer.Option(help="Take photos out that the catalogue does not have any more.")
    ] = False,
    allow_missing: AllowMissing = False,
) -> None:
    """Score photos with one or more models, decoding each once. A stopped run goes on."""
    with plain_errors():
        from hotelviz.inference import score_photos
        from hotelviz.scores import open_scores

        if engine_cluster not in {None, "ray"}:
            raise typer.BadParameter(
                f"{engine_cluster!r} is not ray", param_hint="--engine-cluster"
            )
        if address is not None and engine_cluster is None:
            raise typer.BadParameter("needs --engine-cluster ray", param_hint="--address")
        settings: dict[str, Any] = {
            "engine": engine, "precision": precision, "workers": workers, "part_size": part_size,
            "check_files": check_files, "prune": prune, "allow_missing": allow_missing,
        }  # fmt: skip
        if engine_cluster:
            from hotelviz.inference.ray import score_on_cluster

            speed = score_on_cluster(catalog, model, out, address=address, **settings)
        else:
            speed = score_photos(catalog, model, out, **settings)
        dataset = open_scores(out)
        problems = dataset.errors(max_photos=21)
        wrong = dataset.count("error <> ''")
        say(
            f"{out}: {len(dataset):,} photos, {speed.photos:,} computed now, "
            f"{wrong:,} with problems"
        )
        if speed.photos:
            say(str(speed))
        list_notes(speed.notes)
        list_problems(problems, wrong, "in the column 'error'")


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
        Path | None, typer.Option(help="The catalogue, for the current positions.")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(help="Tags less sure give no photo the slot of its area.")
    ] = 0.6,
) -> None:
    """Rank the photos of each hotel by score, and with coverage of its areas."""
    with plain_errors():
        from hotelviz import ranking
        from hotelviz.io.claims import claim
        from hotelviz.ranking.partitioned import refuse_inputs
        from hotelviz.scores import open_scores

        if out.suffix:
            check_table(out)
            refuse_inputs(out, scores, tags, catalog)
        dataset = open_scores(scores)
        options: dict[str, Any] = {"catalog": catalog, "min_confidence": min_confidence}
        if out.suffix:
            with claim(out):
                ranked = ranking.rank_hotel_photos(dataset, tags, **options)
                write_table(ranked, out)
            figures = ranking.ranking_figures(ranked)
        else:
            ranking.rank_dataset(dataset, out, tags, **options)
            figures = ranking.map_parts(out, ranking.ranking_figures)
        hotels = figures[figures["order"] == "with coverage"]
        say(f"{out}: {hotels['photos'].sum():,} photos of {len(hotels):,} hotels")
        say(ranking.ranking_summary(figures).T.round(3).to_string())
        if tags is not None:
            unmatched = dataset.unmatched(tags)
            say(f"{len(unmatched):,} photos have only a score or only a tag")
            for row in unmatched.head(20).itertuples():
                say(f"  {on_one_line(row.image_id)}: no {row.missing}", err=True)
