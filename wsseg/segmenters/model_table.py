"""The table of networks and their costs: `wsseg models`."""

from collections.abc import Iterable, Iterator

from wsseg import backbones, segmenters
from wsseg.errors import InputError, nearest
from wsseg.segmenters.complexity import cost

HEADINGS = ("network", "backbone", "parameters", "multiply-adds", "at", "output stride", "image sides")
WIDTHS = (22, 18, 12, 15, 6, 15, 0)


def rows(
    networks: Iterable[str] = (), chosen: Iterable[str] = (), size: int = 512, num_classes: int = 21
) -> Iterator[tuple[str, ...]]:
    """Compute the costs of networks, one row per network and supported backbone.

    Args:
        networks: Names in `SEGMENTERS`; empty for all.
        chosen: Names of backbones; empty for all.
        size: Side of the image, pixels; increased to the next supported side of a network.
        num_classes: Number of classes, including the background.

    Yields:
        The cells of one row, as text, in the order of `HEADINGS`.

    Raises:
        InputError: A name does not exist, or a network that was asked for does not support the backbone.

    Example:
        >>> next(rows(["deeplab_v3_plus"], ["mobilenet_0.25"], 64))
        ('deeplab_v3_plus', 'mobilenet_0.25', '...', '...', '64', '16', 'from 32')
    """
    for name in networks:
        if name not in segmenters.SEGMENTERS:
            raise InputError(f"unknown segmenter `{name}`; {nearest(name, segmenters.SEGMENTERS)}")
    chosen = tuple(chosen)
    for backbone in chosen:
        backbones.level_strides(backbone)  # raises on a name that does not exist
    for name in networks or segmenters.SEGMENTERS:
        options = segmenters.options_of(name)
        own = options.get("backbone")
        takes = chosen or (() if own is None else (own, *(b for b in backbones.NAMES if b != own)))
        for backbone in takes if "backbone" in options else (None,):
            stride = options.get("output_stride")
            try:
                found = cost(
                    name,
                    size,
                    num_classes=num_classes,
                    **({} if backbone is None else {"backbone": backbone}),
                    **({} if backbone != "plain" or stride is None else {"output_stride": 8}),
                )
            except InputError:
                if backbone in (None, own) or (networks and chosen):
                    raise
                continue  # the network does not support this backbone
            yield (
                name,
                backbone or "its own",
                f"{found.parameters / 1e6:.2f} M",
                f"{found.multiply_adds / 1e9:.1f} G",
                str(found.size_hw[0]),
                str(found.output_stride),
                found.sizes,
            )


def line(cells: Iterable[str]) -> str:
    """Return one line of the table."""
    return "  ".join(
        cell.ljust(width) if index < 2 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, WIDTHS))
    ).rstrip()
