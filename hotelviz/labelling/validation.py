"""What a rating and a rater's name may be, and how they are kept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from hotelviz.errors import LabelError, did_you_mean
from hotelviz.schema import SCORES

_KEY = re.compile(r"[0-9a-f-]{32,36}")
_MAX_NAME, _MAX_REASON = 60, 300
#: Seconds that a look at a photo may take; more is a page that was left open.
_MAX_SECONDS = 1e6
#: What databases take for a position in a list.
_MAX_POSITION = 2**31


def check_key(key: object) -> None:
    """Refuse a key that is no UUID."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise LabelError(f"the key of a rating is a UUID, not {str(key)[:40]!r}")


def clean_rating(
    classes: Sequence[str], position: object, *, score: Any, tag: Any, reason: Any, seconds: Any
) -> dict[str, Any]:
    """Return what a rating says, as it is kept.

    Raises
    ------
    LabelError
        Not exactly one score, one of the classes (where there are any), or the reason of a skip;
        or no position in a list.
    """
    if type(position) is not int or not 0 <= position < _MAX_POSITION:
        raise LabelError(
            f"a position in a list is a whole number from 0, not {str(position)[:40]!r}"
        )
    if sum(value is not None for value in (score, tag, reason)) != 1:
        raise LabelError("a rating is one score, one tag, or one reason of a skip")
    if reason is not None:
        reason = one_line(reason)[:_MAX_REASON] if isinstance(reason, str) else ""
        if not reason:
            raise LabelError("a skip needs a reason")
    elif classes:
        if not isinstance(tag, str) or tag not in classes:
            said = str(tag)[:40]
            raise LabelError(
                f"{said!r} is not one of the classes {', '.join(classes)}"
                f"{did_you_mean(said, classes)}"
            )
    elif type(score) is not int or score not in SCORES:
        raise LabelError(f"a score is a whole number from 1 to 10, not {str(score)[:40]!r}")
    # The time of a look at a photo, where it is one.
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    kept = seconds if is_number and 0 <= seconds <= _MAX_SECONDS else None
    return {"score": score, "tag": tag, "reason": reason, "seconds": kept}


def clean_name(name: object) -> tuple[str, str]:
    """Return a rater's name as it is shown, and as it is compared."""
    shown = one_line(unicodedata.normalize("NFC", str(name)))
    if not shown:
        raise LabelError("please enter a name")
    if len(shown) > _MAX_NAME:
        raise LabelError(f"a name has at most {_MAX_NAME} letters; this one has {len(shown)}")
    return shown, shown.casefold()


def one_line(text: str) -> str:
    """Make one line of a text, without control characters, which databases refuse."""
    kept = (" " if character.isspace() else character for character in text)
    return " ".join("".join(c for c in kept if unicodedata.category(c) not in {"Cc", "Cs"}).split())
