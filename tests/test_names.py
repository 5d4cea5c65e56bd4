"""Names are text: in figures, pages, Markdown, and where a user's columns look like ours."""

from __future__ import annotations

import ast
import json
import re
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text
from nbconvert.filters import markdown2html

import hotelviz
from hotelviz import metrics, plots
from hotelviz.attribution import Confusion
from hotelviz.errors import HotelvizError
from hotelviz.gallery import Gallery, compare_orders, tag_caption
from hotelviz.gallery.html import files_folder, head
from hotelviz.io.escaping import csv_safe, escape_markdown
from hotelviz.plots.alt_text import figure_alt
from hotelviz.ranking import completeness, current_and_new, ranking_figures
from hotelviz.scores.predictions import class_columns, class_probabilities, join_photos

NOTEBOOKS = Path(hotelviz.__file__).parent.parent / "notebooks"

NAMES = [
    "Suite $200-$300",
    "$$ \\frac{1} a\\$b",
    "_x_ <b>&amp; 100 % #1 [x] *",
    "two\nlines" + "x" * 90,
]


def tags(classes: tuple[str, ...] = ("Pool", "Foyer"), count: int = 40) -> pd.DataFrame:
    random = np.random.default_rng(0)
    shares = random.dirichlet([1] * len(classes), count)
    said = np.array(classes)[shares.argmax(axis=1)]
    return pd.DataFrame(
        {
            "image_id": [f"{number}" for number in range(count)],
            "predicted": said,
            **{f"p_{name}": shares[:, place] for place, name in enumerate(classes)},
            "error": "",
        }
    )


def photos(count: int = 40) -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "image_id": [f"{number}" for number in range(count)],
            "hotel_id": [f"h{number % 8}" for number in range(count)],
            "label": random.choice(["Pool", "Foyer"], count),
        }
    )


PRICES = np.linspace(0, 0.9, 40)
#: Columns of the catalogue's own, and those of the model that they are called like.
OWN = [
    ({"p_price": 89.5}, ()),
    ({"p_price": PRICES}, ()),
    ({"p_id": "x"}, ()),
    ({"p_discount": 0.5}, ()),
    ({"p_vip": True, "p_stars": 1}, ()),
    ({"p_a": PRICES, "p_b": PRICES[::-1]}, ()),
    ({"predicted": "Pool"}, ("predicted",)),
    ({"p_Pool": 0.5}, ("p_Pool",)),
    ({"p_pool": 0.5}, ()),
    ({"error": "none", "score": 3.0}, ("error",)),
]


@pytest.mark.parametrize(("own", "clash"), OWN, ids=lambda value: "-".join(value))
def test_columns_of_the_users_change_no_figure(own, clash):
    plain = tags()[["p_Pool", "p_Foyer"]].set_axis(["Pool", "Foyer"], axis="columns")
    catalog = photos().assign(**own)
    if clash:
        with pytest.warns(UserWarning, match=rf"'{clash[0]}' are called 'catalog_{clash[0]}'"):
            joined = join_photos(catalog, tags())
        assert (joined[f"catalog_{clash[0]}"] == catalog[clash[0]]).all()
    else:
        joined = join_photos(catalog, tags())
    wrong = metrics.misclassified(joined)
    assert wrong["confidence"].to_list() == [
        plain.loc[int(row.image_id), row.predicted] for row in wrong.itertuples()
    ]
    assert metrics.confusions(joined).equals(metrics.confusions(join_photos(photos(), tags())))
    # What the join knows, what the values say, and what the user has joined without us.
    bare = catalog.merge(tags(), on="image_id")
    for table in (joined, pd.DataFrame(joined.to_dict("series")), bare):
        assert class_probabilities(table)[["Pool", "Foyer"]].equals(plain)
        assert class_probabilities(table).shape == plain.shape


@pytest.mark.parametrize("own", [{"p_price": 89.5, "predicted": "Pool"}])
def test_summary_is_that_of_the_model(own):
    bare = photos().assign(**own).merge(tags(), on="image_id")
    found = metrics.summary(bare).set_index("metric")["value"]
    shares = tags()[["p_Pool", "p_Foyer"]].to_numpy()
    table = metrics.calibration(shares, photos()["label"], ["Pool", "Foyer"])
    error = found["expected calibration error"]
    assert error == pytest.approx(metrics.expected_calibration_error(table))
    assert found["top-1 accuracy"] == (tags()["predicted"] == photos()["label"]).mean()


def test_classes_that_cannot_be_told_are_refused_with_the_columns():
    table = tags().assign(p_Bar=lambda rows: rows["p_Pool"])
    with pytest.raises(HotelvizError, match="'p_Pool', 'p_Foyer', 'p_Bar' are probabilities"):
        class_columns(table.assign(predicted=table["predicted"].replace("Pool", "Foyer")))
    with pytest.raises(HotelvizError, match="predicted to be 'Pool', but there is no column"):
        class_columns(table.drop(columns=["p_Pool", "p_Bar"]))
    with pytest.raises(HotelvizError, match="no column 'p_Spa'"):
        class_probabilities(table, ["Pool", "Spa"])
    assert class_columns(table, ["Pool", "Foyer"]) == {"Pool": "p_Pool", "Foyer": "p_Foyer"}
    assert class_columns(pd.DataFrame({"p_price": [0.5, 0.2]})) == {}
    assert class_columns(pd.DataFrame({"predicted": ["Pool"], "p_price": [0.5]})) == {}


def test_rounded_and_unreadable_probabilities_are_found():
    table = tags(("a", "b", "c", "d")).round(2)
    table.loc[3, ["predicted", "p_a", "p_b", "p_c", "p_d"]] = None
    assert list(class_columns(table)) == ["a", "b", "c", "d"]
    assert list(class_columns(table.drop(columns="predicted"))) == ["a", "b", "c", "d"]


def test_joining_says_what_does_not_fit():
    with pytest.raises(HotelvizError, match=r"join_photos, computed, row .* already"):
        join_photos(photos(), pd.concat([tags(), tags()]))
    with pytest.raises(HotelvizError, match="no photo of the catalogue"):
        join_photos(photos(), tags().assign(image_id=lambda rows: rows["image_id"] + ".jpg"))
    with pytest.raises(HotelvizError, match="no column 'image_id'"):
        join_photos(photos(), tags().drop(columns="image_id"))
    several = join_photos(photos(), pd.DataFrame({"image_id": ["1", "1"], "issue": "dark"}),
                          how="right")  # fmt: skip
    assert several["hotel_id"].to_list() == ["h1", "h1"]


def test_numbered_photos_are_joined_with_what_was_computed_of_them():
    numbered = pd.DataFrame({"image_id": [2, 1, 2**53 + 1], "label": ["Bar", "Pool", "Spa"]})
    computed = pd.DataFrame({"image_id": ["1", "9007199254740993", "2"], "score": [1.0, 3.0, 2.0]})
    joined = join_photos(numbered, computed)
    assert joined["image_id"].tolist() == ["2", "1", "9007199254740993"]
    assert joined["score"].tolist() == [2.0, 1.0, 3.0]


def test_gallery_shows_the_models_classes_and_groups_by_any_column(tmp_path):
    table = join_photos(photos().assign(p_price=0.5, decision="x", path="none.jpg"), tags())
    content = Gallery(table, group="decision").payload()
    assert content["classes"] == content["labels"] == ["Pool", "Foyer"]
    grouped = Gallery(table.assign(score=3), group="score").payload()
    assert [one["kind"] for one in grouped["columns"] if one["name"] == "score"] == ["category"]


def test_classes_that_read_alike_are_two_pairs():
    table = pd.DataFrame(
        {"image_id": list("abc"), "label": ["a_b", "a b", "a b"], "predicted": "c",
         "p_c": 1.0, "p_a_b": 0.0, "p_a b": 0.0}
    )  # fmt: skip
    assert metrics.misclassified(table)["confusion"].to_list() == [
        "a b predicted as c", "a b predicted as c", "a_b predicted as c",
    ]  # fmt: skip
    assert tag_caption(table.iloc[0]) == "predicted c 1.00, true a b 0.00"


@pytest.mark.parametrize(
    "name", ["run #2", "really?", "pct %20", "10:30", "a&b \"'<", "泳池", "a b"]
)
def test_folder_beside_a_page_is_named_as_part_of_an_address(name):
    found = re.search(r'"hotelviz:files" content="([^"]*)"', head(Path(f"{name}.html")))
    address = urlsplit(found[1])
    assert unquote(address.path) == files_folder(Path(f"{name}.html")) + "/"
    assert [address.scheme, address.query, address.fragment] == [""] * 3


def test_text_of_a_gallery_ends_no_script(tmp_path):
    names = ["\u2028</script><b>", "泳池 🏊"]
    table = pd.DataFrame({"image_id": names, "path": ["none.jpg"] * 2})
    Gallery(table, title="</title><b>").save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    text = page.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(text)["ids"] == names
    assert "<b>" not in page.split("<style>")[0] + page.split("</style>")[1].split("<script")[0]


@pytest.mark.parametrize(
    "text",
    ["[a](javascript:alert(1))", "![x](http://example.org/x.png)", "<img src=x onerror=alert(1)>",
     "# heading", "* item", "1. item", "| a | b |", "`code`", "_a_ **b** ~~c~~", "&amp;lt;",
     "http://example.org www.example.org a@b.org", "> quote", "---", "a\n\nb", "$x$ $$y$$",
     r"\(x\) \[y\] \begin{equation}z\end{equation} \$", "0", "泳池 مسبح 🏊"],
)  # fmt: skip
def test_text_in_markdown_shows_as_it_is(text):
    made = markdown2html(f"before {escape_markdown(text)} after")
    plain = " ".join(text.split())
    shown = re.sub("<[^>]*>", "", made)
    assert unescape(shown).strip() == f"before {plain} after"
    assert set(re.findall(r"<(\w+)", made)) <= {"p", "code"}
    # MathJax, which passes over code, finds no formula.
    outside = re.sub("<code>.*?</code>", "", made)
    assert "$" not in outside
    assert "\\" not in outside


def markdown_cells() -> list[tuple[str, str]]:
    cells = []
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code" and "Markdown(" in (source := "".join(cell["source"])):
                cells.append((file.name, source))
    for file in Path(hotelviz.__file__).parent.rglob("*.py"):
        if "Markdown(" in (source := file.read_text(encoding="utf-8")):
            cells.append((file.name, source))
    return cells


@pytest.mark.parametrize(("file", "source"), markdown_cells())
def test_what_markdown_is_made_of_is_escaped_or_a_number(file, source):
    tree = ast.parse(source)
    assigned = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Markdown":
            for unsafe in unescaped(call.args[0], assigned):
                pytest.fail(f"{file}, line {call.lineno}: {unsafe} is not escaped")


def unescaped(made: ast.expr, assigned: dict[str, ast.expr]) -> list[str]:
    """What of an expression may hold text from data as it is."""
    if isinstance(made, ast.Constant):
        return []
    if isinstance(made, ast.JoinedStr):
        parts = [part for part in made.values if isinstance(part, ast.FormattedValue)]
        return [one for part in parts for one in unescaped(part, assigned)]
    if isinstance(made, ast.FormattedValue):
        spec = ast.unparse(made.format_spec) if made.format_spec else ""
        # Only numbers can be written so.
        return [] if re.search(r"[,df%]'$", spec) else unescaped(made.value, assigned)
    if isinstance(made, ast.Name) and made.id in assigned:
        return unescaped(assigned[made.id], {})
    if isinstance(made, ast.Call):
        if getattr(made.func, "id", "") == "escape_markdown":
            return []
        if getattr(made.func, "attr", "") == "join":
            return unescaped(made.args[0], assigned)
    if isinstance(made, ast.GeneratorExp):
        return unescaped(made.elt, assigned)
    return [ast.unparse(made)]


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_formulas_are_escaped_in_columns_of_any_kind(dtype):
    table = pd.DataFrame({"@name": pd.Series(["=1+1", "Pool"], dtype=dtype), "n": [-1, 2]})
    assert csv_safe(table).to_csv(index=False) == "'@name,n\n'=1+1,-1\nPool,2\n"


def test_tables_of_notebooks_are_not_typeset():
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        source = file.read_text(encoding="utf-8")
        # Those that show a `Table` have nothing that MathJax would look at.
        if (
            "IPython.display" in source
            and "import Table" not in source
            and "verdicts" not in source
        ):
            assert "pd.options.display.html.use_mathjax = False" in source, file.name


def displays(name: str) -> dict[str, plots.Display]:
    """Draw every figure that shows names, with this one."""
    pixels = np.zeros((2, 8, 8, 3), "uint8")
    per_class = pd.DataFrame(
        {"stage": [name, "b"] * 2, "tested": "same", "label": [name] * 2 + ["x"] * 2, "f1": 0.5,
         "support": 3}
    )  # fmt: skip
    stage = pd.DataFrame(
        {"stage": [name, "b"], "metric": "top-1 accuracy", "tested": "same", "value": 0.5,
         "low": 0.4, "high": 0.6}
    )  # fmt: skip
    bins = pd.DataFrame({"low": [1.0, 2], "high": [2.0, 3], "count": [1, 2]})
    curves = pd.DataFrame(
        {"share": [0.0, 1.0] * 4, "order": ["map", "map", "random", "random"] * 2,
         "check": ["deletion"] * 4 + ["insertion"] * 4, "value": 0.5}
    )  # fmt: skip
    profile = pd.DataFrame({"layer": [name], "cka": 1.0, "correlation": 1.0, "weight_change": 0.0})
    habits = pd.DataFrame(
        {"rater": [name], "bias": 0.5, "bias_low": 0.2, "bias_high": 0.8, "noise": 1.0,
         "compared": 4}
    )  # fmt: skip
    summary = pd.DataFrame({"photos": [3], "looking": [1]}, index=[name])
    stages = SimpleNamespace(figures=stage, per_class=per_class)
    photo = pd.DataFrame({"path": ["a.jpg"]})
    confusion = Confusion(
        name, "x", photo, dict.fromkeys(("predicted", "true", "difference"), np.zeros((1, 8, 8)))
    )
    return {
        "confusion matrix": plots.ConfusionMatrixDisplay.from_predictions([name, "x"], [name, "x"]),
        "per class": plots.per_class_bars(metrics.classification_report([name], [name])),
        "class counts": plots.class_counts(pd.DataFrame({"label": [name], "split": ["train"]})),
        "issues": plots.issue_counts(summary),
        "stages": plots.stage_comparison(stages),
        "confusion": plots.confusion_sheet(confusion, pixels[:1]),
        "distribution": plots.score_distribution({name: bins, "b": bins}),
        "scatter": plots.predicted_against_rated(np.ones(2), np.ones(2) * 2, title=name),
        "maps": plots.map_sheet(pixels, {name: np.zeros((2, 8, 8))}, captions=[name, name]),
        "curves": plots.deletion_curves({name: curves}),
        "photos": plots.photo_grid([*pixels], [name, "x"], groups=[name, "x"]),
        "table": plots.number_table(pd.DataFrame({name: [1.0]}, index=[name])),
        "profile": plots.depth_profile(profile),
        "pictures": plots.picture_row(pixels, [name, "x"], title=name),
        "raters": plots.rater_bias(habits),
    }


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text().strip()]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_names_are_drawn_as_they_are_in_every_figure(name):
    plain = "".join(name.replace("_", " ").split())[:16]
    for kind, display in displays(name).items():
        figure = display.figure_
        shown = [text._preprocess_math(text.get_text()) for text in texts(figure)]
        # Powers of ten on a scale of numbers are formulas.
        drawn = [text for text, is_math in shown if not is_math]
        found = ["".join(text.replace("_", " ").split()) for text in drawn]
        assert any(plain in text for text in found), (kind, drawn)
        assert figure_alt(figure), kind


def test_characters_without_a_font_are_shown_by_number_and_others_find_theirs(monkeypatch):
    # Characters that no other test draws: which font has one is looked up once.
    own = [one for one in font_manager.fontManager.ttflist if one.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    display = plots.ConfusionMatrixDisplay.from_predictions(["沐浴", "é"], ["沐浴", "é"]).plot()
    display.figure_.canvas.draw()
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == [
        "é (1)", "[U+6C90 U+6D74] (1)",
    ]  # fmt: skip
    assert "2 classes" in figure_alt(display.figure_)
    # A font that is installed and has the character is used for it.
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "STIXGeneral.ttf")
    entry = font_manager.FontEntry(fname=str(file), name="Other", weight=400)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*own, entry])
    figure = plots.picture_row(np.zeros((1, 4, 4, 3), "uint8"), ["\u1d8d"]).figure_
    label = next(text for text in texts(figure) if text.get_text() == "\u1d8d")
    assert label.get_fontfamily()[-1] == "Other"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.class_counts(pd.DataFrame({"labels": ["a"], "split": "train"})),
         "no column 'label'.*did you mean 'labels'"),
        (lambda: plots.class_counts(pd.DataFrame({"label": [], "split": []})), "no rows"),
        (lambda: plots.reliability(pd.DataFrame({"confidence": [0.5]})), "no column 'accuracy'"),
        (lambda: plots.score_distribution(pd.DataFrame()), "no column 'low'"),
        (lambda: metrics.summary(tags()), "no column 'label'"),
        (lambda: metrics.summary(photos()), "no probabilities"),
        (lambda: metrics.confusions(photos()), "no column 'predicted'"),
        (lambda: metrics.misclassified(photos()), "no column 'predicted'"),
        (lambda: ranking_figures(photos()), "no ranking of rank_hotel_photos: no column 'score'"),
        (lambda: completeness(photos()), "ranking needs the scores' column"),
        (lambda: current_and_new(photos()), "no ranking of rank_hotel_photos"),
        (lambda: compare_orders(photos(), photos()), "these are no orders"),
    ],
)  # fmt: skip
def test_tables_by_hand_are_refused_with_the_column_that_is_missing(draw, message):
    with pytest.raises(HotelvizError, match=message):
        draw()
