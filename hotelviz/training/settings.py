"""The settings of a training, stated once for functions, command line and notebooks."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_type_hints

from hotelviz.errors import TrainingError
from hotelviz.training.augmentation import Augmentation

_AUGMENTATION = Augmentation()
_Settings = TypeVar("_Settings", bound=type)
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

    backbone: str = _setting("MobileNet", "a network of keras.applications")
    backbone_kw: Mapping[str, Any] | None = _setting(None, "more arguments of the backbone")
    weights: Literal["imagenet", "none"] | None = _setting(
        "imagenet", "imagenet, or none to train from scratch"
    )
    input_size: int = _setting(224, "height and width of the input in pixels")
    dropout: float = _setting(0.5, "share of the pooled features that are dropped in training")
    head_epochs: int = _setting(40, "most epochs of phase one")
    fine_tune_epochs: int = _setting(12, "most epochs of phase two")
    head_learning_rate: float = _setting(1e-3, "learning rate of phase one")
    fine_tune_learning_rate: float = _setting(3e-5, "learning rate of phase two")
    batch_size: int = _setting(32, "photos per step")
    augmentation: Augmentation | None = _setting(  # noqa: RUF009  frozen
        _AUGMENTATION, "random changes of the photos in phase two, or None"
    )
    patience: int = _setting(
        4, "epochs of phase two without a better validation loss until it ends"
    )
    seed: int = _setting(0, "for weights, order and augmentation")

    def __post_init__(self) -> None:
        if self.weights not in {"imagenet", "none", None}:
            raise TrainingError(f"weights must be imagenet or none; not {self.weights!r}")
        object.__setattr__(self, "weights", "imagenet" if self.weights == "imagenet" else None)
        object.__setattr__(self, "backbone_kw", dict(self.backbone_kw or {}))

    def network(self) -> dict[str, Any]:
        """Return what `hotelviz.models.build_tagger` and `build_aesthetic` take of them."""
        names = ("backbone", "backbone_kw", "weights", "input_size", "dropout", "seed")
        return {name: getattr(self, name) for name in names}


@_with_parameters
@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggerSettings(TrainingSettings):
    """Settings of a tagger's training."""

    class_balance: float = _setting(
        0.5, "how much rare classes weigh: 0 for equal photos, 1 for equal classes"
    )
    label_smoothing: float = _setting(
        0.1, "share of the target probability that is spread over all classes"
    )


#: The defaults of `train_tagger`.
TAGGER = TaggerSettings()
#: The defaults of `train_aesthetic`. Turning photos or changing their colours would change how
#: people like them: they are cropped (256 to 224 pixels) and mirrored, nothing else.
AESTHETIC = TrainingSettings(
    dropout=0.75, augmentation=Augmentation(scale=(7 / 8, 7 / 8), rotation=0.0)
)


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
