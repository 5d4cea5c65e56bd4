"""How the demo trains and looks: settings of its steps that are small enough for two cores."""

from __future__ import annotations

from typing import Any

#: Validation varies much on few photos: it chooses the epoch, but does not end the training.
_AESTHETIC = {
    "head_epochs": 12, "fine_tune_learning_rate": 1e-3, "batch_size": 16, "patience": 14,
}  # fmt: skip


def demo_settings(pretrained: bool, epochs: int) -> dict[str, dict[str, Any]]:
    """Return the parameters of the demo's steps that are not the defaults of their notebooks.

    Parameters
    ----------
    pretrained
        Whether networks start from ImageNet's weights; otherwise from scratch.
    epochs
        Most epochs of phase two of the tagger and of the second aesthetic iteration; the first has
        a quarter.

    Returns
    -------
    dict
        Step -> parameter -> value.

    Examples
    --------
    >>> demo_settings(pretrained=False, epochs=18)["tagger_training"]["weights"]
    'none'
    """
    weights = {"weights": "imagenet"} if pretrained else {
        "weights": "none", "backbone_kw": {"alpha": 0.25}, "input_size": 192,
        # A high learning rate lets a small network learn in two minutes.
        "fine_tune_learning_rate": 3e-3,
    }  # fmt: skip
    return {
        "tagger_training": {
            **weights, "batch_size": 16, "dropout": 0.1, "label_smoothing": 0.05,
            "smallest_crop": 0.45, "rotation": 5.0, "fine_tune_epochs": epochs,
        },
        "aesthetic_training_1": {**_AESTHETIC, "fine_tune_epochs": max(1, epochs // 4)},
        "aesthetic_training_2": {**_AESTHETIC, "fine_tune_epochs": epochs},
        "explain_tagger": {
            "methods": ["cam", "layercam", "saliency"], "checked_methods": ["cam", "gradcam"],
            "n_checked": 20, "n_confusions": 2, "max_photos": 12,
        },
        "compare_filters": {
            "layers": ["conv_pw_3", "conv_pw_11"], "n_channels": 4, "size": 64, "steps": 24,
            "n_photos": 32, "n_searched": 150, "n_cards": 1,
        },
    }  # fmt: skip


def demo_banner(pretrained: bool) -> str:
    """Return the line at the top of the demo's pages.

    Examples
    --------
    >>> demo_banner(True)
    'Drawn hotels, simulated raters.'
    """
    drawn = "Drawn hotels, simulated raters."
    return drawn if pretrained else f"{drawn} The networks learned from scratch."
