"""Plots made of pictures: sheets of maps, montages of patches, filters and channel cards."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd
from PIL import Image

from hotelviz import plots
from hotelviz.attribution import Confusion
from hotelviz.feature_vis import FilterComparison
from hotelviz.plots.alt_text import figure_alt
from hotelviz.plots.large_type import large_type


def solid(*values: int) -> np.ndarray:
    """Return a picture of one grey for each value."""
    return np.stack([np.full((8, 8, 3), value, "uint8") for value in values])


def grey(image) -> int:
    return int(np.asarray(image.get_array())[0, 0, 0])


def confusion(n_photos: int) -> Confusion:
    maps = {name: np.zeros((n_photos, 4, 4)) for name in ("predicted", "true", "difference")}
    photos = pd.DataFrame({"path": ["p.jpg"] * n_photos})
    return Confusion("Pool", "Bathroom", photos, maps)


CHANNELS = pd.DataFrame(
    {"layer": ["conv", "conv"], "channel": [3, 7], "weight_change": [0.5, 0.25],
     "correlation": [0.1, np.nan]}
)  # fmt: skip
COMPARISON = FilterComparison(
    CHANNELS, {"conv": solid(10, 20)}, {"conv": solid(30, 40)}, pd.DataFrame(), CHANNELS
)


def test_map_sheet_draws_photos_beside_their_maps():
    maps = {"cam": np.stack([np.ones((4, 4)), np.zeros((4, 4))])}
    display = plots.map_sheet(solid(10, 20), maps, captions=["first", "second"])
    assert display.axes_.shape == (2, 2)
    assert [grey(image) for image in display.images_["photo"]] == [10, 20]
    # The map that is high everywhere covers the photo, the one of zeros leaves it darker.
    first, second = (np.asarray(image.get_array()) for image in display.images_["cam"])
    assert first.mean() > 100
    assert second.mean() < 20
    assert [text.get_text() for text in display.axes_[1, 1].texts] == ["nothing"]
    assert [ax.get_ylabel() for ax in display.axes_[:, 0]] == ["first", "second"]
    assert [ax.get_title() for ax in display.axes_[0]] == ["photo", "cam"]


def test_more_maps_than_photos_go_down_the_page():
    maps = {name: np.ones((2, 4, 4)) for name in "abcd"}
    display = plots.map_sheet(solid(10, 20), maps, captions=["first", "second"])
    assert display.axes_.shape == (2, 5)
    assert [ax.get_title() for ax in display.axes_[:, 0]] == ["first", "second"]
    assert [ax.get_ylabel() for ax in display.axes_[0]] == ["photo", *"abcd"]
    # The photo stands above its maps.
    tops = [ax.get_position().y0 for ax in display.axes_[0]]
    assert tops == sorted(tops, reverse=True)


def test_orders_of_a_hotel_are_drawn_in_rows_with_moves():
    orders = pd.DataFrame({
        "order": ["today", "today", "second_model", "second_model"], "image_id": list("abba"),
        "score": [5.0, np.nan, 6.0, 5.0], "rank": [1, 2, 1, 2], "photos": 7,
        "move": ["", "", "▲1", "▼1"],
    })  # fmt: skip
    display = plots.hotel_orders(orders, {"a": np.zeros((90, 60, 3), "uint8")}, n_photos=3)
    said = {place: text.get_text() for place, text in display.texts_.items()}
    assert said["today", 2] == "rank 2/7\nno score"
    assert said["second_model", 1] == "rank 1/7  ▲1\npredicted 6.000"
    assert display.axes_.shape == (2, 2)
    # The middle of a tall photo, in the format 4:3.
    assert display.images_["today", 1].get_array().shape == (45, 60, 3)
    assert "today: a first, predicted 5.000; second model: b first" in figure_alt(display.figure_)


def test_confusion_sheet_draws_what_speaks_for_either_class():
    display = plots.confusion_sheet(confusion(3), solid(10, 20))
    assert display.axes_.shape == (2, 4)
    titles = [ax.get_title() for ax in display.axes_[0]]
    assert titles == ["photo", "for Bathroom", "for Pool", "Bathroom, not Pool"]


def test_filters_are_drawn_one_above_the_other():
    display = plots.filter_comparison(COMPARISON, names=("before", "after"))
    assert {key: [grey(image) for image in both] for key, both in display.images_.items()} == {
        ("conv", 3): [10, 30], ("conv", 7): [20, 40],
    }  # fmt: skip
    titles = [text.get_text() for text in display.texts_.values()]
    assert titles == ["3: r 0.10", "7: w 25%"]
    assert [ax.get_ylabel() for ax in display.axes_[:, 0]] == ["before", "after"]
    assert "conv: channels 3, 7" in figure_alt(display.figure_)
    below = plots.filter_comparison(COMPARISON, layers=["conv"], names=("a", "b"), n_columns=1)
    assert below.axes_.shape == (4, 1)
    assert [ax.get_ylabel() for ax in below.axes_[:, 0]] == ["a", "b", "a", "b"]


def test_channel_card_draws_a_picture_and_nine_patches_for_each_model():
    patches = [solid(*range(10, 22)), solid(50)]
    display = plots.channel_card(
        [solid(1)[0], solid(2)[0]], patches, activations=[[0.75], [0.5]], names=["a", "b"]
    )
    shown = {name: [grey(image) for image in images] for name, images in display.images_.items()}
    assert shown == {"a": [1, *range(10, 19)], "b": [2, 50]}
    assert "a: photos with activations 0.8; b: photos" in figure_alt(display.figure_)


def test_pictures_stand_in_rows_of_four():
    display = plots.picture_row(solid(1, 2, 3, 4, 5), list("abcde"), title="five")
    assert display.axes_.shape == (2, 4)
    assert [grey(image) for image in display.images_.values()] == [1, 2, 3, 4, 5]
    assert [text.get_text() for text in display.texts_.values()] == list("abcde")


def test_photos_stand_in_groups_below_their_captions():
    wide, tall = np.full((30, 80, 3), 10, "uint8"), np.full((60, 20, 3), 20, "uint8")
    display = plots.photo_grid(
        [wide, tall, None], ["predicted Pool 0.94, true Bathroom 0.06", "costs $1 or $2", "c"],
        groups=["low", "low", "high"], n_columns=2, text="Three photos.",
    )  # fmt: skip
    assert display.axes_.shape == (2, 2)
    titles = [text.get_text() for text in display.texts_.values()]
    assert titles == ["predicted Pool 0.94,\ntrue Bathroom 0.06", r"costs \$1 or \$2", "c"]
    # Whole, and as large as its place allows.
    assert display.images_[0].get_extent() == [0, 4, 0.75, 2.25]
    assert display.images_[1].get_extent() == [1.5, 2.5, 0, 3]
    assert display.images_[2].get_text() == "cannot be read"
    assert figure_alt(display.figure_).startswith("Three photos. low: predicted Pool 0.94, true")


def test_number_table_marks_cells_and_writes_counts_whole():
    table = pd.DataFrame(
        {"F1": [0.5, np.nan], "photos": [1200, 3], "note": ["$a$", "b"]}, index=["a_b", "c"]
    )
    display = plots.number_table(table, marked=[("a_b", "F1")], text="Two classes.")
    written = {key: cell.get_text() for key, cell in display.texts_.items()}
    assert [written["a_b", name] for name in table] == ["0.50", "1,200", r"\$a\$"]
    assert [written["c", name] for name in table] == ["–", "3", "b"]
    assert display.texts_["a_b", "F1"].get_fontweight() == "bold"
    assert display.texts_["c", "F1"].get_fontweight() != "bold"
    assert "Two classes. a b: F1 0.50, photos 1,200" in figure_alt(display.figure_)


def test_exported_figures_have_large_type_and_say_what_they_show(tmp_path):
    display = plots.picture_row(solid(1, 2, 3, 4), ["Näme $x$", *"bcd"])
    size = display.figure_.get_size_inches().tolist()
    assert plots.exported(display, tmp_path, "row") is display
    assert display.figure_.get_size_inches().tolist() == size
    text = figure_alt(display.figure_)
    with Image.open(tmp_path / "row.png") as picture:
        assert picture.info["Description"] == text
    assert html.escape(text, quote=False) in (tmp_path / "row.svg").read_text()
    small = plots.new_figure((20, 8))
    small.text(0.5, 0.5, "small", fontsize=4)
    with large_type(small) as growth:
        assert growth == 1.7
