"""Decisions: written, read and undone, without losing anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import filelock
import pandas as pd
import pytest

from hotelviz.audit import apply_decisions
from hotelviz.decisions import append_decisions, decide, read_decisions, standing_decisions, undo
from hotelviz.errors import DecisionError, DecisionWarning


@pytest.fixture
def file(tmp_path):
    return tmp_path / "decisions.csv"


@pytest.fixture
def photos():
    return pd.DataFrame(
        {"image_id": list("abcd"), "hotel_id": "h", "label": ["Pool", "Pool", "Foyer", "Kitchen"]}
    )


def test_last_decision_counts_and_undo_is_another_line(file, photos):
    decide(file, "a", "drop", reviewer="Ada")
    decide(file, "a", "relabel", label="Foyer", reviewer="Bob")
    assert apply_decisions(photos, read_decisions(file)).catalog["label"][0] == "Foyer"
    undo(file, "a")
    assert "a" not in set(apply_decisions(photos, read_decisions(file)).catalog["image_id"])
    assert len(read_decisions(file)) == 3
    decide(file, "b", "drop")
    undo(file, "b")
    assert "b" in set(apply_decisions(photos, read_decisions(file)).catalog["image_id"])
    with pytest.raises(DecisionError, match="nothing was decided on 'z'"):
        undo(file, "z")


def test_undo_takes_back_one_more_decision_each_time(file, photos):
    decide(file, "a", "drop", reviewer="Ada")
    decide(file, "a", "relabel", label="Foyer", reviewer="Bob")
    decide(file, "a", "keep")
    for action, label in (("relabel", "Foyer"), ("drop", ""), ("keep", "")):
        assert undo(file, "a") == ["a"]
        assert read_decisions(file).iloc[-1][["action", "label"]].tolist() == [action, label]
    assert len(standing_decisions(read_decisions(file))) == 0
    assert len(apply_decisions(photos, read_decisions(file)).catalog) == 4
    with pytest.raises(DecisionError, match="nothing more was decided on 'a'"):
        undo(file, "a")
    decide(file, "a", "drop")
    assert standing_decisions(read_decisions(file))["action"].tolist() == ["drop"]


def test_photos_with_numbers_for_names_are_decided_on_and_undone(file):
    decide(file, 7, "drop")
    decide(file, [2**53 + 1, 8], "drop")
    assert undo(file, 2**53 + 1) == ["9007199254740993"]
    assert undo(file, 7) == ["7"]
    assert standing_decisions(read_decisions(file))["image_id"].tolist() == ["8"]


def test_undo_of_the_file_takes_back_whole_acts_the_latest_first(file, photos):
    decide(file, ["a", "b"], "drop", reviewer="Ada")
    decide(file, "b", "relabel", label="Foyer")
    decide(file, ["b", "c"], "drop", reviewer="Bob")
    left = [
        len(apply_decisions(photos, read_decisions(file)).catalog)
        for names in (["b", "c"], ["b"], ["a", "b"])
        if undo(file) == names
    ]
    assert left == [3, 2, 4]
    with pytest.raises(DecisionError, match="nothing to undo"):
        undo(file)
    assert set(read_decisions(file)["reason"]) == {"", "undo"}
    with pytest.raises(DecisionError, match="lines which `undo` writes"):
        decide(file, "a", "keep", reason="undo")


def test_decision_counts_although_the_clock_of_an_earlier_reviewer_was_ahead(file):
    ahead = {"image_id": ["a"], "action": ["drop"], "time": ["2099-01-01T00:00:00.000+00:00"]}
    append_decisions(file, pd.DataFrame(ahead))
    decide(file, "a", "keep")
    assert read_decisions(file)["action"].tolist() == ["drop", "keep"]
    undo(file, "a")
    assert read_decisions(file)["action"].tolist() == ["drop", "keep", "drop"]


@pytest.mark.parametrize(
    "name",
    ['a "b".jpg', "a,b.jpg", "=1+1", "-x", "@y", "a\nb.jpg", "a\r\nb", "a\rb", " a ", "a\u2028b",
     "a\x85b", '"', '"\n"', "undo", "a\tb", "é😀", "image_id", "007",
     "a\nb", 'a\n"b"\n', "\n,drop,,,,2026-01-01"],
)  # fmt: skip
def test_name_of_a_photo_or_class_comes_back_exactly(file, name):
    decide(file, ["first", name, "last"], "relabel", label=name, reason="two\nlines")
    lines = read_decisions(file)
    assert lines["image_id"].tolist() == ["first", name, "last"]
    assert set(lines["label"]) == {name}
    assert set(lines["reason"]) == {"two lines"}


def test_names_that_are_numbers_are_text_and_floats_are_refused(file):
    append_decisions(file, pd.DataFrame({"image_id": [2**53 + 1], "action": ["drop"]}))
    assert read_decisions(file)["image_id"].tolist() == ["9007199254740993"]
    for names in ([1.0], ["a", 2.0], [float("nan")]):
        with pytest.raises(DecisionError, match="identifiers are text"):
            append_decisions(file, pd.DataFrame({"image_id": names, "action": "drop"}))


def test_who_begins_a_file_at_the_same_moment_as_another_waits_and_writes_no_second_header(file):
    with file.open("ab") as other:
        filelock.lock_descriptor(other.fileno())
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(decide, file, "b", "drop")
            sleep(0.1)
            assert (waiting.done(), file.stat().st_size) == (False, 0)
            other.write(f"{HEADER}\n{A}\n".encode())
            other.close()
    assert file.read_text().count(HEADER) == 1
    assert read_decisions(file)["image_id"].tolist() == ["a", "b"]


def test_reviewers_who_share_a_file_lose_nothing(file):
    def write(who):
        for count in range(12):
            decide(file, f"{who}-{count}", "drop", reviewer=str(who))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert len(file.read_text().splitlines()) == 73
    names = {f"{who}-{count}" for who in range(6) for count in range(12)}
    assert set(read_decisions(file)["image_id"]) == names


HEADER = "image_id,action,label,reason,reviewer,time"
A, B = (f"{name},drop,,,Ada,2026-01-01T00:00:0{at}+00:00" for at, name in enumerate("ab"))


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{A}\n{HEADER}\n{B}\n",
        f"{HEADER}\n{HEADER}\n{A}\n{B}\n",
        f"{A}\n{HEADER}\n{B}\n",
        f"{A}\n{B}\n",
        f"{HEADER}\n{A}{HEADER}\n{B}\n",
        f"\ufeff{HEADER}\r\n{A}\r\n\r\n{B}\r\n",
        f"{HEADER}{HEADER}\n{A}\n{B}\n",
        f"{HEADER}{A}\n{B}\n",
        f"\ufeff{HEADER}\n{A}\n\ufeff{HEADER}\n{B}\n",
        f"{HEADER}\n{A}\n\0\0\0{B}\n",
        f"{HEADER}\n{A}\n{B}",
    ],
)
def test_file_whose_header_stands_elsewhere_twice_or_nowhere_is_read(file, text):
    file.write_bytes(text.encode())
    assert read_decisions(file)["image_id"].tolist() == ["a", "b"]
    decide(file, "c", "drop")
    assert read_decisions(file)["image_id"].tolist() == ["a", "b", "c"]


def test_quote_that_was_cut_off_swallows_no_whole_line(file):
    file.write_text(f'{HEADER}\n{A}\n"c\n{B}\n"d\n')
    with pytest.warns(DecisionWarning) as said:
        assert read_decisions(file)["image_id"].tolist() == ["a", "b"]
    assert [str(one.message).partition(": ")[0][-6:] for one in said] == ["line 3", "line 5"]


def test_file_in_another_encoding_is_refused_by_name(file):
    file.write_bytes(f"{HEADER}\n{A}\n".encode("utf-16"))
    with pytest.raises(DecisionError, match=r"decisions\.csv: is no text in UTF-8"):
        read_decisions(file)


def test_file_without_line_feeds_is_refused_and_stays(file):
    file.write_bytes(f"{HEADER}\r{A}\r{B}\r".encode())
    with pytest.raises(DecisionError, match="lines end in carriage returns"):
        read_decisions(file)


@pytest.mark.parametrize(
    ("name", "action", "message"),
    [("a", "burn", "not 'burn'"), ("caf\udce9", "drop", "is no text in UTF-8; rename")],
)
def test_refused_decision_leaves_no_file(file, name, action, message):
    with pytest.raises(DecisionError, match=message):
        decide(file, name, action)
    assert not file.exists()


def test_line_that_was_cut_off_is_passed_over_and_the_next_one_stands_alone(file):
    decide(file, ["a", "b"], "drop")
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.warns(DecisionWarning, match="line 3: cut off"):
        assert read_decisions(file)["image_id"].tolist() == ["a"]


def test_appending_after_a_cut_off_line_loses_nothing_more(file):
    decide(file, ["a", "b"], "drop", reason='large, "dark"\nand blurry')
    file.write_bytes(file.read_bytes()[:-45])
    decide(file, "c", "drop")
    with pytest.warns(DecisionWarning, match="line 3: cut off"):
        decisions = read_decisions(file)
    assert decisions["image_id"].tolist() == ["a", "c"]
    assert decisions["reason"][0] == 'large, "dark" and blurry'


def test_two_reviewers_files_merge_by_time(tmp_path, photos):
    rows = {"image_id": ["a"], "label": [""], "reason": [""]}
    for name, action, time in (
        ("late", "keep", "2026-01-02T10:00:00+01:00"),
        ("early", "drop", "2026-01-02T08:59:00+00:00"),
    ):
        table = pd.DataFrame({**rows, "action": [action], "reviewer": [name], "time": [time]})
        append_decisions(tmp_path / f"{name}.csv", table)
    both = read_decisions([tmp_path / "late.csv", tmp_path / "early.csv"])
    assert both["reviewer"].tolist() == ["early", "late"]
    assert len(apply_decisions(photos, both).catalog) == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "a,destroy,,,,2026-01-01T00:00:00",
            "line 2, column 'action': must be one of keep, drop, relabel, later; not 'destroy'",
        ),
        ("a,relabel,,,,2026-01-01T00:00:00", "line 2: .*'label' is empty"),
        ("a,drop,,,,yesterday", "line 2, column 'time': 'yesterday'"),
        (",drop,,,,2026-01-01T00:00:00", "line 2: no image_id"),
        ("a,drop", "line 2: expected 6 fields, found 2"),
    ],
)
def test_bad_lines_are_refused_with_their_number(file, line, message):
    file.write_text(f"image_id,action,label,reason,reviewer,time\n{line}\n")
    with pytest.raises(DecisionError, match=message):
        read_decisions(file)


def test_other_columns_and_missing_files_are_refused(file):
    with pytest.raises(DecisionError, match="no such file"):
        read_decisions(file)
    file.write_text("photo,verdict\na,drop\n")
    with pytest.raises(DecisionError, match="found photo, verdict"):
        read_decisions(file)
