"""torchvision's networks with reproducible random weights: what ours must equal, given the same weights.

`python tests/references/torchvision_networks.py` (with torch and torchvision) writes `torchvision_samples.npz`, by
which the tests hold our networks to torchvision's also where PyTorch is not installed. Made with torchvision 0.29.
"""

import importlib.util
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage

needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason='needs pip install "wsseg[torch]"'
)

NUM_CLASSES = 21
SAMPLES = Path(__file__).with_name("torchvision_samples.npz")
STEP = 16

NAMES = {"fcn_resnet50": "fcn_resnet50", "deeplab_v3_resnet50": "deeplabv3_resnet50"}
"""Our name -> torchvision's."""


def photograph():
    """A piece of a photograph, of odd size, `(97, 129, 3) uint8`."""
    return skimage.data.astronaut()[40:137, 150:279]


def random_state(shapes):
    """Return a state dict of random weights, the same everywhere: tensor name -> float32 array.

    Batch norm's statistics are random too. The convolutions keep about the size of their input's values, so that
    after fifty of them the logits still depend on the image.

    Args:
        shapes: Tensor name -> shape.
    """
    return {
        name: _random(name, tuple(shape))
        for name, shape in shapes.items()
        if not name.endswith("num_batches_tracked")
    }


def _random(name, shape):
    # RandomState's numbers are promised never to change, those of NumPy's newer generators are not.
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    if len(shape) > 1:
        gain = 2 if name.startswith("features.") else 1  # VGG has no batch norm and no shortcuts
        return rng.normal(0, (gain / np.prod(shape[1:])) ** 0.5, shape).astype("float32")
    kind = name.rsplit(".", 1)[1]
    low, high = {"weight": (0.8, 1.2), "running_var": (0.5, 2.0)}.get(kind, (-0.3, 0.3))
    return rng.uniform(low, high, shape).astype("float32")


def network(name, auxiliary=True):
    """Build torchvision's segmentation network with the random weights, for inference."""
    from torchvision.models import segmentation

    build = getattr(segmentation, NAMES.get(name, name))
    return with_random_weights(
        build(weights=None, weights_backbone=None, num_classes=NUM_CLASSES, aux_loss=auxiliary)
    )


def with_random_weights(model):
    """Give a torch module the random weights; return it, set to inference."""
    import torch

    state = model.state_dict()
    given = random_state({key: value.shape for key, value in state.items()})
    model.load_state_dict({key: torch.from_numpy(value) for key, value in given.items()}, strict=False)
    return model.eval()


def standardised(image):
    """Return `(1, 3, H, W)` torch float32 of an `(H, W, 3) uint8` image, as torchvision's networks expect it."""
    import torch

    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    fed = ((image / 255 - mean) / std).astype("float32")
    return torch.from_numpy(fed.transpose(2, 0, 1)[None].copy())


def logits(model, image):
    """Return torchvision's logits of an `(H, W, 3) uint8` image: head ("out", "aux") -> `(H, W, K)` float32."""
    import torch

    with torch.inference_mode():
        return {head: x[0].permute(1, 2, 0).numpy() for head, x in model(standardised(image)).items()}


def features(model, image):
    """Return the last map of torchvision's ResNet or VGG for an `(H, W, 3) uint8` image, `(h, w, C)` float32."""
    import torch

    parts = (
        model.features if hasattr(model, "features") else torch.nn.Sequential(*list(model.children())[:-2])
    )
    with torch.inference_mode():
        return parts(standardised(image))[0].permute(1, 2, 0).numpy()


def write_results(name, folder, auxiliary):
    """Write a network's `state.pth`, and its results for every `image_*.npy` of the folder as `results.npz`.

    In a process of its own, since torchvision and TensorFlow can't always be loaded into one (both may bring
    LLVM).
    """
    import torch
    import torchvision

    segments = name in NAMES
    torch.set_num_threads(1)
    build = None if segments else getattr(torchvision.models, name)
    model = network(name, auxiliary) if segments else with_random_weights(build(weights=None))
    torch.save(model.state_dict(), folder / "state.pth")
    results = {}
    for path in sorted(folder.glob("image_*.npy")):
        image = np.load(path)
        found = logits(model, image) if segments else {"features": features(model, image)}
        results |= {f"{path.stem}/{key}": value for key, value in found.items()}
    np.savez(folder / "results.npz", **results)


def run(name, folder, images, auxiliary=True):
    """Run a network of torchvision on images in a process of its own.

    Args:
        name: Of a segmentation network here, or of a classifier there.
        folder: Gets its weights, `state.pth`.
        images: `(H, W, 3) uint8` each.
        auxiliary: With the second head.

    Returns:
        For each image its results by name, `(H, W, C)` float32.
    """
    for index, image in enumerate(images):
        np.save(folder / f"image_{index}.npy", image)
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, name, str(folder), *([] if auxiliary else ["--plain"])]
    subprocess.run(command, check=True, env=environment)
    with np.load(folder / "results.npz") as results:
        return [
            {key.split("/")[1]: results[key] for key in results if key.startswith(f"image_{index}/")}
            for index in range(len(images))
        ]


def write_samples():
    """Write `torchvision_samples.npz`."""
    from torchvision import models

    samples = {}
    for name in NAMES:
        for head, x in logits(network(name), photograph()).items():
            samples[f"{name}/{head}"] = x[::STEP, ::STEP]
    for name in ("resnet50", "vgg16"):
        model = with_random_weights(getattr(models, name)(weights=None))
        samples[f"{name}/features"] = features(model, photograph())[..., ::STEP]
    np.savez_compressed(SAMPLES, **samples)


def sample(name):
    """Return what `write_samples` kept: of logits every `STEP`-th pixel, of features every `STEP`-th channel."""
    with np.load(SAMPLES) as samples:
        return samples[name]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_results(sys.argv[1], Path(sys.argv[2]), "--plain" not in sys.argv)
    else:
        write_samples()
