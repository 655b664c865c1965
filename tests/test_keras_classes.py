"""Plain Keras finds this package's classes after `import wsseg`, which imports nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import wsseg
from wsseg import classifiers, detectors, keras_classes, losses, segmenters

SMALL = {"channels": 8, "head_channels": 8, "mask_channels": 8, "proposals": 8, "detections": 3}


def decorated_classes():
    """The classes of the package that are registered with Keras, by their source."""
    root = Path(wsseg.__file__).parent
    for file in root.rglob("*.py"):
        module = ".".join(file.relative_to(root.parent).with_suffix("").parts)
        for statement in ast.parse(file.read_text()).body:
            for decorator in getattr(statement, "decorator_list", []):
                if "register_keras_serializable" in ast.unparse(decorator):
                    assert 'package="wsseg"' in ast.unparse(decorator).replace("'", '"')
                    yield statement.name, f"{module}:{statement.name}"


def test_every_registered_class_has_a_stand_in():
    found = {f"wsseg>{name}": path for name, path in decorated_classes()}
    assert len(found) > 40 and keras_classes.registered_classes() == found


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model of each kind; the segmenter is saved as `fit` leaves it, with a loss and an optimizer of wsseg."""
    from wsseg.training.optimizers import SGDWithMultipliers

    folder = tmp_path_factory.mktemp("models")
    segmenter = segmenters.create("deeplab_v3", backbone="mobilenet_0.25", channels=8, num_classes=3)
    segmenter.compile(SGDWithMultipliers(0.1), losses.create("balanced"))
    segmenter.save(folder / "segmenter.keras")
    for head in classifiers.CLASSIFIERS:
        model = classifiers.create(head, backbone="mobilenet_0.25", num_classes=2)
        model.save(folder / f"{head}.keras")
    detectors.create("mask_rcnn", backbone="plain", num_classes=2, input_size=(32, 32), **SMALL).save(
        folder / "detector.keras"
    )
    return folder


LOADED = """
import sys, warnings
warnings.simplefilter("error", ImportWarning)
{imports}
files = sorted(sys.argv[1:])
for file in files:
    print(type(keras.models.load_model(file)).__name__)
assert not [finder for finder in sys.meta_path if type(finder).__name__ == "KerasFinder"]
assert keras.__spec__.loader is keras.__loader__ and type(keras.__loader__).__name__ != "RegisteringLoader"
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import wsseg; assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules; import keras",
        "import keras; import wsseg",
        pytest.param("import wsseg; import tensorflow; import keras", marks=pytest.mark.slow),
        pytest.param(
            "import wsseg.losses; from wsseg.classifiers import classifier; import keras",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_plain_keras_loads_our_models_in_a_fresh_process(models, imports):
    files = [str(path) for path in models.iterdir()]
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(imports=imports), *files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    names = {"acol": "ACoL", "gap": "GAP", "nin": "NIN", "seam": "SEAM"}
    expected = {name: f"{short}Classifier" for name, short in names.items()}
    expected |= {"segmenter": "Segmenter", "detector": "RCNN"}
    assert done.stdout.split() == [expected[Path(file).stem] for file in sorted(files)]


def test_the_hook_leaves_other_imports_alone():
    finder = keras_classes.KerasFinder()
    assert finder.find_spec("json") is None and finder.find_spec("keras.layers") is None
    spec = finder.find_spec("keras")
    assert Path(spec.origin) == Path(keras.__file__) and spec.loader.is_package("keras")


def test_a_stand_in_makes_what_the_class_makes():
    stand_in = keras_classes.StandIn("wsseg.layers.mean_shift:MeanShift")
    assert "mean_shift" in repr(stand_in) and not hasattr(stand_in, "__wrapped__")
    layer = stand_in.from_config(stand_in(name="mean").get_config())
    assert layer.name == "mean" and type(layer).__name__ == "MeanShift"
