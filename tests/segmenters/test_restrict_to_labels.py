"""Probabilities held to the image's labels, by hand."""

import numpy as np

from wsseg.segmenters.restrict_to_labels import restrict_to_labels


def held(probabilities, present):
    return np.asarray(restrict_to_labels(np.array(probabilities), np.array(present)))


def test_absent_classes_are_shared_out_in_proportion():
    # 0.4 of an absent class: 0.3 and 0.1 become 0.6 and 0.2; the background keeps its 0.2.
    np.testing.assert_allclose(held([0.2, 0.3, 0.4, 0.1], [1, 0, 1]), [0.2, 0.6, 0, 0.2], atol=1e-6)


def test_what_the_present_classes_lack_altogether_they_get_alike():
    np.testing.assert_allclose(held([0.4, 0, 0.6, 0], [1, 0, 1]), [0.4, 0.3, 0, 0.3], atol=1e-5)


def test_all_classes_present_change_nothing_and_none_leave_the_background():
    found = held([[0.2, 0.3, 0.5]] * 2, [[1, 1], [0, 0]])
    np.testing.assert_allclose(found, [[0.2, 0.3, 0.5], [1, 0, 0]], atol=1e-6)
    assert found.dtype == np.float32


def test_labels_of_each_image_of_a_batch():
    images = np.full((2, 3, 4, 3), [0.2, 0.5, 0.3])
    found = held(images, np.array([[1, 0], [0, 1]])[:, None, None])
    np.testing.assert_allclose(found[0], np.full((3, 4, 3), [0.2, 0.8, 0]), atol=1e-6)
    np.testing.assert_allclose(found[1], np.full((3, 4, 3), [0.2, 0, 0.8]), atol=1e-6)
