"""No text from data becomes SQL: names of columns and classes that try, in every function."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import hotelviz
from hotelviz.cli import app
from hotelviz.errors import CatalogError, RankingError, ScoresError
from hotelviz.inference.resume import remaining_photos
from hotelviz.ranking import (
    completeness,
    map_parts,
    rank_dataset,
    rank_hotel_photos,
    ranking_figures,
    read_ranking,
)
from hotelviz.scores import open_scores, unique
from hotelviz.scores.connection import connect
from hotelviz.scores.sql import parquet_files

HOSTILE = [
    "x\" FROM scores s LEFT JOIN tags t USING (image_id); COPY (SELECT 42) TO '{out}'; --",
    "x\", (SELECT content FROM read_text('{secret}')) AS \"y",
    "x'; COPY (SELECT 42) TO '{out}'; --",
    "'); DROP VIEW scores; --",
    "select",
    "image_id",
    "SCORE ",
    "*",
    "$1 ? [1] {{}}\n`",
    "泳池 مسبح 🏊" + "x" * 300,
]


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def hostile(request, tmp_path):
    """A class whose name tries, and what it tries: to read one file and write another."""
    secret, out = tmp_path / "secret.txt", tmp_path / "written.csv"
    secret.write_text("SECRET")
    yield request.param.format(secret=secret, out=out)
    assert not out.exists()


def table(name: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": list("abcd"),
            "hotel_id": ["h", "h", "i", "i"],
            "score": [5.0, 6, 7, 8],
            "predicted": [name, "Pool", name, name],
            f"p_{name}": np.float32([0.75, 0.25, 1, 0.5]),
            "p_Pool": np.float32([0.25, 0.75, 0, 0.5]),
        }
    )


def test_every_question_takes_columns_and_classes_by_name(hostile, tmp_path):
    frame, column = table(hostile), f"p_{hostile}"
    frame.to_parquet(tmp_path / "scores.parquet", index=False)
    scores = open_scores(tmp_path / "scores.parquet")
    assert scores.quantiles([0.5], column)[0.5] == frame[column].median()
    assert scores.histogram(column, bins=2, low=0, high=1)["count"].to_list() == [1, 3]
    by = scores.histogram(by="predicted", bins=1)
    assert by.set_index("predicted")["count"].to_dict() == {hostile: 3, "Pool": 1}
    assert by["count"].sum() == scores.histogram(by=column, bins=1)["count"].sum() == 4
    levels = scores.sample_by_level(9, thresholds=(0.3, 0.6), column=column)
    assert levels.set_index("image_id")["level"].to_dict() == {
        "b": "low", "d": "medium", "a": "high", "c": "high",
    }  # fmt: skip
    assert scores.hotels(column)["best"].to_list() == [0.75, 1.0]
    assert list(scores.sample(4).columns) == list(scores.for_hotels(["h"]).columns) == list(frame)
    assert len(scores.for_hotels([hostile, "') OR 1=1 --"])) == 0
    assert scores.count() == 4
    assert len(scores.errors()) == 0


@pytest.mark.slow
@pytest.mark.parametrize("as_file", ["parquet", "csv", ""])
def test_tags_with_such_names_are_joined_by_name(hostile, tmp_path, as_file):
    frame = table(hostile)
    frame[["image_id", "hotel_id", "score"]].to_parquet(tmp_path / "scores.parquet", index=False)
    tags = frame.drop(columns=["hotel_id", "score"]).iloc[::-1]
    given = tags
    if as_file:
        given = tmp_path / f"tags.{as_file}"
        (tags.to_csv if as_file == "csv" else tags.to_parquet)(given, index=False)
    scores = open_scores(tmp_path / "scores.parquet")
    joined = scores.join(given)
    pd.testing.assert_frame_equal(joined, frame, check_dtype=False)
    assert scores.unmatched(given).empty
    ranked = rank_hotel_photos(scores, given, areas=["Pool", hostile]).set_index("image_id")
    assert ranked["confidence"].to_dict() == {"a": 0.75, "b": 0.75, "c": 1.0, "d": 0.5}
    assert ranked["area"].to_dict() == {"a": hostile, "b": "Pool", "c": hostile, "d": hostile}
    folder = rank_dataset(scores, tmp_path / "ranking", given, areas=["Pool", hostile],
                          progress=False)  # fmt: skip
    written = read_ranking(folder).set_index("image_id")
    assert written["area"].to_dict() == ranked["area"].to_dict()
    seen = completeness(scores, given, areas=[hostile], min_confidence=0.5)
    assert seen.set_index("hotel_id")["state"].to_dict() == {"h": "seen", "i": "seen"}
    assert len(map_parts(folder, ranking_figures)) == 4


def test_hotels_and_photos_with_such_names_stay_apart(hostile, tmp_path):
    names = [hostile, f"{hostile}'", hostile.swapcase() + "2"]
    frame = pd.DataFrame({"image_id": names, "hotel_id": names, "score": [4.0, 5, 6]})
    frame.to_parquet(tmp_path / "scores.parquet", index=False)
    scores = open_scores(tmp_path / "scores.parquet")
    assert scores.for_hotels(names[1:2])["image_id"].to_list() == names[1:2]
    assert set(rank_hotel_photos(scores)["hotel_id"]) == set(names)
    assert rank_hotel_photos(scores, hotels=names[:1])["image_id"].to_list() == names[:1]
    folder = rank_dataset(scores, tmp_path / "ranking", progress=False)
    assert set(read_ranking(folder, names[:2])["hotel_id"]) == set(names[:2])


def test_catalogue_with_such_columns_is_compared_with_scores(hostile, tmp_path):
    names = [hostile, "b"]
    catalog = pd.DataFrame({"image_id": names, "hotel_id": names, "path": ["1.jpg", "2.jpg"]})
    catalog[f"{hostile}!"] = 1.0
    catalog.to_parquet(tmp_path / "catalog.parquet", index=False)
    made = {"models": {}, "engine": hostile}
    with remaining_photos(
        tmp_path / "catalog.parquet", tmp_path / "scores", made, allow_missing=True
    ) as found:
        assert found.photos == found.left == 2


def test_names_that_differ_in_case_only_are_two_in_every_part(tmp_path):
    frame = table("pool")
    folder = tmp_path / "scores"
    folder.mkdir()
    frame.head(2).to_parquet(folder / "part-0.parquet", index=False)
    # The same columns in another order: DuckDB, to which both are one, would mix them up.
    frame.tail(2)[frame.columns[::-1]].to_parquet(folder / "part-1.parquet", index=False)
    scores = open_scores(folder)
    for name in ("p_Pool", "p_pool"):
        assert scores.quantiles([0.5], name)[0.5] == frame[name].median()
    found = scores.sample(4)
    pd.testing.assert_frame_equal(found[frame.columns], frame, check_dtype=False)
    assert rank_hotel_photos(scores).set_index("image_id")["area"].to_dict() == {
        "a": "pool", "b": "Pool", "c": "pool", "d": "pool",
    }  # fmt: skip


def test_connection_reads_and_writes_no_other_files(tmp_path):
    scored = tmp_path / "scores.parquet"
    table("x").to_parquet(scored, index=False)
    (tmp_path / "secret.txt").write_text("SECRET")
    secret = pd.DataFrame({"x": ["SECRET"]})
    scores = open_scores(scored)
    for sql in (
        f"SELECT content FROM read_text('{tmp_path}/secret.txt')",
        f"SELECT * FROM read_csv('{tmp_path}/secret.txt')",
        f"COPY (SELECT 1) TO '{tmp_path}/written.csv'",
        f"EXPORT DATABASE '{tmp_path}/exported'",
        f"ATTACH '{tmp_path}/other.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "SET temp_directory = '/tmp/elsewhere'",
        "SELECT * FROM secret",
        "SELECT * FROM scores WHERE score = getenv('HOME')",
    ):
        with pytest.raises(ScoresError):
            scores.query(sql)
    assert len(secret) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["scores.parquet", "secret.txt"]


def test_connection_spills_to_its_own_folder():
    connection = connect()
    limit = "SELECT current_setting('temp_directory') AS folder"
    assert "hotelviz-duckdb-" in connection.sql(limit).fetchall()[0][0]
    with pytest.raises(duckdb.Error):
        connection.execute("SET memory_limit = '1GB'")


PLACES = ["a [b]", "a*", "a?", "it's", 'say "x"', "a=1", "#", "100%", "泳池", "s3:", "**", "$x"]


@pytest.mark.parametrize("name", PLACES)
def test_files_are_those_that_were_listed_and_no_others(tmp_path, name):
    folder = tmp_path / name
    for place, score in ((folder, 5.0), (tmp_path / "a b", 9.0), (tmp_path / "ab", 9.0)):
        place.mkdir()
        frame = pd.DataFrame({"image_id": ["x"], "hotel_id": "h", "score": score})
        frame.to_parquet(place / "part-00000.parquet", index=False)
    scores = open_scores(folder)
    assert scores.query("FROM scores")["score"].to_list() == [5.0]
    assert "a" not in scores.columns
    out = rank_dataset(folder, tmp_path / f"{name} ranking", progress=False)
    assert read_ranking(out)["score"].to_list() == [5.0]
    again = rank_dataset(folder, out, progress=False)
    assert read_ranking(again)["score"].to_list() == [5.0]


def put(folder: Path, **parts: object) -> Path:
    folder.mkdir(exist_ok=True)
    for name, part in parts.items():
        pq.write_table(part if isinstance(part, pa.Table) else pa.table(part),
                       folder / f"{name}.parquet")  # fmt: skip
    return folder


def test_repeated_photos_are_named(tmp_path):
    folder = put(tmp_path / "s", a={"image_id": ["x", "y"]}, b={"image_id": ["y", "z"]})
    with pytest.raises(ScoresError, match=r"s: 'y' is there more than once"):
        open_scores(folder)
    (folder / "b.parquet").unlink()
    assert len(open_scores(folder)) == 2
    # Found again when the files have changed.
    put(folder, b={"image_id": ["x", "y"]})
    with pytest.raises(ScoresError, match=r"'x', 'y' are there more than once"):
        open_scores(folder)
    with pytest.raises(ScoresError, match="2 photos have no image_id"):
        open_scores(put(tmp_path / "t", a={"image_id": ["x", None, None]}))


def test_large_datasets_are_looked_through_once_until_they_change(tmp_path, monkeypatch):
    monkeypatch.setattr(unique, "SLOW", 0)
    folder = put(tmp_path / "s", a={"image_id": ["x"]})
    open_scores(folder)
    # Another process.
    monkeypatch.setattr(unique, "checked", set())
    with monkeypatch.context() as patch:
        patch.setattr(unique, "ask", None)
        assert len(open_scores(folder)) == 1
    put(folder, b={"image_id": ["x"]})
    with pytest.raises(ScoresError, match="'x' is there more than once"):
        open_scores(folder)


def test_numbers_as_names_are_text_to_the_last_digit(tmp_path):
    large = [2**53, 2**53 + 1, 7]
    folder = put(
        tmp_path / "s",
        a={"image_id": pa.array(large), "hotel_id": pa.array([7, None, 7]), "score": [1.0, 2, 3]},
        b={"image_id": ["x"], "hotel_id": pa.array([7.0]), "score": pa.array([4])},
    )
    scores = open_scores(folder)
    found = scores.query("FROM scores ORDER BY score")
    assert found["image_id"].to_list() == [*map(str, large), "x"]
    assert found["hotel_id"].fillna("").to_list() == ["7", "", "7", "7"]
    tags = pd.DataFrame({"image_id": large, "predicted": "Pool"})
    assert scores.join(tags)["predicted"].notna().sum() == 3
    ranked = rank_hotel_photos(scores, tags, hotels=["7"])
    assert ranked["image_id"].to_list() == ["x", "7", str(2**53)]
    out = rank_dataset(folder, tmp_path / "r", progress=False)
    assert set(read_ranking(out)["image_id"]) == {*map(str, large), "x"}
    for bad in (0.5, 2.0**53):
        with pytest.raises(ScoresError, match="floating point numbers do not keep"):
            open_scores(put(tmp_path / "t", a={"image_id": [bad]}))
    with pytest.raises(CatalogError, match=r"0\.5 is no name"):
        scores.join(pd.DataFrame({"image_id": [0.5], "predicted": "Pool"}))


def test_parts_of_other_types_are_read_or_named(tmp_path):
    ids = pa.array(["a"])
    folder = put(
        tmp_path / "s",
        a={"image_id": ids, "score": [5.0]},
        b={"image_id": pa.array(["b"]).dictionary_encode(), "score": pa.nulls(1)},
        c={"image_id": pa.array(["c"], pa.large_string()), "score": pa.array([7], pa.int32())},
        d=pa.schema([("image_id", pa.string()), ("score", pa.float32())]).empty_table(),
    )
    assert open_scores(folder).query("FROM scores ORDER BY 1")["score"].fillna(0).to_list() == [
        5, 0, 7,
    ]  # fmt: skip
    put(folder, e={"image_id": pa.array(["e"]), "score": ["high"]})
    with pytest.raises(ScoresError, match=r"e\.parquet: the column 'score' is of type string"):
        open_scores(folder)
    with pytest.raises(ScoresError, match=r"more than one column is called 'x'"):
        open_scores(put(tmp_path / "t", a=pa.Table.from_arrays([ids] * 3, ["image_id", "x", "x"])))


def test_folders_within_a_folder_of_scores_are_refused(tmp_path):
    folder = put(tmp_path / "s", a={"image_id": ["a"]})
    put(folder / "hotel_id=7", a={"image_id": ["b"]})
    with pytest.raises(ScoresError, match="hotel_id=7: Parquet files in a folder within"):
        open_scores(folder)


def test_missing_values_are_those_of_floating_point_too(tmp_path):
    frame = {"image_id": list("abc"), "hotel_id": ["h"] * 3, "score": [5.0, float("nan"), 7.0]}
    scores = open_scores(put(tmp_path / "s", a=frame))
    assert scores.quantiles([0.5, 1.0]) == {0.5: 6.0, 1.0: 7.0}
    assert scores.histogram()["count"].sum() == 2
    assert scores.hotels()[["photos", "unreadable", "mean"]].values.tolist() == [[3, 1, 6.0]]
    assert len(scores.sample_by_level(5, thresholds=(4, 6))) == 2
    assert rank_hotel_photos(scores)["image_id"].to_list() == ["c", "a"]
    out = rank_dataset(scores, tmp_path / "r", progress=False)
    assert read_ranking(out)["image_id"].to_list() == ["c", "a"]


@pytest.mark.parametrize(
    ("scores", "tags", "message"),
    [
        ({"image_id": list("aa")}, None, "more than once, such as 'a'"),
        ({"image_id": ["a", None]}, None, "1 rows have no 'image_id'"),
        ({"image_id": list("ab")}, {"image_id": list("aa")}, "more than once, such as 'a'"),
        ({"image_id": list("ab")}, {"id": list("ab")}, "tags need the columns 'image_id'"),
    ],
)
def test_tables_by_hand_with_repeated_or_missing_photos_are_refused(scores, tags, message):
    scores = pd.DataFrame(scores).assign(hotel_id="h", score=5.0)
    tags = None if tags is None else pd.DataFrame(tags).assign(predicted="Pool")
    with pytest.raises(ValueError, match=message):
        rank_hotel_photos(scores, tags)


def test_catalogue_with_repeated_photos_gives_no_position(tmp_path):
    scores = pd.DataFrame({"image_id": list("ab"), "hotel_id": "h", "score": [5.0, 6.0]})
    twice = pd.DataFrame({"image_id": list("abb"), "position": [1, 2, 3]})
    with pytest.raises(ValueError, match="more than once"):
        rank_hotel_photos(scores, catalog=twice)


def test_scores_are_never_replaced_by_their_ranking(tmp_path):
    frame = {"image_id": list("ab"), "hotel_id": ["h", "h"], "score": [5.0, 6.0]}
    folder = put(tmp_path / "scores", **{"part-00000": frame})
    for out in (folder, tmp_path, folder / "ranking"):
        with pytest.raises(RankingError, match="which is to be ranked"):
            rank_dataset(folder, out, progress=False)
    for out in (folder / "part-00000.parquet", folder / "ranking.parquet"):
        told = CliRunner().invoke(app, ["rank", "--scores", str(folder), "--out", str(out)])
        assert told.exit_code == 1
        assert "which is to be ranked" in " ".join(told.output.split())
    theirs = put(tmp_path / "theirs", **{"part-00000": frame})
    with pytest.raises(ValueError, match="hotelviz did not make it"):
        rank_dataset(folder, theirs, progress=False)
    assert len(open_scores(folder)) == len(open_scores(theirs)) == 2


def test_only_one_module_quotes_for_sql():
    """Text goes into SQL by `hotelviz.scores.sql` only: no quotation marks around braces."""
    package = Path(hotelviz.__file__).parent
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and _is_sql(node):
                parts = node.values
                for before, value in pairwise(parts):
                    text = before.value if isinstance(before, ast.Constant) else ""
                    named = isinstance(value, ast.FormattedValue)
                    assert not (named and text.endswith(("'", '"'))), f"{file}:{node.lineno}"


def _is_sql(node: ast.JoinedStr) -> bool:
    text = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
    return any(word in text for word in ("SELECT ", " FROM ", "COPY (", "WHERE ", "CREATE VIEW"))


def test_names_of_files_are_patterns_of_themselves_only():
    assert parquet_files(["/a/b.parquet"]).startswith("read_parquet(['/a/b.parquet']")
