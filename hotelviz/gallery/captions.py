"""Captions: what stands under a photo."""

from __future__ import annotations

import pandas as pd

from hotelviz.gallery.payload import check_columns, words


def tag_caption(row: pd.Series) -> str:
    """Return what was predicted and how sure the model is, as in the talk.

    Parameters
    ----------
    row : pandas.Series
        With ``predicted``, ``p_<class>`` and, if known, ``label`` and ``label_2``.

    Returns
    -------
    str
        ``predicted Reception 0.94, true Bathroom 0.06``; without the second half where the
        prediction is right or the truth is unknown.

    Examples
    --------
    >>> tag_caption(pd.Series({"predicted": "Reception", "label": "Bathroom",
    ...                        "p_Reception": 0.94, "p_Bathroom": 0.06}))
    'predicted Reception 0.94, true Bathroom 0.06'
    """
    check_columns(row, ["predicted"], "tag_caption: ")
    predicted = row["predicted"]
    if pd.isna(predicted):
        return f"not predicted: {row.get('error') or 'unreadable'}"
    text = f"predicted {words(predicted)}{_share(row, predicted)}"
    if not _knows(row, "label") or (label := row["label"]) == predicted:
        return text
    also = f", also {words(row['label_2'])}" if _knows(row, "label_2") else ""
    return f"{text}, true {words(label)}{_share(row, label)}{also}"


def _share(row: pd.Series, name: object) -> str:
    """Write the probability of a class, where the row has one."""
    share = row.get(f"p_{name}")
    return f" {share:.2f}" if isinstance(share, float) and 0 <= share <= 1.001 else ""


def score_caption(row: pd.Series) -> str:
    """Return which score was predicted and how people rated the photo, as in the talk.

    Parameters
    ----------
    row : pandas.Series
        With ``score``, and if known ``score_std``, ``rated_mean`` and ``rated_std``.

    Returns
    -------
    str
        ``predicted (6.151 / 1.334), rated (6.000 / 1.100)``: mean and standard deviation.

    Examples
    --------
    >>> score_caption(pd.Series({"score": 6.0942, "rated_mean": 6.5, "rated_std": 1.25}))
    'predicted 6.094, rated (6.500 / 1.250)'
    """
    check_columns(row, ["score"], "score_caption: ")
    if pd.isna(row["score"]):
        return f"not scored: {row.get('error') or 'unreadable'}"
    text = f"predicted {row['score']:.3f}"
    if _knows(row, "score_std"):
        text = f"predicted ({row['score']:.3f} / {row['score_std']:.3f})"
    if _knows(row, "rated_mean"):
        text += f", rated ({row['rated_mean']:.3f} / {row['rated_std']:.3f})"
    return text


def rank_caption(row: pd.Series) -> str:
    """Return where a photo stands in an order, how far it has moved, and why.

    Parameters
    ----------
    row : pandas.Series
        A row of `hotelviz.ranking.current_and_new` or `hotelviz.ranking.orders_by_models`.

    Returns
    -------
    str
        ``predicted 6.094; rank 1/12, ▲6; Bedroom 0.93; best Bedroom``.

    Examples
    --------
    >>> rank_caption(pd.Series({"score": 6.0942, "rank": 1, "photos": 12, "move": "▲6",
    ...                         "area": "Bedroom", "confidence": 0.93, "reason": "best Bedroom"}))
    'predicted 6.094; rank 1/12, ▲6; Bedroom 0.93; best Bedroom'
    """
    check_columns(row, ["score", "rank", "photos"], "rank_caption: ")
    score = f"predicted {row['score']:.3f}" if _knows(row, "score") else "no score"
    parts = [score, f"rank {row['rank']}/{row['photos']}"]
    if row.get("move"):
        parts[-1] += f", {row['move']}"
    if _knows(row, "area"):
        sure = "" if row.get("trusted", True) else ", not sure enough for a slot"
        parts.append(f"{words(row['area'])} {row['confidence']:.2f}{sure}")
    return "; ".join([*parts, row["reason"]] if _knows(row, "reason") else parts)


def issue_caption(row: pd.Series) -> str:
    """Return what is wrong with a photo.

    Parameters
    ----------
    row : pandas.Series
        ``issue`` and ``detail`` of `hotelviz.audit.find_issues`, and, if known, ``label``,
        ``hotel_id``, ``width`` and ``height``.

    Returns
    -------
    str
        ``dark: 95 % is darker than 20%; labelled Pool``.

    Examples
    --------
    >>> issue_caption(pd.Series({"issue": "near_duplicate", "detail": "copy of a.jpg",
    ...                          "label": "Pool", "hotel_id": "h1", "width": 40, "height": 30}))
    'copy of a.jpg; labelled Pool; hotel h1; 40 x 30'
    """
    check_columns(row, ["issue", "detail"], "issue_caption: ")
    copy = str(row["issue"]).endswith("duplicate")
    kind, detail = words(row["issue"]), words(row["detail"])
    # "truncated: the file ends too early" names its kind.
    parts = [row["detail"] if copy else detail if detail.startswith(kind) else f"{kind}: {detail}"]
    if _knows(row, "label") and row["issue"] != "label_error":
        parts.append(f"labelled {words(row['label'])}")
    if copy and _knows(row, "hotel_id"):
        parts.append(f"hotel {row['hotel_id']}")
    if copy and _knows(row, "width"):
        parts.append(f"{row['width']:.0f} x {row['height']:.0f}")
    return "; ".join(parts)


def _knows(row: pd.Series, name: str) -> bool:
    return not pd.isna(row.get(name))
