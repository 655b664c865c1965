"""Class maps of padded and of large images: where they lie, and of what size they say their image is."""

import numpy as np
from PIL import Image

from wsseg.artifacts import ClassMaps
from wsseg.datasets import Dataset, Record
from wsseg.loading.reduction import MAX_SIDE
from wsseg.recipe import LocalizeConfig
from wsseg.refiners import label_image
from wsseg.stages.localize import write_maps


class Constant:
    """Stands for an explainer: the map of class c is c + 1 everywhere, but twice that in the left half."""

    map_stride = 4

    def raw(self, images, targets):
        size = (len(images), targets.shape[1], images.shape[1] // 4, images.shape[2] // 4)
        maps = np.where(targets < 0, 0, targets + 1.0)[..., None, None] * np.ones(size)
        maps[..., : size[3] // 2] *= 2
        return maps.astype(np.float32)


def test_maps_go_by_what_looks_like_absent_classes(tmp_path):
    """Classes 1 and 2 of three: of the third, 3 or 6, half goes to them in the proportion 1 : 2."""
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "one.png")
    dataset = Dataset("one", "train", tuple("abc"), [Record("one", tmp_path / "one.png", ("a", "b"))])
    sums = {}

    class Spied(Constant):
        def raw(self, images, targets):
            sums["maps"] = super().raw(images, targets)
            sums["maps"][:, 2, :, 8:] = 30  # where the absent class is strong
            return sums["maps"]

    write_maps(Spied(), dataset, tmp_path / "maps", LocalizeConfig(absent=0.5))
    found = ClassMaps.load(tmp_path / "maps/one.npz")
    assert found.class_ids.tolist() == [1, 2]
    # Left: 2 + 3 * 1 / 3 and 4 + 3 * 2 / 3; right: 1 + 15 / 3 and 2 + 15 * 2 / 3; scaled each by its maximum.
    for row, (left, right) in zip(found.maps, [(3, 6), (6, 12)]):
        np.testing.assert_allclose(row[:, :8], left / right, rtol=2e-3)
        np.testing.assert_allclose(row[:, 8:], 1, rtol=2e-3)
    write_maps(Constant(), dataset, tmp_path / "plain", LocalizeConfig())
    np.testing.assert_allclose(
        ClassMaps.load(tmp_path / "plain/one.npz").maps[:, 0, -1], [0.5, 0.5], rtol=2e-3
    )
    write_maps(Constant(), dataset, tmp_path / "range", LocalizeConfig(scaling="range"))
    for row in ClassMaps.load(tmp_path / "range/one.npz").maps:  # from 1 and 2 to 2 and 4
        assert (row[:, 8:] == 0).all() and (row[:, :8] > 0.999).all()


class Brightness:
    """Stands for an explainer: the map of every class is the image's own brightness."""

    map_stride = 4

    def raw(self, images, targets):
        cells = (
            images.mean(-1)
            .reshape(len(images), images.shape[1] // 4, 4, images.shape[2] // 4, 4)
            .mean((2, 4))
        )
        return np.repeat(cells[:, None], targets.shape[1], axis=1)


def test_maps_of_a_large_image_cover_the_whole_of_it(tmp_path):
    image = np.zeros((200, 2 * MAX_SIDE, 3), np.uint8)
    image[:, 1000:1800] = 255
    Image.fromarray(image).save(tmp_path / "large.png")
    dataset = Dataset("large", "train", ("a", "b"), [Record("large", tmp_path / "large.png", ("b",))])
    assert write_maps(Brightness(), dataset, tmp_path / "maps", LocalizeConfig(batch_size=2)) == 1
    maps = ClassMaps.load(tmp_path / "maps/large.npz")
    assert maps.maps.shape == (1, 25, MAX_SIDE // 4) and maps.size_hw == image.shape[:2]
    mask = label_image(image, maps, level=0.5)
    assert mask.shape == image.shape[:2]
    assert np.abs(np.flatnonzero(mask[100])[[0, -1]] - [1000, 1799]).max() <= 1 and set(mask[100]) == {0, 2}
