"""Class maps that also go by what looks like classes that the image does not have."""

import numpy as np


def add_absent_class_evidence(present: np.ndarray, absent: np.ndarray, share: float) -> np.ndarray:
    r"""Give the maps of an image's classes a share of what the maps of all other classes show.

    $M_c + s\, \frac{M_c}{\sum_{k \in Y} M_k} \sum_{j \notin Y} M_j$. A classifier tells dogs from other animals by
    their heads, so a dog's map ends at its neck; its body looks like many an animal's. Where the image is known to have
    no other animal, that is evidence of the dog. It helps classes that look alike in part, and harms where an absent
    class is recognised by its surroundings.

    Args:
        present: `(P, h, w)` not negative: of the image's classes, on one scale with each other and with `absent`.
        absent: `(A, h, w)` not negative: of all other classes.
        share: Of the absent evidence, from 0 (none).

    Returns:
        `(P, h, w)`, not negative. Where none of the present maps shows anything, they inherit alike.

    Source:
        Ours; benchmarks/WEAK_SUPERVISION.md has what it is worth.

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
