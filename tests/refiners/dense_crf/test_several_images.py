"""Labels present only, many images, and what is kept from one to the next."""

import threading

import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

from wsseg.errors import InputError
from wsseg.refiners import DenseCRF
from wsseg.refiners.dense_crf import numba_backend


def photograph(height, width, seed=0):
    y, x = np.random.default_rng(seed).integers(0, 200, 2)
    crop = data.astronaut()[y : y + 200, x : x + 300]
    return (resize(crop, (height, width), anti_aliasing=True) * 255).astype(np.uint8)


def probabilities(height, width, classes=3, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(classes), (height, width)).astype(np.float32)


def batch():
    sizes = [(20, 30), (30, 20), (20, 30), (1, 70), (25, 80), (20, 30)]
    classes = [3, 2, 4, 3, 3, 2]
    images = [photograph(*size, seed=place) for place, size in enumerate(sizes)]
    return images, [probabilities(*size, k, seed=9) for size, k in zip(sizes, classes)]


@pytest.mark.parametrize("workers", [1, 3, None])
def test_map_gives_each_image_its_own_result_in_order(workers):
    images, probs = batch()
    crf = DenseCRF.preset("psa")
    results = list(crf.map(images, probs, workers))
    assert len(results) == len(images)
    for result, image, each in zip(results, images, probs):
        np.testing.assert_array_equal(result, crf(image, each))


def test_map_runs_on_several_threads_and_reads_ahead_a_little():
    read = []

    def images():
        for place in range(20):
            read.append(place)
            yield photograph(20, 30, place)

    results = DenseCRF().map(images(), (probabilities(20, 30) for _ in range(20)), workers=2)
    next(results)
    assert len(read) <= 4
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dense-crf")]


def test_map_names_the_image_at_fault():
    images, probs = batch()
    probs[2] = probs[2] * 2
    results = DenseCRF().map(images, probs)
    next(results)
    next(results)
    with pytest.raises(InputError, match="image 2: `probs` must be in"):
        next(results)
    with pytest.raises(InputError, match="fewer probabilities"):
        list(DenseCRF().map(images[:2], probs[:1]))
    with pytest.raises(InputError, match="fewer images"):
        list(DenseCRF().map(images[:1], probs[:2]))
    with pytest.raises(InputError, match="`workers` must be positive; got 0"):
        DenseCRF().map(images, probs, workers=0)


def test_the_smoothness_kernel_is_kept_by_size_and_parameters(monkeypatch):
    built = []

    def lattice(size_hw, sxy, image=None, srgb=1):
        built.append((size_hw, sxy, image is not None))
        return original(size_hw, sxy, image, srgb)

    original = numba_backend.lattice
    monkeypatch.setattr(numba_backend, "lattice", lattice)
    numba_backend._kernels.clear()
    image, probs = photograph(20, 30), probabilities(20, 30)
    first = DenseCRF()(image, probs)
    np.testing.assert_array_equal(DenseCRF()(image, probs), first)
    assert built == [((20, 30), 3, False), ((20, 30), 50, True), ((20, 30), 50, True)]
    DenseCRF(gaussian_sxy=2)(image, probs)
    DenseCRF()(photograph(30, 20), probabilities(30, 20))
    assert [entry for entry in built[3:] if not entry[2]] == [((20, 30), 2, False), ((30, 20), 3, False)]
    monkeypatch.setattr(numba_backend, "KEPT_BYTES", 0)
    DenseCRF(gaussian_sxy=1)(image, probs)
    assert not numba_backend._kernels, "nothing is kept beyond the limit"


def test_labels_present_only_gives_the_same_labels():
    image, few = photograph(40, 60), probabilities(40, 60, 3)
    probs = np.full((40, 60, 21), 1e-4, np.float32)
    probs[..., [0, 7, 20]] = few * (1 - 18e-4)
    crf = DenseCRF.preset("deeplab_v2")
    whole, part = crf(image, probs), crf.over_present(image, probs)
    np.testing.assert_array_equal(part.argmax(-1), whole.argmax(-1))
    np.testing.assert_allclose(part.sum(-1), 1, atol=1e-5)
    assert np.flatnonzero(part.any((0, 1))).tolist() == [0, 7, 20]
    np.testing.assert_allclose(part[..., [0, 7, 20]], crf(image, few), atol=1e-4)


def test_labels_can_be_named():
    image, probs = photograph(20, 30), probabilities(20, 30, 4)
    crf = DenseCRF.preset("psa")
    part = crf.over_present(image, probs, labels=[3, 1])
    chosen = probs[..., [3, 1]]
    np.testing.assert_allclose(
        part[..., [3, 1]], crf(image, chosen / chosen.sum(-1, keepdims=True)), atol=1e-5
    )
    assert not part[..., [0, 2]].any()
    assert (crf.over_present(image, probs, labels=[2])[..., 2] == 1).all()


def test_labels_present_take_their_part_of_a_matrix():
    image, few = photograph(20, 30), probabilities(20, 30, 2)
    probs = np.insert(few, 1, 0, axis=-1)
    cost = np.array([[0, 9, 0.7], [9, 0, 9], [0.7, 9, -0.2]])
    part = DenseCRF(compatibility=cost).over_present(image, probs)
    expected = DenseCRF(compatibility=cost[np.ix_([0, 2], [0, 2])])(image, few)
    np.testing.assert_array_equal(part[..., [0, 2]], expected)


def test_a_pixel_without_the_labels_named_is_uniform_at_the_start():
    probs = np.zeros((4, 5, 3), np.float32)
    probs[..., 1] = 1
    part = DenseCRF(gaussian_weight=0, bilateral_weight=0).over_present(
        photograph(4, 5), probs, labels=[0, 2]
    )
    np.testing.assert_allclose(part[..., [0, 2]], 0.5, atol=1e-6)


def test_wrong_labels_are_named():
    image, probs, crf = photograph(4, 5), probabilities(4, 5), DenseCRF()
    for labels in ([], [0, 0], [0.5], [[1]]):
        with pytest.raises(InputError, match="`labels` must be distinct integers"):
            crf.over_present(image, probs, labels=labels)
    for labels in ([0, 3], [-1]):
        with pytest.raises(InputError, match=r"`labels` must be in 0\.\.2"):
            crf.over_present(image, probs, labels=labels)
    with pytest.raises(InputError, match="sum to 1"):
        crf.over_present(image, probs * 2)
    with pytest.raises(InputError, match="`image` must be uint8"):
        crf.over_present(image.astype(np.uint16), probs)
