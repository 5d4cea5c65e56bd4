"""What an audit found, in words."""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote

import pandas as pd

from hotelviz.audit import Audit, Shown, find_shortcuts, needs_person
from hotelviz.reports.tables import Table
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.wording import agreeing, counted, in_words, percent, the_counted


def audit_verdict(
    found: Audit, catalog: pd.DataFrame, *, name: str, out: str = "", seconds: float = 4.0
) -> Verdict:
    """Say how many photos have an issue, how long a look at them takes, and where to begin.

    Parameters
    ----------
    found : hotelviz.audit.Audit
        From `hotelviz.audit.find_issues`.
    catalog : pandas.DataFrame
        The photos.
    name : str
        The catalogue's file, for commands.
    out : str, default ""
        The folder with the decisions, if there is one.
    seconds : float, default 4
        The time of a look at a photo.

    Returns
    -------
    Verdict
    """
    issues, n_photos = found.issues, len(catalog)
    flagged = issues["image_id"].nunique()
    looking = issues.loc[needs_person(issues), "image_id"].nunique()
    time = looking_time(looking, seconds)
    if not flagged:
        text = f"None of {n_photos:,} photos has an issue that the audit looks for."
        if n_photos == 1:
            text = "The only photo has no issue that the audit looks for."
    else:
        have = agreeing(flagged, "has", "have")
        text = f"{flagged:,} of {counted(n_photos, 'photo')} {have} an issue; "
        if looking:
            text += f"{looking:,} {agreeing(looking, 'needs', 'need')} a person, {time}."
        else:
            text += "none needs a person."
        if first := _first(found):
            text += f" First: {first}."
    own = catalog.loc[catalog["image_id"].isin(issues["image_id"]), "hotel_id"].nunique()
    hotels = f"at {own:,} of {counted(catalog['hotel_id'].nunique(), 'hotel')}"
    cards = [
        Card("photos with an issue", f"{flagged:,} of {n_photos:,}", hotels),
        Card("photos for a person", f"{looking:,}", time if looking else ""),
    ]
    if (judged := found.label_issues) is not None:
        seen, detail = found.seen, "judged by a network that had learned from none of them"
        if seen and seen.unrecorded:
            detail = "judged by a network that may have learned from them"
        elif seen and seen.labels and seen.learned:
            detail = (
                f"judged by a network that had learned from {seen.learned:,} of {seen.labelled:,}"
            )
        suspects = int((issues["issue"] == "label_error").sum())
        cards.append(
            Card("labels that may be wrong", f"{suspects:,} of {len(judged.rows):,}", detail)
        )
    copies = _copies(issues)
    if len(copies):
        torn = int(copies["torn"].sum())
        cards.append(
            Card("groups of copies", f"{len(copies):,}", f"{torn:,} with different labels")
        )
    return Verdict(text, cards=cards, next_steps=_next_steps(found, looking, copies, name, out))


def issue_table(summary: pd.DataFrame, seconds: float) -> Table:
    """Return the issues that were found, with the time that a look at them takes.

    Parameters
    ----------
    summary : pandas.DataFrame
        The summary of `hotelviz.audit.find_issues`.
    seconds : float
        The time of a look at a photo.

    Returns
    -------
    Table
    """
    found = summary[summary["photos"] > 0]
    rows = found.assign(minutes=found["looking"] * seconds / 60).rename(index=in_words)
    words = {
        "issue": "issue", "photos": "photos", "groups": "groups of copies",
        "looking": "photos to look at", "minutes": "minutes to look",
    }  # fmt: skip
    return Table(rows.reset_index(), words, digits=1)


def planted_table(planted: pd.DataFrame) -> Table:
    """Return what was found of the planted faults, as `planted_sentence` takes it, in words."""
    words = {
        "issue": "fault", "planted": "planted (photos or pairs)", "found": "of these found",
        "wrong": "wrongly found", "recall": "share found", "precision": "share right",
    }  # fmt: skip
    rows = planted.rename(index=in_words).reset_index()
    return Table(rows, words, percent=["recall", "precision"])


def balance_table(balance: pd.DataFrame) -> Table:
    """Return the table of `hotelviz.audit.class_balance` in words."""
    words = {
        "label": "label", "photos": "photos", "hotels": "hotels",
        "top_up": "photos to the median", "nearly_empty": "too few to judge",
    }  # fmt: skip
    words |= {name: name for name in map(str, balance) if name.startswith("from ")}
    return Table(balance.rename(index=in_words).reset_index(), words)


def shortcuts_found(
    photos: pd.DataFrame, measured: pd.DataFrame, *, seed: int = 0
) -> tuple[pd.DataFrame, str]:
    """Return the table of `hotelviz.audit.find_shortcuts`, and in words what it found.

    Parameters
    ----------
    photos : pandas.DataFrame
        The catalogue, labelled or not.
    measured : pandas.DataFrame
        The ``photos`` of the image properties.
    seed : int, default 0
        Of the resampled hotels.

    Returns
    -------
    pandas.DataFrame
    str
    """
    if "label" not in photos or photos["label"].isna().all():
        return pd.DataFrame(), "There are no labels that properties could give away."
    found = find_shortcuts(photos, measured, seed=seed)
    if found.empty:
        return found, "No property gives a label away."
    first = found.iloc[0]
    said = (
        f"{counted(len(found), 'property', 'properties')} {agreeing(len(found), 'gives', 'give')}"
    )
    return found, (
        f"{said} a label away. First: {percent(first['share'])} of {in_words(first['label'])} "
        f"photos, and {percent(first['share_others'])} of all others: {first['property']}."
    )


def shortcuts_table(found: pd.DataFrame) -> Table:
    """Return the table of `hotelviz.audit.find_shortcuts` in words, the first twelve."""
    words = {
        "label": "label", "property": "property", "n_photos": "photos", "n_hotels": "hotels",
        "share": "share of these that has it", "share_others": "of all others",
        "separation": "difference", "low": "at least",
    }  # fmt: skip
    if found.empty:
        return Table(pd.DataFrame(columns=[*words]), words)
    rows = found.assign(label=found["label"].map(in_words))
    shares = ["share", "share_others", "separation", "low"]
    return Table(rows, words, percent=shares, max_rows=12, noun="properties")


def noise_table(noise: pd.DataFrame) -> Table:
    """Return which classes are confused: ``label_noise`` of an audit in words, the first twelve."""
    words = {
        "label": "labelled", "suggestion": "looks like", "photos": "suspects (photos)",
        "estimated": "estimated wrong (photos)",
    }  # fmt: skip
    rows = noise.assign(**{name: noise[name].map(in_words) for name in ("label", "suggestion")})
    return Table(rows, words, digits=1, max_rows=12, noun="pairs of classes")


def looking_time(n_photos: int, seconds: float) -> str:
    """Return in words how long it takes to look at photos.

    Examples
    --------
    >>> looking_time(38, 4)
    'about 3 minutes at 4 seconds each'
    >>> looking_time(5000, 4)
    'about 5.6 hours at 4 seconds each'
    """
    minutes = n_photos * seconds / 60
    time = f"about {counted(round(minutes), 'minute')}"
    if minutes < 1:
        time = "less than a minute"
    elif minutes > 90:
        time = f"about {minutes / 60:.1f} hours"
    return f"{time} at {seconds:g} {agreeing(seconds, 'second', 'seconds')} each"


def how_labels_were_judged(found: Audit, features: str) -> str:
    """Say what had seen the labels that were judged, and what had not.

    Parameters
    ----------
    found : hotelviz.audit.Audit
        From `hotelviz.audit.find_issues`.
    features : str
        What gave the features, as `hotelviz.embeddings.feature_model` says it.

    Returns
    -------
    str
        Empty where no label was judged.
    """
    if found.seen is None or found.label_issues is None or not len(found.label_issues.rows):
        return ""
    seen, network = found.seen, features.removeprefix("features of ")
    text = (
        "Each label was judged by a simple (linear) model that had learned from photos of other "
        f"hotels, none of them a copy of the photo. What it sees of a photo comes from {network}"
    )
    if not seen.learned + seen.chosen + seen.hotels:
        if seen.unrecorded:
            return f"{text}, which does not say what it learned from: maybe these labels, too."
        return f"{text}, whose layers had learned from none of these photos."
    text += f", which had learned from {seen.learned:,} of the {seen.labelled:,} labelled photos"
    text += "" if seen.labels else ", from their ratings and not these labels"
    more = [
        f"{seen.chosen:,} more chose its epochs" * bool(seen.chosen),
        f"it knew other photos of the hotels of {seen.hotels:,}" * bool(seen.hotels),
    ]
    text += f" ({', '.join(filter(None, more))})" * any(more)
    if not seen.labels:
        return f"{text}."
    new = seen.labelled - seen.learned - seen.chosen - seen.hotels
    unseen = (
        f"Only the other {new:,} {agreeing(new, 'is of a hotel', 'are of hotels')} that no part of "
        "the judge had seen."
    )
    return (
        f"{text}, with these labels: a wrong label that it has learned looks right to it, so that "
        f"fewer are found. {unseen if new else 'No label is of a hotel that it had not seen.'}"
    )


def planted_sentence(planted: pd.DataFrame) -> str:
    """Say how many of the planted faults an audit found.

    Parameters
    ----------
    planted : pandas.DataFrame
        From `hotelviz.demo.compare_with_planted`.

    Returns
    -------
    str
    """
    found, wrong = int(planted["found"].sum()), int(planted["wrong"].sum())
    was = agreeing(found, "was", "were")
    more = f"{wrong:,} more {agreeing(wrong, 'was flagged that is', 'were flagged that are')} none"
    more = more if wrong else "no other was flagged"
    return (
        f"This catalogue is drawn, so its faults are known: {found:,} of "
        f"{int(planted['planted'].sum()):,} {was} found, and {more}. "
        "Duplicates are counted in pairs, the others in photos."
    )


def shown_of(shown: Shown, noun: str) -> str:
    """Say how many of how many are shown, where some are left out.

    Examples
    --------
    >>> shown_of(Shown(pd.DataFrame(), 20, 99), "suspect")
    '20 of 99 suspects are shown, the worst first.'
    """
    if shown.shown == shown.total:
        return ""
    are = agreeing(shown.shown)
    return f"{shown.shown:,} of {counted(shown.total, noun)} {are} shown, the worst first."


def _copies(issues: pd.DataFrame) -> pd.DataFrame:
    """Return the groups of copies: how many photos, and whether they differ in label or split."""
    rows = issues[issues["issue"].str.endswith("_duplicate")]
    spans = rows["detail"].str.extract(r"the group spans (.*)$")[0].fillna("")
    rows = rows.assign(
        torn=spans.str.contains("labels"),
        leak=spans.str.contains("splits"),
        strange=spans.str.contains("hotels"),
    )
    by = rows.groupby("group", sort=False)
    return by[["torn", "leak", "strange"]].any().assign(photos=by.size())


def _groups(copies: pd.DataFrame, count: Callable[[int, str, str], str] = counted) -> str:
    if (copies["photos"] == 2).all():
        return count(len(copies), "pair of copies", "pairs of copies")
    return count(len(copies), "group of copies", "groups of copies")


def _first(found: Audit) -> str:
    """Say what to look at first: what is certainly wrong, then what misleads, then the rest."""
    copies = _copies(found.issues)
    if copies["torn"].any():
        torn = copies[copies["torn"]]
        each = agreeing(len(torn), "of which one label", "of each of which one label")
        return f"{_groups(torn)} with different labels, {each} must be wrong"
    if copies["leak"].any():
        leak = copies[copies["leak"]]
        make = agreeing(len(leak), "makes", "make")
        return f"{_groups(leak)} in more than one split, which {make} tests look too good"
    suspects = int((found.issues["issue"] == "label_error").sum())
    if suspects:
        text = f"{counted(suspects, 'label')} that may be wrong"
        worst = found.label_noise[found.label_noise["photos"] > 0].head(1)
        for row in worst.itertuples():
            text += f", most often {in_words(row.label)} that looks like {in_words(row.suggestion)}"
        return text
    if copies["strange"].any():
        return f"{_groups(copies[copies['strange']])} at more than one hotel"
    most = found.summary[found.summary["looking"] > 0]["looking"]
    return f"{most.max():,} flagged as {in_words(most.idxmax())}" if len(most) else ""


def _next_steps(
    found: Audit, looking: int, copies: pd.DataFrame, name: str, out: str
) -> list[NextStep]:
    steps, decisions = [], f"{out}/decisions.csv"
    if (found.issues["issue"] == "label_error").any():
        steps.append(NextStep("Keep, drop or relabel the suspects by key", "#Label-suspects"))
    if len(copies):
        steps.append(
            NextStep(f"Look at {_groups(copies, the_counted)}", "#Duplicates-side-by-side")
        )
    elif looking and not steps:
        steps.append(NextStep("Look at the photos", "#The-worst-of-each-other-kind"))
    balance = found.class_balance
    if balance is None:
        steps.append(
            NextStep(
                "Label the photos: none has a label",
                command=f"hotelviz label {quote(name)} --store labels.sqlite --task tags",
            )
        )
    elif few := [in_words(label) for label in balance.index[balance["nearly_empty"]]]:
        steps.append(NextStep(f"Label more of {', '.join(few)}: too few to be judged", "#Balance"))
    if out and len(found.issues):
        clean = f"hotelviz clean {quote(name)} --decisions {quote(decisions)} --out cleaned.csv"
        steps.append(NextStep("Apply what was decided", command=clean))
        steps.append(NextStep("See what cleaning gains", "cleaning_effect"))
    elif len(found.issues):
        audit = f"hotelviz audit {quote(name)} --out audit"
        steps.append(NextStep("Write issues and decisions to a folder", command=audit))
    gone = int(found.summary["photos"]["unavailable"])
    if gone:
        steps.append(
            NextStep(f"Run it again where {counted(gone, 'unavailable photo')} can be read")
        )
    return steps
