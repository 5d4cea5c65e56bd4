"""How the demo trains and looks: with ImageNet's weights, and without.

Both ways are sized for two cores. With the weights a network of full width learns within a few
epochs, and its filters are those of photos; without them a narrow one that learned from other
drawings takes its place.
"""

from __future__ import annotations

from typing import Any

#: What both ways of training the tagger have in common.
_TAGGER = {
    "batch_size": 16, "dropout": 0.1, "label_smoothing": 0.05, "smallest_crop": 0.45,
    "rotation": 5.0, "curve_photos": 300,
}  # fmt: skip
#: Validation varies much on few photos: it chooses the epoch, but does not end the training.
# Of drawn photos all levels tell a head everything: fine-tuning would have nothing to add, and no
# filter would change.
_AESTHETIC = {"batch_size": 16, "patience": 14, "curve_photos": 300, "features": "last"}
_EXPLANATIONS = {
    "methods": ["cam", "layercam", "saliency"], "checked_methods": ["cam", "gradcam"],
    "n_checked": 8, "n_confusions": 2, "max_photos": 12,
}  # fmt: skip


def demo_settings(pretrained: bool, epochs: int) -> dict[str, dict[str, Any]]:
    """Return the parameters of the demo's steps that are not the defaults of their notebooks.

    Parameters
    ----------
    pretrained
        Whether networks start from ImageNet's weights.
    epochs
        A measure of all trainings: each has a share of them.

    Returns
    -------
    dict
        Step -> parameter -> value, of the steps that have any. A step is called as its page is;
        ``aesthetic_training_1`` learns from the public's ratings, ``aesthetic_training_2`` from the
        colleagues'. Files, seeds and, without the weights, the network that filters are compared
        with are the pipeline's; the tagger's ``backbone`` is `make_demo_network`'s then.

    See Also
    --------
    hotelviz.models.imagenet_weights_available : Whether the weights are there, or can be had.

    Examples
    --------
    >>> demo_settings(pretrained=False, epochs=30)["tagger_training"]["input_size"]
    160
    >>> demo_settings(pretrained=True, epochs=30)["compare_filters"]["layers"]
    ['conv_pw_3', 'conv_pw_7', 'conv_pw_11']
    """
    return _with_weights(epochs) if pretrained else _without_weights(epochs)


def scratch_settings(epochs: int) -> dict[str, dict[str, Any]]:
    """Return the parameters of trainings from scratch that are not the defaults of their notebooks.

    A narrow network learns fast, at a high learning rate. It is what the demo's network learns by,
    and what a run on any photos takes where there are no weights.

    Parameters
    ----------
    epochs
        Most epochs of the tagger.

    Returns
    -------
    dict
        Step -> parameter -> value, as of `demo_settings`. The aesthetic models start from the
        tagger.

    Examples
    --------
    >>> scratch_settings(epochs=20)["tagger_training"]["weights"]
    'none'
    """
    aesthetic = {**_AESTHETIC, "fine_tune_learning_rate": 1e-3}
    return {
        "tagger_training": {
            **_TAGGER, "weights": "none", "backbone_kw": {"alpha": 0.25}, "input_size": 160,
            "fine_tune_epochs": epochs, "fine_tune_learning_rate": 3e-3,
            "colour": 0.0, "mixing": 0.0,
        },
        # A head on what the tagger sees learns the public's taste as well as a few epochs do.
        "aesthetic_training_1": {**aesthetic, "fine_tune_epochs": 0},
        "aesthetic_training_2": {**aesthetic, "fine_tune_epochs": max(1, epochs // 4)},
    }  # fmt: skip


def _without_weights(epochs: int) -> dict[str, dict[str, Any]]:
    """Fit heads to what a network learned from other drawings; the last one is fine-tuned."""
    learned = scratch_settings(epochs)
    return {
        "tagger_training": {
            **_TAGGER, "weights": "imagenet", "backbone_kw": {}, "input_size": 160,
            "fine_tune_epochs": 0,
            # Held this firmly a head shares the evidence out: what it owes to railings shows.
            "head_penalty": 3.0,
        },
        "aesthetic_training_1": learned["aesthetic_training_1"],
        "aesthetic_training_2": learned["aesthetic_training_2"],
        "explain_tagger": {**_EXPLANATIONS},
        "compare_filters": {
            "layers": ["conv_pw_3", "conv_pw_11"], "n_channels": 4, "size": 64, "steps": 24,
            "n_photos": 32, "n_searched": 80, "n_cards": 1,
        },
    }  # fmt: skip


def _with_weights(epochs: int) -> dict[str, dict[str, Any]]:
    """Learn gently, and draw filters at a size at which one sees them."""
    few = max(1, epochs // 10)
    aesthetic = {**_AESTHETIC, "fine_tune_learning_rate": 1e-4}
    return {
        "tagger_training": {
            # A linear head tells drawn areas apart, but for what rails mislead it in.
            **_TAGGER, "weights": "imagenet", "input_size": 128, "fine_tune_epochs": 0,
        },
        # The tagger's features are good enough for the public's taste: only a head learns it.
        # One learning curve is enough to show what one is: the tagger's.
        "aesthetic_training_1": {**aesthetic, "fine_tune_epochs": 0, "curve_photos": 0},
        "aesthetic_training_2": {**aesthetic, "fine_tune_epochs": few},
        "explain_tagger": {**_EXPLANATIONS},
        "compare_filters": {
            "original": "imagenet", "layers": ["conv_pw_3", "conv_pw_7", "conv_pw_11"],
            "n_channels": 4, "size": 128, "steps": 56, "n_photos": 32, "n_searched": 80,
            "n_cards": 1,
        },
    }  # fmt: skip


def demo_banner(pretrained: bool) -> str:
    """Return what each page of the demo says at its top.

    Parameters
    ----------
    pretrained
        As in `demo_settings`.

    Examples
    --------
    >>> demo_banner(pretrained=True)
    'Drawn hotels, simulated raters.'
    """
    banner = "Drawn hotels, simulated raters."
    if not pretrained:
        banner += (
            " Without ImageNet's weights: in their place is a small network that learned from"
            " scratch, from drawings of other hotels. Pictures of its filters are coarse."
        )
    return banner
