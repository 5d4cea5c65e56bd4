"""What scores mean and what counts as a class, in words: all raters of a round read the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hotelviz.errors import LabelError, did_you_mean
from hotelviz.labelling.validation import one_line
from hotelviz.schema import SCORES

#: What is said of the scores of a new round, by task.
ANCHORS: Mapping[str, Mapping[int, str]] = {
    "aesthetic": {
        2: "dull or messy: better left out of the gallery",
        5: "plain: shows the place, no more",
        8: "beautiful: one of the first to show",
    },
    "technical": {
        2: "blurred, noisy or too dark to make things out",
        5: "usable, with faults that one sees at once",
        8: "sharp, well lit and clean",
    },
    "tags": {},
}
#: Letters of a meaning: it stands under a row of buttons, on phones as well.
_MAX_LETTERS = 80


def round_anchors(task: str, given: Mapping[int, str] | None) -> dict[int, str]:
    """Return what the scores of a round mean: the usual words, with those given in their place.

    Parameters
    ----------
    task : str
        One of `hotelviz.labelling.TASKS`.
    given : mapping of int to str, optional
        Score -> what it means; an empty text takes the usual one away.

    Returns
    -------
    dict
        By score.

    Raises
    ------
    LabelError
        Tags, which have no scale; no score; a text that is too long.

    Examples
    --------
    >>> round_anchors("technical", {2: "", 5: "fine on a phone"})
    {5: 'fine on a phone', 8: 'sharp, well lit and clean'}
    """
    if given and task == "tags":
        raise LabelError("tags have no scores whose meaning could be said")
    texts = dict(ANCHORS[task])
    for score, text in (given or {}).items():
        if type(score) is not int or score not in SCORES:
            raise LabelError(
                f"what a score means is said of a whole number from 1 to 10, not {score!r}"
            )
        texts[score] = one_line(str(text))
        if len(texts[score]) > _MAX_LETTERS:
            raise LabelError(
                f"what {score} means has at most {_MAX_LETTERS} letters; this has "
                f"{len(texts[score])}: {texts[score][:30]!r}…"
            )
    return {score: texts[score] for score in sorted(texts) if texts[score]}


def round_rules(
    task: str, classes: Sequence[str], given: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the rules of a round's classes, such as ``lounge counts as Foyer``.

    Parameters
    ----------
    task : str
        One of `hotelviz.labelling.TASKS`.
    classes : sequence of str
        The round's.
    given : mapping of str to str, optional
        Class -> rule, as `hotelviz.catalog.read_class_rules` gives it.

    Returns
    -------
    dict
        In the order of the classes.

    Raises
    ------
    LabelError
        A round of scores, or a class that it does not have.

    Examples
    --------
    >>> round_rules("tags", ["Foyer", "Pool"], {"Foyer": "lounge counts as Foyer"})
    {'Foyer': 'lounge counts as Foyer'}
    """
    if given and task != "tags":
        raise LabelError(f"rules say what counts as a class; a round of {task} has scores")
    for name in given or {}:
        if name not in classes:
            raise LabelError(
                f"a rule is of {name!r}, which is not one of the classes {', '.join(classes)}"
                f"{did_you_mean(name, classes)}"
            )
    rules = {name: one_line((given or {}).get(name, "")) for name in classes}
    return {name: rule for name, rule in rules.items() if rule}


def parse_anchors(texts: Iterable[str]) -> dict[int, str] | None:
    """Read what scores mean as it is written on the command line.

    Parameters
    ----------
    texts : iterable of str
        Such as ``2=dull``.

    Returns
    -------
    dict or None
        By score; None of no texts.

    Raises
    ------
    LabelError
        A text that is written otherwise.

    Examples
    --------
    >>> parse_anchors(["2=dull", "8=beautiful"])
    {2: 'dull', 8: 'beautiful'}
    """
    found: dict[int, str] = {}
    for given in texts:
        score, equals, text = given.partition("=")
        if not equals or not score.strip().isdecimal():
            raise LabelError(f'{given!r}: write a score and what it means, such as 2="dull"')
        found[int(score)] = text
    return found or None
