"""Which of an audit's photos a page shows: the worst first, and how many it leaves out."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd


class Shown(NamedTuple):
    """The issues that a page has room for.

    Attributes
    ----------
    rows
        Of the issues, in the order in which they are shown.
    shown, total
        How many photos, or groups of copies, are shown, and how many there are.
    """

    rows: pd.DataFrame
    shown: int
    total: int


def label_suspects(issues: pd.DataFrame, *, max_photos: int = 20) -> Shown:
    """Choose the labels to look at first.

    Parameters
    ----------
    issues : pandas.DataFrame
        From `find_issues`.
    max_photos : int, default 20
        The most photos.

    Returns
    -------
    Shown
        With ``confusion``: the label that is suggested, in words.

    Examples
    --------
    >>> issues = pd.DataFrame({"image_id": ["a", "b"], "issue": ["label_error", "blurry"],
    ...                        "suggestion": ["relabel:Pool", "look"]})
    >>> label_suspects(issues).rows["confusion"].to_list()
    ['relabel as Pool']
    """
    rows = issues[issues["issue"] == "label_error"]
    shown = rows.head(max_photos)
    confusion = shown["suggestion"].str.replace(":", " as ")
    return Shown(shown.assign(confusion=confusion), len(shown), len(rows))


def suspected_classes(issues: pd.DataFrame, photos: pd.DataFrame) -> pd.DataFrame:
    """Return for label suspects the class whose evidence is worth a look.

    Parameters
    ----------
    issues : pandas.DataFrame
        The rows of `label_suspects`.
    photos : pandas.DataFrame
        The catalogue, with ``image_id``, ``path`` and ``label``.

    Returns
    -------
    pandas.DataFrame
        ``path`` and ``target`` in the order of the issues: the class that is suggested, and where
        none is, the label.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"],
    ...                        "label": ["Pool", "Foyer"]})
    >>> issues = pd.DataFrame({"image_id": ["b", "a"], "suggestion": ["look", "relabel:Foyer"]})
    >>> suspected_classes(issues, photos)["target"].to_list()
    ['Foyer', 'Foyer']
    """
    named = photos.set_index("image_id").loc[issues["image_id"], ["path", "label"]]
    suggestion = issues["suggestion"].set_axis(named.index)
    likelier = suggestion.where(suggestion.str.startswith("relabel:"))
    return named.assign(target=likelier.str.removeprefix("relabel:").fillna(named["label"]))


def copies_side_by_side(issues: pd.DataFrame, *, max_groups: int = 20) -> Shown:
    """Choose the groups of copies to look at first, the photo to keep first in each.

    Parameters
    ----------
    issues : pandas.DataFrame
        From `find_issues`.
    max_groups : int, default 20
        The most groups.

    Returns
    -------
    Shown
        With ``copies``, the name of the group and what it spans: groups that span labels come
        first, then those that span splits, then hotels; else in the order of the issues.

    Examples
    --------
    >>> issues = pd.DataFrame({"image_id": list("abcd"), "issue": "exact_duplicate",
    ...     "group": ["duplicates-1"] * 2 + ["duplicates-7"] * 2,
    ...     "suggestion": ["keep", "drop"] * 2,
    ...     "detail": ["keeper of the group", "copy of a", "keeper of the group; the group spans "
    ...                "labels", "copy of c; the group spans labels"]})
    >>> chosen = copies_side_by_side(issues, max_groups=1)
    >>> chosen.rows["copies"].iloc[0], chosen.total
    ('group 7: exact duplicate, spans labels', 2)
    """
    copies = issues[issues["issue"].str.endswith("_duplicate")].copy()
    copies["spans"] = copies["detail"].str.extract(r"the group spans (.*)$")[0].fillna("")
    spans = copies.groupby("group", sort=False)["spans"].first()
    weight = spans.str.contains("labels") * 4 + spans.str.contains("splits") * 2
    weight += spans.str.contains("hotels")
    order = list(weight.sort_values(ascending=False, kind="stable").index)
    chosen = order[:max_groups]
    copies = copies[copies["group"].isin(chosen)]
    copies["place"] = copies["group"].map({name: place for place, name in enumerate(chosen)})
    copies["copy"] = copies["suggestion"] != "keep"
    copies = copies.sort_values(["place", "copy"], kind="stable")
    kind = copies.groupby("group")["issue"].transform("first").str.replace("_", " ")
    names = "group " + copies["group"].str.removeprefix("duplicates-") + ": " + kind
    copies["copies"] = names + (", spans " + copies["spans"]).where(copies["spans"] != "", "")
    return Shown(copies.drop(columns=["place", "copy"]), len(chosen), len(order))


def worst_of_each_kind(issues: pd.DataFrame, *, max_photos: int = 20) -> Shown:
    """Choose the worst photos of each other kind of issue.

    Parameters
    ----------
    issues : pandas.DataFrame
        From `find_issues`.
    max_photos : int, default 20
        The most photos of a kind.

    Returns
    -------
    Shown
        With ``kind``: the issue in words, with how many of how many are shown where some are left
        out.

    Examples
    --------
    >>> issues = pd.DataFrame({"image_id": ["a", "b", "c"], "issue": ["dark", "blurry", "blurry"],
    ...                        "score": [0.1, 0.2, 0.3], "group": "", "suggestion": "look",
    ...                        "detail": ""})
    >>> worst_of_each_kind(issues, max_photos=1).rows["kind"].to_list()
    ['dark', 'blurry (1 of 2)']
    """
    kinds = issues["issue"]
    others = issues[~kinds.str.endswith("_duplicate") & (kinds != "label_error")]
    rows = others.groupby("issue", sort=False).head(max_photos)
    total = rows["issue"].map(others["issue"].value_counts())
    shown = rows["issue"].map(rows["issue"].value_counts())
    cut = " (" + shown.astype("str") + " of " + total.astype("str") + ")"
    kind = rows["issue"].str.replace("_", " ") + cut.where(shown < total, "")
    return Shown(rows.assign(kind=kind), len(rows), len(others))
