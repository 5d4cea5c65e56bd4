"""Text from data, made harmless for the place where it goes.

Names of classes, hotels, photos and columns come from tables of other people. Each function here
is the only way into its place; HTML is escaped by `html.escape` of the standard library.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_MARKDOWN = re.compile(r"([$\\]+)|(_|[^\w\s$\\])", re.ASCII)
#: All control characters but tab and line feed, and those that turn the direction of text.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def escape_markdown(text: object) -> str:
    r"""Escape text for Markdown, so that it shows as it is: no link, picture, HTML or formula.

    Examples
    --------
    >>> print(escape_markdown("[a](javascript:x) $x$"))
    &#91;a&#93;&#40;javascript&#58;x&#41; `$`x`$`
    """
    # A line break could begin a heading, a list or a table. Dollar signs and backslashes stand as
    # code: MathJax, which looks for formulas in what Markdown has become, passes over that.
    return _MARKDOWN.sub(_as_entity, " ".join(str(text).split()))


def _as_entity(found: re.Match[str]) -> str:
    code, sign = found.groups()
    return f"`{code}`" if code else f"&#{ord(sign)};" if sign.isascii() else sign


def escape_mathtext(text: object) -> str:
    r"""Escape text for matplotlib, which takes what stands between two dollar signs as a formula.

    Examples
    --------
    >>> print(escape_mathtext("Suite $200-$300"))
    Suite \$200-\$300
    """
    return str(text).replace("$", r"\$")


def escape_terminal(text: object) -> str:
    r"""Escape control characters, which would move the cursor, change colours or hide text.

    Examples
    --------
    >>> print(escape_terminal("a\x1b[31mb"))
    a\x1b[31mb
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def csv_safe(table: pd.DataFrame) -> pd.DataFrame:
    """Escape a table that people open in a spreadsheet, where some cells would be run as formulas.

    Parameters
    ----------
    table
        Any; texts that begin with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return get an
        apostrophe before them, names of columns too.

    Returns
    -------
    pandas.DataFrame
        A copy.

    Notes
    -----
    The rule: what hotelviz reads again (catalogues, predictions, rankings, decisions, the gallery's
    export) is written exactly, or a photo would be called otherwise after the next reading. What
    only people read (``*.changes.csv``, summaries) goes through here.

    References
    ----------
    OWASP: CSV Injection.

    Examples
    --------
    >>> import pandas as pd
    >>> csv_safe(pd.DataFrame({"label": ["=1+1", "Pool"], "n": [-1, 2]})).values.tolist()
    [["'=1+1", -1], ['Pool', 2]]
    """

    def safe(value: object) -> object:
        formula = isinstance(value, str) and value.startswith(tuple("=+-@\t\r"))
        return f"'{value}" if formula else value

    return table.rename(columns=safe).map(safe)
