"""Wrong image-level labels at a known rate, for studies of label noise."""

import numpy as np

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.image_draws import uniform_draws
from wsseg.errors import InputError


def noisy_labels(dataset: Dataset, rate: float, seed: int) -> dict[str, tuple[str, ...]]:
    """Return labels of which a known share is wrong.

    The model, for a class that n of the N images have: each of the n labels is dropped with probability r, and each of
    the N - n other images gets the label with probability min(1, r n / (N - n)), all independently. So the expected
    number of labels of a class stays n (unless that minimum is 1, for r n > N - n). An expected share r of its labels
    is wrong, and an expected share r of its images lacks the label. An image may lose all its labels.

    Each pair of image and class has one random number from the seed, and both probabilities are compared with it. So
    the labels that are wrong at one rate are also wrong at every higher rate. The random numbers do not depend on the
    other images, but n and N do: pass the whole split.

    Args:
        dataset: The split with its true labels.
        rate: Rate r of wrong labels, in [0, 1).
        seed: Random seed of the noise.

    Returns:
        Image id -> labels of the image, in the order of the classes.

    Raises:
        InputError: The rate is out of range.

    Example:
        >>> from pathlib import Path
        >>> from wsseg.datasets.record import Record
        >>> records = [Record(f"{i}", Path(f"{i}.jpg"), ("cat",) if i < 50 else ()) for i in range(100)]
        >>> labels = noisy_labels(Dataset("pets", "train", ("cat",), records), rate=0.2, seed=0)
        >>> wrong = sum(labels[record.id] != record.labels for record in records)
        >>> 10 < wrong < 30, 40 < sum(map(len, labels.values())) < 60
        (True, True)
    """
    if not 0 <= rate < 1:
        raise InputError(f"`rate` of wrong labels must be in [0, 1); got {rate}; try 0.2")
    given = np.stack([dataset.label_vector(record) for record in dataset]).astype(bool)
    present = given.sum(0)
    absent = len(given) - present
    added = np.minimum(1, rate * present / np.maximum(absent, 1))
    turned = uniform_draws(seed, "label noise", (record.id for record in dataset), given.shape[1])
    result = given ^ (turned < np.where(given, rate, added))
    return {
        record.id: tuple(name for name, has in zip(dataset.classes, row) if has)
        for record, row in zip(dataset, result)
    }
