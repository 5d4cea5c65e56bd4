"""The plan of a run: what a catalogue lacks is left out and named; wrong wishes are refused."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from hotelviz import pipeline
from hotelviz.catalog import read_catalog
from hotelviz.cli import app
from hotelviz.decisions import append_decisions
from hotelviz.errors import ModelError, OutputError, ReportError
from hotelviz.models import build_aesthetic, build_tagger, save_model
from hotelviz.schema import RATINGS

LABELLED = [
    "split", "cleaning_audit", "tagger_training", "tagger_report", "explain_tagger",
    "cleaning_effect",
]  # fmt: skip
RATED = ["aesthetic_report", "compare_filters", "scores", "score_distribution", "hotel_ranking"]


@pytest.fixture
def planned(demo_catalog, tmp_path):
    """A function from the columns that the catalogue lacks to the plan of its run."""

    def plan(*lacking: str, **choices):
        file = tmp_path / "photos.csv"
        table = demo_catalog.drop(columns=[*lacking])
        table = table.assign(hotel_id=demo_catalog["image_id"]) if "hotel_id" in lacking else table
        table.to_csv(file, index=False)
        return pipeline.plan(file, tmp_path / "reports", pretrained=True, **choices)

    return plan


def names(plan: pipeline.Plan) -> list[str]:
    return [step.name for step in plan.steps]


@pytest.mark.slow
def test_catalogue_with_everything_has_one_iteration_unless_there_is_a_first(planned, demo_dir):
    plan = planned()
    assert names(plan) == [*LABELLED, "aesthetic_training_1", *RATED]
    assert "--first" in plan.left_out["first aesthetic iteration"]
    both = planned(first=demo_dir / "public.csv")
    assert names(both) == [*LABELLED, "aesthetic_training_1", "aesthetic_training_2", *RATED]
    assert not both.left_out


@pytest.mark.parametrize(
    ("lacking", "steps", "part", "advice"),
    [
        (["label"], ["split", "cleaning_audit", "aesthetic_training_1", *RATED], "tagger", "label"),
        (RATINGS, LABELLED, "aesthetic models", "columns rating_1 to rating_10"),
        (["hotel_id", "position", "split"],
         [*LABELLED, "aesthetic_training_1", *RATED[:-1]], "hotel_ranking", "column hotel_id"),
        (["position"], [*LABELLED, "aesthetic_training_1", *RATED], "today's order",
         "column position"),
    ],
)  # fmt: skip
def test_what_the_catalogue_lacks_is_left_out_with_what_to_add(
    planned, lacking, steps, part, advice
):
    plan = planned(*lacking)
    assert names(plan) == steps
    why = next(why for name, why in plan.left_out.items() if part in name)
    assert advice in why
    assert why in str(plan)


def test_plan_estimates_each_step_and_says_what_is_in_the_catalogue(planned):
    plan = planned()
    assert all(step.seconds > 0 for step in plan.steps if step.name != "split")
    assert plan.seconds == pytest.approx(sum(step.seconds for step in plan.steps))
    few = planned(settings={"tagger_training": {"fine_tune_epochs": "1"}})
    assert few.steps[2].seconds < plan.steps[2].seconds
    scales = planned(settings={"tagger_training": {"n_scales": "2"}})
    assert scales.steps[2].seconds > plan.steps[2].seconds
    told = str(plan)
    assert f"{plan.facts.photos} photos of 6 hotels" in told
    assert "In all about" in told


@pytest.mark.slow
def test_quick_run_does_not_compare_a_network_with_itself(planned, few_layers, tmp_path):
    quick = planned(quick=True)
    assert "compare_filters" not in names(quick)
    assert "only the last layer learns" in quick.left_out["compare_filters"]
    learns = planned(quick=True, settings={"aesthetic_training_1": {"effort": "normal"}})
    assert "compare_filters" in names(learns)
    save_model(build_aesthetic(input_size=32, weights=None), tmp_path / "a.keras")
    assert "compare_filters" in names(
        planned(quick=True, models={"aesthetic_1": tmp_path / "a.keras"})
    )


@pytest.mark.slow
def test_models_that_exist_are_not_trained(planned, few_layers, tmp_path):
    tagger, aesthetic = tmp_path / "t.keras", tmp_path / "a.keras"
    save_model(build_tagger(["Bedroom", "Pool"], input_size=32, weights=None), tagger)
    save_model(build_aesthetic(input_size=32, weights=None), aesthetic)
    plan = planned(models={"tagger": tagger, "aesthetic": aesthetic})
    assert not [name for name in names(plan) if "training" in name]
    scored = next(step for step in plan.steps if step.name == "scores")
    assert {tagger, aesthetic} <= set(scored.inputs)
    second = planned(models={"aesthetic_1": aesthetic})
    assert [name for name in names(second) if "aesthetic_training" in name] == [
        "aesthetic_training_2"
    ]
    build_aesthetic(input_size=32, weights=None).save(tmp_path / "plain.keras")
    foreign = planned(models={"aesthetic_1": tmp_path / "plain.keras"})
    note = "aesthetic_1 does not say how photos become its input"
    assert note in str(foreign)
    noted = {step.name for step in foreign.steps if note in step.key.get("banner", "")}
    assert noted == {"aesthetic_training_2", *RATED} - {"scores"}
    unlabelled = planned("label", models={"tagger": tagger})
    assert "tagger_report" not in names(unlabelled)
    assert next(step for step in unlabelled.steps if step.name == "scores").inputs[-1] == tagger
    with pytest.raises(ModelError, match="for the task 'tagger', not 'aesthetic'"):
        planned(models={"aesthetic": tagger})
    with pytest.raises(ModelError, match="did you mean 'tagger'"):
        planned(models={"taggr": tagger})
    with pytest.raises(ModelError, match=r"nowhere\.keras: there is no such model file"):
        planned(models={"tagger": tmp_path / "nowhere.keras"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tager_training": {"seed": 1}}, "did you mean 'tagger_training'"),
        (
            {"tagger_training": {"epochs": 1}},
            r"(?s)no parameter 'epochs'; its parameters are\n.*\n  fine_tune_epochs: int = 8 ",
        ),
        ({"explain_tagger": {"n_checked": "many"}}, "of type int, which 'many' is not"),
        ({"split": {"test": "a third"}}, "of type float"),
        ({"tagger_report": {"model": "my.keras"}}, "given with --model"),
        ({"aesthetic_training_1": {"parent": "taggr"}}, "did you mean 'tagger'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_begins(planned, settings, message):
    with pytest.raises(ReportError, match=message):
        planned(settings=settings)


def test_one_step_comes_with_what_it_needs_and_a_start_with_what_needs_it(planned):
    assert names(planned(only="tagger_report")) == ["split", "tagger_training", "tagger_report"]
    assert planned(start="scores").again == {"scores", "score_distribution", "hotel_ranking"}
    with pytest.raises(ReportError, match="did you mean 'scores'"):
        planned(only="score")
    with pytest.raises(ReportError, match="tagger_report is left out: there are no labels"):
        planned("label", only="tagger_report")


def test_from_scratch_is_said_on_every_page_and_the_first_iteration_starts_from_the_tagger(
    demo_dir, tmp_path
):
    plan = pipeline.plan(demo_dir / "catalog.csv", tmp_path, pretrained=False)
    of = {step.name: step for step in plan.steps}
    tagger = of["tagger_training"].key["parameters"]
    assert tagger["weights"] == "none"
    assert "tagger_training" in of["aesthetic_training_1"].needs
    # Another backbone in a file of the same name is another one.
    given = {"tagger_training": {"backbone": str(tmp_path / "theirs.keras"), "backbone_kw": {}}}
    planned = pipeline.plan(demo_dir / "catalog.csv", tmp_path, pretrained=False, settings=given)
    training = next(step for step in planned.steps if step.name == "tagger_training")
    assert tmp_path / "theirs.keras" in training.inputs
    assert "learned from scratch" in of["hotel_ranking"].key["banner"]
    assert of["hotel_ranking"].key["banner"] in str(plan)
    photos = read_catalog(demo_dir / "catalog.csv")[["image_id", "path", "hotel_id"]]
    photos.to_csv(tmp_path / "bare.csv", index=False)
    bare = pipeline.plan(tmp_path / "bare.csv", tmp_path, pretrained=False)
    assert [step.name for step in bare.steps] == ["split", "cleaning_audit"]
    assert "scratch" not in str(bare)
    quick = pipeline.plan(demo_dir / "catalog.csv", tmp_path, pretrained=True, quick=True)
    assert quick.seconds < plan.seconds * 10
    assert quick.steps[-1].key["banner"].startswith("A quick run")


@pytest.mark.parametrize("form", ["photos", "folder with a table"])
def test_folders_of_photos_and_folders_with_a_table_are_catalogues(album_dir, tmp_path, form):
    for file in album_dir.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    if form != "photos":
        files = [file.name for file in tmp_path.iterdir()]
        pd.DataFrame({"path": files, "label": "Pool"}).to_csv(tmp_path / "catalog.csv")
    plan = pipeline.plan(tmp_path, tmp_path / "reports", pretrained=True)
    assert plan.facts.photos == 8
    assert names(plan) == ["split", "cleaning_audit"]
    expected = "there are no labels" if form == "photos" else "all labels are 'Pool'"
    assert expected in plan.left_out["tagger"]


def test_dry_run_prints_the_plan_and_writes_nothing(demo_dir, tmp_path):
    out = tmp_path / "reports"
    done = CliRunner().invoke(
        app, ["run", str(demo_dir / "catalog.csv"), "--out", str(out), "--dry-run", "--only",
              "cleaning_audit"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "cleaning_audit" in done.output
    assert not out.exists()
    refused = CliRunner().invoke(
        app, ["run", str(demo_dir), "--out", str(out), "--set", "scores.bakend=keras"]
    )
    assert refused.exit_code == 1
    assert "did you mean 'backend'" in refused.output
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [["lost.csv"], ["{catalog}", "--first", "lost.csv"]])
def test_wrong_paths_are_refused_before_tensorflow_is_loaded(demo_dir, tmp_path, wrong):
    named = [text.format(catalog=demo_dir / "catalog.csv") for text in wrong]
    script = (
        "import sys; from hotelviz.cli import app\n"
        f"try: app(['run', *{named!r}, '--out', 'reports'])\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert told.returncode == 1
    assert "lost.csv: there is no such" in told.stderr
    assert told.stdout.split() == ["False"]


@pytest.mark.slow
def test_split_is_one_for_labels_and_ratings_and_second_run_loads_no_tensorflow(demo_dir, tmp_path):
    source = tmp_path / "photos.csv"
    photos = read_catalog(demo_dir / "catalog.csv")
    photos.drop(columns="split").to_csv(source, index=False)
    choices = {"only": "split", "pretrained": True, "first": demo_dir / "public.csv"}
    done = pipeline.run(source, tmp_path / "out", **choices, say=lambda line: None)
    assert done.done == ["split"]
    written = read_catalog(tmp_path / "out" / "data" / "catalog.csv")
    assert written["split"].notna().all()
    assert written["path"].tolist() == photos["path"].tolist()
    first = read_catalog(tmp_path / "out" / "data" / "first.csv").merge(written, on="image_id")
    assert len(first)
    assert first["split_x"].tolist() == first["split_y"].tolist()
    script = (
        "import sys; from hotelviz import pipeline; "
        f"done = pipeline.run({str(source)!r}, {str(tmp_path / 'out')!r}, only='split', "
        f"pretrained=True, first={str(choices['first'])!r}); "
        "print(done.unchanged, 'tensorflow' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          check=True, env=os.environ).stdout  # fmt: skip
    assert told.splitlines()[-1] == "['split'] False"


def test_copies_of_a_photo_are_dealt_together(tmp_path):
    noise = np.random.default_rng(0)
    rows = []
    for number in range(40):
        # Each second pair of hotels shows the same photo, one of them smaller and compressed again.
        scene = noise.integers(0, 255, (6, 8, 3), dtype="uint8")
        for hotel in (2 * number, 2 * number + 1) if number % 2 else (2 * number,):
            file = tmp_path / f"{hotel}.jpg"
            size = (200, 150) if hotel % 2 else (240, 180)
            Image.fromarray(scene).resize(size, Image.Resampling.BICUBIC).save(file, quality=85)
            rows.append({"path": str(file), "hotel_id": f"h{hotel}", "label": "AB"[number % 4 > 1]})
    table = pd.DataFrame(rows)
    table.to_csv(tmp_path / "photos.csv", index=False)
    done = pipeline.run(tmp_path / "photos.csv", tmp_path / "out", only="split", pretrained=True,
                        say=lambda line: None)  # fmt: skip
    assert done.done == ["split"]
    split = read_catalog(tmp_path / "out" / "data" / "catalog.csv", classes=None)["split"]
    scenes = table["hotel_id"].str[1:].astype(int) // 2
    assert split.groupby(scenes).nunique().max() == 1
    assert set(split) == {"train", "val", "test"}


def test_what_failed_is_listed_and_stands_on_the_index(demo_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HOTELVIZ_NO_DOWNLOAD", "1")
    unrated = tmp_path / "unrated.csv"
    photos = read_catalog(demo_dir / "catalog.csv").drop(columns=[*RATINGS, "position"])
    photos.to_csv(unrated, index=False)
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["run", str(unrated), "--out", str(out), "--first", str(unrated), "--only",
              "cleaning_audit"],
    )  # fmt: skip
    assert done.exit_code == 1
    failed = f"split failed: {unrated}: has no ratings"
    assert failed in done.output
    assert "cleaning_audit was not done: it needs split" in done.output
    index = (out / "index.html").read_text()
    assert failed in index
    assert "Left out: aesthetic_report: there are no ratings" in index


@pytest.mark.parametrize("theirs", ["data/catalog.csv", "models/tagger.keras"])
def test_folders_that_no_run_made_are_refused_and_left_as_they_are(demo_dir, tmp_path, theirs):
    file = tmp_path / theirs
    file.parent.mkdir()
    file.write_text("theirs")
    with pytest.raises(OutputError, match="hotelviz did not make it"):
        pipeline.run(demo_dir / "catalog.csv", tmp_path, only="split", pretrained=True)
    assert file.read_text() == "theirs"


@pytest.mark.parametrize("reviewer", ["hotelviz", "Ada"])
def test_new_audit_forgets_suggestions_but_nothing_that_a_person_decided(
    planned, tmp_path, monkeypatch, reviewer
):
    file = tmp_path / "reports" / "audit" / "decisions.csv"
    decisions = {"image_id": ["a", "b"], "action": ["drop", "keep"], "reason": "a copy"}
    for name, decided in (("hotelviz", 0), (reviewer, 1)):
        row = pd.DataFrame(decisions).iloc[[decided]].assign(reviewer=name)
        append_decisions(file, row)
    audit = planned(only="cleaning_audit").steps[-1]
    monkeypatch.setattr("hotelviz.pipeline.steps.run_report", lambda *_, **__: None)
    audit.action()
    assert file.exists() == (reviewer == "Ada")
