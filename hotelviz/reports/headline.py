"""The figure that stands for a whole report."""

from __future__ import annotations

import html
from typing import Any

#: Marks a headline among the outputs of a notebook.
HEADLINE_MIME = "application/vnd.hotelviz.headline+json"


class Headline:
    """A figure that stands for a whole report; the index of reports shows it.

    Parameters
    ----------
    label : str
        What it is, such as ``top-1 accuracy``.
    value : str
        The figure as it is to be read.
    detail : str, default ""
        An interval, or what it was measured on.

    Examples
    --------
    >>> Headline("top-1 accuracy", "0.91")._repr_mimebundle_()["text/plain"]
    'top-1 accuracy: 0.91'
    """

    def __init__(self, label: str, value: str, *, detail: str = "") -> None:
        self.label, self.value, self.detail = label, value, detail

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        return {
            HEADLINE_MIME: vars(self),
            "text/html": headline_html(self.label, self.value, self.detail),
            "text/plain": f"{self.label}: {self.value}",
        }


def headline_html(label: str, value: str, detail: str) -> str:
    """Return a headline as HTML, with its texts escaped."""
    label, value, detail = map(html.escape, (label, value, detail))
    return (
        f'<p class="headline mathjax_ignore"><span>{label}</span> <strong>{value}</strong> '
        f"<small>{detail}</small></p>"
    )
