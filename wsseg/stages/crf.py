"""The dense CRF that a section of options describes, for all stages that use one."""

from dataclasses import replace

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


def worker_count(config: LabelConfig) -> int:
    """Return the number of processes that make pseudo-masks: 1 if the CRF is a graph on the GPU."""
    return 1 if config.crf.backend == "keras" else config.workers
