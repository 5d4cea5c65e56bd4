"""Photos that are there more than once, in one catalogue or in several."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from album import catalog_of, scene
from PIL import Image

from hotelviz.audit import (
    combine_catalogs,
    find_duplicates,
    find_issues,
)
from hotelviz.audit.registration import aligned_similarity
from hotelviz.embeddings import (
    compute_image_properties,
    nearest_neighbours,
    reduce_features,
)
from hotelviz.errors import AuditError


def test_hotel_whose_photos_clash_in_part_stays_one_hotel(album):
    ours = album()
    theirs = ours.head(2).assign(hotel_id="h", path=ours["path"].iloc[4:6].to_numpy())
    theirs["image_id"] = ["0.jpg", "new.jpg"]
    both = combine_catalogs({"ours": ours.head(4), "theirs": theirs}, progress=False).catalog
    assert both.tail(2)[["image_id", "hotel_id"]].values.tolist() == [
        ["theirs/0.jpg", "theirs/h"], ["new.jpg", "theirs/h"],
    ]  # fmt: skip
    clash = ours.head(2).assign(image_id=["0.jpg", "x/0.jpg"])
    with pytest.raises(AuditError, match=r"named 'x/0\.jpg': give 'x' another key"):
        combine_catalogs({"ours": ours, "x": clash}, progress=False)


def test_exact_copies_are_the_same_pixels_whatever_the_file(album, tmp_path):
    catalog = album()
    with Image.open(tmp_path / "3.jpg") as image:
        image.save(tmp_path / "lossless.png")
    catalog = pd.concat([catalog, catalog_of([tmp_path / "lossless.png"])], ignore_index=True)
    copies = find_duplicates(compute_image_properties(catalog, progress=False), catalog)
    assert catalog["image_id"].iloc[copies["row"]].tolist() == ["3.jpg", "lossless.png"]
    assert set(copies["kind"]) == {"exact"}
    assert copies["keeper"].tolist() == [True, False]


def altered(kind: str) -> Image.Image:
    image = scene(3)
    width, height = image.size
    if kind == "smaller":
        return image.resize((width * 2 // 3, height * 2 // 3))
    if kind == "cropped":
        return image.crop((8, 4, width - 5, height - 7))
    if kind == "brighter":
        return image.point(lambda value: min(255, int(value * 1.15) + 8))
    image.paste((255, 255, 255), (width // 2, height - 30, width - 20, height - 8))
    return image


@pytest.mark.parametrize("kind", ["smaller", "cropped", "brighter", "watermarked"])
def test_altered_copies_are_near_duplicates(album, network, kind):
    catalog = album(copy=altered(kind))
    issues = find_issues(catalog, model=network, progress=False).issues
    near = issues[issues["issue"] == "near_duplicate"]
    assert sorted(near["image_id"]) == ["3.jpg", "copy.jpg"]
    assert near["group"].nunique() == 1
    assert sorted(near["suggestion"]) == ["drop", "keep"]


def test_photos_of_one_palette_are_no_copies():
    photos = [scene(seed).convert("L").convert("RGB").resize((32, 32)) for seed in (1, 2)]
    first, second = (np.asarray(photo)[None] for photo in photos)
    assert aligned_similarity(first, second)[0] < 0.9
    assert aligned_similarity(first, first)[0] == 1


def test_plain_photos_are_alike_only_when_equal():
    plain = np.full((1, 32, 32, 3), 90, "uint8")
    assert aligned_similarity(plain, plain)[0] == 1
    assert aligned_similarity(plain, plain + 30)[0] < 0.5


def test_group_says_what_it_spans_and_keeps_the_largest(album):
    catalog = album(copy=scene(3).resize((600, 450)))
    catalog["label"] = "Pool"
    catalog["split"] = "train"
    catalog.loc[catalog["image_id"] == "copy.jpg", ["label", "split"]] = ["Foyer", "test"]
    copies = find_duplicates(compute_image_properties(catalog, progress=False), catalog)
    assert set(copies["spans"]) == {"labels splits hotels"}
    keeper = copies.loc[copies["keeper"], "row"].item()
    assert catalog["image_id"][keeper] == "copy.jpg"


def test_all_photos_identical(album, network, tmp_path):
    catalog = catalog_of([tmp_path / "0.jpg"] * 12)
    album()
    catalog["image_id"] = [f"p{number}" for number in range(12)]
    catalog["hotel_id"] = [f"h{number}" for number in range(12)]
    catalog["label"] = ["Pool", "Foyer"] * 6
    found = find_issues(catalog, model=network, progress=False)
    copies = found.issues[found.issues["issue"] == "exact_duplicate"]
    assert len(copies) == 12
    assert copies["group"].nunique() == 1
    assert (copies["suggestion"] == "keep").sum() == 1
    assert found.properties.n_computed == 1


def test_search_in_cells_finds_what_comparing_all_finds():
    random = np.random.default_rng(0)
    vectors = reduce_features(random.normal(size=(3000, 32)).astype("float32"))
    copies = vectors[:60] + 0.05 * random.normal(size=(60, 32)).astype("float32")
    vectors = np.concatenate([vectors, copies / np.linalg.norm(copies, axis=1, keepdims=True)])
    exact = nearest_neighbours(vectors, 1)
    quick = nearest_neighbours(vectors, 1, max_exact=1000)
    assert (exact.rows[3000:, 0] == np.arange(60)).all()
    assert (quick.rows[3000:, 0] == np.arange(60)).mean() >= 0.95


def test_combining_refuses_copies_and_keeps_the_source(album, tmp_path):
    ours = album()
    (tmp_path / "more").mkdir()
    scene(3).resize((200, 150)).save(tmp_path / "more" / "again.jpg")
    scene(60).save(tmp_path / "more" / "0.jpg")
    theirs = catalog_of(sorted((tmp_path / "more").glob("*.jpg")))
    both = combine_catalogs({"ours": ours, "theirs": theirs}, progress=False)
    assert both.refused[["image_id", "source", "copy_of", "kind"]].values.tolist() == [
        ["again.jpg", "theirs", "3.jpg", "near"]
    ]
    assert both.catalog["image_id"].is_unique
    assert both.catalog["source"].value_counts().to_dict() == {"ours": 8, "theirs": 1}
    with pytest.raises(AuditError, match="at least two"):
        combine_catalogs({"ours": ours})
