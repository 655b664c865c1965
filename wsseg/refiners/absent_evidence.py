"""Class maps that also use the evidence for classes that are absent from the image."""

import numpy as np


def add_absent_class_evidence(present: np.ndarray, absent: np.ndarray, share: float) -> np.ndarray:
    r"""Add a share of the absent classes' maps to the maps of the present classes.

    $M_c + s\, \frac{M_c}{\sum_{k \in Y} M_k} \sum_{j \notin Y} M_j$, with $Y$ the present classes. A classifier
    recognises a dog by its head, so the dog's map ends at the neck. The body also looks like other animals, and their
    maps show it. If the image is known to have no other animal, these maps are evidence for the dog. This helps classes
    that look partly alike. It harms where a classifier recognises an absent class by its surroundings.

    Args:
        present: `(P, h, w)`, not negative: Maps of the image's classes, on the same scale as each other and `absent`.
        absent: `(A, h, w)`, not negative: Maps of all other classes.
        share: Share $s$ of the absent evidence that is added, at least 0; 0 adds none.

    Returns:
        `(P, h, w)`, not negative. Where all present maps are 0, each receives the same part.

    Source:
        Our own; benchmarks/WEAK_SUPERVISION.md gives its effect.

    Example:
        >>> add_absent_class_evidence(np.array([[[3.0]], [[1.0]]]), np.array([[[2.0]]]), share=1.0).ravel()
        array([4.5, 1.5])
    """
    if not len(present):
        return present
    own = present.sum(axis=0)
    proportion = np.full(present.shape, 1 / len(present), present.dtype)
    np.divide(present, own, out=proportion, where=own > 0)
    return present + share * proportion * absent.sum(axis=0)
