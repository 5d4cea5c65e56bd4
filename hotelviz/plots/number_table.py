"""A table of numbers as a figure: for slides and print."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots import style
from hotelviz.plots.display import Display

#: Inches: of a row, and of a character of a name.
_ROW, _CHARACTER = 0.42, 0.09


def number_table(
    table: pd.DataFrame,
    *,
    digits: int = 2,
    marked: Collection[tuple[Any, Any]] = (),
    text: str = "",
    ax: Axes | None = None,
    text_kw: style.Kw = None,
) -> Display:
    """Draw a table of numbers, such as precision, recall and F1 of each class.

    Parameters
    ----------
    table : pandas.DataFrame
        Numbers or text; its index names the rows.
    digits : int, default 2
        Decimals in columns that are not whole numbers.
    marked : collection of (row, column), default ()
        Cells that are drawn bold and in another colour, by name.
    text : str, default ""
        What the table says, in a sentence that begins the alternative text.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure that fits the table.
    text_kw : dict, optional
        Further arguments of ``Axes.text`` of the cells.

    Returns
    -------
    Display
        ``texts_`` has the cells by row and column.

    Examples
    --------
    >>> report = pd.DataFrame({"F1": [0.874], "photos": [1200.0]}, index=["View_of_Exterior"])
    >>> display = number_table(report)
    >>> [cell.get_text() for cell in display.texts_.values()]
    ['0.87', '1,200']
    """
    style.check_columns(table, [], "number_table")
    names = [style.label(name) for name in table.index]
    heads = [style.drawn_lines(style.readable(name), 14) for name in table]
    widths = [max(0.8, _CHARACTER * max(map(len, head.split("\n"))) + 0.2) for head in heads]
    first = _CHARACTER * max(map(len, names)) + 0.3
    above = _ROW * (0.4 + 0.75 * max(head.count("\n") + 1 for head in heads))
    size = (first + sum(widths), above + _ROW * len(table) + 0.1)
    ax = style.new_axes(ax, size)
    ax.set(xlim=(0, size[0]), ylim=(-_ROW * len(table) - 0.1, above))
    ax.axis("off")
    ends = [first + sum(widths[: number + 1]) - 0.1 for number in range(len(widths))]
    for end, head in zip(ends, heads, strict=True):
        ax.text(end, 0.08, head, ha="right", va="bottom", fontsize=10, color=style.GREY)
    texts: dict[tuple[Any, Any], Any] = {}
    for number, (row, name) in enumerate(zip(table.index, names, strict=True)):
        middle = -_ROW * (number + 0.5)
        ax.axhline(middle + _ROW / 2, color="#d1d5db", linewidth=0.8)
        ax.text(0.05, middle, name, va="center", fontsize=11)
        for end, column in zip(ends, table, strict=True):
            own: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 11}
            if (row, column) in marked:
                own |= {"color": style.ORANGE, "fontweight": "bold"}
            written = _written(table[column], table[column].iloc[number], digits)
            texts[row, column] = ax.text(end, middle, written, **style.options(text_kw, **own))
    told = [
        f"{style.readable(row)}: "
        + ", ".join(f"{column} {texts[row, column].get_text()}" for column in table)
        for row in table.index
    ]
    return style.display(ax, f"{text} {'; '.join(told)}.".strip(), texts_=texts)


def _written(column: pd.Series, value: Any, digits: int) -> str:
    """Return a cell as it is read: counts whole, other numbers with the same decimals."""
    if pd.isna(value):
        return "–"
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return style.drawn(value)
    whole = bool((column.dropna() % 1 == 0).all())
    return f"{value:,.0f}" if whole else f"{value:,.{digits}f}"
