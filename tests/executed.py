"""Notebooks in this process, or in kernels that are forked: a kernel takes seconds to start."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hotelviz.images import keep_views
from hotelviz.reports import find_notebook
from hotelviz.reports.notebooks import read_cells


def run_cells(name: str, **parameters: Any) -> list[Any]:
    """Return what the cells of a notebook show: the value of each cell that ends in one.

    A kernel ends with its notebook; here the photos that a notebook keeps are forgotten instead.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shown: list[Any] = []
    try:
        for cell in read_cells(find_notebook(name)):
            if cell["cell_type"] != "code":
                continue
            tree = ast.parse(cell["source"])
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), namespace)
            if "parameters" in cell["metadata"].get("tags", []):
                namespace.update(parameters)
            if last is not None:
                shown.append(eval(compile(ast.Expression(last.value), name, "eval"), namespace))
    finally:
        keep_views(max_bytes=0)
    return [one for one in shown if one is not None]


@contextmanager
def outside_of_tests() -> Iterator[None]:
    """Hide from kernels which test it is: one whose environment is another starts by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST")
        yield
