"""The notebooks of audits and cleanings on a small drawn catalogue, in this process."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from executed import run_cells

from hotelviz.audit import read_audit
from hotelviz.decisions import decide, read_decisions
from hotelviz.demo import read_truth
from hotelviz.errors import AuditError
from hotelviz.models import save_model
from hotelviz.reports import Table, Verdict

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def given(demo_dir: Path, network: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What both notebooks are told: the catalogue, a network, a folder of measures."""
    folder = tmp_path_factory.mktemp("cleaning")
    save_model(network, folder / "network.keras")
    return {
        "catalog": str(demo_dir / "catalog.csv"), "model": str(folder / "network.keras"),
        "cache": str(folder / "measures"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def audited(given: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an audit, as its notebook leaves it."""
    out = tmp_path_factory.mktemp("audit") / "audit"
    run_cells("cleaning_audit", **given, out=str(out), export=str(out.parent / "figures"))
    return out


def verdict(shown: list[Any]) -> Verdict:
    [found] = [one for one in shown if isinstance(one, Verdict)]
    return found


def test_audit_page_has_its_figure_as_a_file_and_no_section_without_labels(audited, given):
    figures = {file.name for file in (audited.parent / "figures").iterdir()}
    assert figures == {"issue_counts.png", "issue_counts.svg"}
    unlabelled = audited.parent / "unlabelled.csv"
    pd.read_csv(given["catalog"]).drop(columns="label").to_csv(unlabelled, index=False)
    photos = Path(given["catalog"]).parent
    table = pd.read_csv(unlabelled)
    table.assign(path=[str(photos / path) for path in table["path"]]).to_csv(
        unlabelled, index=False
    )
    shown = run_cells("cleaning_audit", **given | {"catalog": str(unlabelled)})
    labels = [card.label for card in verdict(shown).cards]
    assert "labels that may be wrong" not in labels
    assert "Label the photos: none has a label" in [one.text for one in verdict(shown).next_steps]
    tables = [one for one in shown if isinstance(one, Table)]
    # Issues; neither classes nor what predicts them.
    assert [bool(len(one.frame)) for one in tables] == [True, False, False]


def test_effect_page_takes_the_audits_decisions_and_asks_the_truth_for_the_others(
    audited, given, demo_dir, tmp_path
):
    issues, before = read_audit(audited)
    assert set(before["reviewer"]) == {"hotelviz"}
    suspects = issues[issues["issue"] == "label_error"]["image_id"]
    open_ones = set(suspects) - set(before["image_id"])
    shown = run_cells("cleaning_effect", **given, audit=str(audited))
    steps = [step.text for step in verdict(shown).next_steps]
    assert f"Decide on {len(open_ones):,} label suspects that nobody has looked at yet" in steps
    assert verdict(shown).text.startswith("Cleaning did not change the accuracy on the same ")

    # What a person decided stays, whatever the truth says.
    kept = sorted(open_ones)[0]
    decide(audited / "decisions.csv", kept, "keep", reviewer="Ada")
    known = run_cells(
        "cleaning_effect", **given, audit=str(audited), truth=str(demo_dir),
        export=str(tmp_path),
    )  # fmt: skip
    told = html.unescape(" ".join(getattr(one, "data", None) or "" for one in known))
    assert "decisions of Ada, hotelviz, the drawing's truth" in told
    assert "judged by their labels: the drawing's own" in told
    assert not any("nobody has looked at" in step.text for step in verdict(known).next_steps)
    truth = read_truth(demo_dir).set_index("image_id")["true_label"]
    labels = pd.read_csv(demo_dir / "catalog.csv").set_index("image_id")["label"]
    wrong = [name for name in open_ones - {kept} if truth[name] != labels[name]]
    cards = {card.label: card.detail for card in verdict(known).cards}
    assert cards["photos changed"].endswith(f" {len(wrong):,} relabelled")
    of_stages = {
        f"{kind}_{stage}"
        for kind in ("confusion", "per_class")
        for stage in ("labelled", "augmented", "cleaned")
    }
    drawn = {"stage_comparison", "class_comparison"} | of_stages
    assert {file.stem for file in tmp_path.iterdir()} == drawn
    # The audit's own file is left as it was.
    assert set(read_decisions(audited / "decisions.csv")["reviewer"]) == {"hotelviz", "Ada"}


def test_folder_without_an_audit_says_what_writes_one(tmp_path):
    with pytest.raises(
        AuditError, match=r"issues\.parquet: there is no such file; `hotelviz audit"
    ):
        read_audit(tmp_path)
