"""Layers that need no change for a denser map: class names, as Keras writes them into configs."""

ACTIVATIONS = frozenset(
    {
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Identity"),
        *("Relu", "Relu6", "Sigmoid", "Silu", "HardSwish", "HardSigmoid", "Gelu", "Softplus", "Tanh"),
    }
)
NORMALISATIONS = frozenset(
    {
        *("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"),
        *("RMSNormalization", "Normalization", "ImageStatistics", "ImagePreprocessing"),
    }
)
NOISE = frozenset(
    {"Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "StochasticDepth"}
)
ARITHMETIC = frozenset(
    {
        *(
            "Add",
            "Subtract",
            "Multiply",
            "Divide",
            "TrueDivide",
            "Average",
            "Maximum",
            "Minimum",
            "Concatenate",
        ),
        *(
            "Negative",
            "Exp",
            "Log",
            "Square",
            "Sqrt",
            "Abs",
            "Clip",
            "Cast",
            "Rescaling",
            "LayerScale",
            "Dense",
        ),
    }
)

# These treat each position alone, or all positions with one statistic.
POINTWISE = ACTIVATIONS | NORMALISATIONS | NOISE | ARITHMETIC

# These give one value for the whole map; later layers have no positions.
GLOBAL = frozenset({"GlobalAveragePooling2D", "GlobalMaxPooling2D", "MaskedGlobalAveragePooling2D"})
