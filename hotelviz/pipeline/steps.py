"""Which steps there are, what each needs, and about how long it takes."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hotelviz.io.content import content_name
from hotelviz.pipeline.facts import Facts, write_first, write_split
from hotelviz.pipeline.measure import Rates
from hotelviz.pipeline.request import MODELS, NOTEBOOKS, Request, parameters_of, task_of
from hotelviz.pipeline.step import Step, code_version
from hotelviz.pipeline.work import work_of
from hotelviz.reports import find_notebook, run_report


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
    rates : Rates, optional
        How fast the machine is; without them steps have no estimate.
    """

    def __init__(
        self, request: Request, facts: Facts, *, pretrained: bool, rates: Rates | None
    ) -> None:
        self.request, self.facts, self.rates = request, facts, rates
        self.pretrained, self.all = pretrained, list[Step]()
        self.from_scratch = not pretrained and not request.models
        #: Part of the work -> why it is left out, and what to add.
        self.left_out: dict[str, str] = {}
        out = request.out.absolute()
        self.out, self.catalog, self.first = out, out / "data/catalog.csv", out / "data/first.csv"
        self.tags, self.scores, self.audit = out / "tags.parquet", out / "scores", out / "audit"
        self.models = {name: out / "models" / f"{name}.keras" for name in MODELS}
        self.given = dict(request.models)
        last = self.given.pop("aesthetic", self.given.get("aesthetic_2"))
        #: Whether an iteration follows a first one; the last is given, or learns from the ratings.
        self.two = "aesthetic_1" in self.given or request.first is not None
        self.ended = last is not None
        #: Whether the first iteration starts from the tagger, for the want of ImageNet's weights.
        self.from_tagger = False
        if last is not None:
            self.given["aesthetic_2" if self.two else "aesthetic_1"] = last
        self._add_data()
        tagger, aesthetic = self._add_tagger(), self._add_aesthetic()
        self._add_uses(tagger, aesthetic)

    def choose(self, names: Collection[str]) -> None:
        """Keep some steps, and those that they need."""
        needs = {step.name: step.needs for step in self.all}
        chosen = set(names)
        while more := {need for name in chosen for need in needs[name]} - chosen:
            chosen |= more
        self.all = [step for step in self.all if step.name in chosen]

    def _add_data(self) -> None:
        source, first = self.request.catalog, self.request.first
        shares, seed = self._with_defaults("split"), self.request.seed

        def split() -> None:
            write_split(source, self.catalog, seed=seed, **shares)
            if first:
                write_first(first, self.catalog, self.first, seed=seed)

        self._add(
            "split", split, reads=(first,) if first else (), key={**shares, "seed": seed},
            leaves=(self.catalog, self.first) if first else (self.catalog,),
        )  # fmt: skip
        foreign = {name: file for name, file in self.given.items() if task_of(file) is None}
        self.models |= {name: file for name, file in self.given.items() if name not in foreign}
        if foreign:
            targets = {name: self.models[name] for name in foreign}
            self._add(
                "models", partial(_describe, foreign, targets), reads=tuple(foreign.values()),
                leaves=tuple(targets.values()),
            )  # fmt: skip

    def _add_tagger(self) -> bool:
        """Add what a tagger is for; return whether there is one."""
        facts, given = self.facts, "tagger" in self.given
        lacking = _lacking_labels(facts)
        if lacking and not given:
            self.left_out["tagger"] = lacking
        trained = not lacking and not given
        features = "" if self.pretrained or not (trained or given) else str(self.models["tagger"])
        needs = ("tagger_training",) if features and trained else ()
        reads = (self.models["tagger"],) if features else ()
        self._report("cleaning_audit", needs=needs, reads=reads, model=features,
                     out=str(self.audit), leaves=(self.audit / "issues.parquet",))  # fmt: skip
        if trained:
            out = self.models["tagger"]
            self._report("tagger_training", heavy=True, out=str(out), leaves=(out,))
        if not lacking:
            model = self.models["tagger"]
            tagger: dict[str, Any] = {
                "needs": self._trained("tagger"), "reads": (model,), "model": str(model)
            }  # fmt: skip
            self._report("tagger_report", tags_out=str(self.tags), leaves=(self.tags,), **tagger)
            self._report("explain_tagger", **tagger)
            decided = (self.audit / "issues.parquet", self.audit / "decisions.csv")
            self._report(
                "cleaning_effect", needs=("cleaning_audit",), reads=(*decided, *reads),
                model=features,
            )  # fmt: skip
        elif given:
            self.left_out["tagger_report, explain_tagger, cleaning_effect"] = lacking
        return trained or given

    def _add_aesthetic(self) -> list[str]:
        """Add the iterations of the aesthetic model; return their names."""
        request, lacking = self.request, _lacking_ratings(self.facts)
        names = sorted(name for name in self.given if name.startswith("aesthetic"))
        if "aesthetic_1" not in names and (request.first or (not names and not lacking)):
            self._train("aesthetic_1", self.first if request.first else self.catalog)
            names.insert(0, "aesthetic_1")
        if self.two and not self.ended and not lacking:
            self._train("aesthetic_2", self.catalog, parent="aesthetic_1")
            names.append("aesthetic_2")
        if not names:
            self.left_out["aesthetic models, filters, scores, ranking"] = lacking
            return []
        if lacking:
            self.left_out["aesthetic_report"] = lacking
        else:
            files = tuple(self.models[name] for name in names)
            self._report("aesthetic_report", needs=self._trained(*names), reads=files,
                         models=[str(file) for file in files])  # fmt: skip
            if len(names) == 1:
                self.left_out["first aesthetic iteration"] = (
                    "there is one iteration: give other people's ratings to learn from first with "
                    "--first CATALOG, or a model with --model aesthetic_1=FILE"
                )
        return names

    def _train(self, name: str, catalog: Path, parent: str = "") -> None:
        """Add an iteration of the aesthetic model."""
        asked = self.request.settings.get("aesthetic_training_1", {}).get("parent") == "tagger"
        if not parent and (asked or not self.pretrained) and self._has_tagger():
            # From scratch, what the tagger has learned of photos is more than nothing.
            parent, self.from_tagger = "tagger", True
        given: dict[str, Any] = {"parent": str(self.models[parent]) if parent else ""}
        reads = (catalog, self.models[parent]) if parent else (catalog,)
        self._report(
            name.replace("aesthetic", "aesthetic_training"), heavy=True, catalog=str(catalog),
            reads=reads, needs=self._trained(parent) if parent else (),
            out=str(self.models[name]), leaves=(self.models[name],), **given,
        )  # fmt: skip

    def _add_uses(self, tagger: bool, aesthetic: list[str]) -> None:
        """Add what the models are for."""
        if not aesthetic:
            return
        facts = self.facts
        self._add_comparison(aesthetic)
        last = [aesthetic[-1], *(["tagger"] if tagger else [])]
        paths = [self.models[name] for name in last]
        values = self._with_defaults("scores")
        self._add(
            "scores", partial(_score, self.catalog, paths, self.scores, values), heavy=True,
            needs=("split", *self._trained(*last)), reads=(self.catalog, *paths), key=values,
            leaves=(self.scores,),
        )  # fmt: skip
        self._report("score_distribution", needs=("scores",), reads=(self.scores,),
                     scores=str(self.scores))  # fmt: skip
        if not facts.grouped:
            self.left_out["hotel_ranking"] = (
                "the catalogue does not say which hotel a photo belongs to: add a column hotel_id"
            )
            return
        both = tuple(self.models[name] for name in aesthetic)
        self._report(
            "hotel_ranking", needs=("scores", *self._trained(*aesthetic)),
            reads=(self.scores, *both), scores=str(self.scores),
            models=[str(file) for file in both],
        )  # fmt: skip
        if not facts.positions:
            self.left_out["comparison with today's order"] = (
                "the catalogue does not say where photos stand today: add a column position "
                "(1 is the first photo of a hotel)"
            )

    def _add_comparison(self, aesthetic: list[str]) -> None:
        """Add the comparison of the last model with the one that its network began as."""
        tuned = aesthetic[-1]
        earlier = ["tagger"] if self.from_tagger else aesthetic[:-1]
        if self.pretrained or earlier:
            original = "imagenet" if self.pretrained else str(self.models[earlier[0]])
            used = [tuned] if self.pretrained else [earlier[0], tuned]
            self._report(
                "compare_filters", needs=self._trained(*used),
                original=self.request.settings.get("compare_filters", {}).get("original", original),
                reads=tuple(self.models[name] for name in used), tuned=str(self.models[tuned]),
            )  # fmt: skip
        else:
            self.left_out["compare_filters"] = (
                "there is no model before the one that was trained: put ImageNet's weights into "
                "$KERAS_HOME/models, or give an earlier model with --model aesthetic_1=FILE"
            )

    def _has_tagger(self) -> bool:
        return "tagger" in self.given or bool(self._trained("tagger"))

    def _trained(self, *names: str) -> tuple[str, ...]:
        """Return the steps that leave models."""
        files = [self.models[name] for name in names]
        return tuple(
            step.name for step in self.all if any(file in step.outputs for file in files)
        )  # fmt: skip

    def _with_defaults(self, step: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return all parameters of a step: defaults, settings, and what is given."""
        defaults = {
            name: ast.literal_eval(about.default) for name, about in parameters_of(step).items()
        }
        return defaults | dict(self.request.settings.get(step, {})) | dict(given or {})

    def _report(
        self,
        name: str,
        *,
        needs: tuple[str, ...] = (),
        reads: tuple[Path, ...] = (),
        leaves: tuple[Path, ...] = (),
        heavy: bool = False,
        **given: Any,
    ) -> None:
        """Add a step that runs a notebook on the catalogue."""
        request, notebook = self.request, NOTEBOOKS[name]
        known = parameters_of(name)
        common = {"catalog": str(self.catalog), "seed": request.seed, "audit": str(self.audit),
                  "export": str(self.out / "figures" / name),
                  "truth": str(request.truth.absolute()) if request.truth else ""}  # fmt: skip
        shared = {key: value for key, value in common.items() if key in known}
        values = shared | dict(request.settings.get(name, {})) | given
        page = self.out / f"{name}.html"

        def report() -> None:
            if name == "cleaning_audit":
                _forget_suggestions(self.audit / "decisions.csv")
            run_report(
                notebook, values, page, progress=heavy, banner=request.banner, pages=self._pages()
            )

        self._add(
            name,
            report,
            needs=("split", *needs),
            reads=(self.catalog, find_notebook(notebook), *reads),
            leaves=(page, *leaves),
            key={"parameters": values, "banner": request.banner},
            heavy=heavy,
        )

    def _pages(self) -> dict[str, str]:
        """Return report -> page, of the last iteration where a report has two."""
        steps = [step.name for step in self.all if step.name in NOTEBOOKS]
        return {NOTEBOOKS[name]: f"{name}.html" for name in steps} | {"index": "index.html"}

    def _add(
        self,
        name: str,
        action: Callable[[], object],
        *,
        needs: tuple[str, ...] = (),
        reads: tuple[Path, ...] = (),
        leaves: tuple[Path, ...] = (),
        key: Mapping[str, Any] | None = None,
        heavy: bool = False,
    ) -> None:
        values = dict(key or {})
        seconds = None
        if self.rates:
            asked = self._with_defaults(name, values.get("parameters"))
            network = self._with_defaults("tagger_training")
            work = work_of(name, self.facts, asked, network if self.from_scratch else {})
            seconds = self.rates.seconds(**work._asdict())
        self.all.append(
            Step(
                name, action, needs=tuple(dict.fromkeys(needs)), inputs=reads, outputs=leaves,
                key={**values, "photos": self.facts.version, "code": code_version()},
                heavy=heavy, seconds=seconds,
            )
        )  # fmt: skip


def _lacking_labels(facts: Facts) -> str:
    """Return why no tagger can be trained or judged, and what to add; empty where one can."""
    if not facts.labelled:
        return (
            "there are no labels: add a column label with the area that each photo shows, or sort "
            "photos into one folder per class"
        )
    if len(facts.classes) < 2:
        return f"all labels are {facts.classes[0]!r}: at least two classes are needed"
    if facts.labelled_hotels < 3:
        return f"only {facts.labelled_hotels} hotels have labels: at least 3 are needed"
    return ""


def _lacking_ratings(facts: Facts) -> str:
    """Return why no aesthetic model can be trained or judged, and what to add."""
    if not facts.rated:
        return (
            "there are no ratings: add columns rating_1 to rating_10 with how many people gave "
            "each score (hotelviz label collects them), or give a model with --model aesthetic=FILE"
        )
    if facts.rated_hotels < 3:
        return f"only {facts.rated_hotels} hotels have ratings: at least 3 are needed"
    return ""


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
