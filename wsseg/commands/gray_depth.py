"""How many bits the gray files of 16 bits use: sensors of 10 to 14 bits fill them in part."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from wsseg.channel_images import deep_peak, depth_of
from wsseg.commands.classifiers import LoadedModel


def with_depth(classifier: LoadedModel, paths: Iterable[Path]) -> tuple[LoadedModel, list[Path], str]:
    """Return a classifier that reads gray files of 16 bits by as many bits as the brightest of all images needs.

    Args:
        classifier: The classifier. If the user has stated a scale, or if it is one of this package, which trains with
            16 bits, it is returned as it is.
        paths: All images, so that they are read alike.

    Returns:
        The classifier, the images that are read by less than 16 bits, and what to say of them.
    """
    if classifier.reader.scale is not None or classifier.reader.as_trained_here:
        return classifier, [], ""
    peaks = {path: peak for path in paths if (peak := deep_peak(path)) is not None}
    most = max(peaks.values(), default=65535)
    bits = depth_of(most)
    if bits == classifier.reader.bits:
        return classifier, [], ""
    text = (
        f"gray files of 16 bits whose values end at {most} are taken for {bits} bits: {2**bits - 1} becomes 255 for "
        "the preprocessing; --scale states it otherwise"
    )
    return replace(classifier, reader=replace(classifier.reader, bits=bits)), list(peaks), text
