"""Questions about generated scores: the time and the peak memory of each, beside pandas.

On a machine that others use too, the seconds of the processor say more than those of the clock.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from common import leave
from generated import make_rows

#: must-show at 280 million rows: question -> seconds
WANTED = {"histogram": 3, "quantiles": 20, "one hotel ranked": 1, "all hotels ranked": 120}
#: pandas has to hold a table whole: it gets so much memory, and above so many rows is not asked.
PANDAS_MEMORY, PANDAS_ROWS = 20 * 1024**3, 100_000_000


def histogram(scores: str, _: Path) -> object:
    from hotelviz.scores import open_scores

    return open_scores(scores).histogram()["count"].sum()


def quantiles(scores: str, _: Path) -> object:
    from hotelviz.scores import open_scores

    return open_scores(scores).quantiles([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])[0.5]


def sample_by_level(scores: str, _: Path) -> object:
    from hotelviz.scores import open_scores

    return len(open_scores(scores).sample_by_level(8, thresholds=(4.5, 5.5)))


def one_hotel(scores: str, _: Path) -> object:
    from hotelviz.ranking import rank_hotel_photos
    from hotelviz.scores import open_scores

    dataset = open_scores(scores)
    last = dataset.files[len(dataset.files) // 2]
    hotel = pd.read_parquet(last, columns=["hotel_id"])["hotel_id"].iloc[len(dataset.files)]
    started = time.perf_counter()
    ranking = rank_hotel_photos(open_scores(scores), hotels=[hotel])
    return {"photos": len(ranking), "seconds": time.perf_counter() - started}


def all_hotels(scores: str, out: Path) -> object:
    from hotelviz.ranking import rank_dataset

    folder = rank_dataset(scores, f"{out}/ranking", progress=False)
    shutil.rmtree(folder)
    return "written"


def report(name: str, **parameters: object) -> Callable[[str, Path], object]:
    def run(scores: str, out: Path) -> object:
        from hotelviz.reports import run_report

        page = run_report(name, {"scores": scores, **parameters}, f"{out}/{name}.html")
        return Path(page).stat().st_size

    return run


def pandas_histogram(scores: str, out: Path) -> object:
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.histplot(pd.read_parquet(scores, columns=["score"])["score"], bins=180)
    plt.savefig(f"{out}/histogram.png")
    return "drawn"


def pandas_quantiles(scores: str, _: Path) -> object:
    values = pd.read_parquet(scores, columns=["score"])["score"]
    return values.quantile([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])[0.5]


def pandas_ranked(scores: str, out: Path) -> object:
    table = pd.read_parquet(scores, columns=["image_id", "hotel_id", "score"])
    table["rank"] = table.groupby("hotel_id")["score"].rank(method="first", ascending=False)
    table.sort_values(["hotel_id", "rank"]).to_parquet(f"{out}/ranking.parquet")
    return "by score alone"


QUESTIONS: dict[str, Callable[[str, Path], object]] = {
    "histogram": histogram,
    "quantiles": quantiles,
    "low, medium, high": sample_by_level,
    "one hotel ranked": one_hotel,
    "all hotels ranked": all_hotels,
    "report score_distribution": report("score_distribution", n_photos=8),
    "report hotel_ranking": report("hotel_ranking", catalog=""),
    "pandas + seaborn: histogram": pandas_histogram,
    "pandas: quantiles": pandas_quantiles,
    "pandas: ranked by score": pandas_ranked,
}


def ask(question: str, scores: Path, out: Path) -> dict[str, object]:
    """Ask in a process of its own; seconds (without starting Python), peak megabytes, answer."""
    # Reports run in a kernel: the memory of whichever process had most counts.
    done = subprocess.run(
        [sys.executable, __file__, question, str(scores), str(out)], capture_output=True, text=True
    )
    if done.returncode:
        return {
            "seconds": None,
            "processor": None,
            "megabytes": None,
            "answer": done.stderr.strip()[-300:],
        }
    return json.loads(done.stdout.splitlines()[-1])


def measure(*, short: bool) -> list[tuple[str, str, str]]:
    """Generate datasets, ask each all questions, and write the table and its picture."""
    sizes = [1_000_000, 2_000_000] if short else [1_000_000, 10_000_000, 100_000_000, 280_500_000]
    table = []
    with tempfile.TemporaryDirectory(prefix="hotelviz-rows-") as folder:
        for size in sizes:
            for by_hotel in (True, False):
                if not by_hotel and size > 100_000_000:
                    continue  # A second copy of the largest would not fit on a small disk.
                kind = "sorted" if by_hotel else "unsorted"
                scores = Path(folder) / f"{size}-{kind}"
                started = time.perf_counter()
                count = make_rows(scores, size, by_hotel=by_hotel)
                print(f"{count:,} rows, {kind}: {time.perf_counter() - started:.0f} s", flush=True)
                table += asked(scores, Path(folder), count, kind)
                shutil.rmtree(scores)
    frame = pd.DataFrame(table)
    show(frame)
    return summary(frame)


def asked(scores: Path, out: Path, count: int, kind: str) -> list[dict[str, object]]:
    found = []
    for question in QUESTIONS:
        if "pandas" in question and (count > 1.1 * PANDAS_ROWS or kind == "unsorted"):
            continue
        if "report" in question and kind == "unsorted":
            continue
        answer = ask(question, scores, out)
        found.append({"rows": count, "kind": kind, "question": question, **answer})
        print(f"  {question}: {answer}", flush=True)
    return found


def summary(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return what was wanted at the largest size, and what was measured."""
    largest = frame[(frame["rows"] == frame["rows"].max()) & (frame["kind"] == "sorted")]
    lines = []
    for row in largest.itertuples():
        wanted = f"< {WANTED[row.question]} s" if row.question in WANTED else ""
        took = (
            "failed"
            if pd.isna(row.seconds)
            else (
                f"{row.seconds:.2f} s ({row.processor:.0f} s of the processor), "
                f"{row.megabytes:,.0f} MB"
            )
        )
        lines.append((f"{row.question}, {row.rows:,} rows", wanted, took))
    own = largest[~largest["question"].str.contains("pandas")]
    lines.append(("peak memory of all", "< 6 GB", f"{own['megabytes'].max() / 1000:.2f} GB"))
    return lines


def show(frame: pd.DataFrame) -> None:
    """Write the table, and draw time and memory against rows."""
    file = leave("scale.csv")
    frame.to_csv(file, index=False)
    print(frame.drop(columns="answer").round(2).to_string(index=False))
    draw(frame, file.with_suffix(".png"))


def draw(frame: pd.DataFrame, file: Path) -> None:
    """Draw what questions to scores that are sorted by hotel take."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    figure, axes = plt.subplots(1, 2, figsize=(12, 4.2), sharex=True, layout="constrained")
    plotted = frame[(frame["kind"] == "sorted") & frame["seconds"].notna()]
    colors = sns.color_palette("colorblind", plotted["question"].nunique())
    for color, mark, (question, points) in zip(
        colors, "osD^vPX<>h*", plotted.groupby("question", sort=False), strict=False
    ):
        style = {
            "linestyle": "--" if "pandas" in question else "-",
            "marker": mark, "markersize": 5, "color": color, "label": question,
        }  # fmt: skip
        for ax, column in zip(axes, ("seconds", "gigabytes"), strict=True):
            values = points["megabytes"] / 1000 if column == "gigabytes" else points[column]
            ax.loglog(points["rows"], values, **style)
    for ax, label in zip(axes, ("seconds", "peak memory in GB"), strict=True):
        ax.set_xlabel("scored photos, sorted by hotel")
        ax.set_ylabel(label)
        ax.yaxis.set_major_formatter("{x:g}")
        ax.spines[["top", "right"]].set_visible(False)
    axes[1].set_yticks([0.2, 0.5, 1, 2, 4, 8, 16])
    axes[1].yaxis.set_minor_formatter("")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(file, dpi=80)
    plt.close(figure)


def _used() -> tuple[float, float]:
    """Return seconds of the processor, and the megabytes of whichever process had most."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    processor = sum(each.ru_utime + each.ru_stime for each in used)
    return processor, max(each.ru_maxrss for each in used) / 1024


if __name__ == "__main__":
    name, place, output = sys.argv[1:]
    import hotelviz.ranking
    import hotelviz.scores  # noqa: F401  so that importing it is not timed

    if "pandas" in name:
        resource.setrlimit(resource.RLIMIT_AS, (PANDAS_MEMORY, PANDAS_MEMORY))
    begun, before = time.perf_counter(), _used()[0]
    said = QUESTIONS[name](place, Path(output))
    took = time.perf_counter() - begun
    if isinstance(said, dict):
        took, said = said["seconds"], said["photos"]
    processor, megabytes = _used()
    line = {
        "seconds": took, "processor": processor - before, "megabytes": megabytes,
        "answer": str(said),
    }  # fmt: skip
    print(json.dumps(line))
