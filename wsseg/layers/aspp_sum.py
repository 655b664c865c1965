"""Atrous spatial pyramid pooling of DeepLab v2: the sum of classifiers with different fields of view."""

import keras
from keras import layers

from wsseg.errors import InputError

RATES = (6, 12, 18, 24)  # ASPP-L, section 4.1.2


def aspp_sum(
    features: keras.KerasTensor,
    num_classes: int,
    rates: tuple[int, ...] = RATES,
    channels: int | None = None,
) -> keras.KerasTensor:
    """Classify the cells of a symbolic tensor by parallel atrous branches, and add the scores of the branches.

    Args:
        features: `(B, h, w, C)`.
        num_classes: Number of classes, background included.
        rates: Atrous rate of each branch.
        channels: Channels of the branches' hidden layers: 1024 in the paper's VGG-16, where branch `i` is `fc6_i`
            (3x3 with the branch's rate), `fc7_i` and `fc8_i` (1x1), with dropout 0.5 after the first two. None for
            the paper's ResNet-101, where branch `i` is a single 3x3 convolution, `aspp_i`.

    Returns:
        `(B, h, w, num_classes)` float32 scores.

    Raises:
        InputError: `rates` is empty.

    References:
        Chen et al., DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and
        Fully Connected CRFs, 2016 (v2), section 3.2 and figure 7.

    Example:
        >>> aspp_sum(keras.Input((None, None, 512)), 21, channels=1024).shape
        (None, None, None, 21)
    """
    if not rates:
        raise InputError("`rates` must name at least one branch; try (6, 12, 18, 24)")
    branches = []
    for index, rate in enumerate(rates, start=1):
        tensor, classifier, window = features, f"aspp_{index}", {"kernel_size": 3, "dilation_rate": rate}
        if channels is not None:
            for name, hidden in ((f"fc6_{index}", window), (f"fc7_{index}", {"kernel_size": 1})):
                tensor = layers.Conv2D(
                    channels,
                    padding="same",
                    activation="relu",
                    kernel_initializer="he_normal",
                    name=name,
                    **hidden,
                )(tensor)
                tensor = layers.Dropout(0.5, name=f"{name}_dropout")(tensor)
            classifier, window = f"fc8_{index}", {"kernel_size": 1}
        # The initial weights are small, so that the sum of the branches starts near zero. The standard deviation
        # is that of the authors' own training definition.
        branches.append(
            layers.Conv2D(
                num_classes,
                padding="same",
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                dtype="float32",
                name=classifier,
                **window,
            )(tensor)
        )
    if len(branches) == 1:
        return branches[0]
    return layers.Add(name="aspp_sum", dtype="float32")(branches)
