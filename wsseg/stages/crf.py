"""The dense CRF of an option section, for every stage that has one."""

from dataclasses import replace

from wsseg.recipe import CRFConfig, LabelConfig
from wsseg.refiners import DenseCRF


def dense_crf(config: CRFConfig) -> DenseCRF | None:
    """Return the CRF that an option section describes, or None for none."""
    if config.preset == "none":
        return None
    options = {"iterations": config.iterations, "backend": config.backend} | config.parameters
    return DenseCRF.preset(config.preset, **options)


def with_crf(config: LabelConfig, parameters: dict[str, float]) -> LabelConfig:
    """Return the options with other parameters of the CRF."""
    return replace(config, crf=replace(config.crf, parameters=config.crf.parameters | parameters))


def worker_count(config: LabelConfig) -> int:
    """Return how many processes make pseudo-masks: this one alone where the CRF is a graph on the GPU."""
    return 1 if config.crf.backend == "keras" else config.workers
