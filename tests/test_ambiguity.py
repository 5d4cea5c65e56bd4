"""How much of a tagger's error is ambiguity, against figures that are counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hotelviz import metrics
from hotelviz.errors import MetricsError
from hotelviz.reports.verdicts import ambiguity

CLASSES = ["Bar", "Foyer", "Pool"]


def tagged(*photos: tuple[str, ...]) -> pd.DataFrame:
    """Photos of label, the two most probable classes in this order, and the second area."""
    table = pd.DataFrame(photos, columns=["label", "predicted", "next", "label_2"])
    for name in CLASSES:
        places = [table["predicted"] == name, table["next"] == name]
        table[f"p_{name}"] = np.select(places, [0.7, 0.2], 0.1)
    table.insert(0, "image_id", [f"{row}.jpg" for row in range(len(table))])
    return table.drop(columns="next").assign(hotel_id=[f"h{row % 4}" for row in table.index])


#: Ten photos: six right, two that name the second area, two plain errors of which one is second.
PHOTOS = tagged(
    *[("Foyer", "Foyer", "Bar", None)] * 5, ("Foyer", "Foyer", "Pool", "Bar"),
    *[("Foyer", "Bar", "Foyer", "Bar")] * 2, ("Pool", "Bar", "Pool", None),
    ("Pool", "Bar", "Foyer", None),
)  # fmt: skip


def figures(table: pd.DataFrame, **how: object) -> pd.DataFrame:
    return metrics.ambiguity(table, **how).set_index("metric")


def test_second_areas_say_which_errors_are_ambiguous():
    found = figures(PHOTOS)
    assert found["value"].to_dict() == pytest.approx({
        "top-1 accuracy": 0.6, "top-2 accuracy": 0.9, "right if either area counts": 0.8,
        "errors that name the other area": 0.5, "errors on ambiguous photos": 0.5,
        "ambiguous photos": 0.3, "top-1 accuracy on ambiguous photos": 1 / 3,
        "top-1 accuracy on clear photos": 5 / 7,
    })  # fmt: skip
    assert found["n_photos"].tolist() == [10, 10, 10, 4, 4, 10, 3, 7]
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()
    strict = metrics.summary(PHOTOS).set_index("metric").loc["top-1 accuracy"]
    assert found.loc["top-1 accuracy", ["value", "low", "high"]].tolist() == strict.tolist()


def test_votes_say_it_too_but_for_photos_on_which_one_person_voted():
    votes = pd.DataFrame({
        "votes_Foyer": [3, 1, 3, 2, 1, None, 9, 1, None, 1],
        "votes_Bar": [0, None, 1, 1, 1, None, 1, 1, None, None],
        "votes_Pool": [None] * 8 + [2, 3],
    })  # fmt: skip
    table = PHOTOS.drop(columns="label_2").join(votes)
    found = figures(table)
    # One error names Bar, which half of the labellers chose; of another one in ten chose it.
    assert found.loc["right if either area counts", "value"] == pytest.approx(0.7)
    assert found.loc["ambiguous photos", ["value", "n_photos"]].tolist() == [6 / 8, 8]
    strict = figures(table, min_share=0.6)
    assert strict.loc["right if either area counts", "value"] == pytest.approx(0.6)


def test_a_labeller_is_judged_by_the_others_and_not_by_the_own_vote():
    votes = pd.DataFrame(
        [[2, 1, 0], [1, 1, 1], [3, 0, 0], [1, 0, 0], [0.5, 0.5, 0]],
        columns=["Foyer", "Bar", "Pool"], dtype=float,
    )  # fmt: skip
    # 2:1: two meet one Foyer and one Bar; the third meets two Foyers.
    expected = [(2 * 0.5 + 0) / 3, 0.0, 1.0, np.nan, np.nan]
    assert metrics.labeller_accuracy(votes).tolist() == pytest.approx(expected, nan_ok=True)
    table = PHOTOS[:5].drop(columns="label_2").join(votes[:4].add_prefix("votes_"))
    found = figures(table).loc["a labeller, judged by the others"]
    assert found[["value", "n_photos"]].tolist() == pytest.approx([4 / 9, 3])


def test_without_second_areas_and_votes_there_is_the_top_k_accuracy_alone():
    for bare in (PHOTOS.drop(columns="label_2"), PHOTOS.assign(label_2=None, votes_Bar=np.nan)):
        assert figures(bare).index.tolist() == ["top-1 accuracy", "top-2 accuracy"]
        assert figures(bare, k=3).index.tolist() == ["top-1 accuracy"]
        assert ambiguity.ambiguity_said(bare) == ""
    shares = PHOTOS[[f"p_{name}" for name in CLASSES]].set_axis(CLASSES, axis=1)
    hits = metrics.in_top_k([*PHOTOS["label"][:9], "Sauna"], shares, k=3)
    assert hits.tolist() == [True] * 9 + [False]
    with pytest.raises(MetricsError, match="k=0 classes"):
        metrics.in_top_k(PHOTOS["label"], shares, k=0)


def test_pages_say_it_where_it_matters():
    said = ambiguity.ambiguity_said(PHOTOS)
    assert said.startswith(" 2 of the 4 errors name the photo's other area: 80 % (")
    html = ambiguity.ambiguity_table(PHOTOS)._repr_html_()
    assert "errors that name the other area" in html
    right = PHOTOS[PHOTOS["label"] == PHOTOS["predicted"]]
    assert ambiguity.ambiguity_said(right) == ""


def test_rules_are_shown_as_text_and_those_of_other_areas_left_out(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text('["<b>Bar</b>"]\nrule = "<i>no</i> lounge"\n[Other]\nrule = "all else"\n')
    html = ambiguity.rules_table(str(file), ["<b>Bar</b>", "Foyer"])._repr_html_()
    assert "&lt;b&gt;Bar&lt;/b&gt;" in html
    assert "&lt;i&gt;no&lt;/i&gt; lounge" in html
    assert "all else" not in html
    assert ambiguity.rules_table("", ["Foyer"])._repr_html_() == ""
