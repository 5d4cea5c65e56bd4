"""Commands: what they print, write and refuse."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pandas as pd
import pytest
from backbones import write_few_layers
from PIL import Image
from typer.testing import CliRunner

import hotelviz
from hotelviz import __version__
from hotelviz.catalog import read_catalog, write_catalog
from hotelviz.cli import app
from hotelviz.decisions import decide
from hotelviz.errors import HotelvizError, StoreError
from hotelviz.labelling import open_store


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_few_layers(tmp_path_factory.mktemp("model") / "tagger.keras")


def test_help_and_version():
    assert "train-tagger" in run("--help").output
    assert run("--version").output.strip() == __version__


def test_notes_of_tensorflows_start_are_left_out_and_nothing_else(tmp_path):
    """A TensorFlow that says at its start what the real one does, and an error."""
    (tmp_path / "tensorflow.py").write_text(
        "import os, sys\n"
        "note = b'I0000 00:00:1764116.48 17 port.cc:153] oneDNN custom operations are on.\\n'\n"
        "os.write(2, b'WARNING: All log messages before absl::InitializeLog() is\\n' + note)\n"
        "os.write(2, b'E0000 00:00:1764116.48 17 cuda.cc:52] no memory is left\\n')\n"
        "def zeros(n): os.write(2, note)\n"
    )
    script = (
        "import sys; from hotelviz.cli import app; "
        "app(['report', '--list'], standalone_mode=False); "
        "import tensorflow; print('later', file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )  # fmt: skip
    assert told.stderr.splitlines() == [
        "E0000 00:00:1764116.48 17 cuda.cc:52] no memory is left", "later",
    ]  # fmt: skip


def test_list_shows_reports_with_their_parameters():
    output = run("report", "--list").output
    assert "tagger_report: Tagger report" in output
    assert 'catalog: path = "reports/data/catalog.csv"' in output


@pytest.mark.slow
def test_tag_writes_predictions_and_lists_problems(demo_dir, model_file, tmp_path):
    result = run("tag", demo_dir / "catalog.csv", "--model", model_file, "--out",
                 tmp_path / "tags.parquet")  # fmt: skip
    assert result.exit_code == 0, result.output
    tags = pd.read_parquet(tmp_path / "tags.parquet")
    assert len(tags) == len(pd.read_csv(demo_dir / "catalog.csv"))
    assert "2 with errors" in result.output
    assert "not a JPEG" in result.output


@pytest.mark.slow
def test_training_on_the_command_line(demo_dir, tmp_path):
    out = tmp_path / "tagger.keras"
    result = run("train-tagger", demo_dir / "catalog.csv", "--out", out, "--weights", "none",
                 "--input-size", 32, "--effort", "quick", "--fine-tune-epochs", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "val_accuracy" in result.output
    assert re.search(r"training takes about .* up to 1 epochs? of \d+ s", result.output)
    assert out.is_file()
    assert not Path(f"{out}.training").exists()


@pytest.mark.slow
def test_from_ratings_to_a_ranking_on_the_command_line(demo_dir, model_file, few_layers, tmp_path):
    catalog, first, second = demo_dir / "catalog.csv", tmp_path / "1.keras", tmp_path / "2.keras"
    few = ("--fine-tune-epochs", 1)
    result = run("train-aesthetic", demo_dir / "public.csv", "--out", first, "--weights", "none",
                 "--input-size", 32, *few)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "val_mean_score_error" in result.output
    result = run("train-aesthetic", catalog, "--out", second, "--parent", first,
                 "--task", "technical", *few)  # fmt: skip
    assert result.exit_code == 0, result.output
    scores = tmp_path / "scores"
    command = ("score", catalog, "--model", first, "--model", second, "--out", scores)
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "2 with errors" in result.output
    assert re.search(r"\d+ photos/s, bound by (decode|inference|disk) \(processor", result.output)
    assert "0 computed now" in run(*command).output
    tags = tmp_path / "tags.parquet"
    run("tag", catalog, "--model", model_file, "--out", tags)
    result = run("rank", "--scores", scores, "--tags", tags, "--catalog", catalog,
                 "--out", tmp_path / "ranking.parquet")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "with coverage" in result.output
    assert "0 photos have only a score or only a tag" in result.output
    folder = run("rank", "--scores", scores, "--tags", tags, "--catalog", catalog,
                 "--out", tmp_path / "ranking")  # fmt: skip
    assert result.output.partition(".parquet: ")[2] in folder.output
    ranking = pd.read_parquet(tmp_path / "ranking.parquet")
    assert len(ranking) == len(pd.read_csv(catalog)) - 1
    assert {"rank", "rank_by_score", "position", "reason"} <= set(ranking)


def test_a_cleaned_catalogue_elsewhere_finds_its_photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("data/p/1.jpg", "data/p/2.jpg", "data/p/=3.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("data/c.csv").write_text("path,label\np/1.jpg,Pool\np/2.jpg,Pool\np/=3.jpg,Pool\n")
    Path("d.csv").write_text(
        "image_id,action,label,reason,reviewer,time\n"
        "p/2.jpg,relabel,Kitchen,=1+1,,2026-01-01T00:00:00+00:00\n"
        "p/1.jpg,drop,,,,2026-01-01T00:00:00+00:00\n"
    )
    result = run("clean", "data/c.csv", "--decisions", "d.csv", "--out", "cleaned/c.csv")
    assert result.exit_code == 0, result.output
    cleaned = read_catalog("cleaned/c.csv", check_files=True)
    assert cleaned["image_id"].to_list() == ["p/2.jpg", "p/=3.jpg"]
    assert cleaned["label"].to_list() == ["Kitchen", "Pool"]
    # What people open in a spreadsheet runs nothing there.
    assert "'=1+1" in Path("cleaned/c.changes.csv").read_text()
    assert sorted(path.name for path in Path("cleaned").iterdir()) == ["c.changes.csv", "c.csv"]


def test_rounds_of_labels_written_elsewhere_find_their_photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        Path(f"data/p/{number}.jpg").parent.mkdir(parents=True, exist_ok=True)
        Path(f"data/p/{number}.jpg").touch()
    write_catalog(
        pd.DataFrame({"image_id": [f"{n}" for n in range(6)],
                      "path": [f"data/p/{n}.jpg" for n in range(6)]}),
        "data/c.csv",
    )  # fmt: skip
    result = run("label-choose", "data/c.csv", "--out", "chosen/c.parquet", "--count", 4)
    assert result.exit_code == 0, result.output
    chosen = read_catalog("chosen/c.parquet", check_files=True)
    assert len(chosen) == 4
    store = open_store("s.db")
    begun = store.begin_round(chosen, name="1", task="aesthetic", n_raters=1, overlap=1, repeats=0)
    ada = begun.enter("Ada")
    for item in begun.items(ada):
        begun.rate(ada, item.position, str(uuid.uuid4()), score=7)
    store.close()
    result = run(
        "label-export", "--store", "s.db", "--out", "rated/deep/c.csv", "--catalog", "data/c.csv"
    )
    assert result.exit_code == 0, result.output
    rated = read_catalog("rated/deep/c.csv", check_files=True)
    assert rated["rating_7"].notna().sum() == 4
    assert set(rated["image_id"]) == set("012345")


def test_training_asks_what_becomes_of_photos_without_a_split(tmp_path):
    rows = [f"{n}.jpg,h{n // 2},Pool,{'train' if n < 20 else ''}" for n in range(40)]
    file = tmp_path / "c.csv"
    file.write_text("\n".join(["path,hotel_id,label,split", *rows]) + "\n")
    result = run("train-tagger", file, "--out", tmp_path / "m.keras", "--weights", "none")
    assert result.exit_code == 1
    assert "is empty for 20 of 40" in result.output
    assert "--unsplit deal" in result.output
    result = run("train-tagger", file, "--out", tmp_path / "m.keras", "--unsplit", "drop")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tag", "nowhere.csv", "--model", "MODEL", "--out", "t.parquet"], "CatalogError: nowhere"),
        (["tag", "DEMO", "--model", "no.keras", "--out", "t.parquet"], "no such model file"),
        (["tag", "DEMO", "--model", "MODEL", "--out", "t.txt"], ".parquet or .csv"),
        (["train-tagger", "DEMO", "--out", "model.h5"], "must end in .keras"),
        (["train-tagger", "DEMO", "--out", "m.keras", "--classes", "Pool,Bed"], "not one of the 2"),
        (["train-tagger", "DEMO", "--out", "m.keras", "--backbone", "MobilNet",
          "--weights", "none"], "did you mean 'MobileNet'"),
        (["report", "tagger_report", "-p", "nonsense", "--out", "x.html"], "not name=value"),
        (["report", "tagger_report", "-p", "limit=3", "--out", "x.html"], "no parameter 'limit'"),
        (["report", "tagger_report", "-p", "seed=one", "--out", "x.html"], "of type int"),
        (["report"], "--list"),
        (["train-aesthetic", "DEMO", "--out", "a.keras", "--task", "beauty"], "is not one of"),
        (["train-aesthetic", "DEMO", "--out", "a.keras", "--parent", "no.keras"], "no such model"),
        (["score", "DEMO", "--model", "no.keras", "--out", "scores"], "no such model file"),
        (["score", "DEMO", "--model", "MODEL", "--out", "s", "--backend", "onnx"], "one of keras"),
        (["score", "DEMO", "--model", "MODEL", "--out", "s", "--address", "h:1"], "--cluster ray"),
        (["score", "DEMO", "--model", "MODEL", "--out", "s", "--cluster", "x"], "--cluster ray"),
        (["rank", "--scores", "nowhere", "--out", "r.parquet"], "no scores"),
        (["tag", "DEMO", "--model", "MODEL", "--out", "DEMO"], "is read, and would be replaced"),
        (["clean", "DEMO", "--decisions", "d.csv", "--out", "DEMO"], "would be replaced"),
        (["label-choose", "DEMO", "--out", "DEMO"], "would be replaced"),
        (["report", "tagger_report", "-p", "catalog=DEMO", "-p", "model=MODEL", "--out", "DEMO"],
         "would be replaced"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_the_exit_code_is_not_zero(
    demo_dir, model_file, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    places = {"DEMO": str(demo_dir / "catalog.csv"), "MODEL": str(model_file)}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
    result = run(*arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_bug_shows_its_traceback_and_is_not_dressed_up_as_the_users_mistake(monkeypatch, tmp_path):
    def fail(error):
        def read(*_, **__):
            raise error

        monkeypatch.setattr(hotelviz.catalog, "read_catalog", read)
        return run("audit", "c.csv", "--out", tmp_path / "a")

    for bug in (ValueError("index out of bounds"), KeyError("hotel"), OSError("odd")):
        result = fail(bug)
        assert result.exception is bug
        assert str(bug) not in result.output
    for told in (
        HotelvizError("no such column"),
        FileNotFoundError(2, "No such file or directory", "c.csv"),
        StoreError("the disk is full"),
    ):
        result = fail(told)
        assert (result.exit_code, type(result.exception)) == (1, SystemExit)
        assert f"{type(told).__name__}: {told}" in result.output
        debugged = run("--debug", "audit", "c.csv", "--out", tmp_path / "a")
        assert debugged.exception is told


def test_control_characters_from_data_do_not_reach_the_terminal(tmp_path):
    name = "a\x1b]0;owned\x07\x1b[2J\nWARNING.jpg"
    Image.new("RGB", (64, 64)).save(tmp_path / "b.jpg")
    table = {"image_id": ["b", "b2"], "path": ["b.jpg", "b.jpg"], "label": ["Pool", "Pool"]}
    catalog, file = tmp_path / "c.csv", tmp_path / "d.csv"
    pd.DataFrame(table).to_csv(catalog, index=False)
    decide(file, [name, "b2"], "drop", reviewer="\x1b[31m")
    decide(file, "b", "relabel", label="Po\x9bol")
    result = run("clean", catalog, "--decisions", file, "--out", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    assert not set(map(ord, result.output)) & {0x1B, 0x07, 0x9B}
    shown = r"  a\x1b]0;owned\x07\x1b[2J\nWARNING.jpg: decided on, but not in"
    assert shown in result.output
    assert r"Po\x9bol: a class that no photo of" in result.output
    result = run("clean", tmp_path / "\x1b[2J.csv", "--decisions", file, "--out", "x.csv")
    assert r"\x1b[2J.csv" in result.output


def test_commands_print_by_the_function_that_escapes():
    for file in Path(hotelviz.__file__).parent.joinpath("cli").glob("*.py"):
        assert not re.search(r"typer\.echo|\bprint\(", file.read_text()), file


def test_clean_stops_where_the_photos_are_not_unless_told_otherwise(tmp_path):
    catalog, file = tmp_path / "c.csv", tmp_path / "d.csv"
    catalog.write_text("image_id,path\na,a.jpg\nb,b.jpg\n")
    decide(file, "a", "drop")
    command = ("clean", catalog, "--decisions", file, "--out", tmp_path / "out.csv")
    result = run(*command)
    assert result.exit_code == 1
    assert "2 of 2 photos are not available" in result.output
    assert run(*command, "--allow-missing").exit_code == 0
    assert pd.read_csv(tmp_path / "out.csv")["image_id"].tolist() == ["b"]
