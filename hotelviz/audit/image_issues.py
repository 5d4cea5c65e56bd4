"""What is wrong with files and pixels, judged by the properties of photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import pandas as pd

from hotelviz.errors import AuditError, check_choice
from hotelviz.images import SUFFIXES_BY_FORMAT
from hotelviz.schema import Status

#: A photo has the issue when its score (see `find_issues`) is below this.
THRESHOLDS: dict[str, float] = {
    "tiny": 0.45,
    "odd_aspect_ratio": 0.4,
    "odd_size": 0.25,
    "dark": 0.35,
    "light": 0.4,
    "blurry": 1 / 3,
    "low_information": 0.6,
    "border": 0.85,
    "grayscale": 0.2,
}
#: Half of the photos that the networks see have a shorter side of at least this.
_GOOD_SIDE = 224
#: Issue, which photos have it, score, suggestion and details.
_Judged: TypeAlias = Iterator[tuple[str, pd.Series, float | pd.Series, str, pd.Series]]
#: Sharpness (variance of the Laplacian at 224 pixels) that scores one half.
_HALF_SHARP = 50.0


def find_image_issues(
    photos: pd.DataFrame, paths: pd.Series, *, thresholds: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Find the issues of files and pixels.

    Parameters
    ----------
    photos : pandas.DataFrame
        Of `hotelviz.embeddings.ImageProperties`.
    paths : pandas.Series
        Of the same photos.
    thresholds : mapping, optional
        Others than `THRESHOLDS`, by name.

    Returns
    -------
    pandas.DataFrame
        ``row``, ``issue``, ``score`` (0 to 1, lower is worse), ``suggestion``, ``detail``.

    Raises
    ------
    AuditError
        An unknown name of a threshold.

    Notes
    -----
    ``unavailable`` and ``unreadable`` score 0, ``truncated`` 0.25, ``wrong_extension`` 0.5. The
    others: ``tiny``, shorter side / 224; ``odd_aspect_ratio``, shorter / longer side;
    ``odd_size``, the side of a square of the photo's area against the median of all (or the
    other way round); ``dark``, 95th percentile of the brightness; ``light``, 1 - its 5th
    percentile; ``blurry``, s / (s + 50), s the variance of the Laplacian at 224 pixels of
    the photo stretched to full brightness (Pech-Pacheco et al., ICPR 2000);
    ``low_information``, the brightness's entropy in bytes, or 1 - the share that plain borders
    cover; ``grayscale``, ten times the distance from grey.

    Examples
    --------
    >>> photos = pd.DataFrame({"status": ["unavailable"], "error": ["missing"],
    ...     "width": [None], "height": [None],
    ...     "format": [None], "dark": [None], "light": [None], "sharpness": [None],
    ...     "entropy": [None], "colour": [None], "border": [None]})
    >>> find_image_issues(photos, pd.Series(["a.jpg"]))[["issue", "detail"]].values.tolist()
    [['unavailable', 'missing']]
    """
    limits = check_thresholds(thresholds)
    photos, paths = photos.reset_index(drop=True), paths.reset_index(drop=True)
    about = pd.DataFrame({"row": photos.index})
    parts = [
        about.assign(issue=issue, score=score, suggestion=suggestion, detail=detail)[has]
        for issue, has, score, suggestion, detail in (
            *_file_issues(photos, paths),
            *_pixel_issues(photos, limits),
        )
    ]
    # A plain photo is its own border: one row per photo and issue, the worse one.
    issues = pd.concat(parts).sort_values(["row", "issue", "score"], kind="stable")
    return issues.drop_duplicates(["row", "issue"]).reset_index(drop=True)


def check_thresholds(thresholds: Mapping[str, float] | None) -> dict[str, float]:
    """Return all thresholds, with those that are given; refuse unknown names (AuditError)."""
    for name in thresholds or {}:
        check_choice(name, THRESHOLDS, "threshold", AuditError)
    return {**THRESHOLDS, **(thresholds or {})}


def _file_issues(photos: pd.DataFrame, paths: pd.Series) -> _Judged:
    # Says nothing about the photo: it may be there at another time or place.
    yield "unavailable", photos["status"].eq(Status.UNAVAILABLE), 0.0, "find", photos["error"]
    yield "unreadable", photos["status"].eq(Status.UNREADABLE), 0.0, "drop", photos["error"]
    yield "truncated", photos["status"].eq(Status.TRUNCATED), 0.25, "look", photos["error"]
    suffixes = paths.str.extract(r"(\.\w+)$")[0].str.lower().fillna("")
    wrong = [
        pd.notna(kind) and suffix not in SUFFIXES_BY_FORMAT.get(kind, (suffix,))
        for kind, suffix in zip(photos["format"], suffixes, strict=True)
    ]
    detail = "a " + photos["format"].astype("str").fillna("") + " named *" + suffixes
    yield "wrong_extension", pd.Series(wrong, dtype=bool), 0.5, "rename", detail


def _pixel_issues(photos: pd.DataFrame, limits: Mapping[str, float]) -> _Judged:
    names = ["width", "height", "dark", "light", "sharpness", "entropy", "colour", "border"]
    numbers = photos[names].astype(float)
    sides = numbers[["width", "height"]]
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    size = _text("{:.0f} x ", sides["width"]) + _text("{:.0f} pixels", sides["height"])
    side = (shorter * longer) ** 0.5
    usual = side.median()
    dark, light, entropy = numbers["dark"], numbers["light"], numbers["entropy"]
    # As if the photo were stretched to full brightness: a dark one is not blurry for that.
    sharp = numbers["sharpness"] / dark.clip(lower=0.05) ** 2
    border, colour = numbers["border"], numbers["colour"]
    scores = {
        "tiny": (shorter / _GOOD_SIDE, size),
        "odd_aspect_ratio": (shorter / longer, size),
        "odd_size": (
            (side / usual).clip(upper=usual / side),
            size + f", usually about {usual:.0f} squared",
        ),
        "dark": (dark, _text("95 % is darker than {:.0%}", dark)),
        "light": (1 - light, _text("95 % is brighter than {:.0%}", light)),
        "blurry": (sharp / (sharp + _HALF_SHARP), _text("sharpness {:.0f}", sharp)),
        "low_information": (entropy / 8, _text("{:.1f} of 8 bits of brightness", entropy)),
        "border": (1 - border, _text("plain borders cover {:.0%}", border)),
        "grayscale": (10 * colour, _text("at most {:.1%} away from grey", colour)),
    }
    for name, (score, detail) in scores.items():
        issue, suggestion = (name, "look") if name != "border" else ("low_information", "crop")
        yield issue, score < limits[name], score.clip(0, 1), suggestion, detail


def _text(template: str, values: pd.Series) -> pd.Series:
    return values.map(template.format).astype("str")
