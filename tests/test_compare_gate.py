"""`hotelviz compare` on small tables: what fails, passes, and cannot be told; the page's parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from backbones import write_few_layers
from executed import run_cells
from typer.testing import CliRunner

from hotelviz.cli import app
from hotelviz.metrics import MetricsError, judge_conditions, read_condition
from hotelviz.plots import confusion_differences, difference_intervals
from hotelviz.reports import Verdict
from hotelviz.reports.verdicts.compared import read_compared
from hotelviz.reports.verdicts.comparison import comparison_verdict
from hotelviz.schema import RATINGS, SCORE_SHARES

CLASSES = ("Bathroom", "Foyer", "Pool")


def predictions(wrong: set[int], n_photos: int = 240, n_hotels: int = 40) -> pd.DataFrame:
    """Tags of photos of equally many areas and hotels, wrong where asked."""
    names = [CLASSES[number % 3] for number in range(n_photos)]
    said = [CLASSES[(number + (number in wrong)) % 3] for number in range(n_photos)]
    table = pd.DataFrame({"image_id": [f"{number}.jpg" for number in range(n_photos)]})
    table["hotel_id"] = [f"h{number * n_hotels // n_photos}" for number in range(n_photos)]
    table["label"], table["predicted"] = names, said
    for name in CLASSES:
        table[f"p_{name}"] = np.where(table["predicted"] == name, 0.8, 0.1)
    return table


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Tables: all right, four errors, an error or two in each hotel, and such that are refused."""
    tables = {
        "right": predictions(set()), "four": predictions({0, 60, 120, 180}),
        "many": predictions(set(range(0, 240, 5))),
        "third": predictions(set(range(1, 240, 3))).drop(columns="p_Foyer"),
        "one": predictions({0}, n_hotels=1), "half": predictions(set()).head(120),
    }  # fmt: skip
    paths = {name: tmp_path / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.to_csv(paths[name], index=False)
    return paths


def compare(old: Path, new: Path, *conditions: str, **options: object):
    words = [word for text in conditions for word in ("--fail-if", text)]
    words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return CliRunner().invoke(app, ["compare", "--old", str(old), "--new", str(new), *words])


@pytest.mark.slow
def test_a_shell_gets_the_code_of_the_outcome_and_one_line_why(files):
    command = [sys.executable, "-m", "hotelviz.cli", "compare", "--old", str(files["right"])]
    done = subprocess.run(
        [*command, "--new", str(files["many"]), "--fail-if", "accuracy < -0.01"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("failed: accuracy < -0.01: the difference is -0.200 (-0.2")


@pytest.mark.parametrize(
    ("old", "new", "condition", "code", "told"),
    [
        ("right", "many", "recall[Bathroom] < -0.05", 3, "failed: recall[Bathroom] < -0.05:"),
        ("many", "right", "accuracy < -0.01", 0, "passed: accuracy < -0.01: the diff"),
        ("right", "right", "macro F1 < 0", 0, "is 0.000 (0.000 to 0.000)"),
        ("right", "four", "accuracy < -0.01", 4, "not enough photos to tell: accu"),
        ("many", "right", "calibration error > 0.01", 3, "failed: calibration error > 0.01"),
    ],
)  # fmt: skip
def test_outcomes(files, old, new, condition, code, told):
    done = compare(files[old], files[new], condition)
    assert done.exit_code == code, done.output
    assert told in done.output
    assert ("would do" in done.output) == (code == 4)


def test_facts_for_programs_have_figures_outcomes_and_flips(files, tmp_path):
    out = tmp_path / "facts.json"
    done = compare(files["right"], files["four"], "accuracy < -0.05", "accuracy < -0.01", out=out)
    assert done.exit_code == 4
    facts = json.loads(out.read_text())
    assert [one["outcome"] for one in facts["conditions"]] == [
        "passed", "not enough photos to tell",
    ]  # fmt: skip
    assert facts["conditions"][1]["required"] > 240
    assert f"about {facts['conditions'][1]['required']:,} would do" in done.output
    assert (facts["exit_code"], facts["flips"]) == (4, {"right to wrong": 4})
    accuracy = facts["figures"][0]
    assert accuracy["difference"] == pytest.approx(-4 / 240)
    assert facts["photos"] == {
        "compared": 240, "only_old": 0, "only_new": 0, "of_classes_not_shared": {},
    }  # fmt: skip
    assert [len(one["content"]) for one in facts["models"]] == [32, 32]


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("acuracy < -0.01", "no figure 'acuracy'; did you mean 'accuracy'?; there are"),
        ("recall[Bathrom] < 0", "did you mean 'recall[Bathroom]'?"),
        ("accuracy -0.01", "character 15: expected <, <=, > or >= and a number after the figure"),
        ("accuracy < lots", "character 12: 'lots' is no number"),
        ("< -0.01", "character 1: expected the name of a figure before '<'"),
        ("accuracy < -1", "top-1 accuracy cannot differ by -1; one point is 0.01"),
    ],
)
def test_conditions_that_cannot_be_judged_are_refused(files, condition, told):
    done = compare(files["right"], files["four"], condition)
    assert done.exit_code == 1
    assert told in " ".join(done.output.split())


def test_bad_tables_are_refused_and_what_is_left_out_is_counted(files, tmp_path):
    one = compare(files["one"], files["one"])
    assert one.exit_code == 1
    assert "an interval over hotels needs at least two; all photos are of one" in one.output
    done = compare(files["right"], files["half"], out=tmp_path / "facts.json")
    assert done.exit_code == 0
    assert json.loads((tmp_path / "facts.json").read_text())["photos"]["only_old"] == 120
    (tmp_path / "notes.txt").touch()
    assert (
        "expected a model (.keras) or a table"
        in compare(files["one"], tmp_path / "notes.txt").output
    )
    scores = tmp_path / "scores.csv"
    pd.DataFrame([[0.1] * 10], columns=list(SCORE_SHARES)).assign(image_id="a").to_csv(scores)
    assert "only models of one task" in compare(files["one"], scores).output


def test_whole_intervals_decide_and_not_estimates():
    figures = pd.DataFrame(
        {"metric": ["EMD"], "difference": [0.02], "low": [0.01], "high": [0.03],
         "standard_error": [0.005], "n_photos": [100], "n_hotels": [20]}
    )  # fmt: skip
    asked = ["EMD > 0.005", "emd > 0.01", "EMD >= 0.01", "EMD > 0.03", "EMD >= 0.03", "EMD < 0.04"]
    outcomes = judge_conditions([read_condition(text) for text in asked], figures)
    assert outcomes["outcome"].str.split().str[0].tolist() == [
        "failed", "not", "failed", "passed", "not", "failed",
    ]  # fmt: skip
    with pytest.raises(MetricsError, match="there are EMD"):
        judge_conditions([read_condition("accuracy < 0")], figures)


def shown(kind: type, parts: list) -> list:
    return [part for part in parts if isinstance(part, kind)]


def test_report_of_two_tables_says_first_what_follows(files, tmp_path):
    parts = run_cells(
        "compare_models", old=str(files["right"]), new=str(files["many"]), catalog="",
        others=[str(files["four"])], fail_if=["accuracy < -0.01"], facts=str(tmp_path / "f.json"),
    )  # fmt: skip
    (verdict,) = shown(Verdict, parts)
    assert verdict.text.startswith(
        "1 of 1 condition failed: accuracy < -0.01. The new model is right on 80.0 % of 240 "
        "photos of 40 hotels, the "
        "old one on 100.0 %: 20.0 points worse (1"
    )
    assert " points worse (" in verdict.text.partition(" Both models may have seen these")[0]
    assert verdict.text.endswith("0 photos went from wrong to right, 48 from right to wrong.")
    assert verdict.next_steps[0].text == "Look at the 48 photos that became wrong"
    models = next(
        part for part in parts if "against the old one" in str(getattr(part, "words", ""))
    )
    assert models.frame["model"].tolist() == ["right", "many", "four"]
    assert json.loads((tmp_path / "f.json").read_text())["outcome"] == "failed"


def test_report_of_models_of_other_classes_and_of_no_hotels(files):
    nameless = pd.read_csv(files["four"]).drop(columns="hotel_id")
    nameless.to_csv(files["four"], index=False)
    parts = run_cells("compare_models", old=str(files["four"]), new=str(files["third"]), catalog="")
    (verdict,) = shown(Verdict, parts)
    assert "80 photos of Foyer left out." in verdict.text
    assert " hotels" not in verdict.text


@pytest.mark.slow
def test_report_of_aesthetic_tables_has_scores_that_moved_and_covers(tmp_path):
    random = np.random.default_rng(0)
    means = random.uniform(2, 9, 60)

    def shares(values: np.ndarray) -> np.ndarray:
        bells = np.exp(-((values[:, None] - np.arange(1, 11)) ** 2) / 2)
        return bells / bells.sum(axis=1, keepdims=True)

    table = pd.DataFrame(shares(means) * 100, columns=list(RATINGS))
    table = table.assign(
        image_id=np.arange(60).astype(str), hotel_id=[f"h{n // 6}" for n in range(60)]
    )
    for name, noise in (("old", 2.5), ("new", 0.1)):
        q = pd.DataFrame(shares(means + random.normal(0, noise, 60)), columns=list(SCORE_SHARES))
        table.join(q).to_csv(tmp_path / f"{name}.csv", index=False)
    files = {name: str(tmp_path / f"{name}.csv") for name in ("old", "new")}
    (verdict,) = shown(Verdict, run_cells("compare_models", **files, catalog=""))
    assert verdict.text.startswith("The new model is better. On 60 photos of 10 hotels")
    said = "the new model orders photos as people do to 1.00 of 1 (rank correlation, SRCC)"
    assert said in verdict.text
    assert "Both models may have seen these photos in training: that is not known." in verdict.text
    assert verdict.text.partition(" Better too: ")[2].startswith("LCC, EMD, ")


def test_the_verdict_says_that_a_new_model_is_worse_calibrated(tmp_path):
    hotels = [f"h{n // 5}" for n in range(200)]
    photos = pd.DataFrame({"image_id": [str(n) for n in range(200)], "hotel_id": hotels})
    photos = photos.assign(label=["Foyer" if n % 5 else "Pool" for n in range(200)])
    files = [tmp_path / f"{name}.csv" for name in ("old", "new", "photos")]
    # Both say Foyer, which is right on four of five; the new one is all but sure of it.
    for file, sure in zip(files, (0.8, 0.99), strict=False):
        photos.assign(predicted="Foyer", p_Foyer=sure, p_Pool=1 - sure).to_csv(file, index=False)
    photos.to_csv(files[-1], index=False)
    said = comparison_verdict(read_compared(*map(str, files), split="all")).text
    assert " Worse: expected calibration error." in said


def test_the_verdict_says_whose_training_photos_are_not_known(album, few_layers, tmp_path):
    from hotelviz.models import build_tagger, record_training_photos, save_model

    photos = album().assign(label=["Foyer", "Pool"] * 4, hotel_id=list("aabbccdd"))
    photos.to_csv(tmp_path / "photos.csv", index=False)
    of_other_hotels = {"image_id": ["x"], "hotel_id": ["x"], "content": [""], "split": ["train"]}
    of_hotel_d = photos.tail(1).assign(content="", split="train")
    for name, learned in (("new_to_it", pd.DataFrame(of_other_hotels)), ("knows_d", of_hotel_d)):
        tagger = build_tagger(["Foyer", "Pool"], input_size=32, weights=None)
        save_model(record_training_photos(tagger, learned), tmp_path / f"{name}.keras")
    write_few_layers(tmp_path / "no_record.keras", classes=["Foyer", "Pool"])
    table = photos.assign(predicted="Pool", p_Foyer=0.2, p_Pool=0.8)
    table.to_csv(tmp_path / "table.csv", index=False)

    def said(old: str, new: str, split: str = "all") -> str:
        files = [str(tmp_path / name) for name in (old, new, "photos.csv")]
        compared = read_compared(*files, split=split)
        return comparison_verdict(compared).text

    unknown = "may have seen these photos in training: that is not known."
    assert f". Both models {unknown} " in said("no_record.keras", "table.csv")
    assert f". The old model {unknown} " in said("no_record.keras", "new_to_it.keras")
    assert f". The new model {unknown} " in said("new_to_it.keras", "table.csv")
    seen = "In training 2 of them, or others of their hotels, were seen: this says nothing about"
    assert seen in said("new_to_it.keras", "knows_d.keras")
    assert "training" not in said("new_to_it.keras", "knows_d.keras", split="test")
    assert "training" not in said("new_to_it.keras", "new_to_it.keras")


def test_plots_draw_differences_in_points_and_cells_that_changed():
    figures = pd.DataFrame(
        {"metric": ["top-1 accuracy", "recall Pool"], "difference": [0.02, -0.1],
         "low": [0.01, -0.3],
         "high": [0.03, 0.1], "change": ["better", "not enough photos"], "n_photos": [300, 40]}
    )  # fmt: skip
    drawn = difference_intervals(figures, margin=0.02)
    assert [float(line[0].get_xdata()[0]) for line in drawn.lines_.values()] == [2, -10]
    assert [text.get_text() for text in drawn.ax_.get_yticklabels()] == [
        "top-1 accuracy",
        "recall Pool (40)",
    ]
    # An interval as wide as all there is leaves the others legible, and goes on beyond the edge.
    assert drawn.ax_.get_xlim()[0] > -40
    wide = difference_intervals(figures.assign(low=[0.01, -0.9], high=[0.03, 0.9]), margin=0.02)
    assert wide.ax_.get_xlim() == (-40, 40)
    assert wide.ax_.get_xlabel().endswith("intervals that reach the edge go on")
    names = ["Bed", "Pool"]
    old, new = (
        pd.DataFrame(cells, names, names) for cells in ([[9, 1], [3, 7]], [[8, 2], [0, 10]])
    )
    cells = confusion_differences(old, new)
    assert {cell: text.get_text() for cell, text in cells.texts_.items()} == {
        ("Bed", "Bed"): "−1", ("Bed", "Pool"): "+1", ("Pool", "Bed"): "−3", ("Pool", "Pool"): "+3",
    }  # fmt: skip
    assert cells.images_["better"].get_array().tolist() == [[-1, -1], [3, 3]]
