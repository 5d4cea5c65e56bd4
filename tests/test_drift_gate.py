"""`hotelviz drift` on small photos and tables: what fails, passes, cannot be told; the page."""

from __future__ import annotations

import html
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from executed import run_cells
from PIL import Image
from typer.testing import CliRunner

from hotelviz.cli import app
from hotelviz.gallery import Gallery
from hotelviz.plots import Display, distribution_change, drift_distances
from hotelviz.reports import Table, Verdict


def photos(folder: Path, name: str, light: float, n_hotels: int = 24) -> Path:
    """Two small photos a hotel, all about as bright as asked, and their catalogue."""
    random, rows = np.random.default_rng(len(name)), []
    (folder / name).mkdir()
    for number in range(2 * n_hotels):
        pixels = random.integers(0, 60, (12, 16, 3)) + int(light + random.integers(0, 40))
        file = folder / name / f"{number}.png"
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(file)
        rows.append([f"{name}-{number}", str(file), f"{name}-h{number // 2}"])
    table = pd.DataFrame(rows, columns=["image_id", "path", "hotel_id"])
    table.to_csv(folder / f"{name}.csv", index=False)
    return folder / f"{name}.csv"


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory) -> dict[str, Path]:
    """Photos as they were, more of them, dark ones with one that is damaged, and of one hotel."""
    folder = tmp_path_factory.mktemp("deliveries")
    made = {
        "may": photos(folder, "may", 130), "june": photos(folder, "june", 130),
        "dark": photos(folder, "dark", 20), "one": photos(folder, "one", 130, n_hotels=1),
    }  # fmt: skip
    (folder / "dark" / "5.png").write_bytes(b"no photo")
    return made


def drift(reference: Path, current: Path, *conditions: str, **options: object):
    words = [word for text in conditions for word in ("--fail-if", text)]
    words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    sides = ["--reference", str(reference), "--current", str(current)]
    return CliRunner().invoke(app, ["drift", *sides, *words])


@pytest.mark.parametrize(
    ("current", "condition", "code", "told"),
    [
        ("dark", "c2st > 0.6", 3, "failed: c2st > 0.6: it is 1.000"),
        ("dark", "tv[format] > 0.4", 1, "no figure 'tv[format]'"),
        ("june", "ks[brightness] > 0.9", 0, "passed: ks[brightness] > 0.9: it is 0."),
        ("june", "ks[brightness] > 0.2", 4, "not enough photos to tell: ks[brightness] > 0.2"),
        ("june", "c2st 0.6", 1, "character 9: expected <, <=, > or >= and a number"),
        ("june", "c2s > 0.6", 1, "no figure 'c2s'; did you mean 'c2st'?"),
        ("one", "c2st > 0.6", 1, "takes two of each: the current one has photos of one"),
    ],
)
def test_outcomes(deliveries, current, condition, code, told):
    done = drift(deliveries["may"], deliveries[current], condition, model="none")
    assert done.exit_code == code, done.output
    assert told in " ".join(done.output.split())


def test_facts_for_programs_have_outcomes_columns_and_what_changed(deliveries, tmp_path):
    out = tmp_path / "facts.json"
    done = drift(deliveries["may"], deliveries["dark"], "c2st > 0.6", model="none", out=out)
    assert done.exit_code == 3
    facts = json.loads(out.read_text())
    assert (facts["outcome"], facts["c2st"]["by"]) == ("failed", "properties")
    assert facts["changes"][0].startswith(("dimmer: median highlights", "darker: median bright"))
    assert facts["changes"][0] in done.output
    assert [one["photos"] for one in facts["deliveries"]] == [48, 48]
    columns = {row["column"]: row for row in facts["columns"]}
    assert columns["brightness"]["change"] == "changed"
    assert columns["brightness"]["n_current"] == 47
    assert columns["file"]["value"] in ("ok", "unreadable")
    assert any("1 photo of dark.csv cannot be read" in note for note in facts["notes"])
    assert facts["figures"] is None


def shown(kind: type, parts: list) -> list:
    return [part for part in parts if isinstance(part, kind)]


def test_report_says_first_what_changed_and_shows_the_photos_that_carry_it(deliveries):
    files = {name: str(deliveries[file]) for name, file in
             (("reference", "may"), ("current", "dark"))}  # fmt: skip
    parts = run_cells("compare_deliveries", **files, model="none", max_photos=5, n_permutations=99)
    (verdict,) = shown(Verdict, parts)
    assert verdict.text.startswith(
        "The 48 photos of 24 hotels differ from the 48 photos of 24 hotels of the reference in "
    )
    assert "dimmer: median highlights 0.3" in verdict.text
    assert "A classifier tells 100 % (85–100)" in verdict.text
    assert verdict.next_steps[0].link == "#The-photos-that-carry-it"
    assert shown(Display, parts)
    (columns,) = (part for part in shown(Table, parts) if "what follows" in part.words.values())
    assert columns.frame["column"].tolist()[0] in ("brightness", "highlights", "black level")
    notes = html.unescape(next(part for part in parts if hasattr(part, "data")).data)
    assert "1 photo of dark.csv cannot be read" in notes


def test_report_of_the_same_photos_finds_nothing_and_that_of_few_cannot_tell(deliveries):
    same = run_cells("compare_deliveries", reference=str(deliveries["may"]), n_permutations=99,
                     current=str(deliveries["may"]), model="none")  # fmt: skip
    (verdict,) = shown(Verdict, same)
    assert verdict.text == (
        "No measurable change between the 48 photos of 24 hotels and the 48 photos of 24 hotels of "
        "the reference. A classifier tells them apart no better than chance: 50 % (50–50)."
    )
    assert not shown(Gallery, same)
    few = run_cells("compare_deliveries", reference=str(deliveries["may"]), n_permutations=99,
                    current=str(deliveries["june"]), model="none")  # fmt: skip
    assert len(shown(Table, few)) == 2  # no hotel carries what is not there
    assert shown(Verdict, few)[0].text.startswith("Not enough photos to tell: no change can be")


def test_report_of_scores_has_their_figures_where_both_have_labels(tmp_path):
    random, files = np.random.default_rng(0), {}
    for name, wrong in (("reference", 20), ("current", 3)):
        table = pd.DataFrame({"image_id": [f"{name}{n}" for n in range(400)]})
        table["hotel_id"] = [f"{name}{n // 4}" for n in range(400)]
        table["score"] = random.normal(6 if name == "reference" else 5, 1, 400).clip(1, 10)
        table["label"] = ["Pool", "Foyer"] * 200
        lost = (np.arange(400) % wrong == 0) & (table["label"] == "Pool")
        table["predicted"] = np.where(lost, "Foyer", table["label"])
        table["p_Pool"] = np.where(table["predicted"] == "Pool", 0.8, 0.2)
        table["p_Foyer"] = 1 - table["p_Pool"]
        files[name] = tmp_path / f"{name}.parquet"
        table.to_parquet(files[name])
    given = {name: str(file) for name, file in files.items()}
    parts = run_cells("compare_deliveries", **given, n_permutations=99)
    (verdict,) = shown(Verdict, parts)
    assert "lower scores: median score 4.98 against 5.95" in verdict.text
    assert verdict.text.endswith("top-1 accuracy 0.833 against 0.950, worse.")
    figures = next(part for part in shown(Table, parts) if "figure" in part.words.values())
    assert "recall Pool" in figures.frame["metric"].tolist()
    without = pd.read_parquet(files["current"]).drop(columns="label")
    without.to_parquet(tmp_path / "without.parquet")
    out = tmp_path / "facts.json"
    assert drift(files["reference"], tmp_path / "without.parquet", out=out).exit_code == 0
    notes = json.loads(out.read_text())["notes"]
    assert notes == ["Only the reference delivery has labels: how the figures of the model change "
                     "is not known."]  # fmt: skip
    done = drift(files["reference"], files["current"], model="m.keras")
    assert "no model runs; leave it out" in done.output.replace("\n", " ")


def test_photos_beside_scores_and_photos_that_cannot_be_read_are_refused(deliveries, tmp_path):
    scores = tmp_path / "scores.parquet"
    pd.DataFrame({"image_id": ["a"], "score": [5.0]}).to_parquet(scores)
    done = drift(deliveries["may"], scores, model="none")
    assert "two catalogues are compared, or two datasets of scores" in " ".join(done.output.split())
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(b"no photo")
    table = pd.DataFrame({"path": [str(tmp_path / f"{n}.jpg") for n in range(4)]})
    table.assign(hotel_id=["g", "g", "h", "h"]).to_csv(tmp_path / "broken.csv", index=False)
    done = drift(deliveries["may"], tmp_path / "broken.csv", model="none")
    assert done.exit_code == 1
    assert "broken.csv: none of its 4 photos can be read, such as" in " ".join(done.output.split())


def test_plots_draw_distances_and_shares():
    columns = pd.DataFrame({"column": ["brightness", "format"], "distance": [0.4, 0.02],
                            "low": [0.3, 0.0], "high": [0.5, 0.06],
                            "change": ["changed", "no measurable change"]})  # fmt: skip
    drawn = drift_distances(columns, margin=0.1)
    assert [float(line[0].get_xdata()[0]) for line in drawn.lines_.values()] == [0.4, 0.02]
    assert [one.get_text() for one in drawn.ax_.get_legend().get_texts()] == [
        "changed", "no measurable change",
    ]  # fmt: skip
    counts = pd.DataFrame({"low": [0.0, 0.5], "high": [0.5, 1.0], "count": [1, 3]})
    both = distribution_change(counts, counts.assign(count=[4, 4]), xlabel="brightness")
    assert both.bars_["current"].get_data().values.tolist() == [0.5, 0.5]


@pytest.mark.slow
def test_a_model_says_what_it_makes_of_both_deliveries(deliveries, few_layers, tmp_path):
    from hotelviz.models import build_tagger, record_training_photos, save_model

    model = tmp_path / "tagger.keras"
    learned = {"image_id": ["may-0"], "hotel_id": ["may-h0"], "content": [""], "split": ["train"]}
    tagger = build_tagger(["Foyer", "Pool"], input_size=32, weights=None)
    save_model(record_training_photos(tagger, pd.DataFrame(learned)), model)
    files = {}
    for name in ("may", "june"):
        table = pd.read_csv(deliveries[name])
        table["label"] = ["Pool", "Foyer"] * (len(table) // 2)
        files[name] = deliveries[name].parent / f"labelled {name}.csv"
        table.to_csv(files[name], index=False)
    out = tmp_path / "facts.json"
    done = drift(files["may"], files["june"], "accuracy < -0.9", model=model, out=out)
    assert done.exit_code == 0, done.output
    facts = json.loads(out.read_text())
    first = facts["figures"][0]
    assert (first["metric"], first["n_photos"]) == ("top-1 accuracy", 94)
    # The photo that it learned from, and the other one of its hotel.
    assert any("learned from 2 of the 48 reference photos" in note for note in facts["notes"])
    assert len(facts["model"]["content"]) == 32
