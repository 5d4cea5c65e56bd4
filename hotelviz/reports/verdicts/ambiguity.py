"""How much of a tagger's error is ambiguity, in words, and the rules of its classes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hotelviz import metrics
from hotelviz.catalog import read_class_rules
from hotelviz.metrics.ambiguity import EITHER, OTHER_AREA
from hotelviz.reports.tables import Table
from hotelviz.reports.wording import counted, in_words, percent
from hotelviz.schema import MORE_AREAS

#: From this share of the errors on, ambiguity is worth a sentence at the top of the page.
_MATTERS = 0.1


def ambiguity_table(judged: pd.DataFrame, *, classes: Sequence[str] | None = None) -> Table:
    """Return the figures of `hotelviz.metrics.ambiguity`, with what each is a share of.

    Parameters
    ----------
    judged, classes
        As for `hotelviz.metrics.ambiguity`.

    Returns
    -------
    Table
    """
    figures = metrics.ambiguity(judged, classes=classes)
    words = {"metric": "share", "value": "value", "low": "from", "high": "to"}
    words |= {"n_photos": "of photos"}
    return Table(figures, words, percent=["value", "low", "high"])


def ambiguity_said(judged: pd.DataFrame) -> str:
    """Return a sentence for the verdict where ambiguity is a good part of the error, else nothing.

    Parameters
    ----------
    judged
        As for `hotelviz.metrics.ambiguity`.

    Examples
    --------
    >>> tags = pd.DataFrame({"label": "Foyer", "label_2": ["Bar", None], "predicted": "Bar",
    ...                      "p_Bar": [0.9, 0.8], "p_Foyer": [0.1, 0.2]})
    >>> ambiguity_said(tags)
    " 1 of the 2 errors names the photo's other area: 50 % (0–100) are right if either counts."
    """
    figures = metrics.ambiguity(judged).set_index("metric")
    if OTHER_AREA not in figures.index:
        return ""
    value, _, _, n_errors = map(float, figures.loc[OTHER_AREA])
    if value < _MATTERS:
        return ""
    named, errors = round(value * n_errors), counted(int(n_errors), "error")
    either, low, high, _ = map(float, figures.loc[EITHER])
    return (
        f" {named:,} of the {errors} name{'s' if named == 1 else ''} the photo's other area: "
        f"{percent(either, low, high)} are right if either counts."
    )


def rules_table(rules: str, classes: Sequence[str]) -> Table:
    """Return the rules of classes as a table.

    Parameters
    ----------
    rules : str
        The file, see `hotelviz.catalog.read_class_rules`; empty for none.
    classes : sequence of str
        The model's. The file may also have rules of the other areas that hotelviz knows.

    Returns
    -------
    Table
    """
    read = read_class_rules(rules, [*dict.fromkeys([*classes, *MORE_AREAS])]) if rules else {}
    rows = [(in_words(name), read[name]) for name in classes if name in read]
    table = pd.DataFrame(rows, columns=["area", "rule"])
    return Table(table, {"area": "area", "rule": "what counts as it"}, noun="rules")
