"""Load what a run has trained, to use it on new photographs."""

import shlex
from pathlib import Path
from typing import Literal

import keras

from wsseg.class_names import numbered_names
from wsseg.classifiers.classifier import Classifier
from wsseg.detectors.rcnn import RCNN
from wsseg.errors import InputError, require
from wsseg.file_names import DETECTOR, OWNER, SEGMENTER
from wsseg.inference.class_names import names_of_model
from wsseg.inference.models import LoadedClassifier, LoadedDetector, LoadedSegmenter
from wsseg.recipe import SegmentConfig
from wsseg.recipe.of_run import recipe_of_run
from wsseg.saved_models import load_model
from wsseg.segmenters.inference import Predictor
from wsseg.segmenters.segmenter import Segmenter
from wsseg.stages import STAGES
from wsseg.stages.crf import dense_crf

LoadedModel = LoadedSegmenter | LoadedClassifier | LoadedDetector


def load(run_or_model: str | Path, crf: Literal["as_run", "none"] = "as_run") -> LoadedModel:
    """Load a trained model to predict photographs.

    A segmenter of a run folder predicts as the run's recipe says in `segment`: scales, flip, fusion, `max_side` and the
    CRF. One of a `.keras` file predicts as the defaults of the recipe say: one scale, flips, no CRF.

    Args:
        run_or_model: A run folder, whose segmenter is taken (or its detector, if it has trained no segmenter); or a
            `.keras` file of a segmenter, classifier or detector of this package.
        crf: as_run, or none for no CRF on a segmenter's predictions.

    Returns:
        An object with `kind` ("segmenter", "classifier" or "detector"), `classes` (their names, of a segmenter or a
        detector the background first), `model`, and `predict`, which takes an image file, an array `(H, W, 3) uint8`
        RGB or a list of these. A model without class names, from an earlier version and outside a run, has numbers
        for names, and `named` is False.

    Raises:
        InputError: The run has no trained model, the file is missing or broken, or it holds a model that is not of
            this package.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> import wsseg
        >>> from wsseg import segmenters
        >>> net = segmenters.create("deeplab_v3", backbone="mobilenet_0.25", channels=8, num_classes=3,
        ...                         class_names=("background", "cat", "dog"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.save(os.path.join(folder, "pets.keras"))
        ...     model = wsseg.load(os.path.join(folder, "pets.keras"))
        >>> model.classes
        ('background', 'cat', 'dog')
        >>> found = model.predict(np.zeros((50, 70, 3), np.uint8))
        >>> found.mask.shape, found.probabilities.shape
        ((50, 70), (50, 70, 3))
    """
    require("crf", crf, lambda value: value in ("as_run", "none"), "as_run or none")
    path = Path(run_or_model).expanduser()
    config = SegmentConfig()
    if path.is_dir():
        if not (path / OWNER).exists():
            raise InputError(
                f"{path} is not a run folder: it has no {OWNER}; give the folder of a run (such as runs/NAME), or "
                "a .keras file"
            )
        config = recipe_of_run(path).segment
        path = model_of_run(path)
    elif not path.exists():
        raise InputError(f"{path} does not exist; give a run folder (such as runs/NAME) or a .keras file")
    model = load_model(path)
    if isinstance(model, RCNN):
        return LoadedDetector(model, *_names(model, path, True))
    if isinstance(model, Classifier):
        names = _names(model, path, False)
        return LoadedClassifier(_at_any_size(model), *names)
    if not isinstance(model, Segmenter):
        raise InputError(
            f"model {path} is no segmenter, classifier or detector of wsseg but `{type(model).__name__}`; use "
            "keras.models.load_model for it; `wsseg explain` explains any classifier"
        )
    names = _names(model, path, True)
    model = _at_any_size(model)
    predictor = Predictor(model, config.scales, config.flip, config.fusion, max_side=config.max_side)
    return LoadedSegmenter(model, *names, predictor, dense_crf(config.crf) if crf == "as_run" else None)


def model_of_run(run: Path) -> Path:
    """Return the file of a run's segmenter, or of its detector if it has trained no segmenter.

    Raises:
        InputError: It has trained neither yet.
    """
    files = [run / STAGES["segment"].folder / SEGMENTER, run / STAGES["detect"].folder / DETECTOR]
    for file in files:
        if file.exists():
            return file
    raise InputError(
        f"run {run} has no trained segmenter yet (no {files[0].relative_to(run)}); finish it with "
        f"`wsseg run --run {shlex.quote(str(run))}`, or give a .keras file"
    )


def _names(model: keras.Model, path: Path, with_background: bool) -> tuple[tuple[str, ...], bool]:
    """Return the class names, and whether they are known."""
    names = names_of_model(model, path, with_background)
    return names or numbered_names(model.num_classes, with_background), names is not None


def _at_any_size(model: Segmenter | Classifier) -> Segmenter | Classifier:
    """Return the network for images of any size, with the same weights, if it was built for images of one size."""
    if None in model.input_shape[1:3]:
        return model
    config = model.get_config()
    if isinstance(model, Segmenter):
        config["options"] = config["options"] | {"input_size": None}
    else:
        config["input_size"] = None
    other = type(model).from_config(config)
    other.set_weights(model.get_weights())
    return other
