"""Verbs of models: train, distill, wrap, tag, score, rank."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_origin

from typer import Argument, Context, Option

from hotelviz.cli import options
from hotelviz.cli.options import AllowMissing, Catalog, Classes, Unsplit, app, say
from hotelviz.training.settings import (
    AESTHETIC,
    DISTILLATION,
    TAGGER,
    sentence,
    takes_settings,
)

if TYPE_CHECKING:
    import pandas as pd

ModelFile = Annotated[Path, Option(help="The model file (.keras).")]


def _option(field: dataclasses.Field[Any], hint: Any) -> Any:
    """Return the option of a setting that is a number or a word."""
    if field.name == "weights":
        hint = Literal["imagenet", "none"]
    elif hint not in {str, int, float} and get_origin(hint) is not Literal:
        return None
    return Annotated[hint, Option(help=sentence(field.metadata["help"]))]


@app.command("train-tagger")
@takes_settings(TAGGER, _option)
def train_tagger(
    context: Context,
    catalog: Catalog,
    out: ModelFile,
    classes: Classes = "areas",
    unsplit: Unsplit = "refuse",
    allow_missing: AllowMissing = False,
    **settings: Any,
) -> None:
    """Train a tagger in two phases. An interrupted training goes on when called again."""
    from hotelviz import training

    settings = _given(context, settings)
    photos = _training_photos(
        catalog, out, options.allowed_classes(classes), settings, by="label", unsplit=unsplit
    )
    model = training.train_tagger(
        photos, out=out, unsplit="leave", allow_missing=allow_missing, **settings
    )
    _say_kept(out, training.history(model), "accuracy")


@app.command("train-aesthetic")
@takes_settings(AESTHETIC, _option)
def train_aesthetic(
    context: Context,
    catalog: Catalog,
    out: ModelFile,
    parent: Annotated[Path | None, Option(help="An earlier model (.keras) to start from.")] = None,
    task: Annotated[
        Literal["aesthetic", "technical"],
        Option(help="technical for the quality of the picture as such."),
    ] = "aesthetic",
    unsplit: Unsplit = "refuse",
    allow_missing: AllowMissing = False,
    **settings: Any,
) -> None:
    """Train a NIMA model on ratings. An interrupted training goes on when called again."""
    from hotelviz import training

    settings = _given(context, settings)
    photos = _training_photos(catalog, out, None, settings, by="ratings", unsplit=unsplit)
    model = training.train_aesthetic(
        photos, task=task, parent=parent, out=out, unsplit="leave",
        allow_missing=allow_missing, **settings,
    )  # fmt: skip
    _say_kept(out, training.history(model), "loss", "error")


@app.command()
@takes_settings(DISTILLATION, _option)
def distill(
    context: Context,
    catalog: Catalog,
    teacher: Annotated[list[Path], Option(help="A model to learn from (.keras); may be repeated.")],
    out: ModelFile,
    backbone_kw: Annotated[
        list[str] | None,
        Option(help="An argument of the backbone, such as alpha=0.5; may be repeated."),
    ] = None,
    unsplit: Unsplit = "refuse",
    allow_missing: AllowMissing = False,
    **settings: Any,
) -> None:
    """Train a lighter network to say what others say, of photos with and without labels."""
    from hotelviz import training
    from hotelviz.models import read_info

    settings = _given(context, settings)
    by: Literal["label", "ratings"] = (
        "label" if read_info(teacher[0]).task == "tagger" else "ratings"
    )
    photos = _training_photos(catalog, out, None, settings, by=by, unsplit=unsplit)
    model = training.distill(
        teacher, photos, out=out, unsplit="leave", allow_missing=allow_missing,
        backbone_kw=options.assigned_values(backbone_kw, "--backbone-kw"), **settings,
    )  # fmt: skip
    _say_kept(out, training.history(model), "accuracy", "error")


@app.command()
def wrap(
    model: Annotated[Path, Argument(help="Someone else's Keras model (.keras).")],
    out: ModelFile,
    task: Annotated[Literal["tagger", "aesthetic", "technical"], Option(help="What it predicts.")],
    value_range: Annotated[
        Literal["-1..1", "0..1", "0..255", "imagenet-bgr", "imagenet-normalised"],
        Option(help="Of the pixels that it was trained with; 0..255 where it scales them itself."),
    ],
    classes: Annotated[
        str | None,
        Option(help="A tagger's classes, separated by commas, in the order of its outputs."),
    ] = None,
    resample: Annotated[
        Literal["nearest", "bilinear", "bicubic", "lanczos"],
        Option(help="How its photos were resized."),
    ] = "bilinear",
    input_size: Annotated[
        int | None, Option(help="Height and width, where the model takes photos of any size.")
    ] = None,
    outputs: Annotated[
        Literal["logits", "probabilities", "sigmoid"] | None,
        Option(help="What its outputs are, where it does not end in a softmax."),
    ] = None,
) -> None:
    """Describe someone else's model, so that hotelviz can work with it."""
    from hotelviz.errors import ModelError
    from hotelviz.io.claims import check_apart, check_output, claim
    from hotelviz.models import (
        Preprocessing,
        load_keras,
        photo_size,
        refuse_described,
        save_model,
        scaling_layer,
        wrap_model,
    )

    check_output(out, suffixes=[".keras"])
    check_apart(out, model)
    refuse_described(model)
    theirs = load_keras(model)
    height, width = photo_size(theirs, input_size)
    ours = wrap_model(
        theirs, task=task, classes=classes and [name.strip() for name in classes.split(",")],
        preprocessing=Preprocessing(height, width, resample, value_range), outputs=outputs,
        name=model.name,
    )  # fmt: skip
    if value_range != "0..255" and (scaling := scaling_layer(ours)):
        raise ModelError(
            f"{model}: it scales pixels itself (layer {scaling!r}): say --value-range 0..255"
        )
    with claim(out):
        save_model(ours, out)
    say(
        f"{out}: {task} model of {height} x {width} pixels, {value_range}, {resample}. What it "
        "learned from is not known: its figures may be too good on photos that it has seen"
    )


def _training_photos(
    catalog: Path,
    out: Path,
    classes: list[str] | None,
    settings: dict[str, Any],
    *,
    by: Literal["label", "ratings"],
    unsplit: Literal["refuse", "deal", "leave"],
) -> pd.DataFrame:
    """Read and split a catalogue, once it is sure that the model can be written."""
    from hotelviz.catalog import read_catalog, split_catalog
    from hotelviz.io.claims import check_output

    check_output(out, suffixes=[".keras"])
    photos = read_catalog(catalog, classes=classes)
    return split_catalog(photos, seed=settings["seed"], by=by, unsplit=unsplit)


def _given(context: Context, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that were asked for: the effort decides the others."""
    asked = {}
    for name, value in settings.items():
        source = context.get_parameter_source(name)
        if name == "seed" or source is None or source.name != "DEFAULT":
            asked[name] = value
    return asked


def _say_kept(out: Path, course: pd.DataFrame, *shown: str) -> None:
    """Print the figures of the epoch whose weights the model has."""
    row = course[course["kept"]].iloc[-1].to_dict() if len(course) else {}
    figures = [f"{name} {row[name]}" for name in row if any(word in str(name) for word in shown)]
    say(f"{out}: " + ", ".join(figures))


@app.command()
def tag(
    catalog: Catalog,
    model: Annotated[Path, Option(help="A tagger (.keras).")],
    out: Annotated[Path, Option(help="The predictions (.parquet or .csv).")],
    classes: Classes = "any",
    allow_missing: AllowMissing = False,
) -> None:
    """Predict the area that each photo shows."""
    from hotelviz.catalog import read_catalog
    from hotelviz.inference import predict_tags
    from hotelviz.inference.preflight import preflight
    from hotelviz.io.claims import check_apart, claim
    from hotelviz.models import load_model

    options.check_table(out)
    check_apart(out, catalog)
    photos = read_catalog(catalog, classes=options.allowed_classes(classes))
    watch = preflight(photos["path"], allow_missing=allow_missing)
    tagger = load_model(model, task="tagger")
    with claim(out):
        tags = predict_tags(photos, tagger)
        lost = (tags["status"] == "unavailable").to_numpy()
        watch.add(len(tags), zip(photos["path"][lost], tags["error"][lost], strict=True))
        watch.check()
        options.write_table(tags, out)
    errors = tags[tags["error"] != ""]
    say(f"{out}: {len(tags):,} photos, {len(errors):,} with errors")
    options.list_notes(watch.notes())
    options.list_errors(errors, len(errors), "in the column 'error'")


@app.command()
def score(
    catalog: Catalog,
    model: Annotated[list[Path], Option(help="A model (.keras); may be repeated.")],
    out: Annotated[Path, Option(help="The folder of Parquet parts.")],
    part_size: Annotated[int, Option(min=1, help="Photos per part: what a stop can lose.")] = 2048,
    backend: Annotated[str, Option(help="keras, or openvino: faster on a processor.")] = "keras",
    precision: Annotated[
        str | None,
        Option(help="float32 or bfloat16; else the fastest that is exact enough."),
    ] = None,
    workers: Annotated[
        int | None,
        Option(min=1, help="Decoding threads, on a cluster actors; else as many as fit."),
    ] = None,
    cluster: Annotated[
        str | None, Option(help="ray: on many machines, from a Parquet catalogue.")
    ] = None,
    address: Annotated[
        str | None, Option(help="Of the Ray cluster; else one on this machine.")
    ] = None,
    check_files: Annotated[
        bool, Option(help="Score photos again whose files have changed since.")
    ] = True,
    prune: Annotated[
        bool, Option(help="Take photos out that the catalogue does not have any more.")
    ] = False,
    allow_missing: AllowMissing = False,
) -> None:
    """Score photos with one or more models, decoding each once. A stopped run goes on."""
    settings: dict[str, Any] = {
        "backend": backend, "precision": precision, "workers": workers, "part_size": part_size,
        "check_files": check_files, "prune": prune, "allow_missing": allow_missing,
        "cluster": cluster, "address": address,
    }  # fmt: skip
    from hotelviz.inference import score_photos
    from hotelviz.scores import open_scores

    run = score_photos(catalog, model, out, **settings)
    dataset = open_scores(out)
    n_errors = dataset.count("error <> ''")
    say(f"{out}: {len(dataset):,} photos, {run.photos:,} computed now, {n_errors:,} with errors")
    if run.photos:
        say(str(run))
    options.list_notes(run.notes)
    options.list_errors(dataset.errors(max_photos=21), n_errors, "in the column 'error'")


@app.command()
def rank(
    scores: Annotated[Path, Option(help="The folder of scores.")],
    out: Annotated[
        Path, Option(help="The ranking (.parquet or .csv), or a folder of Parquet parts.")
    ],
    tags: Annotated[
        Path | None, Option(help="The tagger's predictions; else those in the scores.")
    ] = None,
    catalog: Annotated[
        Path | None, Option(help="The catalogue, for the current positions.")
    ] = None,
    min_confidence: Annotated[
        float, Option(help="Tags less sure give no photo the slot of its area.")
    ] = 0.6,
    min_slot_score: Annotated[
        float, Option(help="Nor photos that score less, unless the hotel's others do too.")
    ] = 4.0,
) -> None:
    """Rank the photos of each hotel by score, and with coverage of its areas."""
    from hotelviz import ranking
    from hotelviz.io.claims import claim
    from hotelviz.ranking.partitioned import refuse_inputs
    from hotelviz.scores import open_scores

    if out.suffix:
        options.check_table(out)
        refuse_inputs(out, scores, tags, catalog)
    dataset = open_scores(scores)
    settings: dict[str, Any] = {"catalog": catalog, "min_confidence": min_confidence}
    settings["min_slot_score"] = min_slot_score
    if out.suffix:
        with claim(out):
            ranked = ranking.rank_hotel_photos(dataset, tags, **settings)
            options.write_table(ranked, out)
        figures = ranking.ranking_figures(ranked)
    else:
        ranking.rank_dataset(dataset, out, tags, **settings)
        figures = ranking.map_parts(out, ranking.ranking_figures)
    hotels = figures[figures["order"] == "with coverage"]
    say(f"{out}: {hotels['photos'].sum():,} photos of {len(hotels):,} hotels")
    say(ranking.ranking_summary(figures).T.round(3).to_string())
    if tags is not None:
        unmatched = dataset.unmatched(tags)
        say(f"{len(unmatched):,} photos have only a score or only a tag")
        for row in unmatched.head(20).itertuples():
            say(f"  {options.on_one_line(row.image_id)}: no {row.missing}", err=True)
