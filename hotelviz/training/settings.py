"""The settings of a training, stated once for functions, command line and notebooks."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_type_hints

from hotelviz.errors import TrainingError, check_choice
from hotelviz.training.augmentation import Augmentation

#: What an effort changes of the defaults below, in which `normal` stands: the one table to change.
EFFORTS: dict[str, dict[str, dict[str, Any]]] = {
    "quick": {"tagger": {"fine_tune_epochs": 0}, "aesthetic": {"fine_tune_epochs": 0}},
    "normal": {"tagger": {}, "aesthetic": {}},
    "best": {
        "tagger": {"input_size": 384, "n_scales": 2},
        "aesthetic": {"input_size": 320, "fine_tune_epochs": 20},
    },
}
_AUGMENTATION = Augmentation()
_SIZES = {"input_size", "n_scales"}
_Settings = TypeVar("_Settings", bound=type)
_Chosen = TypeVar("_Chosen", bound="TaggerSettings | AestheticSettings")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _setting(default: Any, what: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": what})


def sentence(what: str) -> str:
    """Return the help of a setting as a sentence."""
    return f"{what[0].upper()}{what[1:]}."


def _with_parameters(kind: _Settings) -> _Settings:
    """List the fields of settings in their docstring."""
    listed = "".join(
        f"\n    {field.name} : {field.type}, default {field.default!r}\n"
        f"        {sentence(field.metadata['help'])}"
        for field in dataclasses.fields(kind)
    )
    kind.__doc__ = f"{(kind.__doc__ or '').rstrip()}\n\n    Parameters\n    ----------{listed}\n"
    return kind


@_with_parameters
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings that a tagger and an aesthetic model have in common.

    `weights` may be ``"none"`` for None, so that text can say it.
    """

    backbone: str = _setting("MobileNet", "a name in keras.applications, or a .keras file")
    backbone_kw: Mapping[str, Any] | None = _setting(None, "more arguments of the backbone")
    value_range: str = _setting(
        "", "pixels that a backbone in a file expects, as -1..1; empty: as the file says"
    )
    weights: Literal["imagenet", "none"] | None = _setting(
        "imagenet", "imagenet, or none to train from scratch"
    )
    input_size: int = _setting(224, "height and width of the input in pixels")
    features: Literal["last", "levels"] = _setting(
        "last", "maps that the head takes: last, or levels for all"
    )
    dropout: float = _setting(0.2, "share of the pooled features that are dropped in training")
    head_penalty: float = _setting(
        0.0, "penalty of the linear head; 0: as folds over hotels choose"
    )
    fine_tune_epochs: int = _setting(12, "most epochs of fine-tuning; 0: the linear head alone")
    fine_tune_learning_rate: float = _setting(3e-4, "learning rate of fine-tuning")
    first_layer_rate: float = _setting(
        0.1, "learning rate of the first layer, as a share of the last one's"
    )
    fine_tune_share: float = _setting(
        1.0, "share of the weights, from the end, that fine-tuning changes"
    )
    batch_size: int = _setting(32, "photos per step")
    augmentation: Augmentation | None = _setting(  # noqa: RUF009  frozen
        _AUGMENTATION, "random changes of the photos in fine-tuning, or None"
    )
    mixing: float = _setting(
        0.0, "share of the steps whose photos are mixed in pairs, by MixUp or CutMix"
    )
    patience: int = _setting(
        12, "epochs of fine-tuning without a better validation loss until it ends"
    )
    seed: int = _setting(0, "for weights, order and augmentation")

    def __post_init__(self) -> None:
        if self.weights not in {"imagenet", "none", None}:
            raise TrainingError(f"weights must be imagenet or none; not {self.weights!r}")
        if not 0 < self.fine_tune_share <= 1:
            raise TrainingError(f"fine_tune_share={self.fine_tune_share} is no share above 0")
        if not 0 < self.first_layer_rate <= 1:
            raise TrainingError(f"first_layer_rate={self.first_layer_rate} is no share above 0")
        if not 0 <= self.mixing <= 1:
            raise TrainingError(f"mixing={self.mixing} is no share: 0 to 1")
        if not 0 <= self.head_penalty < float("inf"):
            raise TrainingError(f"head_penalty={self.head_penalty} is no number from 0 on")
        object.__setattr__(self, "weights", "imagenet" if self.weights == "imagenet" else None)
        object.__setattr__(self, "backbone_kw", dict(self.backbone_kw or {}))

    @property
    def mirrored(self) -> bool:
        """Whether photos are learned from in a mirror, too."""
        return bool(self.augmentation and self.augmentation.flip)

    def network(self) -> dict[str, Any]:
        """Return what `hotelviz.models.build_tagger` and its like take of them."""
        names = (
            "backbone", "backbone_kw", "value_range", "weights", "input_size", "features",
            "dropout", "seed",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


@_with_parameters
@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggerSettings(TrainingSettings):
    """Settings of a tagger's training."""

    effort: Literal["quick", "normal", "best"] = _setting(
        "normal", "quick, normal or best: how much time is spent; other settings go before it"
    )
    fine_tune_epochs: int = _setting(8, "most epochs of fine-tuning; 0: the linear head alone")
    class_balance: float = _setting(
        0.7, "how much rare classes weigh: 0 for equal photos, 1 for equal classes"
    )
    n_scales: int = _setting(
        1, "how many sizes of a photo the backbone sees: the input's, half of it, a quarter"
    )
    label_smoothing: float = _setting(
        0.1, "share of the target probability that is spread over all classes"
    )
    mixing: float = _setting(
        0.5, "share of the steps whose photos are mixed in pairs, by MixUp or CutMix"
    )
    augmentation: Augmentation | None = _setting(  # noqa: RUF009  frozen
        Augmentation(colour=0.2), "random changes of the photos in fine-tuning, or None"
    )

    def network(self) -> dict[str, Any]:
        """Return what `hotelviz.models.build_tagger` takes of them."""
        return super().network() | {"n_scales": self.n_scales}


@_with_parameters
@dataclasses.dataclass(frozen=True, kw_only=True)
class AestheticSettings(TrainingSettings):
    """Settings of an aesthetic model's training.

    Turning photos or changing their colours would change how people like them: they are cropped
    at their edges and mirrored, nothing else.
    """

    effort: Literal["quick", "normal", "best"] = _setting(
        "normal", "quick, normal or best: how much time is spent; other settings go before it"
    )
    rater_weight: float = _setting(
        0.0, "how much photos weigh that more people rated: 0 for equal photos, 1 by their number"
    )
    features: Literal["last", "levels"] = _setting(
        "levels", "maps that the head takes: last, or levels for all"
    )
    dropout: float = _setting(0.0, "share of the pooled features that are dropped in training")
    fine_tune_learning_rate: float = _setting(2e-4, "learning rate of fine-tuning")
    augmentation: Augmentation | None = _setting(  # noqa: RUF009  frozen
        Augmentation(scale=(0.9, 1.0), rotation=0.0),
        "random changes of the photos in fine-tuning, or None",
    )


@_with_parameters
@dataclasses.dataclass(frozen=True, kw_only=True)
class DistillationSettings(TrainingSettings):
    """Settings of a student's training, whatever its teachers are for.

    Teachers have seen the whole photo, upright: so does the student, nearly. A small network is far
    from its end after the epochs that fine-tuning takes, and one that was cut out of another has
    to learn throughout.
    """

    label_share: float = _setting(
        0.3, "share of the true label, or of the ratings, in what a labelled photo teaches: 0 to 1"
    )
    start: Literal["weights", "teacher"] = _setting(
        "weights", "weights as they say, or teacher: cut out of the first teacher"
    )
    hint_epochs: int = _setting(
        20, "epochs in which a student that was cut out learns its teacher's last feature map first"
    )
    class_balance: float = _setting(
        0.5, "how much rare classes weigh in taggers: 0 for equal photos, 1 for equal classes"
    )
    fine_tune_epochs: int = _setting(30, "most epochs of fine-tuning; 0: the linear head alone")
    first_layer_rate: float = _setting(
        1.0, "learning rate of the first layer, as a share of the last one's"
    )
    augmentation: Augmentation | None = _setting(  # noqa: RUF009  frozen
        Augmentation(scale=(0.8, 1.0), rotation=0.0),
        "random changes of the photos in fine-tuning, or None",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.start, ("weights", "teacher"), "start", TrainingError)
        if self.hint_epochs < 0:
            raise TrainingError(f"hint_epochs={self.hint_epochs} is below 0")
        if not 0 <= self.label_share <= 1:
            raise TrainingError(
                f"label_share={self.label_share} is not between 0 (learn from the teachers alone) "
                "and 1 (from the labels alone)"
            )

    def network(self) -> dict[str, Any]:
        """Return what `hotelviz.models.build_tagger` and its like take of them."""
        cut_out = self.start == "teacher"
        return super().network() | ({"weights": None} if cut_out else {})


#: The defaults of `train_tagger`.
TAGGER = TaggerSettings()
#: The defaults of `train_aesthetic`.
AESTHETIC = AestheticSettings()
#: The defaults of `distill`.
DISTILLATION = DistillationSettings()


def chosen_settings(
    settings: _Chosen, changes: Mapping[str, Any], *, parent: bool = False
) -> _Chosen:
    """Return settings with what their effort changes, and with changes.

    Parameters
    ----------
    settings : TaggerSettings or AestheticSettings
        What differs from the defaults goes before what the effort says.
    changes : mapping
        Go before both.
    parent : bool, default False
        Whether an earlier model is the start, whatever `weights` says.

    Raises
    ------
    TrainingError
        An unknown effort; a quick training, or a penalty of the linear head, of a network that has
        learned nothing before.

    Examples
    --------
    >>> chosen_settings(TAGGER, {"effort": "quick"}).fine_tune_epochs
    0
    >>> chosen_settings(TAGGER, {"effort": "quick", "fine_tune_epochs": 2}).fine_tune_epochs
    2
    """
    named = dataclasses.replace(settings, **changes)
    check_choice(named.effort, EFFORTS, "effort", TrainingError)
    tagger = isinstance(settings, TaggerSettings)
    defaults: TrainingSettings = TAGGER if tagger else AESTHETIC
    own = {
        field.name
        for field in dataclasses.fields(settings)
        if getattr(settings, field.name) != getattr(defaults, field.name)
    } | set(changes)
    if own & _SIZES:  # they go together: not every size can be halved
        own |= _SIZES
    bundle = EFFORTS[named.effort]["tagger" if tagger else "aesthetic"]
    added = {name: value for name, value in bundle.items() if name not in own}
    if not parent and named.weights is None and added.get("fine_tune_epochs") == 0:
        raise TrainingError(
            f"effort={named.effort!r} trains a head on what a network has learned before, and "
            "weights='none' has learned nothing: say how many fine_tune_epochs it learns, or take "
            "effort='normal'"
        )
    if not parent and named.weights is None and named.head_penalty:
        raise TrainingError(
            f"head_penalty={named.head_penalty} is of a linear head on what a network has learned "
            "before, and weights='none' has learned nothing: leave it out"
        )
    return dataclasses.replace(named, **added)


def takes_settings(
    defaults: TrainingSettings,
    annotation: Callable[[dataclasses.Field[Any], Any], Any] | None = None,
) -> Callable[[_Function], _Function]:
    """Show settings in the signature of a function that takes them as keywords.

    Parameters
    ----------
    defaults : TrainingSettings
        Its fields take the place of the function's ``**`` parameter.
    annotation : callable, optional
        Takes field and type, returns what a parameter is annotated with; by default the type.
        Fields for which it returns None are left out.

    Returns
    -------
    callable
        A decorator.
    """
    hints = get_type_hints(type(defaults))

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function, eval_str=annotation is not None)
        shown = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        for field in dataclasses.fields(defaults):
            hint = annotation(field, hints[field.name]) if annotation else hints[field.name]
            default = getattr(defaults, field.name)
            if hint is not None:
                kind = inspect.Parameter.KEYWORD_ONLY
                shown.append(inspect.Parameter(field.name, kind, default=default, annotation=hint))
        function.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
        function.__annotations__ |= {each.name: each.annotation for each in shown}
        return function

    return decorate
