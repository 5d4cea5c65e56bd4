"""Judge files and looks by what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hotelviz.errors import AuditError, did_you_mean
from hotelviz.images import SUFFIXES_BY_FORMAT
from hotelviz.schema import Status

#: A photo has the issue when its score (see `score_faults`) is below this.
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
#: Sharpness (variance of the Laplacian at 224 pixels) that scores one half.
_HALF_SHARP = 50.0


def score_faults(
    photos: pd.DataFrame, paths: pd.Series, *, thresholds: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """List the faults of files and looks.

    Parameters
    ----------
    photos
        As in `hotelviz.audit.image_properties.Measured`.
    paths
        Of the same photos.
    thresholds
        Other ones than `THRESHOLDS`, by name.

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
    >>> score_faults(photos, pd.Series(["a.jpg"]))[["issue", "detail"]].values.tolist()
    [['unavailable', 'missing']]
    """
    limits = check_thresholds(thresholds)
    parts = [*_file_faults(photos, paths.reset_index(drop=True))]
    numbers = photos.reset_index(drop=True)
    names = ["width", "height", "dark", "light", "sharpness", "entropy", "colour", "border"]
    numbers = numbers[names].astype(float)
    width, height = numbers["width"], numbers["height"]
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    side = np.sqrt(width * height)
    usual = side.median()
    size = _text("{:.0f} x ", width) + _text("{:.0f} pixels", height)
    grey = numbers["colour"]

    def add(
        issue: str, score: pd.Series, detail: pd.Series, suggestion: str, limit: str = ""
    ) -> None:
        rows = np.flatnonzero(score.to_numpy() < limits[limit or issue])
        parts.append(
            pd.DataFrame(
                {
                    "row": rows,
                    "issue": issue,
                    "score": score.clip(0, 1).iloc[rows].to_numpy(),
                    "suggestion": suggestion,
                    "detail": detail.iloc[rows].to_numpy(),
                }
            )
        )

    add("tiny", shorter / _GOOD_SIDE, size, "look")
    add("odd_aspect_ratio", shorter / longer, size, "look")
    add(
        "odd_size", np.minimum(side / usual, usual / side),
        size + f", usually about {usual:.0f} squared", "look",
    )  # fmt: skip
    add("dark", numbers["dark"], _text("95 % is darker than {:.0%}", numbers["dark"]), "look")
    add(
        "light", 1 - numbers["light"],
        _text("95 % is brighter than {:.0%}", numbers["light"]), "look",
    )  # fmt: skip
    # As if the photo were stretched to full brightness: a dark one is not blurry for that.
    sharp = numbers["sharpness"] / numbers["dark"].clip(lower=0.05) ** 2
    add("blurry", sharp / (sharp + _HALF_SHARP), _text("sharpness {:.0f}", sharp), "look")
    add(
        "low_information", numbers["entropy"] / 8,
        _text("{:.1f} of 8 bits of brightness", numbers["entropy"]), "look",
    )  # fmt: skip
    add(
        "low_information", 1 - numbers["border"],
        _text("plain borders cover {:.0%}", numbers["border"]), "crop", "border",
    )  # fmt: skip
    add("grayscale", 10 * grey, _text("at most {:.1%} away from grey", grey), "look")
    faults = pd.concat(parts, ignore_index=True)
    # A plain photo is its own border: one row per photo and issue, the worse one.
    faults = faults.sort_values(["row", "issue", "score"], kind="stable")
    return faults.drop_duplicates(["row", "issue"]).reset_index(drop=True)


def check_thresholds(thresholds: Mapping[str, float] | None) -> dict[str, float]:
    """Return all thresholds, with those that are given.

    Raises
    ------
    AuditError
        An unknown name.
    """
    for name in thresholds or {}:
        if name not in THRESHOLDS:
            raise AuditError(
                f"there is no threshold {name!r}; there are {', '.join(THRESHOLDS)}"
                f"{did_you_mean(name, list(THRESHOLDS))}"
            )
    return {**THRESHOLDS, **(thresholds or {})}


def _text(template: str, values: pd.Series) -> pd.Series:
    return values.map(template.format).astype("str")


def _file_faults(photos: pd.DataFrame, paths: pd.Series) -> list[pd.DataFrame]:
    problem = photos["error"].reset_index(drop=True)
    status = photos["status"].reset_index(drop=True)
    kinds = photos["format"].reset_index(drop=True)
    suffix = paths.str.extract(r"(\.\w+)$")[0].str.lower().fillna("")
    right = pd.Series(
        [
            pd.isna(kind) or end in SUFFIXES_BY_FORMAT.get(kind, (end,))
            for kind, end in zip(kinds, suffix, strict=True)
        ]
    )
    wrong = "a " + kinds.astype("str").fillna("") + " named *" + suffix
    parts = []
    for issue, chosen, score, suggestion, detail in (
        # Says nothing about the photo: it may be there at another time or place.
        ("unavailable", status.eq(Status.UNAVAILABLE), 0.0, "find", problem),
        ("unreadable", status.eq(Status.UNREADABLE), 0.0, "drop", problem),
        ("truncated", status.eq(Status.TRUNCATED), 0.25, "look", problem),
        ("wrong_extension", ~right, 0.5, "rename", wrong),
    ):
        rows = np.flatnonzero(chosen)
        parts.append(
            pd.DataFrame(
                {
                    "row": rows, "issue": issue, "score": score, "suggestion": suggestion,
                    "detail": detail.iloc[rows].to_numpy(),
                }
            )
        )  # fmt: skip
    return parts
