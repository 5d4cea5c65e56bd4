"""Trainings that were stopped go on, and leave nothing but the model."""

from __future__ import annotations

import contextlib
import os

import keras
import numpy as np
import pandas as pd
import pytest
from runs import QUICK, SHORT, TUNED, counted_decoding, course_of, interrupted, shuffled

from hotelviz.errors import OutputError
from hotelviz.io.claims import claim
from hotelviz.models import copy_model, load_model, model_info
from hotelviz.training import fine_tuning, history, lesson, pixel_cache, train_tagger
from hotelviz.training.head import kept_head

pytestmark = pytest.mark.slow


def test_training_stopped_in_any_epoch_and_resorted_ends_as_an_undisturbed_one(coloured, tmp_path):
    settings = {
        **QUICK, "fine_tune_epochs": 10, "fine_tune_learning_rate": 1e-2, "patience": 4,
    }  # fmt: skip
    whole = train_tagger(coloured, **settings)
    expected, work = course_of(whole), tmp_path / "work"
    # The learning rate falls along the cosine of ten epochs, and the training ended before.
    done = np.arange(len(expected) - 1)
    cosine = 0.01 * (1 + np.cos(np.pi * done / 10)) / 2
    np.testing.assert_allclose(expected["learning_rate"].iloc[1:], cosine, rtol=1e-6)
    assert 5 <= len(done) < 10
    for start in range((len(expected) - 2) // 2):
        with interrupted(2):
            train_tagger(shuffled(coloured, start), checkpoint_dir=work, **settings)
    resumed = train_tagger(shuffled(coloured, 99), checkpoint_dir=work, **settings)
    columns = ["epoch", "phase", "learning_rate"]
    pd.testing.assert_frame_equal(course_of(resumed)[columns], expected[columns])
    pd.testing.assert_frame_equal(course_of(resumed), expected, rtol=1e-3)
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_head_that_was_left_of_other_layers_is_not_taken(tuning, tmp_path):
    work, model = tuning.copied(tmp_path), copy_model(tuning.whole)
    # It ended with its linear head: the layers are as they came.
    assert kept_head(work, model) is not None
    layer = model.get_layer("conv1")
    layer.set_weights([1.01 * weights for weights in layer.get_weights()])
    # It would be wrong, and nobody would see it.
    assert kept_head(work, model) is None


@pytest.mark.parametrize("damaged", [False, True])
def test_linear_head_of_a_stopped_training_is_not_fitted_again_unless_it_is_lost(
    tuning, tmp_path, monkeypatch, damaged
):
    work = tuning.copied(tmp_path)
    file = work / "head.npz"
    if damaged:
        file.write_bytes(file.read_bytes()[:100])
    said = pytest.warns(UserWarning, match="head is begun anew")
    with monkeypatch.context() as patch, said if damaged else contextlib.nullcontext():
        if not damaged:
            patch.setattr(fine_tuning, "fit_head", no_space)
        again = train_tagger(tuning.photos, checkpoint_dir=work, **TUNED)
    pd.testing.assert_frame_equal(course_of(again), course_of(tuning.whole), rtol=1e-3)
    assert model_info(again).training["linear"] == model_info(tuning.whole).training["linear"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [("", None), ("from_scratch-*.npz", 100), ("*.json", 10), ("*.pixels", None)],
)
def test_what_a_failing_disk_took_from_a_training_is_done_again(scratch, tmp_path, pattern, left):
    work = scratch.copied(tmp_path)
    damaged = list(work.glob(pattern)) if pattern else []
    for file in damaged:
        if left is None:
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:left])
    assert bool(damaged) == bool(pattern)
    said = pytest.warns(UserWarning, match="begun anew") if left else contextlib.nullcontext()
    with said:
        again = train_tagger(shuffled(scratch.photos, 1), checkpoint_dir=work, **SHORT)
    pd.testing.assert_frame_equal(course_of(again), course_of(scratch.whole), rtol=1e-3)


def test_training_whose_labels_were_corrected_begins_anew_on_the_same_pixels(
    scratch, tmp_path, monkeypatch
):
    work, photos = scratch.copied(tmp_path), scratch.photos
    asked = counted_decoding(monkeypatch)
    corrected = photos.assign(label=photos["label"].where(photos.index != 5, "red"))
    with pytest.warns(UserWarning, match=r"\(changed: labels\); begun anew"):
        model = train_tagger(corrected, checkpoint_dir=work, **SHORT)
    assert asked == []
    assert course_of(model).equals(course_of(train_tagger(corrected, **SHORT)))


def test_checkpoints_stay_until_the_model_is_on_the_disk(coloured, tmp_path, monkeypatch):
    out = tmp_path / "tagger.keras"
    settings = {**SHORT, "fine_tune_epochs": 1}
    with monkeypatch.context() as patch:
        patch.setattr(lesson, "save_model", no_space)
        with pytest.raises(OSError, match="No space left"):
            train_tagger(coloured, out=out, **settings)
    assert not out.exists()
    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "fit", no_space)
        model = train_tagger(coloured, out=out, **settings)
    assert not (tmp_path / "tagger.keras.training").exists()
    saved = load_model(out)
    assert history(saved).equals(history(model))
    for ours, theirs in zip(saved.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_output_that_cannot_be_written_is_refused_before_the_photos_are_read(
    coloured, tmp_path, monkeypatch
):
    monkeypatch.setattr(pixel_cache, "iterate_images", no_space)
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        train_tagger(coloured, out=tmp_path / "folder.keras", **SHORT)
    with pytest.raises(OutputError, match=r"must end in \.keras"):
        train_tagger(coloured, out=tmp_path / "tagger.h5", **SHORT)
    with (
        claim(tmp_path / "tagger.keras"),
        pytest.raises(OutputError, match=f"another run .process {os.getpid()} on "),
    ):
        train_tagger(coloured, out=tmp_path / "tagger.keras", **SHORT)


def test_checkpoint_folder_that_hotelviz_did_not_make_is_refused(coloured, tmp_path):
    theirs = tmp_path / "thesis"
    theirs.mkdir()
    (theirs / "chapter.tex").write_text("years of work")
    with pytest.raises(OutputError, match="thesis: is not empty and hotelviz did not make it"):
        train_tagger(coloured, checkpoint_dir=theirs, **SHORT)
    assert (theirs / "chapter.tex").read_text() == "years of work"
