"""Commands on models: other people's are described, and lighter ones are taught."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from test_cli import run

from hotelviz.models import activations, build_tagger, load_model, model_info, save_model


def their_file(path: Path, outputs: int = 10, activation: str | None = "softmax", **kw) -> Path:
    """A Keras file without a description."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input(**{"shape": (64, 64, 3), **kw})
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(inputs))
    keras.Model(inputs, layers.Dense(outputs, activation)(pooled)).save(path)
    return path


def test_wrap_describes_a_file_as_it_is_told(tmp_path):
    file, out = their_file(tmp_path / "theirs.keras"), tmp_path / "ours.keras"
    result = run("wrap", file, "--task", "aesthetic", "--value-range", "0..1",
                 "--resample", "nearest", "--out", out)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "aesthetic model of 64 x 64 pixels, 0..1, nearest" in result.output
    ours = load_model(out, task="aesthetic")
    prepared = model_info(ours).preprocessing
    assert (prepared.size, prepared.value_range, prepared.resample) == ((64, 64), "0..1", "nearest")
    assert model_info(ours).backbone == "theirs.keras"
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype="uint8")
    theirs = keras.saving.load_model(file)(pixels / np.float32(255))
    np.testing.assert_allclose(activations(ours)(pixels), theirs, atol=1e-6)


def test_wrap_takes_logits_and_any_size_when_told(tmp_path):
    file = their_file(tmp_path / "theirs.keras", 2, None, shape=(None, None, 3))
    command = ("wrap", file, "--task", "tagger", "--classes", "Pool, Foyer", "--value-range",
               "0..255", "--out", tmp_path / "ours.keras")  # fmt: skip
    assert "say with --input-size which it was trained with" in run(*command).output
    assert "(--outputs logits)" in run(*command, "--input-size", 48).output
    result = run(*command, "--input-size", 48, "--outputs", "logits")
    assert result.exit_code == 0, result.output
    ours = load_model(tmp_path / "ours.keras", task="tagger")
    assert model_info(ours).classes == ("Pool", "Foyer")
    assert ours.input_shape == (None, 48, 48, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--task", "tagger"], "needs classes=[...] (--classes A,B), in the order of its outputs"),
        (["--task", "tagger", "--classes", "A,B"], "10 outputs, but 2 classes were given: name"),
        (["--input-size", "32"], "photos of 64 x 64 pixels, not 32 x 32: leave --input-size away"),
        (["--outputs", "logits"], "(Dense, softmax): leave it away, or say what"),
        (["--value-range", "0-255"], "'0-255' is not one of"),
        (["--out", "THEIRS"], "is read, and would be replaced"),
        (["--out", "ours.h5"], "must end in .keras"),
    ],
)
def test_wrap_says_what_is_wrong_and_what_to_do(tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    their_file(Path("theirs.keras"))
    told = {"--task": "aesthetic", "--value-range": "0..1", "--out": "ours.keras"}
    told |= dict(zip(changes[::2], changes[1::2], strict=True))
    given = [text.replace("THEIRS", "theirs.keras") for pair in told.items() for text in pair]
    result = run("wrap", "theirs.keras", *given)
    assert result.exit_code != 0
    assert message in result.output
    assert [file.name for file in tmp_path.iterdir()] == ["theirs.keras"]


def test_wrap_knows_networks_that_scale_pixels_themselves(tmp_path):
    inputs = keras.Input((32, 32, 3))
    scaled = layers.Conv2D(4, 3)(layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(inputs))
    outputs = layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(scaled))
    keras.Model(inputs, outputs).save(tmp_path / "theirs.keras")
    result = run("wrap", tmp_path / "theirs.keras", "--task", "technical", "--value-range", "-1..1",
                 "--out", tmp_path / "ours.keras")  # fmt: skip
    assert result.exit_code == 1
    assert "it scales pixels itself (layer 'scaling'): say --value-range 0..255" in result.output
    assert not (tmp_path / "ours.keras").exists()


@pytest.mark.slow
def test_wrap_takes_no_models_away_from_their_record(few_layers, tmp_path):
    file = tmp_path / "tagger.keras"
    save_model(build_tagger(["Bedroom", "Pool"], input_size=32, weights=None), file)
    result = run("wrap", file, "--task", "tagger", "--classes", "A,B", "--value-range", "-1..1",
                 "--out", tmp_path / "b.keras")  # fmt: skip
    assert result.exit_code == 1
    assert "tagger.keras: it has a description, and needs no other one" in result.output


@pytest.mark.slow
def test_distill_teaches_a_lighter_network(demo_dir, few_layers, tmp_path):
    teacher, out = tmp_path / "teacher.keras", tmp_path / "student.keras"
    catalog = demo_dir / "catalog.csv"
    labels = ["Bathroom", "Bedroom", "Foyer", "Kitchen", "Pool", "Reception", "Restaurant",
              "View_of_Exterior"]  # fmt: skip
    kw = {"input_size": 32, "weights": None, "backbone_kw": {"alpha": 0.5}}
    save_model(build_tagger(labels, **kw), teacher)
    command = ("distill", catalog, "--teacher", teacher, "--out", out, "--weights", "none",
               "--input-size", 32, "--fine-tune-epochs", 1)  # fmt: skip
    assert "'alpha' is not name=value" in run(*command, "--backbone-kw", "alpha").output
    result = run(*command, "--backbone-kw", "alpha=0.5")
    assert result.exit_code == 0, result.output
    assert "val_accuracy" in result.output
    assert load_model(out).count_params() == load_model(teacher).count_params()
    save_model(build_tagger(labels[:7], **kw), teacher)
    result = run(*command, "--backbone-kw", "alpha=0.5")
    assert result.exit_code == 1
    assert "is labelled 'View_of_Exterior', which the teachers do not know" in result.output
