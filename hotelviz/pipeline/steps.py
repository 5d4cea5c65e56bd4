"""Which steps there are, and what each reads, leaves and needs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hotelviz.io.content import content_name
from hotelviz.pipeline.earlier import Comparison, earlier_file, keep_earlier
from hotelviz.pipeline.estimate import with_effort
from hotelviz.pipeline.facts import Facts, write_first, write_split
from hotelviz.pipeline.request import (
    ABOUT_AREAS,
    MODELS,
    NOTEBOOKS,
    Request,
    parameters_of,
    task_of,
)
from hotelviz.pipeline.step import Step, code_version
from hotelviz.reports import find_notebook, run_report
from hotelviz.reports.wording import agreeing, counted

#: Parameters of notebooks that are files or folders which they leave.
_LEFT = ("out", "tags_out", "facts")


class Steps:
    """The steps of a run: those for which the catalogue has what they need.

    Parameters
    ----------
    request : Request
        What was asked for, checked.
    facts : Facts
        What the catalogue has.
    pretrained : bool
        Whether ImageNet's weights can be had.
    """

    def __init__(self, request: Request, facts: Facts, *, pretrained: bool) -> None:
        self.request, self.facts, self.pretrained = request, facts, pretrained
        self._steps: list[Step] = []
        #: Part of the work -> why it is left out, and what to add.
        self.left_out: dict[str, str] = {}
        #: Step -> which model it compares with that of an earlier run.
        self.comparisons: dict[str, Comparison] = {}
        out = request.out.absolute()
        self.out, self.catalog, self.first = out, out / "data/catalog.csv", out / "data/first.csv"
        self.tags, self.scores, self.audit = out / "tags.parquet", out / "scores", out / "audit"
        self.models = {name: out / "models" / f"{name}.keras" for name in MODELS}
        self.given = dict(request.models)
        last = self.given.pop("aesthetic", self.given.get("aesthetic_2"))
        #: Whether an iteration follows a first one; the last is given, or learns from the ratings.
        self.two = "aesthetic_1" in self.given or request.first is not None
        self.ended = last is not None
        if last is not None:
            self.given["aesthetic_2" if self.two else "aesthetic_1"] = last
        self._add_data()
        tagger = self._add_tagger()
        self._add_aesthetic(tagger)

    @property
    def all(self) -> list[Step]:
        """The steps in the order of the work; each needs those that leave what it reads."""
        left_by = {path: step.name for step in self._steps for path in step.outputs}
        needed = [
            [left_by[path] for path in step.inputs if path in left_by] for step in self._steps
        ]
        return [
            replace(step, needs=tuple(dict.fromkeys(names)))
            for step, names in zip(self._steps, needed, strict=True)
        ]

    def _add_data(self) -> None:
        source, first = self.request.catalog, self.request.first
        shares, seed = self.request.values("split"), self.request.seed

        def split() -> None:
            write_split(source, self.catalog, seed=seed, **shares)
            if first:
                write_first(first, self.catalog, self.first, seed=seed)

        self._add(
            Step(
                "split", split, inputs=(first,) if first else (), key={**shares, "seed": seed},
                outputs=(self.catalog, self.first) if first else (self.catalog,),
            )
        )  # fmt: skip
        foreign = {name: file for name, file in self.given.items() if task_of(file) is None}
        described = {name: self.models[name] for name in foreign}
        self.models |= {name: file for name, file in self.given.items() if name not in foreign}
        if foreign:
            action = partial(_describe, foreign, described)
            files = tuple(foreign.values()), tuple(described.values())
            self._add(Step("models", action, inputs=files[0], outputs=files[1]))

    def _add_tagger(self) -> bool:
        """Add what a tagger is for; return whether there is one."""
        given, lacking = "tagger" in self.given, _lacking_labels(self.facts)
        tagger = self.models["tagger"]
        there = given or not lacking
        features = tagger if there and not self.pretrained else ""
        self._report("cleaning_audit", model=features, out=self.audit)
        if lacking:
            judged = "tagger_report, explain_tagger, cleaning_effect" if given else "tagger"
            self.left_out[judged] = lacking
            return there
        if not given:
            self._train("tagger", self.catalog)
        self._report("tagger_report", model=tagger, tags_out=self.tags)
        if not given:
            self._compare_with_earlier("compare_tagger", "tagger_training", tagger, "label")
        self._report("explain_tagger", model=tagger)
        self._report("cleaning_effect", model=features, audit=self.audit)
        return there

    def _add_aesthetic(self, tagger: bool) -> None:
        """Add the iterations of the aesthetic model, and what they are for."""
        first, lacking = self.request.first, _lacking_ratings(self.facts)
        names = sorted(name for name in self.given if name.startswith("aesthetic"))
        parent = ""
        if "aesthetic_1" not in names and (first or (not names and not lacking)):
            asked = self.request.settings.get("aesthetic_training_1", {}).get("parent") == "tagger"
            # From scratch, what the tagger has learned of photos is more than nothing.
            parent = "tagger" if tagger and (asked or not self.pretrained) else ""
            start = self.models[parent] if parent else ""
            self._train("aesthetic_1", self.first if first else self.catalog, parent=start)
            names.insert(0, "aesthetic_1")
        if self.two and not self.ended and not lacking:
            self._train("aesthetic_2", self.catalog, parent=self.models["aesthetic_1"])
            names.append("aesthetic_2")
        if not names:
            self.left_out["aesthetic models, filters, scores, ranking"] = lacking
            return
        if lacking:
            self.left_out["aesthetic_report"] = lacking
        else:
            self._report("aesthetic_report", models=[self.models[name] for name in names])
            if len(names) == 1:
                self.left_out["first aesthetic iteration"] = (
                    "there is one iteration: give other people's ratings to learn from first with "
                    "--first CATALOG, or a model with --model aesthetic_1=FILE"
                )
            if (last := names[-1]) not in self.given:
                training = last.replace("aesthetic", "aesthetic_training")
                file = self.models[last]
                self._compare_with_earlier("compare_aesthetic", training, file, "rating_1")
        # From the tagger or not, the last model is compared with what its network began as.
        self._add_comparison([parent] if parent else names[:-1], names[-1])
        self._add_scores(names, tagger)

    def _train(self, name: str, catalog: Path, **more: Any) -> None:
        """Add the training of a model; the one whose place it takes is kept."""
        kind, _, iteration = name.partition("_")
        step = f"{kind}_training{'_' * bool(iteration)}{iteration}"
        model, begun = self.models[name], self.out / "data" / "trained.json"

        def keeping() -> AbstractContextManager[None]:
            state = next(one for one in self._steps if one.name == step).fingerprint()
            return keep_earlier(model, begun, state)

        self._report(step, heavy=True, within=keeping, catalog=catalog, out=model, **more)

    def _compare_with_earlier(self, name: str, training: str, model: Path, truth: str) -> None:
        """Add the comparison of a model that is trained with the one whose place it takes."""
        earlier, page = earlier_file(model), self.out / f"{name}.html"
        if model.exists() or earlier.exists():
            one = Comparison(model, training, self.catalog, truth, page)
            self.comparisons[name] = one
            self._report(name, within=one.unless_nothing, old=earlier, new=model, facts=one.facts)

    def _add_comparison(self, earlier: list[str], tuned: str) -> None:
        """Add the comparison of the last model with an earlier one."""
        if not self.pretrained and not earlier:
            self.left_out["compare_filters"] = (
                "there is no model before the one that was trained: put ImageNet's weights into "
                "$KERAS_HOME/models, or give an earlier model with --model aesthetic_1=FILE"
            )
            return
        asked = self.request.settings.get("compare_filters", {})
        if self.pretrained and "original" not in asked and not self._layers_learn():
            self.left_out["compare_filters"] = (
                "only the last layer learns in this run, and nothing changes inside the network: "
                "run without --quick, or give an earlier model with --model aesthetic_1=FILE"
            )
            return
        original = "imagenet" if self.pretrained else self.models[earlier[0]]
        self._report(
            "compare_filters", original=asked.get("original", original), tuned=self.models[tuned]
        )

    def _layers_learn(self) -> bool:
        """Return whether a model of this run may differ from ImageNet's network inside."""
        if self.given:
            return True
        trainings = [step for step in self._steps if "_training" in step.name]
        values = [
            with_effort(step.name, self.request.values(step.name) | step.key["parameters"])
            for step in trainings
        ]
        return any(known["fine_tune_epochs"] or known["weights"] == "none" for known in values)

    def _add_scores(self, aesthetic: list[str], tagger: bool) -> None:
        """Add the scores of all photos, and what they are for."""
        models = [self.models[name] for name in (aesthetic[-1], *["tagger"] * tagger)]
        values = self.request.values("scores")
        self._add(
            Step(
                "scores", partial(_score, self.catalog, models, self.scores, values), key=values,
                inputs=(self.catalog, *models), outputs=(self.scores,), heavy=True,
            )
        )  # fmt: skip
        self._report("score_distribution", scores=self.scores, model=self.models[aesthetic[-1]])
        if not self.facts.grouped:
            self.left_out["hotel_ranking"] = (
                "the catalogue does not say which hotel a photo belongs to: add a column hotel_id"
            )
            return
        both = [self.models[name] for name in aesthetic]
        self._report("hotel_ranking", scores=self.scores, models=both)
        if not self.facts.positions:
            self.left_out["comparison with today's order"] = (
                "the catalogue does not say where photos stand today: add a column position "
                "(1 is the first photo of a hotel)"
            )

    def _report(
        self,
        name: str,
        *,
        heavy: bool = False,
        within: Callable[[], AbstractContextManager[None]] = nullcontext,
        **given: Any,
    ) -> None:
        """Add a step that runs a notebook, which reads or leaves the paths among its parameters."""
        request, notebook, known = self.request, NOTEBOOKS[name], parameters_of(name)
        common = {"catalog": self.catalog, "seed": request.seed,
                  "export": str(self.out / "figures" / name),
                  "truth": str(request.truth.absolute()) if request.truth else ""}  # fmt: skip
        values = {key: value for key, value in common.items() if key in known}
        values |= dict(request.settings.get(name, {})) | given
        reads = [find_notebook(notebook)]
        leaves = [page := self.out / f"{name}.html"]
        for key, value in values.items():
            (leaves if key in _LEFT else reads).extend(_paths(value))
        if (backbone := str(values.get("backbone", ""))).endswith(".keras"):
            reads.append(Path(backbone))
        plain = {key: _plain(value) for key, value in values.items()}
        told = [request.banner, "" if name in ABOUT_AREAS else request.note]
        banner = " ".join(filter(None, told))

        def report() -> None:
            if name == "cleaning_audit":
                _forget_suggestions(self.audit / "decisions.csv")
            with within():
                pages = self._pages(name)
                run_report(notebook, plain, page, progress=heavy, banner=banner, pages=pages)

        about = {"parameters": plain, "banner": banner}
        self._add(
            Step(name, report, inputs=tuple(reads), outputs=tuple(leaves), key=about, heavy=heavy)
        )

    def _pages(self, name: str) -> dict[str, str]:
        """Return report -> page, of the last iteration where a report has two, and step -> page.

        A comparison is among them only where it is known that there is one: after the training.
        """
        before = {step.name for step in with_needs(self.all, [name])} - {name}
        steps = [
            step.name for step in self._steps
            if step.name in NOTEBOOKS and (
                (one := self.comparisons.get(step.name)) is None
                or (one.training in before and not one.nothing)
            )
        ]  # fmt: skip
        reports = {NOTEBOOKS[step]: f"{step}.html" for step in steps}
        return {step: f"{step}.html" for step in steps} | reports | {"index": "index.html"}

    def _add(self, step: Step) -> None:
        """Add a step, which depends on the photos and on the code besides."""
        more = {"photos": self.facts.version, "code": code_version()}
        self._steps.append(replace(step, key={**step.key, **more}))


def with_needs(steps: Sequence[Step], names: Iterable[str]) -> list[Step]:
    """Return some steps, and those that they need."""
    needs = {step.name: step.needs for step in steps}
    chosen = set(names)
    while more := {need for name in chosen for need in needs[name]} - chosen:
        chosen |= more
    return [step for step in steps if step.name in chosen]


def with_needing(steps: Sequence[Step], names: Iterable[str]) -> set[str]:
    """Return the names of some steps, and of all that need them."""
    found = set(names)
    while more := {step.name for step in steps if found & set(step.needs)} - found:
        found |= more
    return found


def _paths(value: Any) -> list[Path]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Path)]


def _plain(value: Any) -> Any:
    """Return a parameter as a notebook takes it: paths as text."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _lacking_labels(facts: Facts) -> str:
    """Return why no tagger can be trained or judged, and what to add; empty where one can."""
    if not facts.labelled:
        return (
            "there are no labels: add a column label with the area that each photo shows, or sort "
            "photos into one folder per class"
        )
    if len(facts.classes) < 2:
        return f"all labels are {facts.classes[0]!r}: at least two classes are needed"
    return _too_few(facts.labelled_hotels, "labels")


def _lacking_ratings(facts: Facts) -> str:
    """Return why no aesthetic model can be trained or judged, and what to add."""
    if not facts.rated:
        return (
            "there are no ratings: add columns rating_1 to rating_10 with how many people gave "
            "each score (hotelviz label collects them), or give a model with --model aesthetic=FILE"
        )
    return _too_few(facts.rated_hotels, "ratings")


def _too_few(hotels: int, what: str) -> str:
    have = agreeing(hotels, "has", "have")
    few = f"only {counted(hotels, 'hotel')} {have} {what}: at least 3 are needed"
    return few if hotels < 3 else ""


def _forget_suggestions(decisions: Path) -> None:
    """Remove what an earlier audit suggested, of photos that may be others by now.

    What a person has decided stays, with all that stands beside it.
    """
    from hotelviz.decisions import read_decisions

    if decisions.is_file() and set(read_decisions(decisions)["reviewer"]) <= {"hotelviz"}:
        decisions.unlink()


def _describe(files: Mapping[str, Path], targets: Mapping[str, Path]) -> None:
    """Describe aesthetic models of other kits as idealo's are: resized by nearest neighbour."""
    from hotelviz.models import Preprocessing, save_model, wrap_model

    for name, file in files.items():
        prepared = Preprocessing(224, 224, "nearest")
        save_model(wrap_model(file, task="aesthetic", preprocessing=prepared), targets[name])


def _score(catalog: Path, models: list[Path], out: Path, settings: Mapping[str, Any]) -> None:
    """Score all photos; what other models left is removed, what a stopped run left is gone on."""
    from hotelviz.catalog import read_catalog
    from hotelviz.inference import score_photos

    made_by = catalog.parent / "scored_by.txt"
    names = "\n".join([*map(content_name, models), settings["backend"]])
    # Without its manifest a folder is not one of scores.
    ours = (out / "_hotelviz.json").is_file()
    if ours and made_by.is_file() and made_by.read_text() != names:
        shutil.rmtree(out)
    made_by.write_text(names)
    score_photos(read_catalog(catalog, classes=None), models, out, prune=True, **settings)
