"""Time an atlas of channels, and compare the two ways to draw channels, on real photos.

    KERAS_HOME=../shared/keras python benchmarks/atlas.py [--short] [--only NAME ...]

Looks for photos in ``../shared/data`` beside the repository and for ImageNet's weights in
``../shared/keras``. ``match`` leaves numbered sheets in ``reports/benchmarks/``, and a key: write
down which picture of each row goes with its photos, and on others which photos with its picture,
before opening it, and put the answers, such as ``ABDC…``, one line a sheet in the order of the key,
into ``atlas_answers.txt`` there; ``answers`` counts them.
"""

from __future__ import annotations

import json
import tempfile
import time
from typing import Any

from common import leave, results, run

# isort: split
import numpy as np
from explain import excitement, photos

from hotelviz import feature_vis, plots

LAYER, SIZE, STEPS = "conv_pw_13", 96, 32
LETTERS = "ABCD"
#: What goes with the photos, or with the picture, of a channel.
SOUGHT = ("picture", "photos")


def both(model: Any, channels: list[int], *, steps: int = STEPS) -> dict[str, np.ndarray]:
    """Draw channels by both methods; MaCo's magnitudes are those of the hotel photos."""
    magnitudes = feature_vis.photo_magnitudes(photos()["path"], size=SIZE)
    return {
        method: feature_vis.visualize_channels(
            model, LAYER, channels, size=SIZE, steps=steps, method=method, magnitudes=magnitudes
        )
        for method in feature_vis.METHODS
    }


def speed(*, short: bool) -> None:
    """Make the whole atlas of a layer, and its page."""
    from hotelviz.models import build_tagger
    from hotelviz.reports.verdicts.atlas import atlas_gallery

    model, layer = build_tagger(), "conv_pw_3" if short else LAYER
    looked_at = photos().sample(100 if short else 1000, random_state=0)
    with tempfile.TemporaryDirectory() as cache:
        started, used = time.perf_counter(), time.process_time()
        found = feature_vis.atlas(model, layer, looked_at, outputs=False, cache=cache)
        whole, processor = time.perf_counter() - started, time.process_time() - used
        page = leave(f"atlas_{layer}.html")
        atlas_gallery(found, thumbnail=SIZE, title=f"Channels of {layer}").save(page)
    many = len(found.channels)
    print(found.channels["state"].value_counts().to_string())
    results.append(
        (f"atlas of {layer}: {many:,} channels, {found.n_photos:,} photos", "< 30 min",
         f"{whole / 60:.1f} min, {processor / 60:.1f} min of a processor; page "
         f"{page.stat().st_size / 1e6:.1f} MB")
    )  # fmt: skip


def methods(*, short: bool) -> None:
    """Show both methods' pictures to the network again, and draw the contact sheet."""
    from hotelviz.models import build_tagger

    model, many = build_tagger(), 12 if short else 32
    channels = sorted(np.random.default_rng(0).choice(1024, many, replace=False).tolist())
    for steps in (STEPS,) if short else (STEPS, 128):
        drawn = both(model, channels, steps=steps)
        values = {
            method: excitement(model, LAYER, channels, pictures[..., :3])
            for method, pictures in drawn.items()
        }
        fourier, maco = values["fourier"], values["maco"]
        results.append(
            (f"activation with jitter, {many} channels, {steps} steps", "the higher is default",
             f"fourier {fourier.mean():.1f}, maco {maco.mean():.1f}; fourier is higher in "
             f"{(fourier > maco).sum()}")
        )  # fmt: skip
        figure = plots.new_figure((9.4, 2.6))
        for row, pictures in zip(figure.subplots(2, 12), drawn.values(), strict=True):
            for ax, picture in zip(row, pictures, strict=False):
                ax.imshow(picture)
                ax.axis("off")
        figure.savefig(leave(f"atlas_methods_{steps}.png"), dpi=160)


def match(*, short: bool) -> None:
    """Make the sheets: top photos and four pictures, and a picture and the photos of four."""
    from hotelviz.models import build_tagger

    random = np.random.default_rng()  # not even who wrote this knows
    model = build_tagger()
    channels = random.choice(1024, 20, replace=False).tolist()
    looked_at = photos().sample(100 if short else 400, random_state=0)
    found = feature_vis.top_photos(model, looked_at, LAYER, channels, n_photos=6)
    patches = [feature_vis.patch_pixels(found[found["channel"] == one]) for one in channels]
    key = {}
    for method, pictures in both(model, channels).items():
        for sought in SOUGHT:
            lines = []
            for half in range(2):
                rows = []
                for row in range(10 * half, 10 * half + 10):
                    others = random.choice(np.delete(np.arange(20), row), 3, replace=False)
                    rows.append((row, random.permutation([row, *others])))
                leaves = leave(f"atlas_match_{method}_{sought}_{half}.png")
                sheet(rows, pictures, patches, sought).savefig(leaves, dpi=140)
                lines.append("".join(LETTERS[four.tolist().index(row)] for row, four in rows))
            key[f"{method}, {sought} sought"] = lines
    leave("atlas_key.json").write_text(json.dumps(key))
    print(f"sheets and key: {leave('atlas_key.json').parent}")


def sheet(
    rows: list[tuple[int, np.ndarray]], pictures: np.ndarray, patches: list[np.ndarray], sought: str
) -> Any:
    """Draw a row per channel: what is known of it, then the four among which it is."""
    each = 1 if sought == "picture" else 3
    known = 6 if sought == "picture" else 1
    figure = plots.new_figure((9.6 + 2.4 * (each > 1), 9.6))
    for own, (row, four) in zip(figure.subplots(10, known + 4 * each), rows, strict=True):
        first = patches[row] if sought == "picture" else pictures[[row]]
        sets = [pictures[[one]] if sought == "picture" else patches[one][:each] for one in four]
        shown = [*first[:known], *(image for images in sets for image in images)]
        for place, (ax, image) in enumerate(zip(own, shown, strict=True)):
            ax.imshow(image)
            ax.axis("off")
            if place >= known and (place - known) % each == 0:
                ax.set_title(LETTERS[(place - known) // each], fontsize=8, pad=1)
    return figure


def answers(*, short: bool) -> None:  # noqa: ARG001
    """Count the right answers."""
    given, key = leave("atlas_answers.txt"), leave("atlas_key.json")
    if not (given.is_file() and key.is_file()):
        print("no answers yet: run match, look at the sheets, and write atlas_answers.txt")
        return
    said = iter(given.read_text().split())
    for name, lines in json.loads(key.read_text()).items():
        hits = sum(a == b for line in lines for a, b in zip(next(said), line, strict=True))
        results.append((f"matched among four, {name}", "25 % by chance", f"{hits} of 20"))


SECTIONS = {"speed": speed, "methods": methods, "match": match, "answers": answers}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
