"""How pages say numbers and names."""

from __future__ import annotations


def percent(share: float, low: float | None = None, high: float | None = None) -> str:
    """Return a share as per cent, with its interval where there is one.

    Parameters
    ----------
    share : float
        0 to 1.
    low, high : float, optional
        Its interval.

    Examples
    --------
    >>> percent(0.8), percent(0.803, 0.76, 0.842)
    ('80 %', '80 % (76–84)')
    """
    interval = "" if low is None or high is None else f" ({100 * low:.0f}–{100 * high:.0f})"
    return f"{100 * share:.0f} %{interval}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "photo"), counted(1200, "photo"), counted(2, "class", "classes")
    ('1 photo', '1,200 photos', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def in_words(name: object) -> str:
    """Return the name of a class or column as people read it.

    Examples
    --------
    >>> in_words("View_of_Exterior")
    'View of Exterior'
    """
    return str(name).replace("_", " ")
