"""A model that takes the place of an earlier run's is compared with that one, and with no other."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import keras
import pandas as pd
import pytest
from backbones import few_layers
from typer.testing import CliRunner

from hotelviz import pipeline
from hotelviz.catalog import read_catalog
from hotelviz.cli import app
from hotelviz.errors import ReportError
from hotelviz.models import load_model, record_training_photos, save_model, weights_hash
from hotelviz.pipeline.estimate import Rates
from hotelviz.schema import SCORES

#: The networks are not the point.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("module_of_few_layers")]
#: Of a model -> what is behind its name, where there is one iteration.
TASKS = {"tagger": "", "aesthetic": "_1"}


def hash_of(file: str | Path) -> str:
    return weights_hash(load_model(file))


class Workplace:
    """Runs into one folder, whose trainings write a drawn network and whose pages are empty."""

    def __init__(self, folder: Path, photos: pd.DataFrame) -> None:
        self.catalog, self.out = folder / "photos.csv", folder / "reports"
        photos.to_csv(self.catalog, index=False)
        #: Page -> the hashes of the models that it compared; reports -> the pages that are linked.
        self.compared: dict[str, tuple[str, str]] = {}
        self.linked: dict[str, set[str]] = {}
        self.stop: Callable[[str], None] = lambda when: None

    def page(self, notebook: str, given: dict, out: Path, *, pages: dict, **_) -> None:
        """Stand in for `run_report`."""
        if notebook.endswith("training"):
            self.stop("before")
            save_model(self.trained(notebook, given), given["out"])
            self.stop("after")
        if notebook == "compare_models":
            self.compared[out.stem] = hash_of(given["old"]), hash_of(given["new"])
        for name in ("tags_out", "facts"):
            if given.get(name):
                Path(given[name]).write_text("")
        if notebook == "cleaning_audit":
            Path(given["out"]).mkdir(exist_ok=True)
        self.linked[out.stem] = set(pages)
        told = {"report": notebook, "data": "[]", "models": "[]", "cards": "[]"}
        out.write_text(
            "".join(f"<meta name='hotelviz:{k}' content='{v}'>" for k, v in told.items())
        )

    def trained(self, notebook: str, given: dict) -> keras.Model:
        # Another dropout, other weights; all else changes nothing.
        keras.utils.set_random_seed(round(100 * given.get("dropout", 0.5)))
        task = notebook.partition("_")[0]
        classes = ["Bedroom", "Pool"] if task == "tagger" else list(map(str, SCORES))
        photos = read_catalog(given["catalog"], classes=None)
        learned = photos[photos["split"].isin(["train", "val"])].assign(content="")
        return record_training_photos(few_layers(classes, task), learned)

    def run(self, only: str = "compare_tagger", **parameters) -> pipeline.Outcome:
        task = only.replace("compare_", "").partition("_")[0]
        settings = {f"{task}_training{TASKS[task]}": parameters}
        choices = {"only": only, "pretrained": True, "settings": settings}
        return pipeline.run(self.catalog, self.out, say=lambda line: None, **choices)

    def plan(self, **choices) -> pipeline.Plan:
        return pipeline.plan(self.catalog, self.out, pretrained=True, **choices)

    def model(self, task: str = "tagger") -> Path:
        return self.out / "models" / f"{task}{TASKS[task]}.keras"


@pytest.fixture
def workplace(demo_catalog, tmp_path, monkeypatch) -> Workplace:
    made = Workplace(tmp_path, demo_catalog)
    monkeypatch.setattr("hotelviz.pipeline.steps.run_report", made.page)
    # How fast the machine is was measured in other tests.
    plan = importlib.import_module("hotelviz.pipeline.plan")
    monkeypatch.setattr(plan, "measure_rates", lambda paths: Rates(9, 50, 100))
    return made


@pytest.mark.parametrize("task", TASKS)
def test_model_that_is_trained_again_is_compared_with_the_one_before(workplace, task):
    page, report, file = f"compare_{task}", f"{task}_report", workplace.model(task)
    assert not workplace.run(report).failed
    assert page not in workplace.linked[report]
    old = hash_of(file)
    with pytest.raises(ReportError, match=f"{page} is left out: no training of this run"):
        workplace.run(page)

    assert page in workplace.run(page, dropout=0.3).done
    new = hash_of(file)
    assert old != new
    assert workplace.compared == {page: (old, new)}
    assert f"{page}.html" in (workplace.out / "index.html").read_text()
    workplace.run(report, dropout=0.3)
    assert page in workplace.linked[report]

    # Nothing is done again; the third model is compared with the second.
    assert not workplace.run(page, dropout=0.3).done
    workplace.run(page, dropout=0.2)
    assert workplace.compared[page] == (new, hash_of(file))
    kept = sorted(one.name for one in file.parent.glob("*.keras"))
    assert kept == sorted([f"{file.stem}.earlier.keras", file.name])


@pytest.mark.parametrize("where", ["before", "after"])
def test_stop_in_the_second_training_neither_loses_the_earlier_model_nor_compares_it_with_itself(
    workplace, where
):
    workplace.run("tagger_report")
    old = hash_of(workplace.model())

    def stop(when: str) -> None:
        if when == where:
            raise SystemExit

    # Stopped twice, before or after the new model is in its place.
    workplace.stop = stop
    for _ in range(2):
        assert "compare_tagger" in workplace.run(dropout=0.3).not_done
    workplace.stop = lambda when: None
    workplace.run(dropout=0.3)
    assert workplace.compared == {"compare_tagger": (old, hash_of(workplace.model()))}
    # A training that is given up leaves the comparison that there was.
    workplace.stop = stop
    workplace.run(dropout=0.1)
    workplace.stop, workplace.compared = lambda when: None, {}
    workplace.run(dropout=0.3)
    assert workplace.compared == {"compare_tagger": (old, hash_of(workplace.model()))}


def test_training_that_ends_with_the_same_weights_has_nothing_to_compare(workplace):
    workplace.run("tagger_report")
    done = workplace.run(label_smoothing=0.2)
    assert not done.failed
    why = "the model is the same as before"
    assert why in done.left_out["compare_tagger"]
    assert why in (workplace.out / "index.html").read_text()
    again = workplace.plan(settings={"tagger_training": {"label_smoothing": 0.2}})
    assert why in again.left_out["compare_tagger"]
    assert not again.to_do & {"tagger_training", "compare_tagger"}
    assert not list(workplace.model().parent.glob("tagger.*.keras"))


def test_without_photos_that_are_new_to_both_the_comparison_is_left_out(workplace):
    workplace.run("tagger_report")
    workplace.run(dropout=0.3)
    page = workplace.out / "compare_tagger.html"
    assert page.exists()
    photos = pd.read_csv(workplace.catalog)
    photos["split"] = photos["split"].replace({"test": "train", "train": "test"})
    photos.to_csv(workplace.catalog, index=False)
    done = workplace.run(dropout=0.3)
    assert not done.failed
    assert "no test photo is new" in done.left_out["compare_tagger"]
    assert not page.exists()
    index = (workplace.out / "index.html").read_text()
    assert "Left out: compare_tagger: no test photo is new" in index
    assert "compare_tagger.html" not in index
    settings = {"tagger_training": {"dropout": 0.3}}
    assert "no test photo is new" in str(workplace.plan(settings=settings))
    with pytest.raises(ReportError, match="left out: no test photo is new"):
        workplace.run(dropout=0.3)


def test_comparison_is_a_step_like_others(workplace):
    workplace.run("tagger_report")
    settings = {"tagger_training": {"dropout": 0.3}}
    planned = workplace.plan(settings=settings)
    assert "compare_tagger" in planned.to_do
    assert next(one for one in planned.steps if one.name == "compare_tagger").seconds > 0
    assert workplace.plan(start="tagger_training", settings=settings).again >= {"compare_tagger"}
    workplace.run(dropout=0.3)
    settings["compare_tagger"] = {"margin": "0.05"}
    changed = workplace.plan(settings=settings, only="compare_tagger")
    assert changed.to_do == {"compare_tagger"}
    with pytest.raises(ReportError, match="ties the steps of a run together"):
        workplace.plan(settings={"compare_tagger": {"old": "mine.keras"}})
    command = ["run", str(workplace.catalog), "--out", str(workplace.out), "--dry-run"]
    told = CliRunner().invoke(app, [*command, "--set", "tagger_training.dropout=0.3"]).output
    assert "compare_tagger" in told
