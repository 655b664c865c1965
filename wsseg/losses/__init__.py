"""Losses for masks that are noisy, unbalanced and partly unsure."""

from wsseg.losses.balanced_cross_entropy import BalancedCrossEntropy

__all__ = ["BalancedCrossEntropy"]
