"""Decisions: read, written, undone and applied, without losing anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import filelock
import pandas as pd
import pytest
from typer.testing import CliRunner

from hotelviz.audit import apply_decisions, suggest_decisions
from hotelviz.cli import app
from hotelviz.decisions import append_decisions, decide, read_decisions, standing_decisions, undo
from hotelviz.demo import compare_with_planted, decide_by_truth, read_truth
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


def test_diff_says_what_was_dropped_and_relabelled_per_class(file, photos):
    decide(file, ["a", "d"], "drop", reason="copy")
    decide(file, "b", "relabel", label="Foyer")
    cleaned = apply_decisions(photos, read_decisions(file))
    assert cleaned.catalog["image_id"].tolist() == ["b", "c"]
    changes = cleaned.changes.set_index("image_id")
    assert changes.loc["a", ["change", "before", "reason"]].tolist() == ["dropped", "Pool", "copy"]
    assert changes.loc["b", ["change", "before", "after"]].tolist() == [
        "relabelled",
        "Pool",
        "Foyer",
    ]
    assert cleaned.per_class.loc["Pool", ["before", "dropped", "after"]].tolist() == [2, 1, 0]
    assert cleaned.per_class.loc["Foyer", ["before", "relabelled_here", "after"]].tolist() == [
        1,
        1,
        2,
    ]
    assert photos["label"].tolist() == ["Pool", "Pool", "Foyer", "Kitchen"]


def test_unknown_photos_and_contradictions_are_listed(file, photos):
    decide(file, "gone", "drop")
    decide(file, "a", "drop", reviewer="Ada")
    decide(file, "a", "keep", reviewer="Bob")
    changes = apply_decisions(photos, read_decisions(file)).changes
    assert changes.loc[changes["change"] == "unknown", "image_id"].tolist() == ["gone"]
    overruled = changes[changes["change"] == "overruled"]
    assert overruled[["image_id", "reviewer"]].values.tolist() == [["a", "Ada"]]


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


def test_refused_decision_leaves_no_file(file):
    with pytest.raises(DecisionError, match="'burn' is not one of"):
        decide(file, "a", "burn")
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
        ("a,destroy,,,,2026-01-01T00:00:00", "line 2, column 'action': 'destroy'"),
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


def test_new_label_outside_the_classes_is_refused_with_the_nearest(photos):
    decisions = pd.DataFrame({"image_id": ["a"], "action": ["relabel"], "label": ["Pol"]})
    with pytest.raises(DecisionError, match=r"a: the new label 'Pol'.*Pool"):
        apply_decisions(photos, decisions, classes=["Pool", "Foyer"])


def test_new_label_that_was_overruled_need_not_be_allowed(photos):
    decisions = pd.DataFrame(
        {"image_id": ["a", "a"], "action": ["relabel", "keep"], "label": ["Pol", ""]}
    )
    assert len(apply_decisions(photos, decisions, classes=["Pool"]).catalog) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [({"action": "Drop"}, "'Drop' is not one of keep"), ({"image_id": 1.0}, "identifiers are"),
     ({"action": "relabel", "label": None}, "'label' is empty")],
)  # fmt: skip
def test_decisions_made_by_hand_are_checked(photos, change, message):
    table = pd.DataFrame([{"image_id": "a", "action": "drop", **change}])
    with pytest.raises(DecisionError, match=message):
        apply_decisions(photos, table)


def issues_of(*rows: tuple[str, str, float, str, str]) -> pd.DataFrame:
    columns = ["image_id", "issue", "score", "suggestion", "detail"]
    return pd.DataFrame(rows, columns=columns).assign(group="")


ISSUES = issues_of(
    ("a", "exact_duplicate", 0, "keep", "keeper of the group"),
    ("b", "exact_duplicate", 0, "drop", "copy of a"),
    ("c", "exact_duplicate", 0, "drop", "copy of a; the group spans labels"),
    ("d", "unreadable", 0, "drop", "not a photo"),
    ("e", "near_duplicate", 0.1, "drop", "copy of a"),
    ("f", "label_error", 0.1, "relabel:Pool", "given Foyer"),
    ("g", "label_error", 0.3, "relabel:Pool", "given Foyer"),
    ("e", "label_error", 0.1, "relabel:Pool", "given Foyer"),
    ("h", "dark", 0.1, "look", "dark"),
)


def test_safe_decisions_leave_all_that_may_be_wrong_to_people():
    table = suggest_decisions(ISSUES)
    assert table[["image_id", "action"]].values.tolist() == [["b", "drop"], ["d", "drop"]]


def test_no_policy_drops_what_is_unavailable_here(photos):
    issues = issues_of(("a", "unavailable", 0, "find", "missing"))
    for policy in ("safe", "automatic", {"unavailable": "keep"}):
        assert "drop" not in set(suggest_decisions(issues, policy=policy)["action"])
    with pytest.raises(DecisionError, match="no policy may drop it"):
        suggest_decisions(issues, policy={"unavailable": "drop"})
    # Earlier versions suggested it.
    row = {"image_id": "a", "action": "drop", "reason": "missing: the file is not there"}
    cleaned = apply_decisions(photos, pd.DataFrame([{**row, "reviewer": "hotelviz"}]))
    assert cleaned.catalog["image_id"].tolist() == list("abcd")
    assert cleaned.changes[["image_id", "change"]].values.tolist() == [["a", "passed over"]]


def test_automatic_decisions_relabel_the_sure_suspects_and_drop_the_others():
    table = suggest_decisions(ISSUES, policy="automatic").set_index("image_id")
    assert table["action"].to_dict() == {
        "b": "drop", "c": "drop", "d": "drop", "e": "drop", "f": "relabel", "g": "drop"
    }  # fmt: skip
    assert table.loc[["f", "g"], "label"].tolist() == ["Pool", ""]


def test_own_policy_and_unknown_ones():
    table = suggest_decisions(ISSUES, policy={"dark": "drop"})
    assert table["image_id"].tolist() == ["h"]
    for policy, message in (
        ("save", "'safe'|safe"),
        ({"darkk": "drop"}, "dark"),
        ({"dark": "burn"}, "'burn' is not one of"),
    ):
        with pytest.raises(DecisionError, match=message):
            suggest_decisions(ISSUES, policy=policy)


def test_audit_and_clean_on_the_command_line(demo_dir, tmp_path):
    catalog, out = str(demo_dir / "catalog.csv"), tmp_path / "audit"
    arguments = ["audit", catalog, "--out", str(out), "--cache", str(tmp_path / "cache")]
    missing = {"KERAS_HOME": str(tmp_path / "no weights")}
    result = CliRunner().invoke(app, arguments, env=missing)
    assert result.exit_code == 0, result.output
    issues = pd.read_parquet(out / "issues.parquet")
    planted = compare_with_planted(issues, demo_dir)
    for kind in ("unreadable", "truncated", "exact_duplicate"):
        assert planted.loc[kind, ["recall", "precision"]].tolist() == [1, 1]
    decided = read_decisions(out / "decisions.csv")
    assert set(decided["action"]) == {"drop"}
    # A second audit leaves alone what is decided already.
    decide(out / "decisions.csv", decided["image_id"][0], "keep", reviewer="Ada")
    assert CliRunner().invoke(app, arguments, env=missing).exit_code == 0
    assert len(read_decisions(out / "decisions.csv")) == len(decided) + 1

    cleaned = tmp_path / "cleaned.csv"
    arguments = ["clean", catalog, "--decisions", str(out / "decisions.csv"), "--out", str(cleaned)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    before = len(pd.read_csv(catalog))
    assert len(pd.read_csv(cleaned)) == before - len(decided) + 1
    changes = pd.read_csv(tmp_path / "cleaned.changes.csv")
    assert (changes["change"] == "dropped").sum() == len(decided) - 1
    assert all((demo_dir / name).is_file() for name in decided["image_id"])


def test_who_knows_the_truth_of_the_demo_decides_right(demo_dir):
    truth = read_truth(demo_dir)
    labels = pd.read_csv(demo_dir / "catalog.csv").set_index("image_id")["label"]
    issues = pd.DataFrame({"image_id": labels.index, "issue": "label_error"})
    decisions = decide_by_truth(issues, demo_dir)
    relabelled = decisions[decisions["action"] == "relabel"].set_index("image_id")["label"]
    known = truth.set_index("image_id")["true_label"]
    assert len(relabelled)
    assert (relabelled == known[relabelled.index]).all()
    assert (relabelled != labels[relabelled.index]).all()


def test_decisions_of_another_catalogue_are_refused_with_a_photo_of_theirs(tmp_path):
    catalog, file = tmp_path / "catalog.csv", tmp_path / "decisions.csv"
    catalog.write_text("image_id,path\na.jpg,a.jpg\n")
    decide(file, ["x.jpg", "y.jpg"], "drop")
    arguments = ["clean", str(catalog), "--decisions", str(file), "--out", str(tmp_path / "c.csv")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "none of the 2 photos that were decided on, such as 'x.jpg'" in result.output
    assert not (tmp_path / "c.csv").exists()
