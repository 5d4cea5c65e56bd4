"""Students: what they are taught, by whom, of which photos, and what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from runs import SHORT, interrupted

from hotelviz.errors import CatalogError, ModelError, TrainingError
from hotelviz.images import iterate_images
from hotelviz.inference import predict_scores, predict_tags
from hotelviz.models import (
    Preprocessing,
    activations,
    gap_node,
    load_model,
    model_info,
    record_training_photos,
    save_model,
    seen_photos,
    training_photos,
    weights_hash,
    wrap_model,
)
from hotelviz.schema import RATINGS
from hotelviz.training import distill, distillation, history, train_tagger
from hotelviz.training.lesson import Lesson

SCORES = " ".join(map(str, range(1, 11)))


def teacher_of(
    classes: str = "blue red", task: str = "tagger", *, first: str = "blue", last: str = "red"
) -> keras.Model:
    """A teacher that knows the answer: one output follows the blue, and one the red in a photo."""
    names = classes.split()
    inputs = keras.Input((32, 32, 3))
    dense = layers.Dense(len(names), "softmax")
    outputs = dense(layers.GlobalAveragePooling2D()(inputs))
    kernel = np.zeros((3, len(names)), "float32")
    kernel[2, names.index(first)] = kernel[0, names.index(last)] = 6
    dense.set_weights([kernel, np.zeros(len(names), "float32")])
    return wrap_model(keras.Model(inputs, outputs), task=task, classes=names,
                      preprocessing=Preprocessing(32, 32))  # fmt: skip


def scorer(task: str = "aesthetic") -> keras.Model:
    return teacher_of(SCORES, task, first="3", last="8")


@pytest.fixture
def lessons(monkeypatch: pytest.MonkeyPatch) -> list[Lesson]:
    """What is to be learned, instead of learning it."""
    asked: list[Lesson] = []

    def note(lesson: Lesson, *_: object, **__: object) -> keras.Model:
        asked.append(lesson)
        return lesson.model

    monkeypatch.setattr(distillation, "train", note)
    return asked


def partly_labelled(photos: pd.DataFrame) -> pd.DataFrame:
    """Of every hotel a photo without a label and a split; two more hotels without any."""
    photos = photos.astype({"label": object, "split": object})
    photos.loc[photos.index % 4 == 3, ["label", "split"]] = None
    photos.loc[photos["hotel_id"] == "h5", "split"] = "test"
    photos.loc[photos.index % 20 == 3, "split"] = None
    photos.loc[photos["hotel_id"].isin(["h0", "h1"]), ["label", "split"]] = None
    return photos


def test_targets_are_what_teachers_say_mixed_with_the_true_label(coloured, lessons):
    photos = partly_labelled(coloured)
    teachers = [teacher_of(), teacher_of("red blue", first="red", last="blue")]
    distill(teachers, photos, label_share=0.25, **SHORT)
    targets, _ = lessons[0].targets(photos)
    first, second = (
        predict_tags(photos, model, mirror=True, progress=False)[["p_blue", "p_red"]].to_numpy()
        for model in teachers
    )
    soft = (first + second) / 2
    labelled = photos["label"].notna().to_numpy()
    truth = np.array([[label == "blue", label == "red"] for label in photos["label"]])
    np.testing.assert_allclose(targets[~labelled], soft[~labelled], atol=1e-6)
    expected = 0.25 * truth[labelled] + 0.75 * soft[labelled]
    np.testing.assert_allclose(targets[labelled], expected, atol=1e-6)
    # A photo of two areas is half of each.
    distill(teachers, photos.assign(label_2="blue"), label_share=1.0, **SHORT)
    targets, _ = lessons[1].targets(photos[labelled])
    halves = np.where(photos.loc[labelled, ["label"]] == "blue", [1, 0], [0.5, 0.5])
    np.testing.assert_allclose(targets, halves, atol=1e-6)


def test_unlabelled_photos_join_their_hotel_and_are_learned_from_elsewhere(coloured, lessons):
    photos = partly_labelled(coloured)
    distill(teacher_of(), photos, **SHORT)
    split = lessons[0].photos.groupby("hotel_id")["split"].unique()
    assert split["h0"].tolist() == split["h1"].tolist() == ["train"]
    assert split["h5"].tolist() == ["test"]
    assert split["h20"].tolist() == ["val"]
    assert len(lessons[0].photos) == len(photos)
    assert lessons[0].left_out == {"without split": 0}


def test_labelled_photos_without_a_split_are_refused_or_left_out(coloured, lessons):
    photos = coloured.astype({"split": object})
    photos.loc[photos["hotel_id"] == "h0", "split"] = None
    with pytest.raises(CatalogError, match="is empty for 4 of 96 photos"):
        distill(teacher_of(), photos, **SHORT)
    distill(teacher_of(), photos, unsplit="leave", **SHORT)
    assert lessons[0].left_out == {"without split": 4}


@pytest.mark.parametrize("task", ["aesthetic", "technical"])
def test_scores_are_taught_beside_ratings(coloured, lessons, task):
    rated = coloured.drop(columns="label")
    rated[list(RATINGS)] = np.nan
    rated.loc[:39, list(RATINGS)] = 0.0
    rated.loc[:39, "rating_9"] = 4.0
    teacher = scorer(task)
    student = distill(teacher, rated, label_share=1.0, **SHORT)
    assert model_info(student).task == task
    targets, weights = lessons[0].targets(rated)
    assert (targets[:40, 8] == 1).all()
    said = [f"q_{score}" for score in range(1, 11)]
    expected = predict_scores(rated, teacher, progress=False)[said].to_numpy()
    np.testing.assert_allclose(targets[40:], expected[40:], atol=1e-6)
    assert (weights == 1).all()
    distill(teacher, coloured, **SHORT)  # nobody has rated any of them
    np.testing.assert_allclose(lessons[1].targets(coloured)[0], expected, atol=1e-6)


@pytest.mark.slow
def test_student_says_what_its_teacher_says_whatever_the_labels_are(coloured):
    swapped = coloured.assign(label=coloured["label"].map({"red": "blue", "blue": "red"}))
    settings = SHORT | {"fine_tune_epochs": 6, "fine_tune_learning_rate": 1e-2}
    student = distill(teacher_of(), swapped, label_share=0.0, **settings)
    held_out = coloured[coloured["split"] == "val"]
    predicted = predict_tags(held_out, student, progress=False)["predicted"]
    assert (predicted == held_out["label"]).mean() >= 0.9


def test_student_names_its_teachers_and_has_seen_what_they_saw(coloured, tmp_path):
    columns = {"image_id": ["elsewhere"], "hotel_id": ["h99"], "content": [""], "split": ["train"]}
    first = record_training_photos(teacher_of(), pd.DataFrame(columns))
    save_model(first, tmp_path / "first.keras")
    second = teacher_of("red blue")
    out = tmp_path / "student.keras"
    distill([tmp_path / "first.keras", second], coloured, out=out,
            **SHORT | {"fine_tune_epochs": 0})  # fmt: skip
    student = load_model(out, task="tagger")
    named = model_info(student).training["teachers"]
    assert [each["hash"] for each in named] == [weights_hash(first), weights_hash(second)]
    assert model_info(student).classes == ("blue", "red")
    photos = pd.DataFrame({"image_id": ["elsewhere", "other", "0"],
                           "hotel_id": ["h99", "h99", "h0"]})  # fmt: skip
    assert seen_photos(student, photos).to_list() == ["train", "hotel", "train"]
    # Nor does anybody know what else the teachers have seen, which were wrapped.
    assert training_photos(student).unrecorded == tuple(
        name for teacher in (first, second) for name in training_photos(teacher).unrecorded
    )


@pytest.mark.slow
def test_stopped_distillation_goes_on_without_asking_the_teacher_again(
    coloured, tmp_path, monkeypatch
):
    asked: list[str] = []

    def note(paths, **how):
        asked.extend(paths)
        return iterate_images(paths, **how)

    monkeypatch.setattr(distillation, "iterate_images", note)
    with interrupted(1):
        distill(teacher_of(), coloured, checkpoint_dir=tmp_path / "work", **SHORT)
    assert len(asked) == len(coloured)
    # It would say so if it began anew.
    resumed = distill(teacher_of(), coloured, checkpoint_dir=tmp_path / "work", **SHORT)
    assert len(history(resumed)) == 2
    assert len(asked) == len(coloured)
    with pytest.warns(UserWarning, match="teachers, labels"):
        distill(teacher_of(first="red", last="blue"), coloured,
                checkpoint_dir=tmp_path / "work", **SHORT | {"fine_tune_epochs": 0})  # fmt: skip
    assert len(asked) == 2 * len(coloured)


@pytest.fixture
def wide_teacher(coloured: pd.DataFrame) -> keras.Model:
    """A teacher of the small backbone, twice as wide as its students, that has learned."""
    return train_tagger(coloured, **SHORT | {"fine_tune_epochs": 6, "backbone_kw": {"alpha": 0.5}})


#: A student that is cut out of its teacher.
CUT_OUT = {**SHORT, "start": "teacher", "fine_tune_epochs": 0}


@pytest.mark.slow
def test_student_learns_what_its_teacher_sees(demo_catalog, monkeypatch):
    # From random weights, so that whatever it knows in the end are the hints.
    monkeypatch.setattr(distillation, "slim", lambda *_, **__: None)
    photos = demo_catalog[demo_catalog["hotel_id"].notna()]
    wide = {"fine_tune_epochs": 6, "backbone_kw": {"alpha": 0.5}}
    teacher, unseen = train_tagger(photos, **SHORT | wide), photos[photos["split"] != "train"]
    batches = iterate_images(unseen["path"], size=(32, 32))
    pixels = np.concatenate([batch.pixels for batch in batches])
    wanted = np.maximum(activations(teacher, "conv_pw_13_bn")(pixels), 0).reshape(-1, 32)
    missed = {}
    for epochs in (0, 24):
        student = distill(teacher, photos, hint_epochs=epochs, **CUT_OUT)
        given = activations(student, gap_node(student).inputs[0])(pixels).reshape(-1, 16)
        given = np.column_stack([given, np.ones(len(given))])
        error = wanted - given @ np.linalg.lstsq(given, wanted)[0]
        missed[epochs] = (np.square(error).mean(axis=0) / (wanted.var(axis=0) + 1e-3)).mean()
    assert len(model_info(student).training["hints"]) == 24
    assert missed[24] < 0.9 * missed[0]


@pytest.mark.slow
def test_student_that_was_stopped_while_it_learned_hints_goes_on(coloured, wide_teacher, tmp_path):
    settings = {**CUT_OUT, "hint_epochs": 3}
    whole = distill(wide_teacher, coloured, **settings)
    work = tmp_path / "work"
    with interrupted(1):
        distill(wide_teacher, coloured, checkpoint_dir=work, **settings)
    again = distill(wide_teacher, coloured.sample(frac=1), checkpoint_dir=work, **settings)
    losses, expected = (
        [row["loss"] for row in model_info(each).training["hints"]] for each in (again, whole)
    )
    assert losses == pytest.approx(expected, rel=1e-3)
    for ours, theirs in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_hints_of_another_size_are_refused_before_any_work(coloured):
    with pytest.raises(ModelError, match="is 8 x 8, that of its teacher 32 x 32"):
        distill(teacher_of(), coloured, **CUT_OUT)
    with pytest.raises(TrainingError, match="hint_epochs=-1 is below 0"):
        distill(teacher_of(), coloured, hint_epochs=-1, **SHORT)


@pytest.mark.parametrize(
    ("teachers", "error", "message"),
    [
        (lambda: [], TrainingError, "there is no teacher"),
        (lambda: [teacher_of(), scorer()], TrainingError,
         "teacher 2 is for the task 'aesthetic', the first one for 'tagger': a student learns one"),
        (lambda: [scorer(), scorer("technical")], TrainingError, "the task 'technical'"),
        (lambda: [teacher_of(), teacher_of("blue red green")], TrainingError,
         "teacher 2 knows 'green', unlike the first one"),
        (lambda: [teacher_of("blue red green"), teacher_of("blue red grey")], TrainingError,
         "teacher 2 knows 'grey' and does not know 'green', unlike"),
        (lambda: teacher_of("blue red_", last="red_"), CatalogError,
         r"'0' is labelled 'red', which the teachers do not know; did you mean 'red_'\? "
         r"\(48 photos in all .*or remove these labels"),
    ],
)  # fmt: skip
def test_teachers_that_cannot_teach_this_are_refused(coloured, teachers, error, message):
    with pytest.raises(error, match=message):
        distill(teachers(), coloured, **SHORT)


def test_share_of_labels_lies_between_0_and_1(coloured):
    with pytest.raises(TrainingError, match=r"label_share=1\.5 is not between 0"):
        distill(teacher_of(), coloured, label_share=1.5, **SHORT)
