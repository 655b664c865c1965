"""Wrong image-level labels at a known rate, for studies of what they do."""

import numpy as np

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.image_draws import uniform_draws
from wsseg.errors import InputError


def noisy_labels(dataset: Dataset, rate: float, seed: int) -> dict[str, tuple[str, ...]]:
    """Make labels wrong.

    The model: of a class that n of the N images have, each of the n labels is dropped with probability r, and each of
    the N - n images without it gets it with probability min(1, r n / (N - n)), independently. So a class keeps its
    expected number of labels (unless that minimum is 1: r n > N - n), and of its labels a share r is expected to be
    wrong, as of its images a share r to lack it. An image may lose all its labels.

    Each pair of image and class has one number, drawn by the seed, that both probabilities are compared with: at a
    higher rate the same labels are wrong, and others too. The numbers don't depend on what other images there are, but
    n and N do: draw from the whole split.

    Args:
        dataset: The split with its right labels.
        rate: r in [0, 1).
        seed: Of the draw.

    Returns:
        The labels of each image, in the order of the classes.

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
