"""Scoring that goes on: photos are known by their ids, whatever has happened to the catalogue."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from hotelviz.cli import app
from hotelviz.errors import CatalogError, InferenceError, MissingPhotosError, OutputError
from hotelviz.inference import Scorer, predict_scores, score_photos
from hotelviz.io.claims import claim
from hotelviz.models import build_aesthetic, build_tagger, save_model, update_info
from hotelviz.scores import open_scores

#: The networks are not the point.
pytestmark = pytest.mark.usefixtures("module_of_few_layers")
SMALL = {"input_size": 32, "weights": None, "backbone_kw": {"alpha": 0.25}}


@pytest.fixture(scope="module")
def model():
    return build_aesthetic(**SMALL)


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype="uint8")
    Image.fromarray(pixels).save(path)


@pytest.fixture
def photos(tmp_path) -> pd.DataFrame:
    """Twenty photos of five hotels."""
    paths = [tmp_path / "photos" / f"{number}.png" for number in range(20)]
    for number, path in enumerate(paths):
        draw(path, number)
    names = [f"photo {number}" for number in range(20)]
    hotels = [f"h{number // 4}" for number in range(20)]
    return pd.DataFrame({"image_id": names, "hotel_id": hotels, "path": list(map(str, paths))})


@pytest.fixture
def served(tmp_path) -> Iterator[str]:
    """The address at which the photos are served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "photos")
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def run(photos, model, out, **settings):
    return score_photos(photos, model, out, progress=False, **settings)


def rows(out: Path) -> pd.DataFrame:
    """Read all rows of all parts, repeated ones too."""
    parts = [pd.read_parquet(part) for part in out.glob("*.parquet")]
    return pd.concat(parts).sort_values("image_id", ignore_index=True)


def contents(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in out.iterdir()}


@pytest.mark.slow
def test_shuffled_and_grown_catalogue_with_other_parts_gives_each_photo_once(
    photos, model, tmp_path
):
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "scores"
    run(photos, model, undisturbed)
    run(photos.head(15), model, out, part_size=4)
    (out / "part-00001.parquet").unlink()
    (out / "part-00003.parquet").write_bytes(b"PAR1 half")
    shuffled = photos.sample(frac=1, random_state=3)
    rest = run(shuffled, model, out, part_size=3, batch_size=5)
    assert rest.photos == 4 + 3 + 5
    pd.testing.assert_frame_equal(rows(out), rows(undisturbed), check_exact=True)
    assert run(photos[::-1], model, out).photos == 0


def test_files_and_tables_have_the_same_ids(photos, model, tmp_path):
    names = [2**53 + 1, 2**53 + 3, *range(3, 21)]
    numbered = photos.assign(image_id=pd.array(names, "Int64"), hotel_id=123.0)
    out = tmp_path / "scores"
    run(numbered.head(6), model, out)
    numbered.to_parquet(tmp_path / "photos.parquet", index=False)
    assert run(tmp_path / "photos.parquet", model, out).photos == 14
    numbered.assign(hotel_id="123").to_csv(tmp_path / "photos.csv", index=False)
    for again in (tmp_path / "photos.csv", numbered):
        speed = run(again, model, out)
        assert (speed.photos, speed.notes) == (0, ())
    assert rows(out)["image_id"].to_list() == sorted(map(str, names))
    assert set(rows(out)["hotel_id"]) == {"123"}
    zeros = photos.assign(image_id=[f"{number:03d}" for number in range(20)])
    assert run(zeros, model, tmp_path / "zeros").photos == 20
    assert rows(tmp_path / "zeros")["image_id"][7] == "007"


def test_photos_that_left_the_catalogue_are_counted_and_taken_out_when_asked(
    photos, model, tmp_path
):
    out = tmp_path / "scores"
    run(photos, model, out, part_size=8)
    (note,) = run(photos[9:], model, out).notes
    assert note.startswith("9 photos not in the catalogue any more, such as 'photo 0': kept")
    assert len(open_scores(out)) == 20
    (note,) = run(photos[9:], model, out, prune=True).notes
    assert note.endswith(": removed")
    assert set(rows(out)["image_id"]) == set(photos["image_id"][9:])
    assert run(photos[9:], model, out).notes == ()


@pytest.mark.slow
def test_photos_that_were_unavailable_are_tried_again_by_the_next_run(photos, model, tmp_path):
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "scores"
    run(photos, model, undisturbed)
    lost = Path(photos["path"][6])
    lost.rename(tmp_path / "away.png")
    (note,) = run(photos, model, out, part_size=4).notes
    assert note.startswith(f"1 photo unavailable here, such as {lost} (missing)")
    row = rows(out).set_index("image_id").loc["photo 6"]
    assert (row["status"], row["error"]) == ("unavailable", "missing")
    assert pd.isna(row["score"])
    assert run(photos, model, out).photos == 1
    (tmp_path / "away.png").rename(lost)
    again = run(photos, model, out)
    assert again.photos == 1
    assert again.notes == ("1 photo unavailable before, tried again",)
    pd.testing.assert_frame_equal(rows(out), rows(undisturbed), check_exact=True)


def test_run_without_its_disk_stops_at_once_and_leaves_all_as_it_was(photos, model, tmp_path):
    out = tmp_path / "scores"
    Path(photos["path"][0]).unlink()
    run(photos.head(12), model, out, part_size=5, allow_missing=True)
    before = contents(out)
    (tmp_path / "photos").rename(tmp_path / "unmounted")
    with pytest.raises(MissingPhotosError, match=r"9 of 20 photos are not available.*missing"):
        run(photos, model, out)
    assert contents(out) == before
    with pytest.raises(MissingPhotosError, match="20 of 20"):
        run(photos, model, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    # What is done is done, also where its files cannot be looked at.
    assert run(photos[1:12], model, out).photos == 0
    run(photos, model, out, allow_missing=True)
    assert rows(out)["status"].value_counts().to_dict() == {"ok": 11, "unavailable": 9}


def test_more_than_a_tenth_that_is_found_out_late_ends_the_run_and_keeps_its_parts(
    photos, model, served, tmp_path
):
    remote = photos.assign(path=served + photos["image_id"].str.removeprefix("photo ") + ".png")
    remote.loc[[4, 5, 6], "path"] = served + "lost.png"
    with pytest.raises(MissingPhotosError, match=r"3 of 20 photos are not available.*missing"):
        run(remote, model, tmp_path / "scores", part_size=8)
    assert len(rows(tmp_path / "scores")) == 8
    run(remote, model, tmp_path / "scores", part_size=8, allow_missing=True)
    assert rows(tmp_path / "scores")["status"].value_counts().to_dict() == {
        "ok": 17, "unavailable": 3,
    }  # fmt: skip


def test_photo_whose_file_was_replaced_is_scored_again(photos, model, tmp_path):
    out = tmp_path / "scores"
    run(photos, model, out, part_size=6)
    before = rows(out).set_index("image_id")
    draw(Path(photos["path"][3]), 99)
    assert run(photos, model, out, check_files=False).photos == 0
    again = run(photos, model, out)
    assert again.photos == 1
    assert again.notes[0].startswith("1 photo scored again")
    after = rows(out).set_index("image_id")
    expected = predict_scores(photos, model, progress=False).set_index("image_id")
    assert after["hash"].ne(before["hash"])["photo 3"]
    assert after["hash"].drop("photo 3").equals(before["hash"].drop("photo 3"))
    np.testing.assert_array_equal(after["q_1"], expected["q_1"][after.index])


def test_scores_find_their_photos_from_every_folder(photos, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = photos.assign(path=photos["path"].str.removeprefix(f"{tmp_path}/"))
    run(relative, model, "scores")
    before = rows(tmp_path / "scores")
    assert before["path"].tolist() == photos.sort_values("image_id")["path"].tolist()
    # As an earlier version wrote them: the same photos at the same place.
    for part in Path("scores").glob("*.parquet"):
        table = pq.read_table(part)
        place = table.column_names.index("path")
        old = [path.removeprefix(f"{tmp_path}/") for path in table["path"].to_pylist()]
        table = table.set_column(place, "path", [old])
        for column in ("size", "modified"):
            at = table.column_names.index(column)
            table = table.set_column(at, column, [[None] * len(table)])
        pq.write_table(table.cast(pq.read_schema(part)), part)
    again = run(relative, model, "scores")
    assert again.photos == 0


def test_rows_follow_the_catalogue_where_photos_have_moved(photos, model, tmp_path):
    out = tmp_path / "scores"
    run(photos, model, out, part_size=6)
    before = rows(out)
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    moved = photos.assign(path=photos["path"].str.replace("/photos/", "/elsewhere/"))
    moved.loc[2, "hotel_id"] = "another"
    again = run(moved, model, out)
    assert again.photos == 0
    assert again.notes[0].startswith("20 photos kept, with the path and hotel")
    after = rows(out).set_index("image_id")
    assert after["path"].to_dict() == moved.set_index("image_id")["path"].to_dict()
    assert after.loc["photo 2", "hotel_id"] == "another"
    pd.testing.assert_series_equal(rows(out)["score"], before["score"], check_exact=True)


def test_address_that_is_signed_anew_is_the_same_photo_and_its_secrets_are_nowhere(
    photos, model, served, tmp_path
):
    out = tmp_path / "scores"
    photos["path"] = served + photos["image_id"].str.removeprefix("photo ") + ".png?version=1"
    signed = photos["path"].str.replace("://", "://me:hunter2@")
    first = photos.assign(path=signed + "&X-Amz-Date=1&Expires=7&X-Amz-Signature=abc123")
    run(first, model, out, part_size=8)
    second = first.assign(path=signed + "&X-Amz-Date=2&Expires=9&X-Amz-Signature=def456")
    second.loc[5, "path"] = second["path"][5].replace("version=1", "version=2")
    again = run(second, model, out)
    assert again.photos == 1
    assert again.notes[0].startswith("1 photo scored again")
    written = "".join(rows(out).to_string() + (out / "_hotelviz.json").read_text())
    assert "hunter2" not in written
    assert "abc123" not in written
    assert sorted(file.name for file in out.iterdir()) == [
        "_hotelviz.json", *[f"part-0000{number}.parquet" for number in range(4)],
    ]  # fmt: skip


def test_scores_of_hotelviz_0_1_are_refused_with_what_to_do(photos, model, tmp_path):
    out = tmp_path / "scores"
    run(photos, model, out)
    for part in out.glob("*.parquet"):
        table = pd.read_parquet(part).drop(columns=["status", "size", "modified"])
        table.rename(columns={"error": "problem"}).to_parquet(part, index=False)
    before = contents(out)
    with pytest.raises(InferenceError, match=r"part-00000.* was written by .* 0\.1; choose"):
        run(photos, model, out)
    assert contents(out) == before


def test_photo_that_stands_there_twice_is_named(photos, model, tmp_path):
    out = tmp_path / "scores"
    twice = pd.concat([photos, photos[3:4]])
    twice.to_parquet(tmp_path / "twice.parquet")
    for catalog in (twice, tmp_path / "twice.parquet"):
        with pytest.raises(CatalogError, match="'photo 3'"):
            run(catalog, model, out)
    assert not out.exists()
    run(photos, model, out, part_size=8)
    shutil.copy(out / "part-00001.parquet", out / "part-77777.parquet")
    with pytest.raises(
        InferenceError, match=r"'photo 10' .* part-00001\.parquet and part-77777\.parquet\. Remove"
    ):
        run(photos, model, out)
    (out / "part-00001.parquet").unlink()
    assert run(photos, model, out).photos == 0


@pytest.mark.slow
def test_folder_belongs_to_one_run_and_to_its_models(photos, model, tmp_path):
    out = tmp_path / "scores"
    run(photos[:2], model, out)
    with (
        claim(out, folder=True),
        pytest.raises(OutputError, match="is being written by another run"),
    ):
        run(photos, model, out)
    with pytest.raises(InferenceError, match="made with other models"):
        run(photos, build_aesthetic(**SMALL, seed=5), out)
    tagger = build_tagger(["Bedroom", "Pool"], **SMALL)
    run(photos[:2], tagger, tmp_path / "tags")
    with pytest.raises(InferenceError, match="made with other models"):
        run(photos[:2], update_info(tagger, classes=("Pool", "Bedroom")), tmp_path / "tags")
    thesis = tmp_path / "theirs" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("")
    for place, message in ((thesis, "is a file"), (thesis.parent, r"such as thesis\.tex")):
        with pytest.raises(InferenceError, match=message):
            run(photos, model, place)
    assert list(thesis.parent.iterdir()) == [thesis]


@pytest.mark.slow
def test_tables_made_by_hand_and_models_in_any_form(photos, model, tmp_path):
    plain = pd.DataFrame({"path": [Path(path) for path in photos["path"]]})[4:9]
    file = tmp_path / "model.keras"
    save_model(model, file)
    for number, models in enumerate((model, file, [str(file)], iter([model]))):
        assert run(plain, models, tmp_path / str(number)).photos == 5
    table = rows(tmp_path / "0")
    assert table["hotel_id"].to_list() == table["image_id"].to_list() == sorted(photos["path"][4:9])
    scored = Scorer(iter([model])).table(plain).to_pandas().sort_values("image_id")
    np.testing.assert_array_equal(scored["score"], table["score"])
    with pytest.raises(CatalogError, match=r"score_photos.*no column 'path'"):
        run(photos[["image_id"]], model, tmp_path / "none")
    with pytest.raises(InferenceError, match="not none"):
        run(photos, [], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def command(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_command_tag_stops_without_its_disk_and_keeps_the_table_that_is_there(photos, tmp_path):
    file, out = tmp_path / "tagger.keras", tmp_path / "tags.csv"
    save_model(build_tagger(["Bedroom", "Pool"], **SMALL), file)
    photos.to_csv(tmp_path / "photos.csv", index=False)
    asked = ("tag", tmp_path / "photos.csv", "--model", file, "--out", out)
    Path(photos["path"][4]).unlink()
    result = command(*asked)
    assert result.exit_code == 0, result.output
    assert "1 photo unavailable here" in result.output
    tags = pd.read_csv(out)
    assert tags["status"].value_counts().to_dict() == {"ok": 19, "unavailable": 1}
    (tmp_path / "photos").rename(tmp_path / "unmounted")
    written = out.read_bytes()
    result = command(*asked)
    assert result.exit_code == 1
    assert "20 of 20 photos are not available" in result.output
    assert out.read_bytes() == written
    assert command(*asked, "--allow-missing").exit_code == 0
    assert set(pd.read_csv(out)["status"]) == {"unavailable"}
    result = command(*asked[:-1], tmp_path)
    assert (result.exit_code, "must end in" in result.output) == (1, True)


@pytest.mark.slow
def test_command_score_says_what_is_unavailable_and_how_to_go_on(photos, model, tmp_path):
    file, out = tmp_path / "model.keras", tmp_path / "scores"
    save_model(model, file)
    photos.to_parquet(tmp_path / "photos.parquet", index=False)
    (tmp_path / "photos").rename(tmp_path / "unmounted")
    asked = ("score", tmp_path / "photos.parquet", "--model", file, "--out", out)
    result = command(*asked)
    assert result.exit_code == 1
    assert "20 of 20 photos are not available" in result.output
    assert "--allow-missing" in result.output
    assert "20 photos unavailable here" in command(*asked, "--allow-missing").output
    (tmp_path / "unmounted").rename(tmp_path / "photos")
    result = command(*asked)
    assert "20 photos, 20 computed now, 0 with errors" in result.output
    assert "20 photos unavailable before, tried again" in result.output
