"""What the pages of audits, cleanings and ratings say at their top, against tables made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hotelviz import metrics
from hotelviz.audit import (
    Ablation,
    Audit,
    LabelIssues,
    SeenLabels,
    StageDifference,
    apply_decisions,
    class_balance,
    copies_side_by_side,
    distinct_tests,
    needs_person,
    worst_of_each_kind,
)
from hotelviz.labelling.inter_rater import rater_statistics, reliability_of_means
from hotelviz.metrics import Interval
from hotelviz.reports import Verdict
from hotelviz.reports.verdicts.audit import (
    audit_verdict,
    balance_table,
    how_labels_were_judged,
    issue_table,
    looking_time,
    noise_table,
    planted_sentence,
)
from hotelviz.reports.verdicts.cleaning import (
    changed_photos,
    changes_table,
    class_table,
    cleaning_verdict,
    stage_table,
)
from hotelviz.reports.verdicts.ratings import (
    agreement,
    rater_table,
    rating_verdict,
    unlike_the_others,
)
from hotelviz.schema import ISSUES

COLUMNS = ["image_id", "issue", "group", "suggestion", "detail"]
TORN = "; the group spans labels"
ROWS = [
    ("a", "unreadable", "", "drop", "not a photo"),
    ("b", "exact_duplicate", "duplicates-1", "keep", "keeper of the group"),
    ("c", "exact_duplicate", "duplicates-1", "drop", "copy of b"),
    ("d", "near_duplicate", "duplicates-3", "keep", f"keeper of the group{TORN}"),
    ("e", "near_duplicate", "duplicates-3", "drop", f"copy of d, 3 of 64 bits differ{TORN}"),
    ("d", "label_error", "duplicates-3", "look", "given Pool 0.60"),
    ("e", "label_error", "duplicates-3", "relabel:Pool", "given Foyer 0.10"),
    ("f", "label_error", "", "relabel:Pool", "given Foyer 0.20"),
    ("g", "dark", "", "look", "dark"),
]


def audit(rows: list[tuple[str, ...]], seen: SeenLabels | None = None, **more: Any) -> Audit:
    """An audit of twenty photos of five hotels, which found these issues."""
    issues = pd.DataFrame(rows, columns=COLUMNS).assign(score=0.1)
    looking = issues[needs_person(issues)]["issue"].value_counts()
    summary = pd.DataFrame({"photos": issues["issue"].value_counts()}).reindex(ISSUES, fill_value=0)
    summary["looking"] = looking.reindex(ISSUES, fill_value=0)
    noise = pd.DataFrame(
        {"label": ["Foyer"], "suggestion": ["View_of_Exterior"], "photos": [2], "estimated": [1.5]}
    )
    none = np.zeros(0)
    judged = LabelIssues(np.arange(18), ("Foyer", "Pool"), none, none, none, none, [])
    settings: dict[str, Any] = {"class_balance": class_balance(CATALOG), "label_noise": noise}
    settings |= {"properties": None, "label_issues": judged, "seen": seen, "notes": []} | more
    return Audit(issues=issues, summary=summary, **settings)


CATALOG = pd.DataFrame(
    {
        "image_id": list("abcdefghijklmnopqrst"),
        "hotel_id": [f"h{number % 10}" for number in range(20)],
        "label": "Foyer",
    }
)


def cards(verdict: Verdict) -> dict[str, tuple[str, str]]:
    return {card.label: (card.value, card.detail) for card in verdict.cards}


def test_audit_leads_with_its_counts_the_time_and_what_is_certainly_wrong():
    seen = SeenLabels(20, 12, 3, 1, labels=True)
    verdict = audit_verdict(audit(ROWS, seen), CATALOG, name="my photos.csv", out="audit")
    # a, b and c are decided without people: no photo, and two copies with the same label.
    assert verdict.text == (
        "7 of 20 photos have an issue; 4 need a person, less than a minute at 4 seconds each. "
        "First: 1 pair of copies with different labels, of which one label must be wrong."
    )
    assert cards(verdict) == {
        "photos with an issue": ("7 of 20", "at 7 of 10 hotels"),
        "photos for a person": ("4", "less than a minute at 4 seconds each"),
        "labels that may be wrong": (
            "3 of 18",
            "judged by a network that had learned from 12 of 20",
        ),
        "groups of copies": ("2", "1 with different labels"),
    }
    commands = [step.command for step in verdict.next_steps if step.command]
    assert commands == [
        "hotelviz clean 'my photos.csv' --decisions audit/decisions.csv --out cleaned.csv"
    ]
    links = [step.link for step in verdict.next_steps if step.link]
    assert links == ["#Label-suspects", "#Duplicates-side-by-side", "cleaning_effect"]


def test_audit_names_the_next_worst_where_the_worst_is_not_there():
    verdict = audit_verdict(audit(ROWS[-2:]), CATALOG, name="c.csv")
    assert "2 need a person" in verdict.text
    assert verdict.text.endswith(
        "First: 1 label that may be wrong, most often Foyer that looks like View of Exterior."
    )
    assert "hotelviz audit c.csv --out audit" in [step.command for step in verdict.next_steps]
    assert audit_verdict(audit(ROWS[-1:]), CATALOG, name="c.csv").text.endswith(
        "1 flagged as dark."
    )
    clean = audit_verdict(audit([]), CATALOG, name="c.csv")
    assert clean.text == "None of 20 photos has an issue that the audit looks for."
    one = audit_verdict(audit([]), CATALOG[:1], name="c.csv")
    assert one.text == "The only photo has no issue that the audit looks for."
    several = [(f"{name}{row[0]}", *row[1:]) for name in "xy" for row in ROWS[3:5]]
    several = [(*row[:2], f"{row[2]}{row[0][0]}", *row[3:]) for row in several]
    assert audit_verdict(audit(several), CATALOG, name="c.csv").text.endswith(
        "2 pairs of copies with different labels, of each of which one label must be wrong."
    )
    pair = [(*row[:4], row[4].replace("labels", "splits")) for row in ROWS[3:5]]
    found = audit_verdict(audit(pair), CATALOG, name="c.csv")
    assert "1 pair of copies in more than one split, which makes tests look too good." in found.text
    assert "Look at the pair of copies" in [step.text for step in found.next_steps]
    assert looking_time(1, 1) == "less than a minute at 1 second each"
    assert looking_time(38, 4) == "about 3 minutes at 4 seconds each"


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (
            SeenLabels(20, 0, 0, 0, labels=False),
            "whose layers had learned from none of these photos.",
        ),
        (
            SeenLabels(20, 12, 3, 1, labels=True),
            "which had learned from 12 of the 20 labelled photos (3 more chose its epochs, it knew "
            "other photos of the hotels of 1), with these labels: a wrong label that it has "
            "learned looks right to it, so that fewer are found. Only the other 4 are of hotels "
            "that no part of the judge had seen.",
        ),
        (
            SeenLabels(20, 19, 0, 0, labels=True),
            "which had learned from 19 of the 20 labelled photos, with these labels: a wrong label "
            "that it has learned looks right to it, so that fewer are found. Only the other 1 is "
            "of a hotel that no part of the judge had seen.",
        ),
        (
            SeenLabels(20, 20, 0, 0, labels=True),
            "which had learned from 20 of the 20 labelled photos, with these labels: a wrong label "
            "that it has learned looks right to it, so that fewer are found. No label is of a "
            "hotel that it had not seen.",
        ),
        (
            SeenLabels(20, 12, 0, 0, labels=False),
            "which had learned from 12 of the 20 labelled photos, from their ratings and not "
            "these labels.",
        ),
        (
            SeenLabels(20, 0, 0, 0, labels=False, unrecorded=("the tagger model X",)),
            "which does not say what it learned from: maybe these labels, too.",
        ),
    ],
)
def test_page_says_what_had_seen_the_labels_and_what_had_not(seen, said):
    text = how_labels_were_judged(audit(ROWS, seen), "features of tagger.keras, a MobileNet")
    assert text == (
        "Each label was judged by a simple (linear) model that had learned from photos of other "
        "hotels, none of them a copy of the photo. What it sees of a photo comes from "
        f"tagger.keras, a MobileNet, {said}"
    )
    assert how_labels_were_judged(audit(ROWS, None, label_issues=None), "no features") == ""


def test_copies_and_other_kinds_are_cut_with_how_many_there_are():
    issues = audit(ROWS).issues
    copies = copies_side_by_side(issues, max_groups=1)
    assert copies.rows["image_id"].tolist() == ["d", "e"]
    assert (copies.shown, copies.total) == (1, 2)
    more = pd.concat([issues, issues[issues["issue"] == "dark"].assign(image_id="h")])
    others = worst_of_each_kind(more, max_photos=1)
    assert others.rows["kind"].tolist() == ["unreadable", "dark (1 of 2)"]
    none = issues.head(0)
    assert [copies_side_by_side(none).total, worst_of_each_kind(none).total] == [0, 0]


def test_planted_faults_are_told_in_a_sentence():
    planted = pd.DataFrame({"planted": [22, 5], "found": [20, 5], "wrong": [1, 0]})
    assert "25 of 27 were found, and 1 more was flagged that is none." in planted_sentence(planted)
    one = planted.assign(found=[1, 0], wrong=0)
    assert "1 of 27 was found, and no other was flagged." in planted_sentence(one)
    many = planted.assign(wrong=[1, 1])
    assert "and 2 more were flagged that are none." in planted_sentence(many)


FIGURES = pd.DataFrame(
    {
        "stage": ["augmented", "cleaned"] * 2, "tested": "same", "trained": [90, 80] * 2,
        "metric": ["top-1 accuracy"] * 2 + ["macro F1"] * 2, "value": [0.8, 0.9, 0.7, 0.8],
        "low": [0.75, 0.85, 0.6, 0.7], "high": [0.85, 0.95, 0.8, 0.9], "photos": 40,
    }
)  # fmt: skip
STAGES = Ablation(FIGURES, pd.DataFrame({"tested": []}), pd.DataFrame({"tested": []}), [])


def gained(value: float, low: float, high: float, photos: int = 9) -> Verdict:
    lost = 5 if photos else 0
    difference = StageDifference(Interval(value, low, high), 310, 18, gained=photos, lost=lost)
    changes = pd.DataFrame({"change": ["dropped", "relabelled", "relabelled", "unknown"]})
    return cleaning_verdict(
        difference, STAGES, changes, before="augmented", undecided=38, name="c.csv",
        decisions=["audit/decisions.csv"],
    )  # fmt: skip


def test_cleaning_leads_with_the_paired_difference_its_interval_and_a_verdict():
    verdict = gained(0.013, -0.006, 0.032)
    assert verdict.text.startswith(
        "Cleaning changed the accuracy on the same 310 photos of 18 unseen hotels by +1.3 points "
        "(-0.6 to +3.2): no measurable difference."
    )
    shown = cards(verdict)
    assert next(iter(shown)) == "change of accuracy"
    assert shown["change of accuracy"] == (
        "+1.3 points", "-0.6 to +3.2, 95 % interval over 18 hotels, photo by photo",
    )  # fmt: skip
    assert shown["accuracy, cleaned"] == ("90.0 %", "85.0–95.0 %; 310 photos, trained on 80")
    assert shown["photos changed"] == ("3", "1 dropped, 2 relabelled")
    steps = [step.text for step in verdict.next_steps]
    assert "Decide on 38 label suspects that nobody has looked at yet" in steps
    assert "Test on more hotels: with these, less than 1.9 points is not seen" in steps
    assert "(+0.5 to +2.5): better." in gained(0.015, 0.005, 0.025).text
    assert "(-2.5 to -0.5): worse." in gained(-0.015, -0.025, -0.005).text
    same = gained(0.0, 0.0, 0.0, photos=0)
    assert same.text.endswith("The model is right and wrong about the same photos as before.")
    assert not any("Test on more hotels" in step.text for step in same.next_steps)
    assert "9 that were wrong are right after it, 5 that were right are wrong." in verdict.text
    one = StageDifference(Interval(0.0, -0.1, 0.1), 1, 1, gained=0, lost=1)
    text = cleaning_verdict(one, STAGES, pd.DataFrame({"change": []}), before="augmented").text
    assert text == (
        "Cleaning changed the accuracy on the same photo of 1 unseen hotel by +0.0 points "
        "(-10.0 to +10.0): no measurable difference. None that was wrong is right after it, 1 that "
        "was right is wrong."
    )
    none = StageDifference(Interval(0.0, 0.0, 0.0), 310, 18, gained=0, lost=0)
    kept = pd.DataFrame({"change": ["unknown"]})
    waiting = cleaning_verdict(none, STAGES, kept, before="augmented", undecided=38)
    assert waiting.text == (
        "Nothing is cleaned yet: no photo was dropped and no label changed. With the data as they "
        "are, the model is right on 80 % of 310 photos of 18 unseen hotels."
    )
    assert list(cards(waiting)) == ["accuracy, augmented", "photos changed"]
    assert waiting.next_steps[0].text.startswith("Decide on 38 label suspects")
    # What made it worse is not offered to train on.
    assert not any(step.command for step in gained(-0.015, -0.025, -0.005).next_steps)


def test_stages_own_photos_are_shown_only_where_they_say_something_else():
    assert stage_table(STAGES)["judged on"].tolist() == ["the same 40 photos"] * 2
    own = FIGURES.assign(tested="own")
    both = STAGES._replace(figures=pd.concat([FIGURES, own]))
    assert set(distinct_tests(both).figures["tested"]) == {"same"}
    other = STAGES._replace(figures=pd.concat([FIGURES, own.assign(value=0.5)]))
    assert set(distinct_tests(other).figures["tested"]) == {"same", "own"}


def test_cleaning_lists_classes_by_their_gain_and_the_photos_that_were_changed():
    per_class = pd.DataFrame(
        {"stage": ["a"] * 2 + ["cleaned"] * 2, "tested": "same",
         "label": ["Pool", "View_of_Exterior"] * 2, "f1": [0.5, 0.5, 0.499, 0.8],
         "support": [3, 4] * 2}
    )  # fmt: skip
    stages = STAGES._replace(per_class=pd.concat([per_class, per_class.assign(tested="own")]))
    table = class_table(stages, "a").frame
    assert table[["label", "photos", "change"]].to_numpy().tolist() == [
        ["View of Exterior", 4, 0.3], ["Pool", 3, 0.0],
    ]  # fmt: skip
    photos = CATALOG.assign(path=CATALOG["image_id"] + ".jpg")
    decided = pd.DataFrame(
        {"image_id": ["a", "b", "c", "d"], "action": ["drop", "drop", "relabel", "keep"],
         "label": ["", "", "View_of_Exterior", ""], "reason": "near_duplicate: of z"}
    )  # fmt: skip
    cleaned = apply_decisions(photos, decided)
    shown = changed_photos(cleaned, photos, max_photos=1)
    assert shown[["image_id", "change", "note"]].to_numpy().tolist() == [
        ["a", "dropped: 1 of 2", "Foyer; near duplicate: of z"],
        ["c", "relabelled: 1 of 1", "Foyer to View of Exterior; near duplicate: of z"],
    ]
    assert changes_table(cleaned).frame["label"].tolist() == ["Foyer", "View of Exterior"]
    nothing = apply_decisions(photos, decided[3:])
    assert changes_table(nothing)._repr_html_() == ""
    assert changed_photos(nothing, photos, max_photos=1).empty


def test_tables_of_an_audit_are_in_words():
    found = audit(ROWS)
    issues = issue_table(found.summary.assign(groups=0), 30).frame
    assert issues.loc[issues["issue"] == "label error", "minutes"].item() == pytest.approx(1.5)
    assert "View of Exterior" in noise_table(found.label_noise)._repr_html_()
    sources = CATALOG.assign(source=["in-house", "enriched"] * 10)
    assert "from in-house" in balance_table(class_balance(sources))._repr_html_()


def test_paired_interval_is_that_of_the_differences_and_narrower_than_of_two_means():
    random = np.random.default_rng(0)
    hard = random.random(400) < 0.7
    before = hard.astype(int)
    after = np.where(random.random(400) < 0.05, 1, before)
    hotels = np.repeat(np.arange(40), 10)
    found = metrics.paired_difference(before, after, groups=hotels)
    assert found.value == pytest.approx(after.mean() - before.mean())
    direct = metrics.mean_interval(after - before, groups=hotels)
    assert found == direct
    alone = metrics.mean_interval(after, groups=hotels)
    assert found.high - found.low < (alone.high - alone.low) / 2
    with pytest.raises(metrics.MetricsError, match="2 values before, but 1 after"):
        metrics.paired_difference([0, 1], [1])


RATED = pd.DataFrame(
    {
        "image_id": [f"p{n}" for n in range(30) for _ in range(3)],
        "hotel_id": [f"h{n // 3}" for n in range(30) for _ in range(3)],
        "rater": ["Ada", "Bo", "Cy"] * 30,
        "score": [min(10, 2 + n % 6 + more) for n in range(30) for more in (0, 0, 3)],
        "tag": None, "repeat": 0, "reason": None, "seconds": 2.0, "path": "x.jpg",
    }
)  # fmt: skip
PROGRESS = pd.DataFrame({"assigned": [30, 30, 40], "left": [0, 0, 10]})


def test_ratings_lead_with_alpha_what_it_means_and_who_deviates():
    alpha = Interval(0.41, 0.33, 0.48)
    raters = rater_statistics(RATED)
    own = {"same": Interval(0.5, 0.4, 0.6), "within_one": Interval(0.9, 0.8, 1.0)}
    verdict = rating_verdict(alpha, raters, RATED, PROGRESS, own, name="labels.sqlite")
    assert verdict.text == (
        "3 raters agree in part, as on most matters of taste, on 30 photos: Krippendorff's alpha "
        "0.41 (0.33 to 0.48). The mean of a photo's 3.0 answers is reliable to 0.68 of 1. Cy gives "
        "3.0 points more, Ada gives 1.5 points less, Bo gives 1.5 points less than the others."
    )
    assert reliability_of_means(0.41, 3) == pytest.approx(3 * 0.41 / (1 + 2 * 0.41))
    shown = cards(verdict)
    assert shown["Krippendorff's alpha"] == ("0.41", "0.33 to 0.48, 30 photos")
    assert shown["answers"] == ("90 of 100", "10 to come")
    assert shown["same answer twice, or one apart"][0] == "90 % (80–100)"
    assert [agreement(value).split()[0] for value in (0.9, 0.7, 0.1)] == [
        "agree",
        "agree",
        "hardly",
    ]
    table = rater_table(raters)
    assert table["points more than the others"].tolist()[2] == "+3.00"
    assert "points apart, asked twice" not in table
    even = raters.assign(bias=0.1, bias_low=0.05, bias_high=0.2)
    assert unlike_the_others(even) == ""
    alone = rating_verdict(
        Interval(*[np.nan] * 3), raters[:1], RATED.head(1), PROGRESS, {}, name=""
    )
    assert alone.text.startswith("How far raters agree cannot be said yet")
    nothing = rating_verdict(Interval(*[np.nan] * 3), raters, RATED.head(1), PROGRESS, {}, name="x")
    links = [[step.link for step in one.next_steps if step.link] for one in (verdict, nothing)]
    assert links == [["#Raters", "#Disputed-photos"], ["#Raters"]]
    assert nothing.text.startswith("How far 3 raters agree cannot be said yet: no photo has two")


def test_tags_name_who_agrees_less_than_the_others():
    raters = pd.DataFrame(
        {"rater": ["Ada", "Bo", "Cy"], "compared": 40, "agrees": [0.9, 0.85, 0.4],
         "agrees_low": [0.8, 0.8, 0.3], "agrees_high": [0.95, 0.9, 0.5]}
    )  # fmt: skip
    assert unlike_the_others(raters) == "Cy agrees with 40 % of the others' tags (median 85 %)."
