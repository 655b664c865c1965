"""Parameters of public codes, all with 10 iterations and Potts compatibility."""

PRESETS: dict[str, dict[str, float]] = {
    # IRN, misc/imutils.py `crf_inference_label`: on labels with confidence 0.7.
    "irn": {
        "gaussian_sxy": 3,
        "gaussian_weight": 3,
        "bilateral_sxy": 50,
        "bilateral_srgb": 5,
        "bilateral_weight": 10,
    },
    # PSA, tool/imutils.py `crf_inference`: on the class scores; also pydensecrf's README example.
    "psa": {
        "gaussian_sxy": 3,
        "gaussian_weight": 3,
        "bilateral_sxy": 80,
        "bilateral_srgb": 13,
        "bilateral_weight": 10,
    },
    # DeepLab v2 (and CLIP-ES), from their search: bilateral weight 4, position 67, colour 3; Gaussian weight 1,
    # position 3.
    "deeplab_v2": {
        "gaussian_sxy": 3,
        "gaussian_weight": 1,
        "bilateral_sxy": 67,
        "bilateral_srgb": 3,
        "bilateral_weight": 4,
    },
    # ToCo: bilateral weight 4, position 121, colour 5; Gaussian weight 1, position 1.
    "toco": {
        "gaussian_sxy": 1,
        "gaussian_weight": 1,
        "bilateral_sxy": 121,
        "bilateral_srgb": 5,
        "bilateral_weight": 4,
    },
}
"""Name of a public code -> its parameters of `DenseCRF`."""
