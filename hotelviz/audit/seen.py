"""What the network of the features had learned of the photos whose labels are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    import keras


class SeenLabels(NamedTuple):
    """How far the network that gives the features knew the labelled photos.

    Attributes
    ----------
    labelled
        Photos with a label.
    learned, chosen
        Those of them that the network below its head, or one that it started from, learned from,
        and those that its epochs were chosen by.
    hotels
        Those of which it had seen others of the same hotel.
    labels
        Whether it learned labels from them; an aesthetic model learns ratings.
    unrecorded
        The networks that do not say what they learned from.
    """

    labelled: int
    learned: int
    chosen: int
    hotels: int
    labels: bool
    unrecorded: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """Return in words what has to be said beside label issues; empty of a network that is new.

        Examples
        --------
        >>> SeenLabels(10, 0, 0, 0, labels=False).notes
        []
        """
        notes = [
            f"{name}, which gives the features or which their network started from, does not say "
            "what it learned from: it may have seen the labels that are judged here"
            for name in self.unrecorded
        ]
        if self.labels and (seen := self.learned + self.chosen):
            notes.append(
                f"the network that gives the features has seen {seen:,} of the {self.labelled:,} "
                "labelled photos with their labels: it learned the wrong ones, too, and fewer of "
                "them are found; features of a network with ImageNet's weights have seen none"
            )
        return notes


def seen_labels(model: keras.Model, catalog: pd.DataFrame) -> SeenLabels:
    """Return how far the network of the features knew the photos whose labels are judged.

    Parameters
    ----------
    model : keras.Model
        The one that gives the features.
    catalog : pandas.DataFrame
        The photos, with ``label``.

    Returns
    -------
    SeenLabels
        With ImageNet's weights and no training since it had learned from none of them.

    Examples
    --------
    >>> from hotelviz.models import build_tagger, record_training_photos
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> model = record_training_photos(model, pd.DataFrame(
    ...     {"image_id": ["a"], "hotel_id": ["h"], "content": [""], "split": ["train"]}))
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "h", "g"],
    ...                        "label": ["Bed", "Pool", "Bed"]})
    >>> seen_labels(model, photos)[:5]
    (3, 1, 0, 1, True)
    """
    from hotelviz.models import layers_learned_from, model_info, seen_photos

    labelled = catalog[catalog["label"].notna()]
    record, info = layers_learned_from(model), model_info(model)
    counts = seen_photos(record, labelled).value_counts()
    tasks, parent = [info.task], info.parent
    while parent:
        tasks.append(parent["task"])
        parent = parent.get("parent")
    generations = record.photos["generation"].unique()
    labels = any(tasks[number : number + 1] == ["tagger"] for number in generations)
    learned, chosen, hotels = (int(counts.get(kind, 0)) for kind in ("train", "val", "hotel"))
    return SeenLabels(len(labelled), learned, chosen, hotels, labels, record.unrecorded)
