"""torchvision's RoIAlign (`aligned=True`) and RoIPool of random boxes: what ours must equal.

`python tests/references/torchvision_regions.py` (with torch and torchvision) writes `torchvision_regions.npz`, so that
the tests need neither. Made with torchvision 0.29.
"""

from pathlib import Path

import numpy as np

SAMPLES = Path(__file__).with_name("torchvision_regions.npz")
STRIDE, BINS = 8, 5


def inputs():
    """Features `(2, 9, 12, 3)` and regions `(2, 10, 4)` xyxy in pixels, some of them beyond the borders."""
    random = np.random.default_rng(7)
    features = random.normal(size=(2, 9, 12, 3)).astype("float32")
    corner = random.uniform(-20, 80, (2, 10, 2))
    rois = np.concatenate([corner, corner + random.uniform(0.5, 70, (2, 10, 2))], axis=2)
    return features, rois.astype("float32")


def write():
    """Write `torchvision_regions.npz`."""
    import torch
    from torchvision import ops

    features, rois = inputs()
    tensor = torch.tensor(features).permute(0, 3, 1, 2)
    boxes = [torch.tensor(one) for one in rois]
    found = {
        "align": ops.roi_align(tensor, boxes, BINS, 1 / STRIDE, sampling_ratio=2, aligned=True),
        "align_3": ops.roi_align(tensor, boxes, BINS, 1 / STRIDE, sampling_ratio=3, aligned=True),
        "pool": ops.roi_pool(tensor, boxes, BINS, 1 / STRIDE),
    }
    plain = {
        name: value.permute(0, 2, 3, 1).reshape(2, 10, BINS, BINS, 3).numpy() for name, value in found.items()
    }
    np.savez_compressed(SAMPLES, **plain)


if __name__ == "__main__":
    write()
