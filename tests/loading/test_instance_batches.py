import numpy as np
import pytest

from wsseg import datasets
from wsseg.loading.instance_batches import InstanceBatches, boxes_of
from wsseg.objects.instances import Instances, boxes_of_masks
from wsseg.recipe import TrainingConfig


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return datasets.create(
        "scenes", root=tmp_path_factory.mktemp("scenes"), size=64, train_images=6, val_images=2
    )


def batches(dataset, read=None, **options):
    own = {name: options.pop(name) for name in ("most", "least_pixels") if name in options}
    config = TrainingConfig(**{"crop": 64, "long_side": (64, 64), "batch_size": 3} | options)
    return InstanceBatches(dataset, read or dataset.read_instances, config, seed=1, **own)


def by_first_pixels(dataset):
    return {dataset.read_image(record)[:3, :3].tobytes(): record for record in dataset}


def test_at_the_images_own_size_the_objects_are_the_files(scenes):
    known = by_first_pixels(scenes)
    seen = 0
    for one in batches(scenes, most=4).epoch(0):
        for image, boxes, classes, masks in zip(
            *(one[k].numpy() for k in ("images", "boxes", "classes", "masks"))
        ):
            plain = image.round().astype("uint8")
            record = known.get(plain[:3, :3].tobytes())
            mirrored = record is None
            if mirrored:
                plain, masks = plain[:, ::-1], masks[..., ::-1]
                record = known[plain[:3, :3].tobytes()]
            true = scenes.read_instances(record)
            count = len(true)
            assert classes.tolist() == [*true.class_ids.tolist(), *[0] * (4 - count)]
            np.testing.assert_array_equal(masks[:count], true.masks)
            expected = true.boxes_xyxy.copy()
            if mirrored:
                expected[:, [0, 2]] = 64 - expected[:, [2, 0]]
            np.testing.assert_array_equal(boxes[:count], expected)
            assert not boxes[count:].any() and not masks[count:].any()
            seen += 1
    assert seen == 6


def test_what_the_crop_leaves_out_is_no_object(scenes):
    for one in batches(scenes, crop=32, long_side=(64, 90), most=3, least_pixels=40).epoch(1):
        masks, classes = one["masks"].numpy(), one["classes"].numpy()
        area = masks.sum(axis=(2, 3))
        assert (area[classes > 0] >= 40).all()
        np.testing.assert_array_equal(
            one["boxes"].numpy()[classes > 0], boxes_of_masks(masks[classes > 0] > 0)
        )
        assert not one["boxes"].numpy()[classes == 0].any()


def test_the_largest_objects_stay_and_crowds_go(scenes):
    def read(record):
        masks = np.zeros((4, 64, 64), bool)
        for number, side in enumerate((8, 30, 20, 60)):
            masks[number, :side, :side] = True
        return Instances.of_masks(masks, [1, 2, 3, 4], crowd=[0, 0, 0, 1])

    one = next(iter(batches(scenes, read, most=2).epoch(0)))
    assert one["classes"].numpy().tolist() == [[2, 3]] * 3
    assert one["masks"].numpy().sum(axis=(2, 3)).tolist() == [[900, 400]] * 3


def test_an_epoch_is_the_same_each_time_and_unlike_the_next(scenes):
    made = batches(scenes, crop=48, long_side=(48, 80), jitter=0.3)
    first, again, other = (next(iter(made.epoch(number)))["images"].numpy() for number in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 10


def test_boxes_in_the_graph_equal_numpys():
    masks = np.random.default_rng(0).random((2, 5, 9, 11)) > 0.97
    expected = np.stack([boxes_of_masks(one) for one in masks])
    found = boxes_of(masks.astype("uint8")).numpy()
    there = masks.any(axis=(2, 3))
    np.testing.assert_array_equal(found[there], expected[there])
