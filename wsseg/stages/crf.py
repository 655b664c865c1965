"""The dense CRF that a section of options describes, for all stages that use one."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from wsseg.image_files import pixel_count
from wsseg.memory import workers_that_fit
from wsseg.progress import note
from wsseg.recipe import CRFConfig, LabelConfig
from wsseg.refiners import DenseCRF


def dense_crf(config: CRFConfig) -> DenseCRF | None:
    """Return the CRF that a section of options describes, or None if its preset is `none`."""
    if config.preset == "none":
        return None
    options = {"iterations": config.iterations, "backend": config.backend} | config.parameters
    return DenseCRF.preset(config.preset, **options)


def with_crf(config: LabelConfig, parameters: dict[str, float]) -> LabelConfig:
    """Return the options with these parameters of the CRF replaced."""
    return replace(config, crf=replace(config.crf, parameters=config.crf.parameters | parameters))


BYTES_PER_PIXEL = 500
"""Memory of one image's CRF, bytes per pixel: 375 were measured for 3 classes and 704 for 9 on noise, the worst image
for its lattice; photographs take less."""


def worker_count(config: LabelConfig, images: Iterable[Path], crf: CRFConfig | None = None) -> int:
    """Return the number of processes that make pseudo-masks, or other labels with a CRF.

    It is 1 if the CRF is a graph on the GPU. Otherwise it is `workers`, or as many as the memory allows with the
    largest of the images in each of them; then a line says so.

    Args:
        config: Options of the label stage.
        images: Files of the images.
        crf: Options of the CRF; None for the label stage's.
    """
    if (crf or config.crf).backend == "keras" or config.workers == 1:
        return 1
    largest = max(map(pixel_count, images), default=0)
    wished = workers_that_fit(config.workers, 0, free=lambda: None)
    found = workers_that_fit(config.workers, largest * BYTES_PER_PIXEL)
    if found < wished:
        note(
            f"{found} of {wished} worker processes: the memory is not enough for more, with images of up to "
            f"{largest / 1e6:.1f} million pixels"
        )
    return found
