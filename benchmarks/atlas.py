"""Time an atlas of channels, and compare the two ways to draw channels, on real photos.

    KERAS_HOME=../shared/keras python benchmarks/atlas.py [--short] [--only NAME ...]

Looks for photos in ``../shared/data`` beside the repository and for ImageNet's weights in
``../shared/keras``. ``match`` leaves numbered sheets in ``reports/benchmarks/``, and a key: write
down which picture of each row goes with its photos before opening it, and put the answers, such as
``ABDC…``, one line a sheet, into ``atlas_answers.txt`` there; ``answers`` counts them.
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
    """Make the sheets: in each row a channel's top photos, and four pictures, one of them its."""
    from hotelviz.models import build_tagger

    random = np.random.default_rng()  # not even who wrote this knows
    model = build_tagger()
    channels = random.choice(1024, 20, replace=False).tolist()
    looked_at = photos().sample(100 if short else 400, random_state=0)
    found = feature_vis.top_photos(model, looked_at, LAYER, channels, n_photos=6)
    drawn, key = both(model, channels), {}
    for method, pictures in drawn.items():
        lines = []
        for half in range(2):
            rows = range(10 * half, 10 * half + 10)
            figure = plots.new_figure((9.6, 9.6))
            axes, line = figure.subplots(10, 10), ""
            for own, row in zip(axes, rows, strict=True):
                others = random.choice(np.delete(np.arange(20), row), 3, replace=False)
                four = random.permutation([row, *others])
                line += LETTERS[int(np.flatnonzero(four == row)[0])]
                table = found[found["channel"] == channels[row]]
                shown = [*feature_vis.patch_pixels(table), *pictures[four]]
                for place, (ax, picture) in enumerate(zip(own, shown, strict=True)):
                    ax.imshow(picture)
                    ax.axis("off")
                    if place > 5:
                        ax.set_title(LETTERS[place - 6], fontsize=8, pad=1)
            figure.savefig(leave(f"atlas_match_{method}_{half}.png"), dpi=140)
            lines.append(line)
        key[method] = lines
    leave("atlas_key.json").write_text(json.dumps(key))
    print(f"sheets and key: {leave('atlas_key.json').parent}")


def answers(*, short: bool) -> None:  # noqa: ARG001
    """Count the right answers."""
    given, key = leave("atlas_answers.txt"), leave("atlas_key.json")
    if not (given.is_file() and key.is_file()):
        print("no answers yet: run match, look at the sheets, and write atlas_answers.txt")
        return
    said = given.read_text().split()
    right = [line for lines in json.loads(key.read_text()).values() for line in lines]
    counts = [
        sum(a == b for a, b in zip(one, other, strict=True))
        for one, other in zip(said, right, strict=True)
    ]
    for number, method in enumerate(feature_vis.METHODS):
        hits = sum(counts[2 * number : 2 * number + 2])
        results.append(
            (f"top photos matched to the right of four, {method}", "25 % by chance",
             f"{hits} of 20")
        )  # fmt: skip


SECTIONS = {"speed": speed, "methods": methods, "match": match, "answers": answers}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
