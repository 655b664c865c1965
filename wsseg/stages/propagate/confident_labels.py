"""Labels of the pixels where class maps are confident. The affinity network learns from these labels."""

from collections.abc import Sequence
from pathlib import Path

from wsseg.artifacts import ClassMaps, unfinished, write_mask
from wsseg.datasets import Record
from wsseg.image_files import read_image
from wsseg.processes import in_processes
from wsseg.recipe import LabelConfig, PropagateConfig
from wsseg.refiners.labelling import label_image
from wsseg.stages.crf import dense_crf, worker_count


def write_confident_labels(
    config: PropagateConfig, records: Sequence[Record], maps: Path, folder: Path, label: LabelConfig
) -> None:
    """Write the confident labels of images that have none yet, as masks with 255 at unsure pixels.

    Args:
        config: Options: background levels and CRF.
        records: Images with at least one label.
        maps: Folder of the images' class maps.
        folder: Folder where the masks are written.
        label: Options of the label stage, whose number of processes is used.
    """
    folder.mkdir(exist_ok=True)
    left = unfinished(records, folder, ".png")
    jobs = (
        (_write, config, record.image, maps / f"{record.id}.npz", folder / f"{record.id}.png")
        for record in left
    )
    workers = worker_count(label, (record.image for record in left), config.crf)
    in_processes(jobs, "confident labels", len(records), len(records) - len(left), workers)


def _write(config: PropagateConfig, image: Path, maps: Path, path: Path) -> None:
    mask = label_image(
        read_image(image),
        ClassMaps.load(maps),
        config.background,
        crf=dense_crf(config.crf),
        unary=config.crf.unary,
        confident=config.confident,
    )
    write_mask(path, mask)
