"""Repetition of the images of rare classes in each epoch."""

from collections.abc import Sequence

import numpy as np

from wsseg.datasets import Record


def with_rare_repeated(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """Repeat the images of rare classes, as LVIS does (Gupta et al., CVPR 2019, repeat factor sampling).

    A class in a share f of the images has the factor max(1, sqrt(share / f)). An image has the largest factor of its
    classes, and is shown as often; the rest of a factor decides by a drawn number whether it is shown once more.

    Args:
        records: Images with labels, possibly repeated already.
        share: Share of the images below which a class is rare; 0 for no repetition.
        seed: Random seed of the draw.

    Returns:
        The images in the same order, repeated.

    Example:
        >>> from pathlib import Path
        >>> cats = [Record(f"cat {i}", Path("cat.jpg"), ("cat",)) for i in range(15)]
        >>> shown = with_rare_repeated([*cats, Record("fox", Path("fox.jpg"), ("fox",))], 0.25, seed=0)
        >>> len(shown), sum(record.id == "fox" for record in shown)  # a share of 1/16: sqrt(0.25 * 16) = 2
        (17, 2)
    """
    if not share:
        return list(records)
    counts: dict[str, int] = {}
    for record in records:
        for label in record.labels:
            counts[label] = counts.get(label, 0) + 1
    factors = {label: max(1.0, (share * len(records) / count) ** 0.5) for label, count in counts.items()}
    drawn = np.random.default_rng([seed, 4]).random(len(records))
    result = []
    for record, number in zip(records, drawn):
        whole, rest = divmod(max((factors[label] for label in record.labels), default=1.0), 1)
        result += [record] * (int(whole) + int(number < rest))
    return result
