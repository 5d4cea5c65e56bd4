"""Draw a picture of every plot from the drawn demo: ``python docs/pictures.py DEMO OUT``.

`PICTURES` has one entry for each public function or class of `hotelviz.plots` that draws. The site
is not built while one is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from pictured import Demo

from hotelviz import plots

#: Public names of `hotelviz.plots` that draw nothing by themselves.
NOT_DRAWING = {
    "Display", "change_text", "exported", "figure_png", "new_figure", "save_figure",
    "score_limits", "shares_between", "spotlight",
}  # fmt: skip


def confusion_matrix(demo: Demo) -> Any:
    """Draw the confusion matrix of the test photos."""
    return plots.ConfusionMatrixDisplay.from_predictions(demo.tags["label"], demo.tags["predicted"])


def per_class_bars(demo: Demo) -> Any:
    """Draw precision, recall and F1 of the test photos."""
    from hotelviz.metrics import classification_report

    return plots.per_class_bars(classification_report(demo.tags["label"], demo.tags["predicted"]))


def confusion_differences(demo: Demo) -> Any:
    """Draw what two taggers confuse differently."""
    from hotelviz.metrics import confusion_matrix

    photos = demo.compared.photos
    classes = sorted(
        set(photos["predicted_old"]) | set(photos["predicted_new"]) | set(photos["label"])
    )
    sides = [confusion_matrix(photos["label"], photos[name], classes=classes)
             for name in ("predicted_old", "predicted_new")]  # fmt: skip
    return plots.confusion_differences(*sides)


def reliability(demo: Demo) -> Any:
    """Draw how sure and how right the tagger is."""
    from hotelviz.metrics import calibration
    from hotelviz.models import model_info

    classes = model_info(demo.tagger).classes
    probabilities = demo.tags[[f"p_{name}" for name in classes]].to_numpy()
    return plots.reliability(calibration(probabilities, demo.tags["label"], classes))


def coverage_curve(demo: Demo) -> Any:
    """Draw how right the surest tags are."""
    from hotelviz.metrics import coverage_accuracy

    return plots.coverage_curve(coverage_accuracy(demo.tags), precision=0.95)


def set_sizes(demo: Demo) -> Any:
    """Draw the sizes of sets that are calibrated by photos of other hotels."""
    from hotelviz.metrics import conformal_figures, conformal_sets, cross_hotels

    # The demo has few hotels: they can promise no more.
    sets = cross_hotels(
        demo.tags, lambda others, own: conformal_sets(others, own, coverage=0.5).sets
    )
    return plots.set_sizes(conformal_figures(demo.tags, sets, by="size"))


def error_slices() -> Any:
    """Draw two slices that are planted in a table: the demo has too few hotels to find any."""
    from hotelviz.embeddings import find_slices

    random, n = np.random.default_rng(0), 900
    label = random.choice(["Pool", "Foyer", "Bedroom"], n)
    properties = pd.DataFrame({
        "image_id": np.arange(n).astype(str), "brightness": random.random(n),
        "border": np.where(random.random(n) < 0.15, 0.1, 0.0),
        "source": random.choice(["web", "own"], n),
    })  # fmt: skip
    dark = (label == "Pool") & (properties["brightness"] < 0.25)
    framed = (properties["border"] > 0) & (properties["source"] == "web")
    wrong = random.random(n) < np.where(dark | framed, 0.5, 0.08)
    table = pd.DataFrame({
        "image_id": properties["image_id"], "hotel_id": (np.arange(n) // 6).astype(str),
        "label": label, "predicted": np.where(wrong, "Kitchen", label),
    })  # fmt: skip
    return plots.error_slices(find_slices(table, properties=properties).table)


def number_table(demo: Demo) -> Any:
    """Draw precision, recall and F1 of the test photos as a table."""
    from hotelviz.metrics import classification_report

    report = classification_report(demo.tags["label"], demo.tags["predicted"])
    classes = report.drop(index=["macro avg", "weighted avg"])
    return plots.number_table(classes, marked=[(classes["f1"].idxmin(), "f1")])


def photo_grid(demo: Demo) -> Any:
    """Draw wrong predictions with both probabilities."""
    from hotelviz.gallery import photo_figure, tag_caption
    from hotelviz.metrics import misclassified

    return photo_figure(misclassified(demo.tags), caption=tag_caption)


def training_history(demo: Demo) -> Any:
    """Draw the training of the aesthetic model."""
    from hotelviz.training import history

    return plots.training_history(history(demo.aesthetic))


def learning_curve(demo: Demo) -> Any:
    """Draw what more rated photos would bring: the tagger's features know nothing of ratings."""
    from hotelviz.embeddings import compute_image_properties
    from hotelviz.metrics import learning_curve

    found = compute_image_properties(demo.photos, model=demo.tagger, progress=False)
    return plots.learning_curve(learning_curve(demo.photos, found.features, by="ratings"))


def confusion_sheet(demo: Demo) -> Any:
    """Draw what speaks for either class in the first photos of a confusion."""
    from hotelviz.attribution import read_pixels

    pixels, _ = read_pixels(demo.tagger, demo.confusion.photos["path"].head(4))
    return plots.confusion_sheet(demo.confusion, pixels)


def deletion_curves(demo: Demo) -> Any:
    """Draw what hiding the marked parts of three photos does."""
    from hotelviz.attribution import deletion_insertion

    pixels, _ = demo.looked_at
    return plots.deletion_curves(
        {name: deletion_insertion(demo.tagger, pixels, maps) for name, maps in demo.maps.items()}
    )


def concept_sheet(demo: Demo) -> Any:
    """Draw the photos in which the tagger's first concepts are strongest."""
    from hotelviz.attribution import read_pixels
    from hotelviz.concepts import concept_examples, concept_maps

    found, activity = demo.concepts
    shown = concept_examples(found, activity, n_photos=5).query("concept < 3")
    pixels, rows = read_pixels(demo.tagger, shown["path"])
    shown = shown.iloc[rows].reset_index(drop=True)
    titles = {number: found.name(number) for number in range(3)}
    return plots.concept_sheet(shown, pixels, concept_maps(found, shown), titles=titles)


def concept_shares(demo: Demo) -> Any:
    """Draw what the tagger's concepts speak for."""
    from hotelviz.concepts import concept_effects

    found, activity = demo.concepts
    names = {number: found.name(number) for number in range(len(found))}
    return plots.concept_shares(concept_effects(found, activity), names=names)


def concept_ends(demo: Demo) -> Any:
    """Draw what speaks for high and for low scores."""
    from hotelviz.attribution import read_pixels
    from hotelviz.concepts import concept_examples, concept_maps, find_concepts, score_ends

    found = find_concepts(demo.aesthetic, demo.photos, 6, progress=False)
    shown = concept_examples(found, demo.photos, n_photos=3)
    pixels, rows = read_pixels(demo.aesthetic, shown["path"])
    shown = shown.iloc[rows].reset_index(drop=True)
    lit = plots.spotlight(pixels, concept_maps(found, shown))
    pictures = {number: lit[own.index] for number, own in shown.groupby("concept")}
    names = {number: found.name(number) for number in range(len(found))}
    return plots.concept_ends(score_ends(found, demo.photos), names=names, pictures=pictures)


def channel_card(demo: Demo) -> Any:
    """Draw the channel that changed most in both models."""
    from hotelviz.feature_vis import patch_pixels, top_photos, visualize_channels

    layer, channel = demo.comparison.channels.loc[0, ["layer", "channel"]]
    models = (demo.tagger, demo.aesthetic)
    return plots.channel_card(
        [visualize_channels(model, layer, [channel], size=96, steps=48)[0] for model in models],
        [patch_pixels(top_photos(model, demo.photos.head(96), layer, channel)) for model in models],
        title=f"{layer}, channel {channel}",
    )


def picture_row(demo: Demo) -> Any:
    """Draw what four tags look like to the tagger."""
    from hotelviz.feature_vis import visualize_outputs

    names = ["Bathroom", "Bedroom", "Kitchen", "Pool"]
    return plots.picture_row(visualize_outputs(demo.tagger, names, size=96, steps=48), names)


def issue_counts(demo: Demo) -> Any:
    """Draw what the audit finds without a network."""
    from hotelviz.audit import find_issues

    return plots.issue_counts(find_issues(demo.photos, model=demo.tagger, progress=False).summary)


def rater_bias(demo: Demo) -> Any:
    """Draw how strict six simulated raters are."""
    from hotelviz.labelling.inter_rater import rater_statistics

    ratings = pd.read_csv(demo.folder / "truth" / "ratings.csv")
    colleagues = ratings[ratings["rater"].str.startswith("colleague")]
    return plots.rater_bias(rater_statistics(colleagues))


def score_distribution(demo: Demo) -> Any:
    """Draw the scores of all photos."""
    return plots.score_distribution(demo.scores.histogram(bins=45), thresholds=[4.5, 5.5])


def rating_bars(demo: Demo) -> Any:
    """Draw the ratings of one photo beside what is predicted."""
    from hotelviz.catalog import as_shares

    first = demo.rated.head(1)
    predicted = first[[f"q_{score}" for score in range(1, 11)]].to_numpy(dtype=float)
    return plots.rating_bars(as_shares(first)[0], predicted[0])


def hotel_orders(demo: Demo) -> Any:
    """Return a hotel's current and new order."""
    from hotelviz.ranking import current_and_new, rank_hotel_photos, read_pictures

    hotel = demo.photos["hotel_id"].iloc[0]
    orders = current_and_new(rank_hotel_photos(demo.scores, catalog=demo.photos, hotels=[hotel]))
    return plots.hotel_orders(orders, read_pictures(orders, demo.photos))


def save_gallery(demo: Demo, path: Path) -> None:
    """Write the gallery of wrong predictions as the page to which a tutorial leads."""
    from hotelviz.attribution import evidence_maps
    from hotelviz.gallery import Gallery, tag_caption
    from hotelviz.metrics import misclassified

    path.parent.mkdir(parents=True, exist_ok=True)
    wrong = misclassified(demo.tags)
    maps = evidence_maps(demo.tagger, wrong)
    Gallery(wrong, caption=tag_caption, group="confusion", overlays=maps).save(path)


def two_deliveries() -> list[pd.DataFrame]:
    """Return properties of photos of two months; in the second one a few are very dark."""
    random, sides = np.random.default_rng(0), []
    for first, dark in ((0, 0.0), (200, 0.1)):
        hotel = np.repeat(np.arange(first, first + 200), 8)
        level = np.repeat(random.normal(0, 0.05, 200), 8)
        bright = np.clip(0.84 + level + random.normal(0, 0.08, len(hotel)), 0, 1)
        bright *= np.where(random.random(len(hotel)) < dark, 0.6, 1)
        sides.append(pd.DataFrame({
            "hotel_id": hotel, "brightness": bright, "sharpness": random.normal(7, 1, len(hotel)),
            "format": random.choice(["JPEG", "WebP"], len(hotel), p=[0.9 - dark, 0.1 + dark]),
        }))  # fmt: skip
    return sides


def drift_distances() -> Any:
    """Draw how far two months are apart."""
    from hotelviz.metrics import column_drift

    return plots.drift_distances(column_drift(*two_deliveries()), margin=0.1)


def distribution_change() -> Any:
    """Draw the brightness of two months."""
    from hotelviz.scores import bin_scores

    binned = [bin_scores(one["brightness"], bins=40, low=0.4, high=1) for one in two_deliveries()]
    return plots.distribution_change(*binned, xlabel="brightness", names=("May", "June"))


def photo_map(demo: Demo, draw: Callable[..., Any]) -> Any:
    """Draw the photos by what the tagger sees in them."""
    from hotelviz.embeddings import layout, photo_features

    places = layout(photo_features(demo.photos, demo.tagger, progress=False))
    return draw(places, demo.photos.set_index("image_id")["label"])


#: Name of a plot -> what draws its picture.
PICTURES: dict[str, Callable[[Demo], Any]] = {
    "ConfusionMatrixDisplay": confusion_matrix,
    "channel_card": channel_card,
    "class_comparison": lambda demo: plots.class_comparison(demo.stages),
    "class_counts": lambda demo: plots.class_counts(demo.photos),
    "concept_ends": concept_ends,
    "concept_shares": concept_shares,
    "concept_sheet": concept_sheet,
    "confusion_differences": confusion_differences,
    "confusion_sheet": confusion_sheet,
    "coverage_curve": coverage_curve,
    "deletion_curves": deletion_curves,
    "depth_profile": lambda demo: plots.depth_profile(demo.comparison.profile),
    "difference_intervals": lambda demo: plots.difference_intervals(
        demo.compared.figures, margin=0.02
    ),
    "distribution_change": lambda _: distribution_change(),
    "drift_distances": lambda _: drift_distances(),
    "error_slices": lambda _: error_slices(),
    "filter_comparison": lambda demo: plots.filter_comparison(demo.comparison, n_columns=6),
    "hotel_orders": hotel_orders,
    "issue_counts": issue_counts,
    "learning_curve": learning_curve,
    "map_sheet": lambda demo: plots.map_sheet(
        demo.looked_at[0], demo.maps, captions=demo.looked_at[1]["label"].tolist()
    ),
    "number_table": number_table,
    "per_class_bars": per_class_bars,
    "photo_grid": photo_grid,
    "photo_map": lambda demo: photo_map(demo, plots.photo_map),
    "photo_map_facets": lambda demo: photo_map(demo, plots.photo_map_facets),
    "picture_row": picture_row,
    "predicted_against_rated": lambda demo: plots.predicted_against_rated(
        demo.rated["rated_mean"].to_numpy(), demo.rated["score"].to_numpy()
    ),
    "rater_bias": rater_bias,
    "rating_bars": rating_bars,
    "reliability": reliability,
    "score_distribution": score_distribution,
    "set_sizes": set_sizes,
    "stage_classes": lambda demo: plots.stage_classes(demo.stages, "corrected"),
    "stage_comparison": lambda demo: plots.stage_comparison(demo.stages),
    "stage_confusions": lambda demo: plots.stage_confusions(demo.stages, "corrected"),
    "training_history": training_history,
}
#: What draws in other packages, and looks like one of these.
ALIKE = {"hotelviz.gallery.photo_figure": "hotelviz.plots.photo_grid"}
#: What shows itself in a browser: a picture that ``docs/screenshots.py`` took, and its text.
TAKEN = {
    "hotelviz.gallery.Gallery": (
        "gallery.png",
        "Wrong predictions in the gallery: the matrix is open, and maps lie over the photos",
    ),
    "hotelviz.labelling.LabelWidget": ("labelling.png", "The labelling app: one photo, one key"),
}


def without_picture() -> list[str]:
    """Return the public plots that have no picture, and the pictures that have no plot."""
    return sorted(set(PICTURES) ^ (set(plots.__all__) - NOT_DRAWING))


def main(folder: Path, out: Path) -> None:
    """Make the demo, draw all pictures and write their alternative texts beside them."""
    from demo_data import make_demo

    from hotelviz.plots.alt_text import figure_alt

    if without_picture():
        raise SystemExit(f"docs/pictures.py and hotelviz.plots differ in: {without_picture()}")
    make_demo(folder)
    out.mkdir(parents=True, exist_ok=True)
    demo, texts = Demo(folder), {}
    for name, draw in PICTURES.items():
        figure = draw(demo).figure_
        figure.savefig(out / f"hotelviz.plots.{name}.png", dpi=100, bbox_inches="tight")
        texts[f"hotelviz.plots.{name}"] = figure_alt(figure) or name
    for name, like in ALIKE.items():
        shutil.copy(out / f"{like}.png", out / f"{name}.png")
        texts[name] = texts[like]
    for name, (file, text) in TAKEN.items():
        shutil.copy(Path(__file__).parent / "images" / file, out / f"{name}.png")
        texts[name] = text
    save_gallery(demo, out.parent / "pages" / "gallery.html")
    (out / "pictures.json").write_text(json.dumps(texts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
