"""Slices of errors and shortcuts in the data: found where they are planted, and nowhere else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hotelviz.audit import AuditError, find_shortcuts
from hotelviz.embeddings import find_slices, photo_properties, property_groups
from hotelviz.metrics import MetricsError
from hotelviz.plots import error_slices
from hotelviz.reports.verdicts import audit as audit_verdicts
from hotelviz.reports.verdicts import slices as slicing

FEW = {"n_shuffles": 100}


class Planted:
    """Six hundred photos of a hundred hotels, with dark pools and a group of like foyers."""

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        n = 600
        self.hotel = np.arange(n) // 6
        label = np.array(["Pool", "Foyer"])[random.integers(0, 2, n)]
        self.brightness = random.random(n)
        self.below = random.random(n) < 0.3
        self.features = random.normal(0, 0.3, (n, 6)).astype("float32")
        self.features[:, 0] += 4 * self.below
        self.dark_pools = (label == "Pool") & (self.brightness <= 0.2)
        self.alike = (label == "Foyer") & self.below
        self.table = pd.DataFrame(
            {"image_id": [f"{row}.jpg" for row in range(n)], "label": label, "predicted": label}
        )
        self.table["hotel_id"] = [f"hotel {hotel}" for hotel in self.hotel]
        self.properties = pd.DataFrame({
            "image_id": self.table["image_id"], "brightness": self.brightness,
            "source": random.choice(["web", "own"], n), "format": "JPEG",
        })  # fmt: skip
        self.random = random

    def wrong(self, chance: np.ndarray) -> pd.DataFrame:
        """Return the table with errors of these probabilities."""
        hit = self.random.random(len(self.table)) < chance
        return self.table.assign(predicted=self.table["label"].where(~hit, "Kitchen"))


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_planted_slices_are_found_with_their_figures_and_nothing_else(planted):
    wrong = planted.wrong(np.where(planted.dark_pools | planted.alike, 0.7, 0.05))
    found = find_slices(wrong, planted.features, planted.properties, **FEW)
    assert len(found.table) == 2
    for own in (planted.dark_pools, planted.alike):
        assert max(overlap(own, members) for members in found.members.T) > 0.8
    dark = found.table[found.table["slice"].str.startswith("Pool: dark")].iloc[0]
    members = found.members[:, dark.name]
    errs = (wrong["label"] != wrong["predicted"]).to_numpy()
    others = (wrong["label"] == "Pool").to_numpy() & ~members
    assert dark["n_photos"] == members.sum()
    assert dark["rate"] == pytest.approx(errs[members].mean())
    assert dark["rest"] == pytest.approx(errs[others].mean())
    assert dark["lift"] == pytest.approx(dark["rate"] / dark["rest"])
    assert dark["low"] < dark["rate"] < dark["high"]
    assert dark["p"] <= 0.025
    assert dark["p_other"] <= 0.025
    assert set(dark["medoids"]) <= set(wrong.loc[members, "image_id"])


def test_a_hard_area_is_no_slice(planted):
    wrong = planted.wrong(np.where(planted.table["label"] == "Pool", 0.6, 0.05))
    found = find_slices(wrong, planted.features, planted.properties, **FEW)
    assert found.table.empty
    assert found.n_tried > 20


@pytest.mark.slow
def test_hotels_that_are_hard_as_a_whole_make_no_slice_of_what_they_have():
    """Properties of whole hotels, and errors of whole hotels that have nothing to do with them."""
    alarms = {"hotels": 0, "photos": 0}
    for seed in range(3):
        own = Planted(seed)
        kinds = own.random.random((100, 6)) < 0.3
        properties = pd.DataFrame(kinds[own.hotel]).add_prefix("kind ")
        properties["image_id"] = own.table["image_id"]
        hard = own.random.random(100) < 0.25
        wrong = own.wrong(np.where(hard[own.hotel], 1.0, 0.0))
        for name, table in (("hotels", wrong), ("photos", wrong.drop(columns="hotel_id"))):
            alarms[name] += len(find_slices(table, properties=properties, **FEW).table) > 0
    # As if photos were independent, chance is taken for slices.
    assert alarms["hotels"] == 0
    assert alarms["photos"] >= 2


def test_signed_errors_have_slices_to_either_side(planted):
    error = planted.random.normal(0, 0.5, 600)
    error = error + np.where(planted.dark_pools, -1.0, 0.0) + np.where(planted.alike, 0.8, 0.0)
    table = planted.table.drop(columns="predicted").assign(difference=error)
    found = find_slices(table, planted.features, planted.properties, error="difference", **FEW)
    signs = np.sign(found.table["difference"].head(2))
    assert sorted(signs) == [-1, 1]
    assert found.table["lift"].isna().all()
    low = found.members[:, int(signs.to_numpy().argmin())]
    assert overlap(low, planted.dark_pools) > 0.8


def test_photos_without_features_or_properties_are_in_no_group_of_them(planted):
    wrong = planted.wrong(np.where(planted.dark_pools | planted.alike, 0.7, 0.05))
    features, properties = planted.features.copy(), planted.properties.copy()
    features[:5] = np.nan
    properties.loc[:4, "brightness"] = np.nan
    found = find_slices(wrong, features, properties.iloc[:-3], **FEW)
    assert len(found.table) == 2
    assert not found.members[:5].any()


def test_photos_that_were_not_predicted_are_left_out_and_counted(planted):
    wrong = planted.wrong(np.where(planted.dark_pools, 0.7, 0.05))
    wrong.loc[:9, "predicted"] = None
    found = find_slices(wrong, None, planted.properties, **FEW)
    assert "10 photos without label or prediction are left out." in found.notes
    assert not found.members[:10].any()


def test_features_that_are_all_equal_make_no_group(planted):
    wrong = planted.wrong(np.full(600, 0.2))
    alone = find_slices(wrong, np.ones((600, 4)), **FEW)
    assert alone.n_tried == 0
    assert alone.notes == ["No group of photos is large enough to be a slice."]


def test_a_constant_property_is_named_and_makes_no_group(planted):
    found = find_slices(planted.wrong(np.full(600, 0.2)), None, planted.properties, **FEW)
    assert "Constant, and so no property: format." in found.notes
    assert not any(group.name == "format" for group in property_groups(planted.properties))


def test_without_hotels_each_photo_counts_as_one_of_its_own(planted):
    wrong = planted.wrong(np.where(planted.dark_pools, 0.7, 0.05)).drop(columns="hotel_id")
    found = find_slices(wrong, None, planted.properties, **FEW)
    assert "Hotels are not known: each photo counts as one of its own." in found.notes
    assert found.table["n_hotels"].tolist() == found.table["n_photos"].tolist() != []


def test_one_photo_and_few_errors_are_too_little(planted):
    one = find_slices(planted.table.head(1).assign(predicted="Foyer"), np.ones((1, 3)))
    said = "1 photo of 1 hotel: too few to find slices, which need 40 photos of 20 hotels."
    assert one.notes[-1] == said
    few = find_slices(planted.table.assign(predicted=["x"] * 3 + ["Pool"] * 597, label="Pool"))
    assert few.notes[-1] == "3 wrong photos: too few to find slices, which need 10."


def test_features_and_properties_of_other_photos_are_refused(planted):
    with pytest.raises(MetricsError, match=r"features \(3, 2\) are not one row for each of 600"):
        find_slices(planted.table, np.ones((3, 2)))
    other = pd.DataFrame({"image_id": ["x"], "source": ["web"]})
    with pytest.raises(MetricsError, match=r"none of the 600 photos, such as '0\.jpg', is among"):
        find_slices(planted.table, properties=other)
    with pytest.raises(MetricsError, match=r"no column 'diference'.*did you mean 'difference'"):
        find_slices(planted.table.assign(difference=0.0), error="diference")


def test_properties_are_matched_by_name_and_described_in_words():
    table = pd.DataFrame({"image_id": ["a", "b", "c"], "score": [5.4, np.nan, 6.0]})
    measured = pd.DataFrame({"image_id": ["c", "a"], "width": [100, 50], "height": [50, 100],
                             "bytes": [500, 500], "border": [0.0, 0.1]})  # fmt: skip
    found = photo_properties(table, measured)
    assert found["shape"].fillna("").tolist() == ["portrait", "", "panorama"]
    assert found["predicted score"].fillna("").tolist() == ["5 to 6", "", "6 to 7"]
    assert found["border"].fillna(-1).tolist() == [0.1, -1, 0.0]
    words = {group.words: group.members.tolist() for group in property_groups(found)}
    assert words["with border"] == [True, False, False]


def shortcut_catalog(share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 800 photos of 4 areas; this share of the pools is bright."""
    random = np.random.default_rng(1)
    label = np.array(["Pool", "Foyer", "Bedroom", "Kitchen"])[np.arange(800) % 4]
    names = [f"{row}.jpg" for row in range(800)]
    dark = random.random(800)
    bright = (label == "Pool") & (random.random(800) < share)
    photos = pd.DataFrame({"image_id": names, "label": label})
    photos["hotel_id"] = [f"hotel {row // 8}" for row in range(800)]
    return photos, pd.DataFrame({"image_id": names, "dark": np.where(bright, 0.97, 0.95 * dark)})


def test_a_property_that_gives_a_label_away_is_found():
    photos, measured = shortcut_catalog(0.95)
    found = find_shortcuts(photos, measured)
    assert found["label"].tolist() == ["Pool"]
    row = found.iloc[0]
    assert row["property"].startswith("bright (brightness at least")
    bright = measured["dark"] >= float(row["property"].split()[-1].rstrip(")"))
    pools = photos["label"] == "Pool"
    assert row["share"] == pytest.approx(bright[pools].mean(), abs=0.01)
    assert row["share_others"] == pytest.approx(bright[~pools].mean(), abs=0.01)
    assert 0.3 <= row["low"] < row["separation"]
    table, said = audit_verdicts.shortcuts_found(photos, measured)
    assert said.startswith("1 property gives a label away. First: 97 % of Pool photos")
    assert "Pool" in audit_verdicts.shortcuts_table(table)._repr_html_()


def test_without_a_shortcut_none_is_found():
    photos, measured = shortcut_catalog(0)
    assert find_shortcuts(photos, measured).empty
    assert audit_verdicts.shortcuts_found(photos, measured)[1] == "No property gives a label away."


def test_shortcuts_of_few_hotels_are_not_told():
    """All pools are from the web, but from four hotels: other hotels' may not be."""
    photos, _ = shortcut_catalog(0)
    photos["source"] = np.where(photos["label"] == "Pool", "web", "own")
    assert find_shortcuts(photos)["label"].tolist()[0] == "Pool"
    photos.loc[photos["label"] == "Pool", "hotel_id"] = np.resize(list("abcd"), 200)
    assert "Pool" not in find_shortcuts(photos)["label"].tolist()


def test_shortcuts_need_labels():
    photos, measured = shortcut_catalog(0)
    with pytest.raises(AuditError, match="no photo has a label"):
        find_shortcuts(photos.assign(label=None), measured)
    table, said = audit_verdicts.shortcuts_found(photos.drop(columns="label"), measured)
    assert table.empty
    assert said == "There are no labels that properties could give away."
    assert find_shortcuts(photos.head(1), measured).empty


def test_a_page_says_what_fails_together(planted):
    wrong = planted.wrong(np.where(planted.dark_pools, 0.7, 0.05))
    found = find_slices(wrong, None, planted.properties, **FEW)
    shown = slicing.ErrorSlices(found.table, wrong, found.members, signed=False, said="")
    photos = slicing.slice_photos(shown)
    errs = (photos["label"] != photos["predicted"]).tolist()
    assert errs == sorted(errs, reverse=True)
    assert len(photos) == found.table["n_photos"].iloc[0]
    assert slicing.slice_title(shown).startswith("Pool: dark (brightness at most 0.")
    assert "Pool: dark" in slicing.slices_table(shown)._repr_html_()
    drawn = error_slices(found.table)
    assert drawn.lines_["slice"].get_xdata().tolist() == found.table["rate"].tolist()


def test_where_errors_are_few_nothing_is_measured(planted, tmp_path):
    """The photos are not there: measuring them would raise."""
    found = slicing.find_error_slices(planted.table, tmp_path / "catalog.csv")
    assert found.said == "0 wrong photos: too few to find slices, which need 10."
    assert slicing.slice_photos(found).empty
