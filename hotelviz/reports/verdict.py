"""What a report found: a sentence, headline figures and what to do next, before anything else."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

#: Marks the verdict among the outputs of a notebook; the page shows it at its top.
VERDICT_MIME = "application/vnd.hotelviz.verdict+json"


class Card(NamedTuple):
    """A headline figure.

    Attributes
    ----------
    label : str
        What it is, such as ``top-1 accuracy``.
    value : str
        The figure as it is to be read.
    detail : str
        Its interval, its n, what it was measured on.
    """

    label: str
    value: str
    detail: str = ""


class NextStep(NamedTuple):
    """Something to do about what was found.

    Attributes
    ----------
    text : str
        What to do.
    link : str
        Where: ``#heading`` on this page, or ``report`` or ``report#heading`` for another report of
        the same folder. A report that is not there is not linked.
    command : str
        A command line that does it.
    """

    text: str
    link: str = ""
    command: str = ""


class Verdict:
    """What a report found; the page shows it first, wherever its cell stands.

    Parameters
    ----------
    text : str
        One or two sentences, with their figures: what someone knows after ten seconds.
    cards : sequence of Card, default ()
        The headline figures; the index of reports shows the first two.
    next_steps : sequence of NextStep, default ()
        What to do about it.

    Examples
    --------
    >>> verdict = Verdict("Right on 80 % of 310 photos.", cards=[Card("top-1 accuracy", "0.80")])
    >>> verdict._repr_mimebundle_()["text/plain"]
    'Right on 80 % of 310 photos.'
    """

    def __init__(
        self, text: str, *, cards: Sequence[Card] = (), next_steps: Sequence[NextStep] = ()
    ) -> None:
        self.text, self.cards, self.next_steps = text, tuple(cards), tuple(next_steps)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        return {
            VERDICT_MIME: {
                "text": self.text,
                "cards": [list(card) for card in self.cards],
                "html": self._repr_html_(),
            },
            "text/html": self._repr_html_(),
            "text/plain": self.text,
        }

    def _repr_html_(self) -> str:
        said = _escaped(self.text)
        cards = "".join(card_html(*card) for card in self.cards)
        steps = "".join(_step_html(step) for step in self.next_steps)
        return (
            f'<div class="verdict mathjax_ignore"><p class="said">{said}</p>'
            + (f'<ul class="cards">{cards}</ul>' if cards else "")
            + (f'<div class="next"><p>What to do next</p><ul>{steps}</ul></div>' if steps else "")
            + "</div>"
        )


def card_html(label: str, value: str, detail: str) -> str:
    """Return a headline figure as an item of a list, with its texts escaped."""
    label, value, detail = map(_escaped, (label, value, detail))
    return (
        f"<li><span>{label}</span> <strong>{value}</strong>"
        + (f" <small>{detail}</small>" if detail else "")
        + "</li>"
    )


def _escaped(text: str) -> str:
    """Return text for a page, in which a number and its per cent sign stay in one line."""
    return re.sub(r"(?<=\d) %", "&nbsp;%", html.escape(text))


def _step_html(step: NextStep) -> str:
    text = html.escape(step.text)
    if step.link:
        target = step.link if step.link.startswith("#") else f"report:{step.link}"
        text = f'<a href="{html.escape(target)}">{text}</a>'
    return f"<li>{text}{f' <code>{html.escape(step.command)}</code>' if step.command else ''}</li>"
