"""The talk: which slides there are, in their order, and which report draws the figures of each."""

from __future__ import annotations

from typing import NamedTuple


class Slide(NamedTuple):
    """A slide of the talk.

    Attributes
    ----------
    title : str
        ``{}`` stands for what its figures' names have in the place of ``*``.
    report : str
        The report that draws its figures.
    figures : tuple of str
        Their names; the first has to be there. ``*`` stands for anything, with one slide for each;
        ``**`` for anything too, all on one slide.
    verdict : bool
        Whether the sentence of the report stands on it, and not what its first figure shows.
    """

    title: str
    report: str
    figures: tuple[str, ...]
    verdict: bool = False


def _data_set(title: str, stage: str) -> tuple[Slide]:
    figures = (f"confusion_{stage}", f"per_class_{stage}")
    return (Slide(title, "cleaning_effect", figures),)


#: Groups of slides: where the first name has a ``*`` all of a group follows for each in its place.
TALK: tuple[tuple[Slide, ...], ...] = (
    (Slide("What the data are worth", "cleaning_effect", ("stage_comparison",), verdict=True),),
    _data_set("Trained on the labels as they are", "labelled"),
    _data_set("Augmented", "augmented"),
    _data_set("Cleaned", "cleaned"),
    (Slide("What cleaning changed, area by area", "cleaning_effect", ("class_comparison",)),),
    (Slide("Which areas it knows", "tagger_report", ("confusion_matrix",), verdict=True),),
    (Slide("How sure one can be of each area", "tagger_report", ("per_class",)),),
    (Slide("Wrong predictions", "tagger_report", ("misclassified",)),),
    (
        Slide("Why it errs: what the photos have in common", "explain_tagger", ("concepts_*",)),
        Slide("Why it errs: where the evidence is", "explain_tagger", ("maps_*",)),
    ),
    (Slide("Two iterations, beside the talk's", "aesthetic_report", ("published",), verdict=True),),
    (Slide("Predicted against rated", "aesthetic_report", ("predicted_against_rated**",)),),
    (Slide("One hotel, by both iterations", "aesthetic_report", ("one_hotel",)),),
    (Slide("Where it errs most", "aesthetic_report", ("smallest_and_largest_errors",)),),
    (Slide("Low, medium and high", "score_distribution", ("levels",)),),
    (Slide("All photos of the catalogue", "score_distribution", ("distribution",), verdict=True),),
    (Slide("One hotel, today and ranked", "hotel_ranking", ("hotel_orders",), verdict=True),),
    (Slide("Where training changed it", "compare_filters", ("depth_profile",), verdict=True),),
    (Slide("What {} looks for, before and after", "compare_filters", ("filters_*",)),),
    (Slide("What its outputs look like to it", "compare_filters", ("outputs",)),),
)
