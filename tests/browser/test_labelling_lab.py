"""The labelling app in a real JupyterLab."""

from __future__ import annotations

import nbformat
import papermill
import pytest
from lab import run_all, running_lab
from served import APP, enter, press, saved, shown

from hotelviz.labelling import open_store
from hotelviz.reports import find_notebook

#: How many cells of each kind there are.
CELLS = (
    "['Code', 'Markdown', 'Raw'].map("
    "kind => document.querySelectorAll(`.jp-${kind}Cell`).length).join()"
)


@pytest.mark.slow
def test_in_jupyterlab_the_app_keeps_its_keys_from_the_notebook(catalog, open_page, tmp_path):
    store = tmp_path / "labels.sqlite"
    notebook = papermill.parameterize.parameterize_notebook(
        papermill.iorw.load_notebook_node(str(find_notebook("label_photos"))),
        {"store": str(store), "catalog": str(catalog), "raters": 1, "overlap": 1},
    )
    with running_lab(tmp_path) as lab:
        nbformat.write(notebook, lab.root / "label.ipynb")
        page = open_page(f"{lab.url}/lab/tree/label.ipynb?token={lab.token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        run_all(page, lab)
        page.wait_for_selector(f"{APP} input", timeout=90_000)
        enter(page, "Lab")
        page.click(f"{APP} .stage img")
        before = page.evaluate(CELLS)
        for key in "1ddxabm":  # in a notebook: a heading, and cells deleted, cut, added, changed
            page.keyboard.press(key)
        shown(page, "[data-position='1']")
        press(page, "3")
        saved(page)
        assert page.evaluate(CELLS) == before
        assert open_store(store, create=False).round().ratings()["score"].tolist() == [1, 3]
        page.context.close()  # before the server goes, or the page says that it is gone
