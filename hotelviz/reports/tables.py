"""Tables as people read them: words with units, whole numbers, no index, and what was cut."""

from __future__ import annotations

import html
import numbers
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from hotelviz.errors import ReportError, no_column

#: Longer texts wrap; shorter ones are easier to compare in one line.
_LONG = 36


class Table:
    """A table for people; as the last line of a notebook's cell it shows itself.

    Parameters
    ----------
    frame : pandas.DataFrame
        Its index is not shown.
    words : mapping of str to str, optional
        Column -> its heading, with the unit. Only these are shown, in this order; by default all,
        with spaces for underscores.
    digits : int or mapping of str to int, default 2
        Decimals of numbers that are not whole, for all columns or by column.
    percent : sequence of str, default ()
        Columns that hold shares, shown as per cent without decimals.
    links : mapping of str to callable, optional
        Column -> function from a row to where its cell leads: ``#heading``, or
        ``report:name#heading`` for another report; empty for nowhere.
    max_rows : int, optional
        The most rows; with more the table says how many of how many it shows.
    noun : str, default "rows"
        What the rows are, in the plural.

    Raises
    ------
    ReportError
        A column is not there, or has no heading.

    Examples
    --------
    >>> frame = pd.DataFrame({"label": ["Pool", "Foyer"], "photos": [1234, 2], "share": [0.5, 0.1]})
    >>> table = Table(frame, {"label": "area", "photos": "photos"}, max_rows=1)
    >>> "1,234" in table._repr_html_(), "1 of 2 rows" in table._repr_html_()
    (True, True)
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        words: Mapping[str, str] | None = None,
        *,
        digits: int | Mapping[str, int] = 2,
        percent: tuple[str, ...] | list[str] = (),
        links: Mapping[str, Callable[[pd.Series], str]] | None = None,
        max_rows: int | None = None,
        noun: str = "rows",
    ) -> None:
        self.words = words or {str(name): str(name).replace("_", " ") for name in frame}
        for name in self.words:
            if name not in frame:
                raise ReportError(no_column(name, frame.columns))
            if not self.words[name].strip():
                raise ReportError(f"the column {name!r} has no heading: give it words")
        self.total, self.noun = len(frame), noun
        self.frame = frame.head(max_rows) if max_rows is not None else frame
        self.digits, self.percent, self.links = digits, set(percent), dict(links or {})
        self.numeric = {
            name
            for name in self.words
            if pd.api.types.is_numeric_dtype(kind := frame[name].dtype)
            and not pd.api.types.is_bool_dtype(kind)
        }
        # A count with a gap is a float to pandas, but a whole number to people.
        self.whole = {name for name in self.numeric if (frame[name].dropna() % 1 == 0).all()}

    def __repr__(self) -> str:
        return self.frame[list(self.words)].to_string(index=False)

    def _cell(self, name: str, value: Any) -> str:
        """Return a value as it is read."""
        if pd.isna(value):
            return "–"
        if isinstance(value, bool) or type(value).__name__ == "bool":
            return "yes" if value else "no"
        if not isinstance(value, numbers.Real):
            return str(value)
        if name in self.percent:
            return f"{value:.0%}".replace("%", " %")
        if name in self.whole:
            return f"{float(value):,.0f}"
        digits = self.digits if isinstance(self.digits, int) else self.digits.get(name, 2)
        # What is not quite nothing is not called 0.000: p-values, above all.
        least = 10.0**-digits
        return f"< {least:.{digits}f}" if 0 < float(value) < least / 2 else f"{value:,.{digits}f}"

    def _repr_html_(self) -> str:
        if self.frame.empty:
            return ""
        cells = [
            {name: self._cell(name, row[name]) for name in self.words}
            for _, row in self.frame.iterrows()
        ]
        kinds = {name: self._kind(name, cells) for name in self.words}
        head = "".join(
            f'<th scope="col"{kinds[name]}>{html.escape(word)}</th>'
            for name, word in self.words.items()
        )
        # The first column names the row, unless it is a figure.
        named = next(iter(self.words))
        named = "" if named in self.numeric else named
        body = "".join(
            "<tr>"
            + "".join(
                f'<th scope="row"{kinds[name]}>{cell}</th>'
                if name == named
                else f"<td{kinds[name]}>{cell}</td>"
                for name, cell in self._linked(texts, row).items()
            )
            + "</tr>"
            for texts, (_, row) in zip(cells, self.frame.iterrows(), strict=True)
        )
        cut = len(self.frame) < self.total
        said = f"{len(self.frame):,} of {self.total:,} {html.escape(self.noun)}" if cut else ""
        return (
            '<table class="dataframe mathjax_ignore">'
            + (f"<caption>{said}</caption>" if said else "")
            + f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _kind(self, name: str, cells: list[dict[str, str]]) -> str:
        """Return the class of a column's cells: numbers need none, long texts may wrap."""
        if name in self.numeric:
            return ""
        long = max(len(row[name]) for row in cells) > _LONG
        return f' class="text{" long" if long else ""}"'

    def _linked(self, texts: Mapping[str, str], row: pd.Series) -> dict[str, str]:
        """Return the cells of a row as markup."""
        found = {}
        for name, text in texts.items():
            target = self.links[name](row) if name in self.links else ""
            shown = html.escape(text)
            found[name] = f'<a href="{html.escape(target)}">{shown}</a>' if target else shown
        return found
