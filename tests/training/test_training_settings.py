"""The settings of a training are stated once: signature, command line and notebooks follow."""

from __future__ import annotations

import dataclasses
import inspect

import nbformat
import papermill
import pytest
import typer.main

from hotelviz.cli import app
from hotelviz.errors import TrainingError
from hotelviz.reports import notebook_directory
from hotelviz.training import TaggerSettings, TrainingSettings, train_aesthetic, train_tagger
from hotelviz.training.settings import AESTHETIC, EFFORTS, TAGGER, chosen_settings

VERBS = [(train_tagger, TAGGER, "tagger"), (train_aesthetic, AESTHETIC, "aesthetic")]


@pytest.mark.parametrize(("function", "defaults", "_"), VERBS)
def test_signature_has_each_setting_with_its_default(function, defaults, _):
    shown = inspect.signature(function).parameters
    for field in dataclasses.fields(defaults):
        assert shown[field.name].default == getattr(defaults, field.name)
        assert shown[field.name].kind is inspect.Parameter.KEYWORD_ONLY
    assert inspect.Parameter.VAR_KEYWORD not in {each.kind for each in shown.values()}


@pytest.mark.parametrize(("_", "defaults", "task"), VERBS)
def test_command_line_offers_each_setting_that_is_a_number_or_a_word(_, defaults, task):
    verb = typer.main.get_command(app).commands[f"train-{task}"]
    options = {option.name: option for option in verb.params}
    plain = {f.name for f in dataclasses.fields(defaults)} - {"backbone_kw", "augmentation"}
    assert plain <= set(options)
    for name in plain:
        assert options[name].default == getattr(defaults, name)


@pytest.mark.parametrize(("_", "defaults", "task"), VERBS)
def test_notebook_has_the_settings_with_their_defaults_and_help(_, defaults, task):
    file = notebook_directory() / f"{task}_training.ipynb"
    parameters = papermill.inspect_notebook(file)
    shared = [field for field in dataclasses.fields(defaults) if field.name in parameters]
    assert {"effort", "backbone", "weights", "fine_tune_epochs", "dropout", "seed"} <= {
        f.name for f in shared
    }
    for field in shared:
        asked, default = parameters[field.name], getattr(defaults, field.name)
        assert eval(asked["default"]) == default
        assert asked["inferred_type_name"] == type(default).__name__
        assert asked["help"].startswith(field.metadata["help"])
    call = next(
        cell.source for cell in nbformat.read(file, as_version=4).cells
        if f"train_{task}(" in cell.source and cell.cell_type == "code" and "out=out" in cell.source
    )  # fmt: skip
    for field in shared:
        assert f"{field.name}={field.name}," in call


def test_effort_decides_what_nothing_else_decides(demo_catalog):
    assert chosen_settings(TAGGER, {"effort": "quick"}).fine_tune_epochs == 0
    best = chosen_settings(AESTHETIC, {"effort": "best"})
    assert {name: getattr(best, name) for name in EFFORTS["best"]["aesthetic"]} == (
        EFFORTS["best"]["aesthetic"]
    )
    given = chosen_settings(TaggerSettings(effort="best", batch_size=7), {"input_size": 224})
    # The half of 224 pixels has no map that fits: a size that is given is the only one.
    assert (given.input_size, given.n_scales, given.batch_size) == (224, 1, 7)
    alone = chosen_settings(TAGGER, {"effort": "best", "n_scales": 1})
    assert (alone.input_size, alone.n_scales) == (224, 1)
    sizes = chosen_settings(TAGGER, {"effort": "best"})
    assert (sizes.input_size, sizes.n_scales, sizes.fine_tune_epochs) == (384, 2, 8)
    assert chosen_settings(TAGGER, {}) == TAGGER
    with pytest.raises(TrainingError, match=r"effort must be one of .*; did you mean 'quick'"):
        train_tagger(demo_catalog, effort="quik")
    with pytest.raises(TrainingError, match="has learned nothing"):
        train_tagger(demo_catalog, effort="quick", weights=None)


def test_none_in_words_is_none():
    assert TrainingSettings(weights="none") == TrainingSettings(weights=None)
    assert TrainingSettings(weights="none").network()["weights"] is None
    assert TrainingSettings(backbone_kw=None).network()["backbone_kw"] == {}


def test_unknown_weights_and_settings_are_refused(demo_catalog):
    with pytest.raises(TrainingError, match="imagenet or none; not 'places'"):
        train_tagger(demo_catalog, weights="places")
    with pytest.raises(TrainingError, match=r"head_penalty=-0\.1 is no number from 0 on"):
        train_tagger(demo_catalog, head_penalty=-0.1)
    with pytest.raises(TrainingError, match=r"head_penalty=0\.1 is of a linear head"):
        train_tagger(demo_catalog, weights=None, head_penalty=0.1)
    with pytest.raises(TypeError, match="epochs"):
        train_tagger(demo_catalog, epochs=3)


def test_settings_may_be_given_as_one(demo_catalog):
    with pytest.raises(TrainingError, match="'places'"):
        train_tagger(demo_catalog, settings=TaggerSettings(dropout=0.1), weights="places")
    assert "most epochs of fine-tuning" in TaggerSettings.__doc__.lower()


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan")])
def test_share_of_the_weights_is_above_none_and_at_most_all(share):
    with pytest.raises(TrainingError, match="no share"):
        TaggerSettings(fine_tune_share=share)
