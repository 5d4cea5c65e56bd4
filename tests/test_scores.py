"""Scores: written in parts, resumed, and asked by DuckDB."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from hotelviz.errors import InferenceError, ScoresError
from hotelviz.inference import dataset as parts
from hotelviz.inference import predict_scores, predict_tags, score_photos
from hotelviz.models import build_aesthetic, build_tagger
from hotelviz.schema import RATINGS
from hotelviz.scores import bin_scores, open_scores

SMALL = {"input_size": 32, "weights": None, "backbone_kw": {"alpha": 0.25}}


@pytest.fixture(scope="module")
def models():
    return [
        build_aesthetic(**SMALL),
        build_aesthetic(task="technical", **{**SMALL, "input_size": 64}, seed=1),
        build_tagger(["Bedroom", "Pool"], **SMALL),
    ]


@pytest.fixture
def scored(demo_catalog, models, tmp_path):
    out = tmp_path / "scored"
    run = score_photos(demo_catalog, models, out, part_size=16, progress=False)
    assert run.photos == len(demo_catalog)
    return out


def rows(folder):
    parts = [pd.read_parquet(part) for part in sorted(folder.glob("part-*.parquet"))]
    return pd.concat(parts, ignore_index=True)


def test_one_pass_gives_what_each_model_gives_alone(demo_catalog, models, scored):
    table = rows(scored)
    assert table["image_id"].to_list() == demo_catalog["image_id"].to_list()
    alone = predict_scores(demo_catalog, models[0], progress=False)
    np.testing.assert_allclose(table["score"], alone["score"], atol=1e-5)
    technical = predict_scores(demo_catalog, models[1], progress=False)
    # Decoded large enough for the larger network: the smaller one's pixels may differ by rounding.
    np.testing.assert_allclose(table["technical"], technical["score"], atol=1e-5)
    tags = predict_tags(demo_catalog, models[2], progress=False)
    np.testing.assert_allclose(table["p_Pool"], tags["p_Pool"], atol=1e-2)
    assert (
        table["q_1"]
        .add(table[[f"q_{n}" for n in range(2, 11)]].sum(axis=1))
        .dropna()
        .between(0.999, 1.001)
        .all()
    )


def test_unreadable_photos_are_rows_with_a_reason(demo_catalog, scored):
    table = rows(scored)
    broken = table[table["score"].isna()]
    assert len(broken) == 1
    assert broken["error"].iloc[0] != ""
    assert broken["hash"].isna().all()
    listed = open_scores(scored).errors()
    assert set(broken["image_id"]) <= set(listed["image_id"])
    assert listed["error"].str.startswith("truncated").sum() == 1


class StoppedError(Exception):
    """Stands for a kill."""


@pytest.mark.slow
def test_stopped_run_loses_at_most_one_part_and_goes_on(
    demo_catalog, models, scored, tmp_path, monkeypatch
):
    out, calls = tmp_path / "scores", []
    original = parts.write_part

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise StoppedError
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "write_part", stop)
        with pytest.raises(StoppedError):
            score_photos(demo_catalog, models, out, part_size=16, progress=False)
    assert len(list(out.glob("*.parquet"))) == 2
    assert not list(out.glob(".*"))
    rest = score_photos(demo_catalog, models, out, part_size=16, progress=False)
    assert rest.photos == len(demo_catalog) - 32
    assert score_photos(demo_catalog, models, out, part_size=16, progress=False).photos == 0
    pd.testing.assert_frame_equal(rows(out), rows(scored))


def test_half_written_part_is_named_and_computed_again(demo_catalog, models, tmp_path):
    out = tmp_path / "scores"
    score_photos(demo_catalog, models[:1], out, part_size=16, progress=False)
    part = out / "part-00001.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ScoresError, match=r"part-00001\.parquet: not a whole Parquet file"):
        open_scores(out)
    again = score_photos(demo_catalog, models[:1], out, part_size=16, progress=False)
    assert again.photos == 16
    assert len(open_scores(out)) == len(demo_catalog)


def test_what_a_killed_run_was_writing_is_not_read_and_removed_when_it_is_old(
    demo_catalog, models, tmp_path
):
    out = tmp_path / "scores"
    score_photos(demo_catalog, models[:1], out, part_size=16, progress=False)
    part = out / "part-00001.parquet"
    # Killed within the write of a part, just before its new name, and in another run long ago.
    half, whole, old = (out / f".part-00001-{name}.parquet" for name in ("half", "whole", "old"))
    half.write_bytes(part.read_bytes()[:500])
    part.rename(whole)
    old.touch()
    os.utime(old, (0, 0))
    again = score_photos(demo_catalog, models[:1], out, part_size=16, progress=False)
    assert again.photos == 16
    assert len(open_scores(out)) == len(demo_catalog)
    assert sorted(out.glob(".part-*")) == [half, whole]


def test_foreign_file_among_the_scores_is_named(demo_catalog, models, tmp_path):
    out = tmp_path / "scores"
    score_photos(demo_catalog, models[:1], out, progress=False)
    pd.DataFrame({"a": [1]}).to_parquet(out / "part-99999.parquet")
    with pytest.raises(ScoresError, match=r"part-99999\.parquet: other columns"):
        open_scores(out)


def test_two_models_of_one_task_are_refused(demo_catalog, models, tmp_path):
    with pytest.raises(InferenceError, match="one model of each task"):
        score_photos(demo_catalog, [models[0], models[0]], tmp_path / "scores", progress=False)


@pytest.fixture
def made_up(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "image_id": [f"p{number:04d}" for number in range(1000)],
            "hotel_id": np.repeat(["a", "b"], 500),
            "score": random.normal(5, 1, 1000).clip(1, 10),
        }
    )
    frame.loc[3, "score"] = np.nan
    (tmp_path / "scores").mkdir()
    for number in range(2):
        part = frame[number * 500 : (number + 1) * 500]
        part.to_parquet(tmp_path / "scores" / f"part-{number:05d}.parquet", index=False)
    return frame, open_scores(tmp_path / "scores")


def test_histogram_and_quantiles_are_those_of_the_values(made_up):
    frame, dataset = made_up
    table = dataset.histogram(bins=90)
    pd.testing.assert_frame_equal(table, bin_scores(frame["score"], bins=90))
    assert table["count"].sum() == 999
    quantiles = dataset.quantiles([0.1, 0.5])
    assert quantiles[0.1] == pytest.approx(frame["score"].quantile(0.1))
    apart = dataset.histogram(by="hotel_id", bins=9)
    assert apart.groupby("hotel_id")["count"].sum().to_dict() == {"a": 499, "b": 500}


def test_samples_are_reproducible_and_keep_to_their_level(made_up):
    _, dataset = made_up
    levels = dataset.sample_by_level(20, thresholds=(4.0, 6.0))
    assert levels["level"].value_counts().to_dict() == {"low": 20, "medium": 20, "high": 20}
    assert levels.loc[levels["level"] == "low", "score"].max() <= 4
    assert levels.loc[levels["level"] == "high", "score"].min() > 6
    first, again, other = (
        dataset.sample(50, seed=seed)["image_id"].to_list() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_hotels_are_summed_up(made_up):
    frame, dataset = made_up
    table = dataset.hotels(low=4.0).set_index("hotel_id")
    values = frame[frame["hotel_id"] == "a"]["score"]
    assert table.loc["a", "unreadable"] == 1
    assert table.loc["a", "mean"] == pytest.approx(values.mean())
    assert table.loc["a", "share_low"] == pytest.approx((values.dropna() <= 4).mean())


def test_tags_of_another_catalogue_are_counted_and_listed(made_up, tmp_path):
    frame, dataset = made_up
    tags = pd.DataFrame({"image_id": ["p0001", "elsewhere"], "predicted": ["Pool", "Pool"]})
    joined = dataset.join(tags)
    assert len(joined) == len(frame)
    assert joined["predicted"].notna().sum() == 1
    left = dataset.unmatched(tags)
    assert left["missing"].value_counts().to_dict() == {"tag": 999, "score": 1}
    tags.to_parquet(tmp_path / "tags.parquet")
    pd.testing.assert_frame_equal(dataset.unmatched(tmp_path / "tags.parquet"), left)


def test_stored_distributions_have_their_mean_as_score(tmp_path):
    shares = np.eye(10)[[2, 6]]
    frame = pd.DataFrame(shares, columns=[f"q_{n}" for n in range(1, 11)])
    frame[list(RATINGS)] = shares
    frame.insert(0, "image_id", ["a", "b"])
    frame.to_parquet(tmp_path / "stored.parquet")
    dataset = open_scores(tmp_path / "stored.parquet")
    assert dataset.query("SELECT score FROM scores ORDER BY image_id")["score"].to_list() == [3, 7]


def test_unknown_column_is_refused_with_the_nearest(made_up):
    with pytest.raises(ScoresError, match="did you mean 'score'"):
        made_up[1].histogram("scor")


def test_empty_folder_is_refused(tmp_path):
    with pytest.raises(ScoresError, match="no scores"):
        open_scores(tmp_path)


def test_hotels_are_asked_for_by_name_however_they_are_given(tmp_path):
    table = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": [7, 7, 8], "score": 5.0})
    table.to_parquet(tmp_path / "scores.parquet")
    scores = open_scores(tmp_path / "scores.parquet")
    for hotels in ("7", ["7"], [7], [np.float64(7)], np.array([7])):
        assert scores.for_hotels(hotels)["image_id"].to_list() == ["a", "b"]
    assert scores.for_hotels([]).empty
    with pytest.raises(ScoresError, match="shares from 0 to 1"):
        scores.quantiles([50])


def test_tags_in_csv_are_not_taken_for_a_damaged_part(tmp_path):
    (tmp_path / "tags.csv").write_text("image_id,predicted\na,Pool\n")
    with pytest.raises(ScoresError, match=r"tags\.csv: .*Parquet.*pandas\.read_csv") as raised:
        open_scores(tmp_path / "tags.csv")
    assert "remove" not in str(raised.value)


def test_scores_of_the_first_version_are_refused_with_what_to_do(tmp_path):
    table = pd.DataFrame({"image_id": ["a"], "score": 5.0, "problem": "", "hash": 7})
    table.to_parquet(tmp_path / "part-00000.parquet")
    with pytest.raises(ScoresError, match=r"part-00000\.parquet: .*0\.1.*Score the photos again"):
        open_scores(tmp_path)
    table.rename(columns={"problem": "error"}).to_parquet(tmp_path / "part-00000.parquet")
    assert open_scores(tmp_path).errors().empty


def test_hotels_are_counted_of_which_a_photo_has_a_score(tmp_path):
    file = tmp_path / "scores.parquet"
    table = pd.DataFrame({"image_id": list("abcd"), "hotel_id": ["g", "g", "h", None]})
    table.assign(score=[5.0, 6.0, np.nan, 4.0]).to_parquet(file)
    assert open_scores(file).n_hotels() == 1
