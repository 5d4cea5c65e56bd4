"""The settings of the demo, and of runs from scratch: notebooks know all of them."""

from __future__ import annotations

import pytest

from hotelviz.demo import demo_banner, demo_settings, scratch_settings
from hotelviz.reports import find_notebook
from hotelviz.reports.notebooks import notebook_parameters, read_cells
from hotelviz.reports.parameters import check_parameters

#: Pages that are not called as their notebooks are.
NOTEBOOKS = dict.fromkeys(["aesthetic_training_1", "aesthetic_training_2"], "aesthetic_training")


#: With ImageNet's weights, without, and of runs on any photos without.
WAYS = {
    "weights": lambda epochs: demo_settings(True, epochs),
    "without": lambda epochs: demo_settings(False, epochs),
    "scratch": scratch_settings,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_notebooks_know_the_settings_and_take_them_as_they_are(way):
    for step, settings in way(30).items():
        notebook = find_notebook(NOTEBOOKS.get(step, step))
        known = notebook_parameters(read_cells(notebook))
        # The pipeline gives the files; here there are none.
        files = {name: "" for name, about in known.items() if "path" in (about.type or "")}
        assert check_parameters(notebook, files | settings) == files | settings


def test_both_ways_have_the_same_steps():
    assert list(demo_settings(True, epochs=30)) == list(demo_settings(False, epochs=30))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_one_epoch_is_enough_for_all_trainings(way):
    trained = [given for given in way(1).values() if "fine_tune_epochs" in given]
    epochs = [given["fine_tune_epochs"] for given in trained]
    assert epochs == [int(way is scratch_settings), 0, 1]


def test_only_pages_without_weights_say_so():
    drawn = "Drawn hotels, simulated raters."
    assert demo_banner(pretrained=True) == drawn
    assert demo_banner(pretrained=False).startswith(f"{drawn} Without ImageNet's weights: ")
