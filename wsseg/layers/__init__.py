"""Layers of the networks. Each is registered with Keras, so that saved models can be loaded.

`LAYERS` names them all; a layer is imported at its first use.

Example:
    >>> from wsseg import layers
    >>> layers.AtrousMaxPooling2D(pool_size=2).name
    'atrous_max_pooling2d...'
"""

from typing import Any

from wsseg.catalogue import load

LAYERS = {
    "AdaptiveAveragePooling2D": "wsseg.layers.adaptive_average_pooling:AdaptiveAveragePooling2D",
    "AtrousConvolution2D": "wsseg.layers.atrous_convolution:AtrousConvolution2D",
    "AtrousMaxPooling2D": "wsseg.layers.atrous_max_pooling:AtrousMaxPooling2D",
    "Bilinear": "wsseg.layers.bilinear_initializer:Bilinear",
    "BilinearRescale": "wsseg.layers.bilinear_rescale:BilinearRescale",
    "BilinearResizeTo": "wsseg.layers.bilinear_resize:BilinearResizeTo",
    "BilinearUpsampling2D": "wsseg.layers.bilinear_upsampling:BilinearUpsampling2D",
    "BilinearZoomTo": "wsseg.layers.bilinear_zoom:BilinearZoomTo",
    "ChannelRescaling": "wsseg.layers.channel_rescaling:ChannelRescaling",
    "CropTo": "wsseg.layers.crop_to:CropTo",
    "ImagePreprocessing": "wsseg.layers.image_preprocessing:ImagePreprocessing",
    "ImageStatistics": "wsseg.layers.image_statistics:ImageStatistics",
    "L2Normalisation": "wsseg.layers.l2_normalisation:L2Normalisation",
    "MaskedGlobalAveragePooling2D": "wsseg.layers.masked_pooling:MaskedGlobalAveragePooling2D",
    "MaxPoolingWithSwitches2D": "wsseg.layers.max_pooling_with_switches:MaxPoolingWithSwitches2D",
    "MaxUnpooling2D": "wsseg.layers.max_unpooling:MaxUnpooling2D",
    "MeanFieldCRF": "wsseg.layers.mean_field_crf:MeanFieldCRF",
    "MeanShift": "wsseg.layers.mean_shift:MeanShift",
    "NearestResizeTo": "wsseg.layers.nearest_resize:NearestResizeTo",
    "PatchFeatures": "wsseg.layers.patch_features:PatchFeatures",
    "PixelCorrelation": "wsseg.layers.pixel_correlation:PixelCorrelation",
    "RoIAlign": "wsseg.layers.roi_align:RoIAlign",
    "RoIPool": "wsseg.layers.roi_pool:RoIPool",
    "SizeGuard": "wsseg.layers.size_guard:SizeGuard",
    "SpatialPyramidPooling2D": "wsseg.layers.spatial_pyramid_pooling:SpatialPyramidPooling2D",
}


def __getattr__(name: str) -> Any:
    if name in LAYERS:
        return load(LAYERS, name, "layer")
    raise AttributeError(f"module `wsseg.layers` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted([*globals(), *LAYERS])


def register_all() -> None:
    """Import every layer, so that `keras.saving.load_model` knows their registered names."""
    for name in LAYERS:
        load(LAYERS, name, "layer")
