"""Evidence of absent classes, by hand."""

import numpy as np

from wsseg.refiners.absent_evidence import add_absent_class_evidence


def maps(*values):
    return np.array(values, np.float32)[:, None, None]


def test_present_classes_share_it_in_proportion_to_their_own():
    found = add_absent_class_evidence(maps(3, 1), maps(2, 6), 0.5)  # 4 to share out
    assert found.ravel().tolist() == [6, 2] and found.dtype == np.float32


def test_where_they_show_nothing_they_inherit_alike():
    assert add_absent_class_evidence(maps(0, 0), maps(2), 1.0).ravel().tolist() == [1, 1]


def test_none_absent_none_present_and_no_share():
    assert add_absent_class_evidence(maps(3, 1), maps()[:0].reshape(0, 1, 1), 0.5).ravel().tolist() == [3, 1]
    assert add_absent_class_evidence(maps(3)[:0], maps(2), 0.5).shape == (0, 1, 1)
    assert add_absent_class_evidence(maps(3, 1), maps(2), 0).ravel().tolist() == [3, 1]
