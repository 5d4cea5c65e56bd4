"""The order of the work, which reports stand in."""

from __future__ import annotations

from collections.abc import Mapping

from hotelviz.reports.notebooks import find_notebook, notebook_title, read_cells

#: The work, part by part: its heading, and the reports that belong to it.
PARTS = {
    "Data": ("photo_map", "cleaning_audit", "cleaning_effect", "rating_quality"),
    "Tagger": ("tagger_report",),
    "Why": ("explain_tagger", "concepts", "atlas"),
    "Aesthetics": ("aesthetic_report", "compare_filters"),
    "New against old": ("compare_models", "compare_deliveries"),
    "Scores": ("score_distribution",),
    "Ranking": ("hotel_ranking",),
}
#: What belongs to another report: how the model was trained that the report judges.
UNDER = {"tagger_training": "tagger_report", "aesthetic_training": "aesthetic_report"}
#: Report on a model -> the page of a run that compares this with the model of an earlier run.
COMPARED = {"tagger_report": "compare_tagger", "aesthetic_report": "compare_aesthetic"}


def neighbours(name: str, pages: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the reports before and after one, of those that have a page.

    Parameters
    ----------
    name : str
        The report; one beneath another has its neighbours' place.
    pages : mapping of str to str
        Name of a report -> the file of its page.

    Returns
    -------
    list of tuple
        ``previous`` or ``next``, file and title.

    Examples
    --------
    >>> neighbours("cleaning_audit", {"tagger_report": "t.html"})
    [('next', 't.html', 'Tagger report')]
    """
    order = [one for names in PARTS.values() for one in names]
    if name not in order:
        return []
    place = order.index(name)
    before = [one for one in order[:place] if one in pages][-1:]
    after = [one for one in order[place + 1 :] if one in pages][:1]
    ways = [("previous", one) for one in before] + [("next", one) for one in after]
    return [
        (way, pages[one], notebook_title(read_cells(find_notebook(one))) or one)
        for way, one in ways
    ]
