"""Scores of masks by looping over classes and sets of pixels: no matrix."""

import numpy as np


def class_sets(prediction, truth, class_id, ignore=255):
    """Return the sets of scored pixel positions that are `class_id` in prediction and in truth."""
    predicted, true = set(), set()
    for position in np.ndindex(truth.shape):
        if truth[position] == ignore:
            continue
        if prediction[position] == class_id:
            predicted.add(position)
        if truth[position] == class_id:
            true.add(position)
    return predicted, true


def iou(prediction, truth, num_classes, ignore=255):
    """Return intersection over union of each class; None for a class in neither."""
    result = []
    for class_id in range(num_classes):
        predicted, true = class_sets(prediction, truth, class_id, ignore)
        union = predicted | true
        result.append(len(predicted & true) / len(union) if union else None)
    return result


def recall(prediction, truth, num_classes, ignore=255):
    """Return the share of each class's true pixels that is found; None for a class that is never true."""
    result = []
    for class_id in range(num_classes):
        predicted, true = class_sets(prediction, truth, class_id, ignore)
        result.append(len(predicted & true) / len(true) if true else None)
    return result
