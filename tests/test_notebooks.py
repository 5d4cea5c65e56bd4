"""Each notebook, executed: as a report of the demo, or in this process."""

from __future__ import annotations

import html
import json
import re
import shlex
import uuid
from collections.abc import Iterator
from pathlib import Path

import anywidget
import ipywidgets
import keras
import numpy as np
import pandas as pd
import pytest
import typer
from backbones import layers_of_the_demo
from executed import outside_of_tests, run_cells
from typer.testing import CliRunner

from hotelviz import metrics
from hotelviz.catalog import catalog_hash, read_catalog
from hotelviz.cli import app
from hotelviz.decisions import read_decisions
from hotelviz.demo import compare_with_planted
from hotelviz.labelling import open_store
from hotelviz.labelling.protocol import LabelProtocol
from hotelviz.models import load_model, model_info, training_photos
from hotelviz.reports import Table, Verdict, notebook_directory, run_report
from hotelviz.reports.kernels import preloaded_kernels
from hotelviz.schema import RATINGS, SCORE_SHARES

pytestmark = pytest.mark.slow


def galleries(text: str) -> list[dict]:
    """What the galleries of a page show."""
    found = re.findall(r"data-hotelviz-gallery><script[^>]*>(.*?)</script>", text)
    return [json.loads(one) for one in found]


#: What makes the demo's reports small: step.name=value.
SMALL = (
    # A head held so firmly errs enough for pages that explain errors.
    "tagger_training.input_size=96", "tagger_training.head_penalty=100",
    "explain_tagger.n_checked=8", "explain_tagger.n_confusions=1", "explain_tagger.max_photos=4",
    "compare_filters.n_channels=2", "compare_filters.steps=4", "compare_filters.n_searched=40",
    "compare_filters.n_photos=16",
    # Figures at print size are looked for in one report; `make demo` writes them all.
    *(f"{name}.export=" for name in ("tagger_report", "compare_filters", "hotel_ranking",
                                     "score_distribution", "aesthetic_report", "cleaning_audit",
                                     "cleaning_effect")),
)  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `hotelviz demo` leaves without weights, in its smallest form.

    Its network has three layers: what is tested are the pages. `test_cli.py` trains MobileNet
    itself. The kernels of this file's reports start as those of the demo do.
    """
    out = tmp_path_factory.mktemp("reports")
    with pytest.MonkeyPatch.context() as patch, preloaded_kernels():
        # Neither weights that are here nor a download.
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        patch.setenv("HOTELVIZ_NO_DOWNLOAD", "1")
        patch.setattr(keras.applications, "MobileNet", layers_of_the_demo)
        small = [word for text in SMALL for word in ("--set", text)]
        command = ["demo", "--out", str(out), "--hotels", "7", "--epochs", "1", *small]
        with outside_of_tests():
            result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
        yield out


def test_demo_ends_in_an_index_that_links_the_reports(pages):
    index = (pages / "index.html").read_text()
    assert sorted(re.findall(r'href="([^"]+)"', index)) == [
        "aesthetic_report.html",
        "aesthetic_training_1.html",
        "aesthetic_training_2.html",
        "cleaning_audit.html",
        "cleaning_effect.html",
        "compare_filters.html",
        "explain_tagger.html",
        "hotel_ranking.html",
        "score_distribution.html",
        "tagger_report.html",
        "tagger_training.html",
    ]
    for headline in ("top-1 accuracy", "linear correlation (LCC)", "hotels that lose"):
        assert headline in index
    models = [f"models/{name}.keras" for name in ("tagger", "aesthetic_1", "aesthetic_2")]
    for name in (*models, "tags.parquet", "scores", "audit/issues.parquet"):
        assert (pages / name).exists()


def test_next_steps_are_commands_that_the_command_line_takes(pages):
    texts = "".join(page.read_text() for page in pages.glob("*.html"))
    commands = set(re.findall(r"<code>hotelviz (\S+ [^<]+)</code>", texts))
    assert len(commands) >= 5
    for command in commands:
        verb, *words = shlex.split(html.unescape(command))
        # Unknown options and missing arguments end this; nothing is run.
        typer.main.get_command(app).commands[verb].make_context(verb, words)


def test_aesthetic_report_compares_the_iterations_with_the_talk(pages):
    text = (pages / "aesthetic_report.html").read_text()
    assert "talk, first iteration" in text
    assert "0.5987" in text
    for said in ("iteration 1 → iteration 2", "the same ", "range use", "(jackknife)"):
        assert said in text
    one_hotel, errors = galleries(text)
    assert [bar["name"] for bar in errors["distributions"]] == ["rated", "predicted"]
    orders = next(one for one in one_hotel["columns"] if one["name"] == "order")["values"]
    assert [name.split(":")[0] for name in orders] == ["today", "iteration 1", "iteration 2"]


def test_ranking_report_says_why_each_photo_stands_where_it_stands(pages):
    text = (pages / "hotel_ranking.html").read_text()
    captions = [caption for gallery in galleries(text) for caption in gallery["captions"]]
    assert captions
    pattern = r"(predicted \d\.\d{3}|no score); rank \d+/\d+(, (=|new|[▲▼]\d+))?(; |$)"
    assert all(re.match(pattern, caption) for caption in captions)
    # In the new order each says why.
    assert sum(caption.endswith("best of all") for caption in captions) == 4
    assert "today" in text
    assert "new order" in text
    assert "the tagger surely sees" in text


def test_audit_report_shows_what_was_found_against_what_was_planted(pages):
    text = (pages / "cleaning_audit.html").read_text()
    assert "Found against planted" in text
    # The tagger is a linear head: the layers that give features know only other drawings.
    assert ", whose layers had learned from none of these photos." in text
    planted = compare_with_planted(
        pd.read_parquet(pages / "audit" / "issues.parquet"), pages / "demo"
    )
    assert planted.loc["exact_duplicate", ["recall", "precision"]].tolist() == [1, 1]
    captions = " ".join(caption for one in galleries(text) for caption in one["captions"])
    for part in ("keeper of the group", "copy of photos/", "label error: given "):
        assert part in captions


def test_effect_report_applies_the_decisions_and_names_who_decided(pages):
    text = (pages / "cleaning_effect.html").read_text()
    on = r"the accuracy on the same \d+ photos of \d+ unseen hotels"
    change = r" by [+-]\d+\.\d points \([+-]\d+\.\d to [+-]\d+\.\d\): "
    same = r"\. The model is right and wrong about the same photos as before"
    # Whichever the small demo's networks give.
    assert re.search(f"Cleaning (changed {on}{change}|did not change {on}{same})", text)
    assert "decisions of hotelviz, the drawing" in text
    assert "top-1 accuracy of each stage on the same photos" in text.replace(
        "test photos", "photos"
    )
    decided = read_decisions(pages / "audit" / "decisions.csv")
    # Those of the drawing's truth are the page's alone.
    assert set(decided["reviewer"]) == {"hotelviz"}


def test_second_iteration_names_its_ancestors(pages):
    text = (pages / "aesthetic_training_2.html").read_text()
    assert "aesthetic model drawn_network.keras" in text
    assert "not comparable with other iterations" in text


def test_reports_on_stored_distributions_need_no_photo(tmp_path):
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(10), 60)
    table = pd.DataFrame(shares, columns=list(RATINGS))
    table[list(SCORE_SHARES)] = random.dirichlet(np.ones(10), 60)
    table.insert(0, "image_id", [f"p{n}" for n in range(60)])
    file = tmp_path / "stored.parquet"
    table.to_parquet(file)
    shown = run_cells("aesthetic_report", predictions=str(file))
    figures = metrics.score_metrics(table, table[list(SCORE_SHARES)].to_numpy())
    said = next(one for one in shown if isinstance(one, Verdict))
    value = figures.set_index("metric").loc["LCC", "value"]
    assert said.text.startswith("On 60 photos, not known to be unseen, the stored scores follow")
    assert f"{value:.2f}".replace("0.", ".") in said.text
    figures = next(one for one in shown if isinstance(one, Table)).frame.set_index("metric")
    assert figures.loc["LCC"].iloc[0].startswith(f"{value:.3f}".replace("0.", "."))
    shown = run_cells("score_distribution", scores=str(file))
    said = next(one for one in shown if isinstance(one, Verdict))
    assert " of 60 photos score above 5.5 of 10" in said.text
    assert "hotel" not in said.text
    table.assign(hotel_id=[f"h{n % 4}" for n in range(60)]).to_parquet(file)
    # Neither photos nor tags nor current positions.
    shown = run_cells("hotel_ranking", scores=str(file), catalog="")
    said = next(one for one in shown if isinstance(one, Verdict))
    assert said.text.startswith("The photos are ordered by score; without tags")
    assert said.cards[-1].value == "60 photos"


def test_reports_say_what_the_demo_starts_from(pages):
    files = "the weights in the backbone's file"
    for name, start in (("tagger_report", "another model (tagger)"), ("tagger_training", files)):
        text = html.unescape((pages / f"{name}.html").read_text())
        assert f"{start}</strong>" in text
        assert "a small network that learned from scratch, from drawings of other hotels" in text


def test_tagger_report_has_its_figures_and_galleries(pages):
    text = (pages / "tagger_report.html").read_text()
    alternatives = re.findall(r'alt="([^"]*)"', text)
    for start in ("Precision, recall and F1", "Reliability:", "Of all photos "):
        assert any(alternative.startswith(start) for alternative in alternatives), start
    assert len(re.findall("<img ", text)) == len(alternatives)
    shown = galleries(text)
    assert [one["group"] or one["colour"] for one in shown] == ["confusion", "right", "label"]
    assert len(shown[0]["overlays"]) == 3
    confusion = next(one for one in shown[0]["columns"] if one["name"] == "confusion")
    assert confusion["values"]
    assert all(" predicted as " in name for name in confusion["values"])
    # The matrix is over all photos that were judged; the gallery has those that are wrong.
    tags = pd.read_parquet(next(pages.rglob("tags.parquet")))
    judged = tags[tags["predicted"].notna()]
    matrix = shown[0]["matrix"]
    assert np.sum(matrix["counts"]) == len(judged)
    assert np.trace(matrix["counts"]) == len(judged) - metrics.misclassified(judged).shape[0]
    assert shown[1]["matrix"] is None
    said = f"of {len(judged):,} photos of {judged['hotel_id'].nunique()} unseen hotel"
    assert said in text[: text.index("What to do next")]
    assert 'href="#Misclassified-photos"' in text
    assert len(text) < 12_000_000
    assert not re.search(r"(?:src|href)=[\"']?https?:", text)
    assert len(re.findall("<script", text)) == len(shown) + 1


def test_training_report_counts_the_hotels_of_the_photos_that_were_learned_from(pages):
    text = (pages / "tagger_training.html").read_text()
    record = training_photos(next(pages.rglob("tagger.keras"))).photos
    learned = record[(record["split"] == "train") & (record["generation"] == 0)]
    said = f"{len(learned):,} photos of {learned['hotel_id'].nunique()} hotels"
    assert f"from {said} by its last layer" in text[: text.index("What to do next")]
    every = read_catalog(pages / "demo" / "catalog.csv")["hotel_id"].nunique()
    assert learned["hotel_id"].nunique() < every
    page = text[: text.index('id="appendix"')]
    assert "new head" not in page
    assert "dashed" not in page


def test_report_leaves_out_what_the_model_learned_from_in_a_catalogue_that_changed(pages, tmp_path):
    model, catalog = pages / "models" / "tagger.keras", pages / "demo" / "catalog.csv"
    rows = pd.read_csv(catalog, dtype=str)
    tested = rows.pop("split") == "test"
    rows.loc[3, "label"] = "Pool" if rows.loc[3, "label"] != "Pool" else "Foyer"
    evil = "<script>alert(1)</script>"
    rows.loc[tested & (rows["label"] == "Pool"), "label"] = evil
    # A copy of a photo that was learned from, under another name and of another hotel.
    new = rows.iloc[[0]].assign(image_id="new", hotel_id="a new hotel")
    grown = catalog.with_name("grown.csv")
    pd.concat([rows, new]).sample(frac=1, random_state=1).to_csv(grown, index=False)
    given = {
        "catalog": str(grown), "model": str(model), "seed": 7,
        "tags_out": str(tmp_path / "tags.parquet"), "max_photos": 2,
    }  # fmt: skip
    with outside_of_tests():
        out = run_report("tagger_report", given, tmp_path / "grown.html", progress=False)
    text = out.read_text()
    assert evil not in text
    assert "&lt;script&gt;alert(1)" in text
    tags = pd.read_parquet(tmp_path / "tags.parquet")
    learned = training_photos(model).photos
    assert not set(tags["image_id"]) & set(learned["image_id"])
    assert not set(tags["hotel_id"]) & set(learned["hotel_id"])
    assert f"saw none of the {len(tags):,} photos, nor others of their hotels" in text
    photos = read_catalog(catalog)
    assert set(tags["image_id"]) == set(photos.loc[photos["split"] == "test", "image_id"])


def test_explanation_report_has_montages_maps_and_checks(pages):
    text = (pages / "explain_tagger.html").read_text()
    alternatives = re.findall(r'alt="([^"]*)"', text)
    for start in ("Photos in which concepts are strongest", "Deletion and insertion curves of cam"):
        assert any(alternative.startswith(start) for alternative in alternatives), start
    assert "photos with their maps by cam, layercam, saliency" in " ".join(alternatives)
    for unit in ("share of photos", "share of the map", "rank correlation", "ms per photo"):
        assert f"({unit})" in text
    tags = pd.read_parquet(pages / "tags.parquet")
    right = int((tags["predicted"] == tags["label"]).sum())
    assert f"Checked on {min(8, right)} of {right} correctly" in text
    assert "suspected shortcuts" in text
    verdict = text[: text.index("What to do next")]
    assert "shortcut is suspected" in verdict
    files = {file.name for file in (pages / "figures" / "explain_tagger").iterdir()}
    names = ("methods", "deletion_insertion", "concepts_1", "maps_1")
    assert files == {f"{name}.{kind}" for name in names for kind in ("png", "svg")}


def test_filter_report_has_profile_channels_cards_and_outputs(pages):
    text = (pages / "compare_filters.html").read_text()
    alternatives = " ".join(re.findall(r'alt="([^"]*)"', text))
    assert "Linear CKA of both models" in alternatives
    assert "What channels look for, tagger above aesthetic_2. conv_pw_3: channels" in alternatives
    for layer in ("conv_pw_3", "conv_pw_11"):
        assert f"Channel card {layer}, channel" in alternatives
    assert "output of aesthetic_2 most: pictures of score 1, score 10" in alternatives
    models = [load_model(pages / "models" / f"aesthetic_{number}.keras") for number in (1, 2)]
    kept = {model_info(model).training["kept"] for model in models}
    changed = "aesthetic_2 sees photos "
    same = "tagger and aesthetic_2 are the same network in all"
    assert (changed if "fine-tuned" in kept else same) in text
    assert "another model (tagger)" in text


def test_explorer_notebook_shows_its_controls(pages, tmp_path):
    shown = run_cells(
        "explore_model",
        catalog=str(pages / "demo" / "catalog.csv"),
        model=str(pages / "models" / "aesthetic_1.keras"),
        layer="conv_pw_3",
        cache=str(tmp_path / "pictures"),
    )
    assert [isinstance(one, ipywidgets.Widget) for one in shown] == [True, True]


@pytest.fixture(scope="module")
def labels(pages: Path) -> Path:
    """Labels made at the desk of the app, as its pages send them, by the demo's twelve raters."""
    catalog = pages / "demo" / "catalog.csv"
    store = pages / "labels.sqlite"
    settings = {"n_raters": 12, "overlap": 4, "repeats": 2}
    labels = open_store(store).begin_round(read_catalog(catalog, classes=None), **settings)
    truth = pd.read_csv(pages / "demo" / "truth" / "ratings.csv")
    truth = truth[truth["rater"].str.startswith("colleague")]
    scores = truth.set_index(["rater", "image_id"])["score"]
    names = labels.photos()["image_id"]
    for rater in truth["rater"].unique():
        desk = LabelProtocol(labels)
        desk.handle({"type": "enter", "name": rater})
        for item in labels.items(labels.enter(rater)):
            said = scores.get((rater, names[item.photo]))
            what = {"reason": "I cannot decide"} if said is None else {"score": int(said)}
            message = {"type": "rate", "key": uuid.uuid4().hex, "position": item.position, **what}
            assert desk.handle(message)[0].content["type"] == "saved"
    return store


def test_labels_made_in_the_app_train_a_second_iteration(pages, labels, tmp_path):
    rated = tmp_path / "rated.csv"
    done = CliRunner().invoke(
        app,
        ["label-export", "--store", str(labels), "--out", str(rated), "--train", "40", "--test",
         "10"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    shown = run_cells(
        "aesthetic_training",
        catalog=str(rated),
        parent=str(pages / "models" / "aesthetic_1.keras"),
        out=str(tmp_path / "second.keras"),
        fine_tune_epochs=1,
    )
    assert "aesthetic model drawn_network.keras" in " ".join(map(repr, shown))
    info = model_info(load_model(tmp_path / "second.keras", task="aesthetic"))
    assert info.training["photos"]["train"] == 40
    assert info.training["catalog"] == catalog_hash(read_catalog(rated, classes=None))


def test_rating_report_shows_agreement_raters_and_disputed_photos(labels, tmp_path):
    with outside_of_tests():
        out = run_report("rating_quality", {"store": str(labels)}, tmp_path / "q.html",
                         progress=False)  # fmt: skip
    text = out.read_text()
    said = r"12 raters \D+ on \d+ photos: Krippendorff's alpha 0\.\d\d \("
    assert re.search(said, html.unescape(text))
    assert 'alt="Bias of 12 raters: colleague-' in text
    assert "12 raters gave" in text
    assert re.match(r"\d\.\d\d: ", galleries(text)[0]["captions"][0])
    assert "I cannot decide" in text


def test_labelling_notebook_shows_the_app(pages, tmp_path):
    shown = run_cells(
        "label_photos",
        store=str(tmp_path / "labels.sqlite"),
        catalog=str(pages / "demo" / "catalog.csv"),
        task="tags",
        n_raters=2,
        overlap=1,
    )
    assert isinstance(shown[-1], anywidget.AnyWidget)
    assert open_store(tmp_path / "labels.sqlite").rounds()["task"].tolist() == ["tags"]


def test_every_notebook_is_executed_by_a_test(pages):
    run = {re.sub(r"_\d$", "", page.stem) for page in pages.glob("*.html")} - {"index"}
    # These are for JupyterLab, need labels or are not part of a run; they have tests of their own.
    run |= {"compare_models", "concepts", "explore_model", "label_photos", "photo_map"}
    run |= {"atlas", "compare_deliveries", "rating_quality"}
    assert run == {path.stem for path in notebook_directory().glob("*.ipynb")}
