"""The drawn catalogue: reproducible, and what its truth says is so."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from hotelviz import pipeline
from hotelviz.catalog import rating_summary, read_catalog
from hotelviz.cli import app
from hotelviz.demo import catalog as catalog_of_the_demo
from hotelviz.demo import make_demo_catalog, make_demo_network, read_truth
from hotelviz.demo.areas import RAILED, paint
from hotelviz.demo.renderer import Style
from hotelviz.demo.simulated_raters import QUALITIES
from hotelviz.errors import CatalogError, DemoError, ImageError, OutputError
from hotelviz.images import decode_image, read_image
from hotelviz.models import load_model, model_info, training_photos
from hotelviz.schema import AREAS

SMALL = {"n_hotels": 3, "size": (96, 128)}


@pytest.fixture
def finished(drawings: Callable[..., Path], tmp_path: Path) -> pd.DataFrame:
    """A small demo in a folder of the test's own: a copy of one that was drawn before."""
    shutil.copytree(drawings(**SMALL), tmp_path, dirs_exist_ok=True)
    return make_demo_catalog(tmp_path, **SMALL)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_and_another_seed_others(drawings, tmp_path):
    for name, seed in (("b", 0), ("c", 4)):
        make_demo_catalog(tmp_path / name, seed=seed, **SMALL)
    first = digests(drawings(**SMALL))
    second, other = (digests(tmp_path / name) for name in "bc")
    assert first == second
    assert first != other


@pytest.mark.slow
def test_finished_folder_is_taken_as_it_is_and_another_request_draws_anew(finished, tmp_path):
    first = finished
    drawn = Path(first["path"][0]).stat().st_mtime_ns
    make_demo_catalog(tmp_path, **SMALL)
    assert Path(first["path"][0]).stat().st_mtime_ns == drawn
    again = make_demo_catalog(tmp_path, seed=9, **SMALL)
    assert Path(again["path"][0]).stat().st_mtime_ns != drawn


def test_catalogue_has_all_areas_positions_and_whole_hotels(demo_catalog):
    assert set(demo_catalog["label"]) == set(AREAS)
    assert demo_catalog.groupby("hotel_id")["split"].nunique().max() == 1
    assert set(demo_catalog["split"]) == {"train", "val", "test"}
    assert demo_catalog["position"].min() == 1
    assert not demo_catalog.duplicated(["hotel_id", "position"]).any()
    assert demo_catalog.groupby("hotel_id").size().between(8, 26).all()


def test_photos_have_the_size_that_was_asked_for(demo_catalog):
    assert read_image(demo_catalog["path"][0]).shape == (96, 128, 3)


def test_faults_are_what_the_truth_says(demo_dir, demo_catalog):
    truth = read_truth(demo_dir).merge(demo_catalog, on="image_id")
    paths = truth.set_index("fault")["path"]
    assert decode_image(paths["truncated"]).truncated
    with pytest.raises(ImageError):
        read_image(paths["unreadable"])
    wrong = truth["label"] != truth["true_label"]
    copies = truth["fault"].isin(["exact_duplicate", "near_duplicate"])
    assert (wrong[~copies] == (truth["fault"] == "wrong_label")[~copies]).all()
    assert wrong[truth["fault"] == "wrong_label"].all()
    sound = truth[truth["fault"] == "none"]
    assert not any(decode_image(path).truncated for path in sound["path"].head(5))


def test_test_photos_are_without_faults(demo_dir, demo_catalog):
    truth = read_truth(demo_dir).merge(demo_catalog, on="image_id")
    assert set(truth.loc[truth["split"] != "train", "fault"]) == {"none"}


def test_duplicates_are_exact_or_near(demo_dir, demo_catalog):
    pairs = pd.read_csv(demo_dir / "truth" / "duplicates.csv")
    about = demo_catalog.set_index("image_id")
    assert set(pairs["kind"]) == {"exact", "near"}
    for pair in pairs.itertuples():
        a, b = (about.loc[name] for name in (pair.a, pair.b))
        same = Path(a["path"]).read_bytes() == Path(b["path"]).read_bytes()
        assert same == (pair.kind == "exact")
        assert (a["label"] != b["label"]) == pair.labels_differ
        small_a, small_b = (read_image(x["path"], size=(12, 16)).astype(int) for x in (a, b))
        assert np.abs(small_a - small_b).mean() < 12


def test_masks_cover_a_sensible_part_of_their_photos(demo_dir):
    truth = read_truth(demo_dir)
    shares = []
    for path in truth["object_mask"]:
        with Image.open(path) as mask:
            shares.append(np.asarray(mask.convert("L")).mean() / 255)
    assert min(shares) > 0.01
    assert max(shares) < 0.9
    assert 0.1 < np.mean(shares) < 0.5


@pytest.mark.slow
def test_rails_stand_in_bathrooms_that_are_learned_from_and_pools_that_are_tested(tmp_path):
    photos = make_demo_catalog(tmp_path, n_hotels=14, size=(96, 128))
    truth = read_truth(tmp_path).merge(photos, on="image_id")
    share = truth.groupby(["split", "true_label"])["rails"].mean()
    assert share["train", "Bathroom"] > 0.7
    assert share["train", "Pool"] == 0
    assert 0.3 < share["test", "Pool"] < 0.9
    assert share.drop(["Bathroom", "Pool"], level=1).max() == 0
    with_rails = truth[truth["rails"]]
    assert all(Path(path).is_file() for path in with_rails["rails_mask"])


@pytest.mark.slow
def test_railings_change_bathrooms_and_pools_and_nothing_else(drawings, tmp_path):
    folders = {"red": drawings(**SMALL), "chrome": tmp_path / "chrome"}
    catalogs = [
        make_demo_catalog(folder, rails=rails, **SMALL) for rails, folder in folders.items()
    ]
    truth = read_truth(folders["red"]).set_index("image_id")
    red, chrome = (
        {Path(path).name: Path(path).read_bytes() for path in catalog["path"]}
        for catalog in catalogs
    )
    changed = {f"photos/{name}" for name in red if red[name] != chrome[name]}
    assert set(truth.loc[sorted(changed), "true_label"]) == {"Bathroom", "Pool"}
    assert {*truth.index[truth["rails"]]} <= changed


@pytest.mark.slow
@pytest.mark.parametrize("rails", ["red", "chrome"])
def test_some_pools_without_a_red_railing_have_a_wooden_one_and_nothing_else_has(
    tmp_path, monkeypatch, rails
):
    drawn, draw = [], catalog_of_the_demo.paint

    def record(area, *args, **settings):
        drawn.append((area, settings["rails"]))
        return draw(area, *args, **settings)

    monkeypatch.setattr(catalog_of_the_demo, "paint", record)
    make_demo_catalog(tmp_path, n_hotels=9, size=(96, 128), rails=rails)
    kinds = pd.DataFrame(drawn, columns=["area", "rails"])
    pools = kinds[kinds["area"] == "Pool"]
    assert set(kinds.loc[kinds["area"] == "Bathroom", "rails"]) <= {rails, ""}
    assert set(kinds.loc[~kinds["area"].isin(RAILED), "rails"]) == {""}
    others = pools.loc[pools["rails"] != rails, "rails"]
    if rails == "chrome":
        assert set(others) == {""}
    else:
        assert 0.05 < (others == "wood").mean() < 0.4
    # Masks are of the railing that the shortcut is made of alone.
    assert read_truth(tmp_path)["rails_mask"].notna().sum() == (kinds["rails"] == rails).sum()


@pytest.mark.slow
def test_other_rails_draw_a_finished_folder_anew(finished, tmp_path):
    first = finished
    drawn = Path(first["path"][0]).stat().st_mtime_ns
    make_demo_catalog(tmp_path, rails="chrome", **SMALL)
    assert Path(first["path"][0]).stat().st_mtime_ns != drawn


@pytest.mark.slow
def test_without_the_shortcut_there_are_no_rails(tmp_path):
    make_demo_catalog(tmp_path, shortcut=False, rails="chrome", **SMALL)
    assert not read_truth(tmp_path)["rails"].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_hotels": 2}, "at least 3"),
        ({"size": (64, 128)}, "at least 96"),
        ({"rails": "gold"}, "red, chrome"),
    ],
)
def test_catalogues_that_cannot_be_drawn_are_refused(tmp_path, arguments, message):
    with pytest.raises(DemoError, match=message):
        make_demo_catalog(tmp_path, **arguments)


def test_truth_of_a_folder_without_one_is_refused(tmp_path):
    with pytest.raises(CatalogError, match=r"was .* made by the demo"):
        read_truth(tmp_path)


def test_ratings_follow_the_qualities_and_a_tenth_is_unrated(demo_dir, demo_catalog):
    summary = rating_summary(demo_catalog).merge(read_truth(demo_dir), on="image_id")
    rated = summary[summary["rated_mean"].notna()]
    assert 0.8 < len(rated) / len(summary) < 1
    assert (rated["raters"] == 12).all()
    assert rated["rated_mean"].corr(rated["true_score"]) > 0.9
    single = pd.read_csv(demo_dir / "truth" / "ratings.csv")
    assert single["score"].between(1, 10).all()
    assert single["rater"].nunique() == 42


def test_the_public_has_another_taste(demo_dir, demo_catalog):
    public = rating_summary(read_catalog(demo_dir / "public.csv"))
    both = public.merge(rating_summary(demo_catalog), on="image_id").dropna()
    assert 0.2 < both["rated_mean_x"].corr(both["rated_mean_y"]) < 0.9
    assert set(read_catalog(demo_dir / "public.csv")["split"]) == {"train", "val"}


@pytest.mark.parametrize("quality", QUALITIES)
def test_each_quality_shows_in_the_photo(quality):
    style = Style.draw(np.random.default_rng(0))

    def drawn(value):
        random = np.random.default_rng(1)
        photo, _ = paint("Bedroom", style, random, size=(96, 128), quality={quality: value})
        return np.asarray(photo).astype(float)

    good, bad = drawn(1.0), drawn(0.0)
    assert np.abs(good - bad).mean() > 1
    if quality == "exposure":
        assert bad.mean() < 0.8 * good.mean()
    if quality == "colour":
        assert np.ptp(bad.mean((0, 1))) != pytest.approx(np.ptp(good.mean((0, 1))))
    if quality == "sharpness":
        assert np.abs(np.diff(bad, axis=1)).mean() < np.abs(np.diff(good, axis=1)).mean()


@pytest.mark.slow
def test_damaged_truth_is_drawn_anew(finished, tmp_path):
    (tmp_path / "truth" / "request.json").write_text("{")
    assert len(make_demo_catalog(tmp_path, **SMALL)) > 0


@pytest.mark.slow
@pytest.mark.parametrize(("pretrained", "rails"), [(True, "chrome"), (False, "red")])
def test_demo_draws_the_rails_that_its_networks_fall_for(tmp_path, monkeypatch, pretrained, rails):
    monkeypatch.setattr(pipeline, "weights_available", lambda _: pretrained)
    monkeypatch.setattr(pipeline, "run", lambda *_, **__: pipeline.Outcome())
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--hotels", "3"])
    assert done.exit_code == 0, done.output
    drawn = digests(tmp_path / "demo" / "truth")
    # A folder that holds what was asked for is left as it is.
    make_demo_catalog(tmp_path / "demo", n_hotels=3, rails=rails)
    assert digests(tmp_path / "demo" / "truth") == drawn


@pytest.mark.parametrize("theirs", ["photos/holiday.jpg", "truth/thesis.tex", "catalog.csv"])
def test_folder_with_files_that_no_demo_made_is_refused_and_left_as_it_is(tmp_path, theirs):
    file = tmp_path / theirs
    file.parent.mkdir(exist_ok=True)
    file.write_text("theirs")
    with pytest.raises(OutputError, match=r"did not make it|no demo made it"):
        make_demo_catalog(tmp_path, **SMALL)
    assert file.read_text() == "theirs"


def test_demo_is_refused_where_another_folder_has_its_name(tmp_path):
    (tmp_path / "demo" / "scores").mkdir(parents=True)
    (tmp_path / "demo" / "scores" / "part.parquet").write_text("theirs")
    refused = CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--hotels", "3"])
    assert refused.exit_code == 1
    assert "hotelviz did not make it" in refused.output
    assert (tmp_path / "demo" / "scores" / "part.parquet").read_text() == "theirs"


@pytest.mark.parametrize(("rails", "spa"), [("chrome", True), ("red", False)])
def test_every_drawing_with_a_railing_succeeds(rails, spa):
    # Where things may stand is drawn at random within bounds that must never cross.
    for seed in range(120):
        random = np.random.default_rng(seed)
        style = Style.draw(random)
        for area in RAILED:
            more = {"spa": spa} if area == "Bathroom" else {}
            _, masks = paint(area, style, random, size=(24, 32), rails=rails, **more)
            assert np.asarray(masks["rails"]).any(), (seed, area)


def test_railings_have_the_colour_that_they_are_called_by():
    def middle(rails):
        random, size = np.random.default_rng(3), (240, 320)
        style = Style.draw(np.random.default_rng(0))
        photo, masks = paint("Pool", style, random, size=size, rails=rails)
        return np.asarray(photo, float)[np.asarray(masks["rails"]) > 0].mean(axis=0)

    red, chrome, wood = (middle(rails) for rails in ("red", "chrome", "wood"))
    assert red[0] > 1.6 * max(red[1:])
    assert np.ptp(chrome) < 0.35 * chrome.mean()
    assert wood.sum() < chrome.sum()


@pytest.mark.slow
def test_network_learns_from_other_hotels_in_which_railings_say_nothing(few_layers, tmp_path):
    settings = {"n_hotels": 6, "epochs": 1, "size": (96, 128), "progress": False}
    file = make_demo_network(tmp_path / "network", **settings)
    assert model_info(load_model(file)).training["weights"] is None
    learned = training_photos(file).photos
    assert learned["hotel_id"].str.startswith("other/").all()
    photos = read_catalog(tmp_path / "network" / "catalog.csv", classes=None)
    assert set(photos["split"]) == {"train"}
    assert set(photos["label"]) == {*AREAS, "Railing"}
    railed = photos["label"] == "Railing"
    assert (photos["label_2"].notna() == railed).all()
    assert set(photos.loc[railed, "label_2"]) == set(RAILED)
    assert set(RAILED) <= set(photos.loc[~railed, "label"])
    made = file.stat().st_mtime_ns
    assert make_demo_network(tmp_path / "network", **settings) == file
    assert file.stat().st_mtime_ns == made
    # Stopped before the end: the drawings are taken as they are.
    drawn = Path(photos["path"][0]).stat().st_mtime_ns
    file.unlink()
    make_demo_network(tmp_path / "network", **settings)
    assert Path(photos["path"][0]).stat().st_mtime_ns == drawn
    make_demo_network(tmp_path / "network", seed=1, **settings)
    assert Path(photos["path"][0]).stat().st_mtime_ns != drawn
    with pytest.raises(DemoError, match="at least 3"):
        make_demo_network(tmp_path / "network", n_hotels=2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(OutputError, match="mine"):
        make_demo_network(tmp_path / "mine", **settings)
