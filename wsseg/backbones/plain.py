"""A small plain network of wsseg, for small images and for training from scratch in minutes."""

import keras
from keras import layers

STRIDE = 8

STAGES = ((24, 5, "conv"), (48, 3, None), (64, 3, "pool"), (64, 3, None), (96, 3, "pool"), (128, 3, None))
"""Channels, kernel size, and how the size is halved: by the convolution's stride, or by a pooling before it."""

LEVELS = {
    "level_1": "conv_1_relu",
    "level_2": "conv_3_relu",
    "level_3": "conv_5_relu",
    "level_4": "conv_5_relu",
    "level_5": "conv_5_relu",
}


def plain(input_tensor: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Add six convolutions with batch norm and ReLU; total stride 8, 0.24 M parameters.

    It can learn a few hundred small images from random weights in a minute or two; the networks of keras.applications
    are too deep for that. Its batch norm follows the statistics quickly (momentum 0.9).

    Args:
        input_tensor: `(B, H, W, 3)`, preprocessed.

    Returns:
        Level -> its features. Levels 3 to 5 are the same, since the largest stride is 8.
    """
    tensor, outputs = input_tensor, {}
    for index, (channels, kernel, halving) in enumerate(STAGES):
        if halving == "pool":
            tensor = layers.MaxPooling2D(name=f"pool_{index}")(tensor)
        tensor = layers.Conv2D(
            channels,
            kernel,
            strides=2 if halving == "conv" else 1,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"conv_{index}",
        )(tensor)
        tensor = layers.BatchNormalization(momentum=0.9, name=f"conv_{index}_bn")(tensor)
        tensor = outputs[f"conv_{index}_relu"] = layers.ReLU(name=f"conv_{index}_relu")(tensor)
    return {level: outputs[layer] for level, layer in LEVELS.items()}
