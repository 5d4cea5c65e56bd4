"""Decisions that an audit suggests, and what applying decisions does to a catalogue."""

from __future__ import annotations

import pandas as pd
import pytest
from typer.testing import CliRunner

from hotelviz.audit import apply_decisions, gather_decisions, suggest_decisions
from hotelviz.audit.issues import ISSUE_COLUMNS
from hotelviz.cli import app
from hotelviz.decisions import decide, read_decisions, undo
from hotelviz.demo import compare_with_planted, decide_by_truth, read_truth
from hotelviz.errors import DecisionError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "decisions.csv"


@pytest.fixture
def photos():
    return pd.DataFrame(
        {"image_id": list("abcd"), "hotel_id": "h", "label": ["Pool", "Pool", "Foyer", "Kitchen"]}
    )


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


def test_second_area_that_becomes_the_first_is_no_second_one(file, photos):
    decide(file, "a", "relabel", label="Foyer")
    cleaned = apply_decisions(photos.assign(label_2=["Foyer", "Foyer", None, None]),
                              read_decisions(file)).catalog  # fmt: skip
    assert cleaned["label"].tolist()[:2] == ["Foyer", "Pool"]
    assert cleaned["label_2"].isna().tolist() == [True, False, True, True]


def test_decisions_of_the_audit_come_first_and_answers_count_only_for_the_others(tmp_path, photos):
    issues = pd.DataFrame({"image_id": list("abc"), "issue": "label_error"})
    issues.reindex(columns=ISSUE_COLUMNS).to_parquet(tmp_path / "issues.parquet")
    decide(tmp_path / "decisions.csv", "a", "keep", reviewer="Ada")
    decide(tmp_path / "more.csv", "d", "drop")
    given = {"files": [tmp_path / "more.csv"], "audit": tmp_path}
    read = gather_decisions(photos, **given)
    assert read.decisions["image_id"].tolist() == ["a", "d"]
    assert read.files == [f"{tmp_path}/decisions.csv", f"{tmp_path}/more.csv"]
    assert read.undecided == 2

    def ask(found: pd.DataFrame) -> pd.DataFrame:
        return found[["image_id"]].assign(action="drop", label="", reason="", reviewer="Bo")

    asked = gather_decisions(photos, **given, ask=ask)
    by = asked.decisions.set_index("image_id")["reviewer"]
    assert by.to_dict() == {"a": "Ada", "d": "", "b": "Bo", "c": "Bo"}
    assert asked.undecided == 0


def test_unknown_photos_and_contradictions_are_listed(file, photos):
    decide(file, "gone", "drop")
    decide(file, "a", "drop", reviewer="Ada")
    decide(file, "a", "keep", reviewer="Bob")
    changes = apply_decisions(photos, read_decisions(file)).changes
    assert changes.loc[changes["change"] == "unknown", "image_id"].tolist() == ["gone"]
    overruled = changes[changes["change"] == "overruled"]
    assert overruled[["image_id", "reviewer"]].values.tolist() == [["a", "Ada"]]


def test_what_was_undone_or_left_for_later_is_not_decided(file, photos):
    decide(file, "a", "drop")
    undo(file)
    decide(file, ["b", "c"], "later")
    decide(file, "c", "drop")
    cleaned = apply_decisions(photos, read_decisions(file))
    assert cleaned.changes[["image_id", "change"]].values.tolist() == [["c", "dropped"]]
    issues = issues_of(*((name, "label_error", 0.1, "relabel:Pool", "") for name in "abc"))
    issues.to_parquet(file.with_name("issues.parquet"))
    assert gather_decisions(photos, audit=file.parent).undecided == 2


def test_new_label_outside_the_classes_is_refused_with_the_nearest(photos):
    decisions = pd.DataFrame({"image_id": ["a"], "action": ["relabel"], "label": ["Pol"]})
    with pytest.raises(
        DecisionError,
        match=r"a: the new label must be one of Pool, Foyer; not 'Pol'; did you mean 'Pool'",
    ):
        apply_decisions(photos, decisions, classes=["Pool", "Foyer"])


def test_new_label_that_was_overruled_need_not_be_allowed(photos):
    decisions = pd.DataFrame(
        {"image_id": ["a", "a"], "action": ["relabel", "keep"], "label": ["Pol", ""]}
    )
    assert len(apply_decisions(photos, decisions, classes=["Pool"]).catalog) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [({"action": "Drop"}, "not 'Drop'"), ({"image_id": 1.0}, "identifiers are"),
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
        ({"dark": "burn"}, "not 'burn'"),
    ):
        with pytest.raises(DecisionError, match=message):
            suggest_decisions(ISSUES, policy=policy)


@pytest.mark.slow
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
