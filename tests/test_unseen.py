"""Which photos a model has seen: what travels in its file, and what reports make of it."""

from __future__ import annotations

import functools
import json
import shutil
import zipfile
from pathlib import Path

import keras
import pandas as pd
import pytest

from hotelviz.errors import ModelError
from hotelviz.io.content import content_name
from hotelviz.models import (
    Preprocessing,
    build_tagger,
    clone_for_task,
    evaluation_photos,
    inherit_training_photos,
    layers_learned_from,
    load_model,
    model_info,
    record_training_photos,
    save_model,
    seen_photos,
    training_photos,
    update_info,
    validation_photos,
    wrap_model,
)
from hotelviz.schema import RATINGS

MEMBER = "hotelviz-learned.json"


def small_network() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    outputs = keras.layers.Dense(2, activation="softmax")(pooled)
    return wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["Bed", "Pool"],
        preprocessing=Preprocessing(32, 32), name="theirs",
    )  # fmt: skip


@pytest.fixture
def photos(tmp_path: Path) -> pd.DataFrame:
    """Six hotels of two photos; each file has bytes of its own."""
    rows = []
    for number in range(12):
        path = tmp_path / "photos" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(f"photo {number}".encode())
        rows.append(
            {
                "image_id": f"{number}.jpg", "path": str(path), "hotel_id": f"h{number // 2}",
                "label": ["Bed", "Pool"][number % 2],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


@functools.cache
def new_network(number: int = 0) -> keras.Model:
    """A model with an empty record; recording a training replaces what was recorded before."""
    return build_tagger(
        ["Bed", "Pool"], input_size=32, weights=None, backbone_kw={"alpha": 0.25}, seed=number
    )


def trained(photos: pd.DataFrame) -> keras.Model:
    """A model that learned from hotels h0 to h2 and was chosen by h3."""
    model = new_network()
    used = photos[photos["hotel_id"] < "h4"].assign(content=photos["path"].map(content_name))
    split = used["hotel_id"].eq("h3").map({True: "val", False: "train"})
    return record_training_photos(model, used.assign(split=split))


SEEN = ["train"] * 6 + ["val"] * 2 + [""] * 4


@pytest.mark.slow
def test_model_file_says_what_was_learned_from(photos, tmp_path):
    save_model(trained(photos), tmp_path / "tagger.keras")
    for model in (tmp_path / "tagger.keras", load_model(tmp_path / "tagger.keras")):
        assert training_photos(model).unrecorded == ()
        assert seen_photos(model, photos).tolist() == SEEN


def test_photos_are_known_again_in_any_order_and_beside_new_ones(photos):
    new = pd.DataFrame({"image_id": ["new.jpg", "more.jpg"], "hotel_id": ["h0", "h9"]})
    grown = pd.concat([photos.drop(columns="path").iloc[::-1], new], ignore_index=True)
    assert seen_photos(trained(photos), grown).tolist() == [*SEEN[::-1], "hotel", ""]


def test_renamed_photos_are_known_again_by_their_bytes(photos, tmp_path):
    shutil.copytree(tmp_path / "photos", tmp_path / "elsewhere")
    renamed = photos.assign(
        image_id="elsewhere/" + photos["image_id"],
        hotel_id="elsewhere/" + photos["image_id"],
        path=photos["path"].str.replace("/photos/", "/elsewhere/"),
    )
    assert seen_photos(trained(photos), renamed).tolist() == SEEN
    chosen = evaluation_photos(renamed, trained(photos))
    assert chosen.photos["image_id"].tolist() == [f"elsewhere/{n}.jpg" for n in range(8, 12)]
    assert chosen.unseen


def test_hotel_that_was_renamed_is_known_by_its_photos_but_not_by_a_placeholder(photos):
    new = photos.tail(1).assign(image_id="new.jpg", hotel_id="h0", path="/nowhere/new.jpg")
    grown = pd.concat([photos, new], ignore_index=True)
    grown["hotel_id"] = "renamed " + grown["hotel_id"]
    assert seen_photos(trained(photos), grown).tolist() == [*SEEN, "hotel"]
    # A file that the hotel h0 shows as well says nothing about the others' photos.
    placeholders = photos[photos["hotel_id"].isin(["h4", "h5"])].assign(
        path=[photos["path"][0], photos["path"][9], photos["path"][0], photos["path"][11]]
    )
    assert seen_photos(trained(photos), placeholders).tolist() == ["train", "", "train", ""]


@pytest.mark.parametrize("number", [int, float])
def test_photos_with_numbers_for_names_are_known_again(photos, number):
    numbered = photos.drop(columns="path").assign(
        image_id=range(12), hotel_id=[row // 2 for row in range(12)]
    )
    used = numbered.head(8).assign(content="", split=SEEN[:8])
    model = record_training_photos(new_network(), used)
    again = numbered.astype({"image_id": number, "hotel_id": number})
    assert seen_photos(model, again).tolist() == SEEN


def test_photos_at_addresses_are_known_again_without_their_signatures(photos):
    urls = "https://photos.example/" + photos["image_id"] + "?X-Amz-Signature=abc"
    model = trained(photos.assign(image_id=urls, path=urls))
    assert "abc" not in training_photos(model).photos["image_id"].str.cat()
    again = photos.assign(image_id=urls.str.replace("abc", "def"), hotel_id=urls)
    assert seen_photos(model, again.drop(columns="path")).tolist() == SEEN
    renamed = again.assign(path=again["image_id"], image_id=photos["image_id"])
    assert seen_photos(model, renamed).tolist() == SEEN


def test_second_iteration_knows_what_its_parents_learned_from(photos, tmp_path):
    child = clone_for_task(
        trained(photos), task="aesthetic", classes=[str(n) for n in range(1, 11)]
    )
    more = photos[photos["hotel_id"].isin(["h3", "h4"])].assign(content="", split="train")
    save_model(record_training_photos(child, more), tmp_path / "second.keras")
    found = training_photos(tmp_path / "second.keras")
    assert found.photos["generation"].tolist() == [0] * 4 + [1] * 8
    assert seen_photos(tmp_path / "second.keras", photos).tolist() == ["train"] * 10 + [""] * 2


def test_parent_of_another_kit_is_said_not_to_say(photos):
    model = record_training_photos(
        small_network(), photos.iloc[:4].assign(content="", split="train")
    )
    assert training_photos(model).unrecorded == ("the tagger model theirs",)
    chosen = evaluation_photos(photos, model)
    assert chosen.photos["image_id"].tolist() == photos["image_id"][4:].tolist()
    assert not chosen.unseen
    assert "not known what the tagger model theirs learned from" in chosen.notes[0]


def test_model_without_a_record_is_not_taken_for_one_that_saw_nothing(photos, tmp_path):
    save_model(small_network(), tmp_path / "old.keras")
    model = load_model(tmp_path / "old.keras")
    chosen = evaluation_photos(photos.assign(split=["train"] * 6 + ["test"] * 6), model)
    assert chosen.photos["image_id"].tolist() == photos["image_id"][6:].tolist()
    assert not chosen.unseen
    assert "whether the 6 photos evaluated here are new cannot be told" in chosen.notes[0]


def test_model_goes_before_the_split_of_the_catalogue(photos):
    wrong = photos.assign(split=["test"] * 10 + ["train"] * 2)
    chosen = evaluation_photos(wrong, trained(photos))
    assert chosen.photos["image_id"].tolist() == ["8.jpg", "9.jpg"]
    assert chosen.unseen
    assert chosen.notes == [
        "The model saw none of the 2 photos, nor others of their hotels.",
        "8 more are left out, because the model saw them in training: 6 learned from, 2 that "
        "epochs were chosen by, 0 of the same hotels.",
        "The catalogue keeps 2 more photos out of its test photos that were not learned from; "
        "they are not evaluated.",
    ]


def test_photos_that_all_were_seen_are_judged_and_said_to_be(photos):
    chosen = evaluation_photos(photos.iloc[:8], trained(photos))
    assert len(chosen.photos) == 8
    assert not chosen.unseen
    assert "6 learned from, 2 that epochs were chosen by" in chosen.notes[0]
    assert "say nothing about new hotels" in chosen.notes[0]


def test_catalogue_in_which_nothing_is_known_again_is_not_called_unseen(photos):
    other = photos.assign(image_id="x" + photos["image_id"], hotel_id="x" + photos["hotel_id"])
    chosen = evaluation_photos(other.drop(columns="path"), trained(photos))
    assert not chosen.unseen
    assert "cannot be told" in chosen.notes[0]


@pytest.mark.parametrize(
    ("split", "expected"), [("train", range(6)), ("val", range(6, 8)), ("all", range(12))]
)
def test_seen_photos_can_be_asked_for(photos, split, expected):
    chosen = evaluation_photos(photos, trained(photos), split=split)
    assert chosen.photos["image_id"].tolist() == [f"{number}.jpg" for number in expected]
    assert chosen.photos["seen"].tolist() == [SEEN[number] for number in expected]
    assert not chosen.unseen


def test_threshold_is_chosen_by_validation_photos_of_hotels_that_are_not_judged(photos):
    model = trained(photos)
    kept = validation_photos(photos, model, photos.iloc[10:])
    assert kept["image_id"].to_list() == photos["image_id"][6:8].to_list()
    assert validation_photos(photos, model, photos.iloc[6:8]).empty
    unlabelled = photos.assign(label=photos["label"].mask(photos.index == 6))
    assert len(validation_photos(unlabelled, model, photos.iloc[10:])) == 1
    # Without a record the catalogue says which they are; a hotel that was learned from is none.
    silent = small_network()
    assert validation_photos(photos, silent, photos.iloc[10:]).empty
    said = photos.assign(split=["train"] * 5 + ["val"] * 3 + ["test"] * 4)
    found = validation_photos(said, silent, photos.iloc[10:])
    learned = set(said["hotel_id"][:5])
    assert len(found)
    assert not set(found["hotel_id"]) & learned
    assert set(found["split"]) == {"val"}


def test_several_models_are_judged_on_what_none_has_seen(photos):
    used = photos.iloc[8:10].assign(content="", split="train")
    other = record_training_photos(new_network(1), used)
    rated = photos.assign(rating_1=1.0)
    chosen = evaluation_photos(rated, [trained(photos), other], truth=RATINGS[0])
    assert chosen.photos["image_id"].tolist() == ["10.jpg", "11.jpg"]
    assert chosen.notes[0].startswith("The models saw none of the 2 photos")


@pytest.mark.parametrize("split", ["testing", "val"])
def test_split_without_photos_is_refused(photos, split):
    model = record_training_photos(small_network(), photos.assign(content="", split="train"))
    with pytest.raises(ModelError, match=split):
        evaluation_photos(photos, model, split=split)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "7", '{"photos": {}}', '{"photos": 3, "silent": []}',
        '{"photos": {"image_id": ["a"]}, "silent": []}',
        json.dumps({"photos": {"image_id": [1], "hotel_id": ["h"], "content": [""],
                               "split": ["train"], "generation": [0]}, "silent": []}),
        json.dumps({"photos": {"image_id": ["a"], "hotel_id": ["h"], "content": [""],
                               "split": ["test"], "generation": [0]}, "silent": []}),
    ],
)  # fmt: skip
def test_damaged_record_is_refused_by_the_name_of_the_file(photos, tmp_path, text):
    file = tmp_path / "tagger.keras"
    save_model(small_network(), file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(MEMBER, text)
    with pytest.raises(ModelError, match=r"tagger\.keras"):
        load_model(file)


def test_layers_know_what_they_learned_from_and_not_what_a_linear_head_alone_did(photos):
    def learned(model: keras.Model, rows: slice, **training: object) -> keras.Model:
        used = photos.iloc[rows].assign(content="", split="train")
        training = {**model_info(model).training, **training}
        return update_info(record_training_photos(model, used), training=training)

    def known(model: keras.Model) -> list[str]:
        return layers_learned_from(model).photos["image_id"].to_list()

    def after(model: keras.Model) -> keras.Model:
        return clone_for_task(model, task="tagger", classes=["Bed", "Pool"])

    new = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    linear = learned(new, slice(0, 2), kept="linear head")
    assert known(linear) == known(after(linear)) == []
    tuned = learned(after(linear), slice(2, 4), kept="fine-tuned")
    # Its layers learned through what the head before knew.
    assert set(known(tuned)) == {"0.jpg", "1.jpg", "2.jpg", "3.jpg"}
    assert set(known(learned(after(tuned), slice(4, 6), kept="linear head"))) == set(known(tuned))
    student = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    student = inherit_training_photos(update_info(student, training={"teachers": []}), linear)
    assert known(learned(student, slice(6, 7), kept="linear head")) == ["6.jpg", "0.jpg", "1.jpg"]
