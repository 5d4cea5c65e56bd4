"""What the pages on taggers say first, on small tables: the figures, and when there are few."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from hotelviz import metrics
from hotelviz.attribution import Confusion
from hotelviz.reports.verdict import Verdict
from hotelviz.reports.verdicts import explanation, tagger, training
from hotelviz.reports.verdicts.tried_concepts import TriedConcepts, tried_table, tried_titles


def judged(*counts: tuple[str, str, int], hotels: int = 6, **more: object) -> pd.DataFrame:
    """Photos of label, predicted and how many; hotels in turn, of none with ``hotels=0``."""
    pairs = [(label, predicted) for label, predicted, count in counts for _ in range(count)]
    table = pd.DataFrame(pairs, columns=["label", "predicted"])
    table.insert(0, "image_id", [f"{number}.jpg" for number in range(len(table))])
    named = [f"h{number % hotels}" for number in range(len(table))] if hotels else table["image_id"]
    for name in ("Bathroom", "Pool", "View_of_Exterior"):
        table[f"p_{name}"] = np.where(table["predicted"] == name, 0.8, 0.1)
    return table.assign(hotel_id=named, **more)


def verdict(table: pd.DataFrame, *, unseen: bool = True, **more: str) -> Verdict:
    report = metrics.classification_report(table["label"], table["predicted"])
    return tagger.tagger_verdict(table, metrics.summary(table), report, unseen=unseen, **more)


MIXED = (
    ("Bathroom", "Bathroom", 40), ("Pool", "Bathroom", 7), ("Pool", "Pool", 23),
    ("View_of_Exterior", "Pool", 1), ("View_of_Exterior", "View_of_Exterior", 29),
)  # fmt: skip


def test_verdict_has_the_share_its_interval_and_the_worst_confusion():
    found = verdict(judged(*MIXED), catalog="my photos.csv", tags="tags.parquet")
    assert found.text.startswith("Right on 92 % (")
    assert found.text.endswith(
        "of 100 photos of 6 unseen hotels. Weakest: Pool, 77 % of its photos are found "
        "(recall); 7 of 30 Pool photos are predicted as Bathroom."
    )
    cards = {card.label: card for card in found.cards}
    assert cards["top-1 accuracy"].value == "92 %"
    assert "95 % interval over hotels; 100 photos" in cards["top-1 accuracy"].detail
    assert cards["recall of Pool, the weakest area"].value == "77 %"
    assert cards["recall of Pool, the weakest area"].detail.endswith("; 23 of 30 photos")
    confusion = cards["most frequent confusion"]
    assert (confusion.value, confusion.detail) == ("7 of 30", "Pool predicted as Bathroom")
    links = [step.link for step in found.next_steps]
    assert links[:2] == ["explain_tagger#Pool-predicted-as-Bathroom", "#Misclassified-photos"]
    assert found.next_steps[1].text == "Look at the 8 misclassified photos"
    command = found.next_steps[-1].command
    assert command.startswith("hotelviz label-choose 'my photos.csv' --predictions tags.")


@pytest.mark.parametrize(
    ("table", "unseen", "said"),
    [
        (judged(("Pool", "Pool", 30), ("Bathroom", "Bathroom", 30)), True,
         "Right on all 60 photos of 6 unseen hotels."),
        (judged(("Pool", "Pool", 60)), True,
         "Right on all 60 photos of 6 unseen hotels. All are of one area, Pool: how it tells areas "
         "apart is not tested."),
        (judged(*MIXED, hotels=0), True, "of 100 unseen photos. Weakest: Pool"),
        (judged(("Pool", "Pool", 6), ("Bathroom", "Pool", 2), hotels=2), True,
         "Right on 6 of 8 photos of 2 unseen hotels: too few to tell how good the model is."),
        (judged(*MIXED, hotels=3), True,
         "Right on 92 of 100 photos of 3 unseen hotels: too few to tell how good the model is. "
         "7 of 30 Pool photos are predicted as Bathroom."),
        (judged(*MIXED), False, "It is not known whether the model learned from them"),
        (judged(*MIXED, seen="train"), False, "The model saw 100 of them, or others of their"),
    ],
    ids=["perfect", "one class", "no hotels", "few", "few hotels", "unknown", "seen"],
)  # fmt: skip
def test_verdict_holds_where_there_is_little_to_say(table, unseen, said):
    found = verdict(table, unseen=unseen)
    assert said in found.text
    labels = [card.label for card in found.cards]
    assert (labels[0] == "top-1 accuracy") is unseen
    wrong = bool((table["label"] != table["predicted"]).any())
    assert ("most frequent confusion" in labels) is wrong
    assert any("#Misclassified-photos" in step.link for step in found.next_steps) is wrong


def test_interval_is_of_photos_where_no_hotels_are_known():
    assert (
        "over photos, as their hotels are not known"
        in verdict(judged(*MIXED, hotels=0)).cards[0].detail
    )


def test_weakest_area_needs_ten_photos():
    table = judged(*MIXED)
    rare = judged(
        ("Bathroom", "Bathroom", 60), ("Pool", "Pool", 31), ("View_of_Exterior", "Pool", 9)
    )
    assert verdict(table).cards[1].label == "recall of Pool, the weakest area"
    assert "Weakest: Pool, 78 % of what is tagged so is right (precision); 9 of 9 View of " in (
        verdict(rare).text
    )


def test_tables_are_in_words_and_lead_to_the_explanations():
    table = judged(*MIXED)
    matrix = metrics.confusion_matrix(table["label"], table["predicted"])
    report = metrics.classification_report(table["label"], table["predicted"])
    areas = tagger.per_class_table(report, matrix)
    assert areas.frame["area"].to_list() == ["Pool", "Bathroom", "View of Exterior"]
    assert areas.frame["predicted"].to_list() == [24, 47, 29]
    markup = tagger.confusion_table(table, n_explained=1)._repr_html_()
    assert '<a href="report:explain_tagger#Pool-predicted-as-Bathroom">see why</a>' in markup
    assert markup.count("<a ") == 1
    assert "23 %" in markup
    seen = tagger.figures_table(table.assign(seen=["train"] * 40 + [""] * 60)).frame
    assert seen.groupby("seen")["photos"].first().to_list() == [60, 40]


def test_tables_of_a_model_without_errors_are_left_out_of_the_page():
    perfect = judged(("Pool", "Pool", 3), ("Bathroom", "Bathroom", 3))
    assert tagger.confusion_table(perfect, n_explained=3)._repr_html_() == ""
    gaps = metrics.confusions(perfect, by="confidence_gap")
    assert explanation.gaps_table(gaps, [])._repr_html_() == ""


def confusion(n_errors: int, *, true: str = "Pool") -> Confusion:
    return Confusion(true, "Bathroom", pd.DataFrame({"path": ["p.jpg"] * n_errors}), {})


def tried(
    *, suspect: bool = False, why_not: str = "", n_rows: int = 2, together: tuple[int, ...] = (4,)
) -> TriedConcepts:
    """Two concepts that were tried where Pool is predicted as Bathroom."""
    rows = pd.DataFrame(
        {"label": "Pool", "predicted": "Bathroom", "concept": [4, 2],
         "together": [together, (2,)], "n_photos": [6, 2],
         "errors": [0.75, 0.25], "right_true": [0.1, np.nan], "repaired": [0.8, 0.0],
         "random": [0.15, 0.0], "low": [0.4, np.nan], "high": [0.9, np.nan],
         "p_corrected": [0.01, 1.0], "suspect": [suspect, False]}
    )  # fmt: skip
    return TriedConcepts(None, None, rows.head(0 if why_not else n_rows), why_not)


GAPS = pd.DataFrame(
    {"label": ["Pool", "Foyer", "Bar"], "predicted": ["Bathroom", "Bathroom", "Pool"],
     "n_photos": [8, 2, 1], "share": [0.4, 0.1, 0.1], "confidence_gap": [4.0, 1.0, 0.5]}
)  # fmt: skip


def test_explanation_names_the_suspected_shortcut_with_its_shares():
    both = [confusion(8), confusion(2, true="Foyer")]
    found = explanation.explanation_verdict(both, tried(suspect=True), GAPS, n_photos=100)
    assert found.text == (
        "A shortcut is suspected where Pool is predicted as Bathroom: one concept is in 6 of 8 "
        "errors and in 10 % of the right Pool photos, and without it 80 % of the errors that have "
        "it are predicted right (without random ones of its size 15 %). The test needs 4 "
        "misclassified photos, which 1 of the 3 confusions has."
    )
    assert found.cards[0][:2] == ("suspected shortcuts", "1")
    assert found.cards[0].detail == (
        "of 2 that were tried in 1 of 3 confusions among 100 photos; chance corrected for all"
    )
    assert found.cards[1] == (
        "Pool predicted as Bathroom: without one concept",
        "80 %",
        "of the 6 errors that have it are predicted right; it is in 10 % of the right Pool photos",
    )
    assert found.next_steps[0].link == "#Pool-predicted-as-Bathroom"
    assert """-p confusion='["Bar", "Pool"]'""" in found.next_steps[-2].command


def test_concepts_that_mislead_together_are_told_as_several():
    several = tried(suspect=True, together=(4, 1))
    found = explanation.explanation_verdict([confusion(8)], several, GAPS, n_photos=100)
    assert (
        ": one of 2 concepts is in 6 of 8 errors and in 10 % of the right Pool photos, and without "
        "them 80 % of the errors that have one are predicted right (without random ones of their "
        "size 15 %)."
    ) in found.text
    assert found.cards[1][0] == "Pool predicted as Bathroom: without 2 concepts"
    assert found.next_steps[0].text == "Look at the concepts: do they belong to the area?"
    assert tried_titles(several.shortcuts)[4].startswith("SUSPECTED SHORTCUT: concept 4 with 1, in")
    assert tried_table(several).frame["removed"].to_list() == ["4 + 1", "2"]
    said = explanation.confusion_words(confusion(8), tried(together=(4, 1)))
    assert "No shortcut is suspected: one of 2 concepts is in 6 of 8 errors and in" in said


def test_explanation_says_when_nothing_is_suspected_or_wrong():
    def said(found: list[Confusion], gaps: pd.DataFrame = GAPS, **what: object) -> str:
        return explanation.explanation_verdict(found, tried(**what), gaps, n_photos=100).text

    assert said([confusion(8)]) == (
        "No shortcut is suspected in any of the 3 confusions among 100 photos. The test needs 4 "
        "misclassified photos, which 1 of the 3 confusions has."
    )
    assert said([confusion(8)], GAPS[:1]) == (
        "No shortcut is suspected in the only confusion among 100 photos. The test needs 4 "
        "misclassified photos, which it has."
    )
    assert said([confusion(2)], GAPS[1:2]).endswith("photos, which it does not have.")
    assert "which no confusion has" in said([confusion(2)], GAPS[1:])
    assert said([], GAPS[:0]) == "No error among 100 photos to explain."
    assert said([confusion(0)]).endswith("The confusion that was asked for does not occur.")
    assert said([confusion(8)], why_not="layer 'top' has negative features") == (
        "Shortcuts could not be looked for: layer 'top' has negative features."
    )


def test_each_confusion_is_told_in_words():
    said = explanation.confusion_words
    assert said(confusion(8), tried(suspect=True)).startswith(
        "8 Pool photos are predicted as Bathroom. A shortcut is suspected where Pool"
    )
    assert "No shortcut is suspected: the weightiest of 2 concepts is in 6 of 8 errors and in" in (
        said(confusion(8), tried())
    )
    assert "the only concept is in 6 of 8 errors" in said(confusion(8), tried(n_rows=1))
    assert said(confusion(8), tried(why_not="so")) == "8 Pool photos are predicted as Bathroom."
    assert said(confusion(1), tried()).startswith("1 Pool photo is predicted as Bathroom.")
    assert said(confusion(2), tried()).endswith("To test for a shortcut, at least 4 are needed.")
    assert said(confusion(0), tried()) == "No Pool photo is predicted as Bathroom."
    markup = explanation.gaps_table(GAPS, [confusion(8)])._repr_html_()
    assert '<a href="#Pool-predicted-as-Bathroom">Pool predicted as Bathroom</a>' in markup


def test_suspected_confusions_come_first_and_all_that_was_tried_is_listed():
    order = explanation.suspected_first(GAPS[::-1].reset_index(drop=True), tried(suspect=True))
    assert order["label"].to_list() == ["Pool", "Bar", "Foyer"]
    rows = tried_table(tried(suspect=True))
    assert rows.frame["suspected"].to_list() == ["yes", ""]
    assert rows.frame["interval"].to_list() == ["+40 to +90 points", "–"]
    assert "<td>80 %</td>" in rows._repr_html_()


def test_trust_is_told_with_units():
    trust = pd.DataFrame(
        {"deletion": [0.12], "deletion_low": [0.05], "deletion_high": [0.2], "insertion": [0.1],
         "insertion_low": [-0.02], "insertion_high": [0.2], "randomised": [0.04],
         "agreement": [0.6], "ms": [12.6]}, index=pd.Index(["cam"], name="method"),
    )  # fmt: skip
    markup = explanation.trust_words(trust)._repr_html_()
    assert "time (ms per photo)" in markup
    assert "<td>13</td>" in markup
    assert "0.10 (-0.02 to 0.20)" in markup
    assert "on the object" not in markup
    known = explanation.trust_words(trust.assign(hit=0.75, energy=0.5))._repr_html_()
    assert "<td>75 %</td>" in known


COURSE = pd.DataFrame(
    {"epoch": [1, 2, 3], "phase": ["head", "fine_tune", "fine_tune"], "seconds": 10.0,
     "loss": [1.0, 0.5, 0.4], "accuracy": [0.5, 0.7, 0.9], "val_loss": [1.0, 0.6, 0.7],
     "val_accuracy": [0.5, 0.75, 0.7]}
)  # fmt: skip
LEARNED = pd.DataFrame(
    {"image_id": list("abcdefgh"), "hotel_id": ["h1", "h1", "h1", "h2", "h2", "h3", "h3", "h4"],
     "split": ["train"] * 5 + ["val"] * 3}
)  # fmt: skip
LABELS = pd.Series(["Pool", "Pool", "Pool", "View_of_Exterior", "Pool"])


def test_training_counts_the_hotels_of_the_photos_that_were_learned_from():
    found = training.training_verdict(
        COURSE, LEARNED, labels=LABELS, most_epochs=4, catalog="c.csv", out="m.keras"
    )
    assert found.text == (
        "Learned 2 areas from 5 photos of 2 hotels. Right on 75 % of 3 validation photos (few: a "
        "rough figure) after epoch 2 of 3, which they chose. Validation did not improve in the "
        "last epoch, which ended it."
    )
    cards = {card.label: card for card in found.cards}
    assert cards["validation accuracy"].detail == (
        "3 photos of 2 hotels, by which epoch 2 of 3 was chosen"
    )
    assert cards["photos learned from"].detail == (
        "of 2 hotels; fewest of View of Exterior: 1; in 30 s (3 epochs)"
    )
    assert "-p model=m.keras" in found.next_steps[0].command


@pytest.mark.parametrize(
    ("losses", "most", "said"),
    [
        ([1.0, 0.6, 0.5], 2, "Validation improved to the last of 3 epochs: more may help."),
        ([1.0, 0.6, 0.7], 2, "Validation did not improve in the last epoch."),
        ([0.5, 0.6, 0.7], 2, "Validation did not improve in the last 2 epochs."),
    ],
)
def test_training_says_whether_validation_still_improved(losses, most, said):
    assert training.still_improved(COURSE.assign(val_loss=losses), most) == said


def test_one_epoch_and_one_error_are_told_in_the_singular():
    assert training.still_improved(COURSE[:1], 1) == "There was one epoch: more may help."
    one = verdict(
        judged(("Pool", "Pool", 40), ("Bathroom", "Bathroom", 40), ("Pool", "Bathroom", 1))
    )
    assert "; 1 of 41 Pool photos is predicted as Bathroom." in one.text
    assert one.next_steps[1].text == "Look at the misclassified photo"


def test_training_that_learned_from_what_judged_it_says_so():
    last = COURSE.iloc[-1:].assign(epoch=4, phase="all_photos", val_loss=None, val_accuracy=None)
    course = pd.concat([COURSE, last]).assign(kept=[False, False, False, True])
    about = {"judged_by": {"photos": 70, "hotels": 9}}
    photos = LEARNED.assign(split="train")
    found = training.training_verdict(course, photos, labels=LABELS, most_epochs=2, training=about)
    assert found.text == (
        "Learned 2 areas from 8 photos of 4 hotels. Right on 75 % of 70 validation photos after "
        "epoch 2 of 3, which they chose; then it learned from them, too. Validation did not "
        "improve in the last epoch."
    )
    cards = {card.label: card for card in found.cards}
    assert cards["validation accuracy"].detail.startswith("70 photos of 9 hotels, by which epoch 2")
    assert cards["photos learned from"].detail.endswith(
        "in 40 s (the last layer, 2 epochs and 1 from all photos)"
    )
    assert "in 2 epochs; then the same from all photos" in training.phases_words(course)
    assert "In the last epochs the loss may be higher" in training.phases_words(course)
    assert "In the last epochs" not in training.phases_words(COURSE)
    linear = training.training_verdict(
        COURSE.assign(kept=[True, False, False]), photos, labels=LABELS, most_epochs=2,
        training=about,
    )  # fmt: skip
    assert "Right on 50 % of 70 validation photos" in linear.text


def test_training_without_validation_or_hotels_says_so():
    course = COURSE.drop(columns=["val_loss", "val_accuracy"])
    photos = LEARNED.assign(hotel_id=LEARNED["image_id"], split="train")
    found = training.training_verdict(course, photos, labels=LABELS, most_epochs=2)
    assert found.text.startswith(
        "Learned 2 areas from 8 photos. No photos were kept for validation"
    )


def test_prose_on_a_training_fits_it():
    fine_tuned, scratch = COURSE, COURSE.assign(phase="from_scratch")
    assert "first only its new head, in 1 epoch; then more layers at a low" in (
        training.phases_words(fine_tuned)
    )
    assert training.phases_words(fine_tuned).endswith("A dashed line marks the change of phase.")
    for word in ("head", "dashed", "low learning rate"):
        assert word not in training.phases_words(scratch)


def test_training_that_ended_with_its_linear_head_says_so_and_how_good_that_is():
    course = COURSE.assign(kept=[True, False, False])
    figures = [{"metric": "top-1 accuracy", "value": 0.84, "low": 0.81, "high": 0.866}]
    found = training.training_verdict(
        course, LEARNED, labels=LABELS, most_epochs=4,
        training={"linear": {"photos": 8, "hotels": 3, "figures": figures}},
    )  # fmt: skip
    assert re.search(
        r" by its last layer alone: the layers before it are as they came\. Right on \d+ % of 3 "
        r"validation photos \(few: a rough figure\)\. Fine-tuning more layers, in 2 epochs, made "
        r"it no better, and was not kept\.$",
        found.text,
    )
    cards = {card.label: card for card in found.cards}
    assert cards["last layer alone, on other hotels"].value == "84 %"
    assert cards["last layer alone, on other hotels"].detail == (
        "top-1 accuracy, 81 % to 87 %; 8 photos of 3 hotels, each predicted without its hotel"
    )
    assert "learned its last layer alone, in one step (a linear head); then more layers" in (
        training.phases_words(course)
    )
    alone = training.training_verdict(course[:1], LEARNED, labels=LABELS, most_epochs=0)
    assert "Fine-tuning" not in alone.text
    assert training.phases_words(course[:1]).endswith("There is no course to draw.")


def test_fine_tuning_that_was_kept_is_told_beside_what_there_was_before():
    course = COURSE.assign(kept=[False, False, True])
    judged_before = {"linear head": [{"metric": "top-1 accuracy", "value": 0.5}]}
    found = training.training_verdict(
        course, LEARNED, labels=LABELS, most_epochs=2, training={"judged": judged_before}
    )
    assert "which they chose (before more layers than the last one learned: on 50 %)" in found.text
