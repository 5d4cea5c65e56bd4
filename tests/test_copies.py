"""The same photo in several hotels: found by hashes, exactly and nearly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hotelviz.images import near_hash_pairs
from hotelviz.reports.verdicts.scores import copies_found
from hotelviz.scores import ScoresError, copies_across_hotels, open_scores


def flipped(value: int, *bits: int) -> int:
    return value ^ sum(1 << bit for bit in bits)


@pytest.fixture
def dataset(tmp_path):
    def make(rows):
        names, hotels, hashes = zip(*rows, strict=True)
        table = {"image_id": names, "hotel_id": hotels, "hash": pd.array(hashes, "UInt64")}
        pd.DataFrame(table).assign(score=5.0).to_parquet(tmp_path / "scores.parquet")
        return open_scores(tmp_path / "scores.parquet")

    return make


def test_pairs_are_those_of_comparing_all_with_all():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 1 << 64, 300, dtype="uint64")
    # Some that differ in few bits, wherever these bits are.
    near = [flipped(int(value), *random.choice(64, n, replace=False).tolist())
            for value in hashes[:200] for n in (random.integers(1, 7),)]  # fmt: skip
    every = np.unique(np.concatenate([hashes, np.array(near, "uint64")]))
    for distance in (0, 1, 2, 3, 4, 5):
        differing = np.bitwise_count(every[:, None] ^ every[None, :])
        first, second = np.nonzero(np.triu(differing <= distance, 1))
        expected = np.stack([every[first], every[second]], axis=1)
        room = random.permutation(every)
        found = near_hash_pairs(room, max_distance=distance)
        assert found.tolist() == expected.tolist(), distance
        assert np.sort(room).tolist() == every.tolist()  # the same ones, in another order
    with pytest.raises(ValueError, match="max_distance=6"):
        near_hash_pairs(every, max_distance=6)


def test_exact_and_near_copies_are_grouped_with_the_number_of_hotels(dataset, tmp_path):
    stock, pool, own = 0x0F0F0F0F0F0F0F0F, 0x3C3C3C3C3C3C3C3C, 0x5A5A5A5A00FF00FF
    scores = dataset([
        ("a1", "a", stock), ("b1", "b", stock), ("c1", "c", flipped(stock, 3, 40, 63)),
        ("d1", "d", flipped(stock, 3, 40, 62, 63)),  # a fourth bit: as near as that to c1 only
        ("a2", "a", pool), ("b2", "b", flipped(pool, 1)),
        ("a3", "a", own), ("a4", "a", own), ("e1", "e", None),  # the same hotel; no hash
        ("a5", "a", 0), ("b5", "b", 0), ("c5", "c", 1),  # without structure
    ])  # fmt: skip
    found = copies_across_hotels(scores, out=tmp_path / "copies.parquet")
    rows = found.photos[["copies", "image_id", "distance", "n_photos", "n_hotels"]]
    assert rows.values.tolist() == [
        [1, "a1", 0, 3, 3], [1, "b1", 0, 3, 3], [1, "c1", 3, 3, 3],
        [2, "a2", 0, 2, 2], [2, "b2", 1, 2, 2],
    ]  # fmt: skip
    assert found[1:] == (2, 5, 3, 1)
    assert pd.read_parquet(tmp_path / "copies.parquet").equals(found.photos)
    exact = copies_across_hotels(scores, max_distance=0).photos
    assert exact["image_id"].tolist() == ["a1", "b1"]
    shown, said = copies_found(scores, out=tmp_path / "again.parquet")
    assert shown[["group", "text"]].values.tolist()[1:3] == [
        ["1: in 3 hotels", "b"], ["1: in 3 hotels", "c, 3 bits differ"],
    ]  # fmt: skip
    assert said == (
        "5 of 12 photos are shown by several hotels, in 2 groups. All of them are in "
        f"{tmp_path}/again.parquet. Left out: 3 photos of one colour or shade, 1 photo that could "
        "not be read whole."
    )
    few = copies_across_hotels(scores, max_photos=4)
    assert few.photos["image_id"].tolist() == ["a1", "b1", "c1"]  # whole groups
    assert few.n_photos == 5


def test_nothing_in_common_is_no_group(dataset):
    scores = dataset([("a", "h", 0x0F0F0F0F), ("b", "i", 0xF0F0F0F0)])
    found = copies_across_hotels(scores)
    assert copies_found(scores)[1] == "None of 2 photos is shown by several hotels."
    assert copies_found(scores, max_distance=-1)[1].startswith("Not looked for")
    assert found.photos.empty
    assert "n_hotels" in found.photos
    assert found[1:] == (0, 0, 0, 0)


def test_datasets_without_hashes_or_hotels_are_refused(dataset, tmp_path):
    alone = dataset([("a", "a", 0x0F0F0F0F), ("b", "b", 0x0F0F0F0F)])
    with pytest.raises(ScoresError, match="no photo has a hotel other than itself"):
        copies_across_hotels(alone)
    assert copies_found(alone)[1].startswith("Cannot be told: ")
    pd.DataFrame({"image_id": ["a"], "score": [5.0]}).to_parquet(tmp_path / "old.parquet")
    with pytest.raises(ScoresError, match="no column 'hash'"):
        copies_across_hotels(open_scores(tmp_path / "old.parquet"))
    rounded = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["h", "i"], "score": 5.0})
    rounded.assign(hash=[2.0**60, None]).to_parquet(tmp_path / "rounded.parquet")
    with pytest.raises(ScoresError, match="'hash' is double, not whole numbers"):
        copies_across_hotels(open_scores(tmp_path / "rounded.parquet"))
