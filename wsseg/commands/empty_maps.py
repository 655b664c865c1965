"""Why a map is empty: nothing speaks for the class, everything speaks against it, or the score does not react."""

import numpy as np

from wsseg.commands.classifiers import LoadedModel
from wsseg.commands.photographs import Sight
from wsseg.errors import InputError
from wsseg.explainers.image_gradient import ImageGradient
from wsseg.explainers.targets import ClassScores, Negated

SATURATED = 1e-4
"""Distance of a probability from 0 or 1 at which a gradient can vanish in float32."""


def why_empty(sight: Sight, classifier: LoadedModel, method: str, class_index: int) -> str:
    """Return in words why the map of a class is 0 everywhere.

    The negative of the score is explained too. If its map is not empty, the method has found evidence against the class
    alone; if it is empty as well, the score does not depend on what the method looks at.

    Args:
        sight: Result of `look`.
        classifier: Classifier that was given to `look`.
        method: The method with the empty map.
        class_index: Index of the class.
    """
    explainer = classifier.explainer(method)
    place = (
        "the image"
        if isinstance(explainer, ImageGradient) or not explainer.at_layer
        else f"layer `{explainer.layer}`"
    )
    try:
        against = explainer.raw(sight.batch, Negated(ClassScores(np.array([class_index]))))
    except InputError:  # not every method takes other targets than classes
        return f"nothing at {place} supports the class"
    if against.max() > 0:
        return (
            f"all that the method finds at {place} speaks against the class, and a map shows what speaks for it; "
            "--method counterfactual shows the former"
        )
    score = float(sight.scores[class_index])
    if classifier.kind.name == "probability" and min(score, 1 - score) < SATURATED:
        return (
            f"the score does not change with {place}: the probability is 0 or 1 to four digits, where a softmax or "
            "sigmoid is flat; check --preprocess, or try --method occlusion"
        )
    return f"the score does not change with {place}: it is 0, or the class ignores it; try --method occlusion"
