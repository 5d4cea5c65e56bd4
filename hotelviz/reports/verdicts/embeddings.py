"""What a map of photos shows, in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hotelviz.audit import Audit, needs_person
from hotelviz.embeddings import Islands, Separation
from hotelviz.gallery import issue_caption
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.wording import agreeing, counted, in_words, percent, photos_of_hotels
from hotelviz.scores.predictions import join_photos

#: What photos without an issue are called on the map.
NO_ISSUE = "no issue"


def map_verdict(
    photos: pd.DataFrame,
    found: Separation | None,
    islands: Islands,
    *,
    others_only: bool,
    n_lost: int = 0,
) -> Verdict:
    """Say how well labels separate, what mixes, and which islands are of one hotel or source.

    Parameters
    ----------
    photos : pandas.DataFrame
        The catalogue.
    found : hotelviz.embeddings.Separation or None
        Of each photo's nearest; None where no photo has a label.
    islands : hotelviz.embeddings.Islands
        Of the map.
    others_only : bool
        Whether the nearest are those at other hotels.
    n_lost : int, default 0
        Photos that could not be read.

    Returns
    -------
    Verdict
    """
    one = islands.table[islands.table["of"] != ""]
    said, cards = [], []
    if found is None:
        said.append(f"{photos_of_hotels(photos)}, without labels to compare with")
    else:
        where = " at different hotels" if others_only else ""
        chance = percent(found.chance)
        said.append(
            f"Of the photos that look most alike{where}, {percent(*found.same)} have the same "
            f"label; by chance it would be {chance}"
        )
        if len(found.mixing):
            first = found.mixing.iloc[0]
            pair = f"{in_words(first['label'])} and {in_words(first['other'])}"
            said.append(f"{pair} are mixed up most ({percent(first['share'])} of the most alike)")
        detail = f"{counted(found.n_photos, 'photo')}; by chance {chance}"
        cards.append(Card("most alike with the same label", percent(*found.same), detail))
        among = counted(len(found.strays), "photo")
        cards.append(Card("among another label", among, "none of the most alike has their own"))
    if len(one):
        are = agreeing(len(one), "is", "are")
        which = counted(len(one), "island of like photos", "islands of like photos")
        said.append(f"{which} {are} of one hotel or source")
    cards.append(Card("islands", f"{len(islands.table):,}", f"{len(one):,} of one hotel or source"))
    if n_lost:
        cards.append(Card("not on the map", f"{n_lost:,}", "could not be read"))
    return Verdict(". ".join(said) + ".", cards=cards, next_steps=_next_steps(found, one))


def _next_steps(found: Separation | None, one: pd.DataFrame) -> list[NextStep]:
    steps = []
    if found is not None and (number := len(found.strays)):
        text = f"Look at {counted(number, 'photo')} among another label: wrong label, or two areas?"
        steps.append(NextStep(text, "#among-another-label"))
    if len(one):
        text = "See what islands of one hotel or source have in common: a model can learn that"
        steps.append(NextStep(f"{text} instead of the area", "#islands"))
    steps.append(NextStep("Find wrong labels and copies in the audit", "cleaning_audit"))
    return steps


def mixing_table(found: Separation) -> Table:
    """Return which classes mix, in words, the first twelve."""
    rows = found.mixing.assign(
        **{name: found.mixing[name].map(in_words) for name in ("label", "other")}
    )
    words = {
        "label": "area", "other": "and", "share": "of the nearest are the other's",
        "photos": "photos with such a neighbour",
    }  # fmt: skip
    return Table(rows, words, percent=["share"], max_rows=12, noun="pairs of areas")


def island_table(islands: Islands) -> Table:
    """Return the islands of a map in words, the first twenty."""
    table = islands.table
    rows = table.assign(label=table["label"].map(in_words, na_action="ignore"))
    words = {
        "island": "island", "n_photos": "photos", "n_hotels": "hotels", "label": "most are",
        "share": "share", "of": "nearly all of one", "share_of": "share of that",
    }  # fmt: skip
    return Table(rows, words, percent=["share", "share_of"], max_rows=20, noun="islands")


def medoid_photos(photos: pd.DataFrame, islands: Islands) -> pd.DataFrame:
    """Return the most typical photo of each island, with a caption.

    Parameters
    ----------
    photos : pandas.DataFrame
        The catalogue.
    islands : hotelviz.embeddings.Islands
        Of its map.

    Returns
    -------
    pandas.DataFrame
        Rows of `photos` with ``caption``, the largest island first.
    """
    table = islands.table
    texts = [
        f"island {row['island']}: {counted(row['n_photos'], 'photo')}, "
        + (f"{percent(row['share'])} {in_words(row['label'])}" if row["share"] else "no label")
        + (f"; {row['of']}" if row["of"] else "")
        for row in table.to_dict("records")
    ]
    captions = pd.DataFrame({"image_id": table["medoid"], "caption": texts})
    return join_photos(photos, captions, how="right")


def stray_photos(photos: pd.DataFrame, found: Separation) -> pd.DataFrame:
    """Return the photos that lie among another label, with a caption, the surest first.

    Parameters
    ----------
    photos : pandas.DataFrame
        The catalogue.
    found : hotelviz.embeddings.Separation
        Of each photo's nearest.

    Returns
    -------
    pandas.DataFrame
        Rows of `photos` with ``caption``.
    """
    strays = found.strays
    texts = [
        f"labelled {in_words(row['label'])}, {percent(row['share'])} of the nearest "
        f"{in_words(row['nearest'])}"
        for row in strays.to_dict("records")
    ]
    captions = pd.DataFrame({"image_id": strays["image_id"], "caption": texts})
    return join_photos(photos, captions, how="right")


def issue_photos(photos: pd.DataFrame, found: Audit) -> pd.DataFrame:
    """Return the photos of an audit with their first issue, as a map shows them.

    Parameters
    ----------
    photos : pandas.DataFrame
        The catalogue.
    found : hotelviz.audit.Audit
        From `hotelviz.audit.find_issues`.

    Returns
    -------
    pandas.DataFrame
        With ``issue`` in words, that which needs a person first, or `NO_ISSUE`; and ``note``.
    """
    order = (~needs_person(found.issues)).sort_values(kind="stable").index
    first = found.issues.loc[order].drop_duplicates("image_id")
    table = join_photos(photos, first[["image_id", "issue", "detail"]])
    notes = [
        NO_ISSUE if pd.isna(row["issue"]) else issue_caption(row) for _, row in table.iterrows()
    ]
    issue = table["issue"].map(in_words, na_action="ignore").fillna(NO_ISSUE)
    return table.assign(issue=issue, note=notes)


def audit_features(found: Audit) -> pd.DataFrame:
    """Return the features of an audit by ``image_id``; without columns where it had no network."""
    names = pd.Index(found.properties.photos["image_id"], name="image_id")
    return pd.DataFrame(found.properties.features, names)


def scored_photos(
    photos: pd.DataFrame, model: str, *, column: str = "score"
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return scored photos with what the aesthetic model sees in them, as a map shows them.

    Parameters
    ----------
    photos : pandas.DataFrame
        From `hotelviz.scores.Scores.sample`, with their present paths.
    model : str
        The model's file; empty where none is known.
    column : str, default "score"
        The score in the captions.

    Returns
    -------
    photos, features : pandas.DataFrame
        The photos with ``text``; their features, without columns where there can be no map.
    said : str
        Why there is none; else empty.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"], "score": [5.0]})
    >>> scored_photos(photos, "")[2]
    'No map: no model is given whose features could lay the photos out (parameter model).'
    """
    nothing = pd.DataFrame(index=pd.Index(photos["image_id"]))
    photos = photos.assign(text="predicted " + photos[column].map("{:.3f}".format).astype("str"))
    if "path" not in photos:
        return photos, nothing, "No map: the scores do not say where the photos are."
    if not model:
        why = "no model is given whose features could lay the photos out (parameter model)"
        return photos, nothing, f"No map: {why}."
    from hotelviz.inference import predict_with_features
    from hotelviz.models import load_model

    features = predict_with_features(photos, load_model(model))[1]
    if not features.shape[1]:
        return photos, features, f"No map: {model} has no pooled features before its last layer."
    if features.isna().all(axis=None):
        return photos, nothing, "No map: none of the photos drawn could be read."
    return photos, features, ""


def colourings(photos: pd.DataFrame, names: Sequence[str]) -> dict[str, pd.Series]:
    """Return what a map can be coloured by: columns that are there and have several values.

    Parameters
    ----------
    photos : pandas.DataFrame
        The catalogue.
    names : sequence of str
        Columns, in the order in which they are wanted.

    Returns
    -------
    dict
        Column -> its values by ``image_id``.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "label": ["Bar", "Spa"], "source": "web"})
    >>> list(colourings(photos, ["label", "source", "split"]))
    ['label']
    """
    named = photos.set_index("image_id")
    return {name: named[name] for name in names if name in named and named[name].nunique() > 1}
