"""What a model's first layers and names say of the preprocessing that it needs."""

import re

import keras

from wsseg.explainers.flattening import flatten

PREPROCESSING = frozenset({
    "Rescaling", "Normalization", "TrueDivide", "Divide", "Multiply", "Subtract", "Add", "ChannelRescaling",
})  # fmt: skip
"""Operations that change the range of values; before the first weights they are a model's own preprocessing."""

NEUTRAL = frozenset({
    "InputLayer", "ZeroPadding2D", "Cropping2D", "CenterCrop", "Resizing", "Identity", "Dropout", "Cast", "Concatenate",
    "Pad", "Permute", "Transpose", "Reshape", "GaussianNoise", "UpSampling2D", "Repeat", "GetItem", "BroadcastTo",
    "MaxPooling2D", "AveragePooling2D", "Flatten", "GlobalAveragePooling2D", "Stack",
})  # fmt: skip
"""Types of layers that leave the range as it is."""

LOOKS = (
    (r"densenet\d*|conv\d_block\d+_concat|pool\d_conv", "densenet"),
    (r"resnet\d+v2|conv\d_block\d+_preact_bn", "resnet_v2"),
    (r"resnet\d*|conv\d_block\d+_out", "resnet"),
    (r"mobilenetv2.*|block_\d+_expand(_BN)?", "mobilenet_v2"),
    (r"mobilenet_.*|conv_(dw|pw)_\d+(_relu)?", "mobilenet"),
    (r"inception_resnet_v2|block35_\d+(_ac)?", "inception_resnet_v2"),
    (r"inception_v3|mixed\d+(_\d)?", "inception_v3"),
    (r"nasnet.*|(normal|reduction)_.*_block_\d+", "nasnet"),
    (r"xception|block\d+_sepconv\d(_bn)?", "xception"),
    (r"vgg1[69]|block\d_conv\d", "vgg16"),
)
"""Names of layers in a family of `keras.applications`, and its name; the first that fits counts."""


def own_preprocessing(model: keras.Model) -> tuple[list[str], bool]:
    """Return the operations that change an image's range before the model's first weights.

    Args:
        model: A functional or sequential model.

    Returns:
        Names of the operations, in their order; and whether there are others before the first weights of which it is
        not known what they do, such as a Lambda layer.
    """
    flat = flatten(model)
    image = next((x for x in flat.inputs if len(x.shape) == 4), None)
    found: list[str] = []
    unknown, before = False, {id(image)}
    for depth in sorted(flat._nodes_by_depth, reverse=True):
        for node in flat._nodes_by_depth[depth]:
            if node.is_input or not before & {id(x) for x in node.input_tensors}:
                continue
            operation = getattr(node.operation, "wrapped", node.operation)
            kind = type(operation).__name__
            if kind in PREPROCESSING:
                found.append(node.operation.name)
            elif getattr(operation, "weights", None):
                continue
            elif kind not in NEUTRAL and not kind.startswith("Random"):
                unknown = True
            before |= {id(x) for x in node.outputs}
    return found, unknown


def family_by_names(model: keras.Model) -> str | None:
    """Return the family of `keras.applications` that a model's layers have their names from; None if there is none."""
    names = [model.name, *(layer.name for layer in model._flatten_layers(include_self=False))]
    return next((family for look, family in LOOKS if any(re.fullmatch(look, name) for name in names)), None)
