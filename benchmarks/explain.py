"""What an explanation costs, as a multiple of the model's plain forward pass, beside the peers, in one process.

    python benchmarks/explain.py [--models mobilenet_v2 resnet50] [--batches 1 16] [--rounds 7] [--score-cam]

The models are `keras.applications`' with random weights, 224 x 224 pixels. The plain pass is `tf.function(model)` on a
tensor that is there already, its result taken to NumPy. Ours is the public call, images in, maps of the image's size in
[0, 1] out. All explain the last features that the head reads. They take turns, and each one's best round counts, so
that other work on the machine disturbs all alike. `5` explains five classes of each image: a peer that takes one
class a call is called five times. `--score-cam` adds Score-CAM, all channels, batch 1, over (channels x plain pass),
which takes minutes.

Peers that are not installed are left out and said so: `pip install tf-keras-vis xplique tf-explain`.
"""

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from wsseg import explainers

SIZE = 224
LAYERS = {"mobilenet_v2": "out_relu", "resnet50": "conv5_block3_out"}
METHODS = ("cam", "grad_cam", "grad_cam_pp", "layer_cam", "hires_cam", "xgrad_cam")


def build(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    make = {"mobilenet_v2": keras.applications.MobileNetV2, "resnet50": keras.applications.ResNet50}[name]
    return make(weights=None, input_shape=(SIZE, SIZE, 3))


def ours(model: keras.Model, images: np.ndarray) -> dict[str, Callable]:
    one, five = np.zeros(len(images), int), np.tile(np.arange(5), (len(images), 1))
    entries = {}
    for method in METHODS:
        explainer = explainers.create(method, model=model)
        entries[f"wsseg {method}"] = lambda e=explainer: e(images, one)
        entries[f"wsseg {method} 5"] = lambda e=explainer: e(images, five)
    return entries


def tf_keras_vis(model: keras.Model, images: np.ndarray, layer: str) -> dict[str, Callable]:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    entries = {}
    for name, peer in (("grad_cam", Gradcam), ("grad_cam_pp", GradcamPlusPlus), ("layer_cam", Layercam)):
        explainer = peer(model, model_modifier=ReplaceToLinear(), clone=True)

        def call(e=explainer, classes=(0,)):
            for index in classes:
                e(CategoricalScore([index] * len(images)), images, penultimate_layer=layer)

        entries[f"tf-keras-vis {name}"] = call
        entries[f"tf-keras-vis {name} 5"] = lambda c=call: c(classes=range(5))
    return entries


def xplique(model: keras.Model, images: np.ndarray, layer: str) -> dict[str, Callable]:
    from xplique.attributions import GradCAM, GradCAMPP

    entries = {}
    for name, peer in (("grad_cam", GradCAM), ("grad_cam_pp", GradCAMPP)):
        explainer = peer(model, conv_layer=layer, batch_size=len(images))

        def call(e=explainer, classes=(0,)):
            for index in classes:
                e(images, keras.utils.to_categorical([index] * len(images), 1000))

        entries[f"xplique {name}"] = call
        entries[f"xplique {name} 5"] = lambda c=call: c(classes=range(5))
    return entries


def tf_explain(model: keras.Model, images: np.ndarray, layer: str) -> dict[str, Callable]:
    from tf_explain.core.grad_cam import GradCAM

    explainer = GradCAM()

    def call(classes=(0,)):
        for index in classes:
            explainer.explain(
                (images, None), model, class_index=index, layer_name=layer, use_guided_grads=False
            )

    return {"tf-explain grad_cam": call, "tf-explain grad_cam 5": lambda: call(range(5))}


def keras_tape(model: keras.Model, images: np.ndarray, layer: str) -> dict[str, Callable]:
    """The whole model under an eager tape, as tutorials do it."""
    both = keras.Model(model.inputs, [model.get_layer(layer).output, model.output])

    def call(classes=(0,)):
        for index in classes:
            with tf.GradientTape() as tape:
                features, scores = both(images)
                score = tf.reduce_sum(scores[:, index])
            weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2))
            maps = tf.nn.relu(tf.einsum("bhwc,bc->bhw", features, weights))
            tf.image.resize(maps[..., None], (SIZE, SIZE)).numpy()

    return {"eager tape grad_cam": call, "eager tape grad_cam 5": lambda: call(range(5))}


PEERS = {"tf-keras-vis": tf_keras_vis, "xplique": xplique, "tf-explain": tf_explain, "eager tape": keras_tape}


def timed(entries: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Return each entry's best seconds of several rounds in turns, after a call that compiles."""
    best, broken = {}, []
    for name, call in entries.items():
        try:
            call()
            best[name] = np.inf
        except Exception as error:  # a peer that breaks is reported, and the others go on
            broken.append(f"  {name} fails: {type(error).__name__}: {str(error).splitlines()[0][:100]}")
    for _ in range(rounds):
        for name in best:
            start = time.perf_counter()
            entries[name]()
            best[name] = min(best[name], time.perf_counter() - start)
    print("\n".join(broken))
    return best


def compare(name: str, batch: int, rounds: int) -> None:
    model = build(name)
    images = np.random.default_rng(0).uniform(-1, 1, (batch, SIZE, SIZE, 3)).astype("float32")
    plain, ready = tf.function(lambda x: model(x, training=False)), tf.constant(images)
    entries = {"plain": lambda: plain(ready).numpy(), **ours(model, images)}
    for peer, make in PEERS.items():
        try:
            entries |= make(model, images, LAYERS[name])
        except ImportError as error:
            print(f"  {peer} is not installed ({error})")
    best = timed(entries, rounds)
    print(
        f"{name}, batch {batch}: plain pass {best['plain'] * 1e3:.1f} ms, {batch / best['plain']:.1f} images/s"
    )
    print(f"  {'':32} {'one class':>18} {'five classes':>18}")
    for entry in best:
        if entry != "plain" and not entry.endswith(" 5"):
            cells = [
                f"{best[e] / best['plain']:7.3f} {batch / best[e]:7.1f}/s" for e in (entry, f"{entry} 5")
            ]
            print(f"  {entry:32} {cells[0]:>18} {cells[1]:>18}")


def score_cam(name: str) -> None:
    """Time Score-CAM over all channels of one image, in turns with the plain pass."""
    model = build(name)
    images = np.random.default_rng(0).uniform(-1, 1, (1, SIZE, SIZE, 3)).astype("float32")
    plain, ready = tf.function(lambda x: model(x, training=False)), tf.constant(images)
    explainer = explainers.create("score_cam", model=model)
    best = timed(
        {"plain": lambda: plain(ready).numpy(), "score_cam": lambda: explainer(images, [0])}, rounds=2
    )
    for _ in range(30):
        start = time.perf_counter()
        plain(ready).numpy()
        best["plain"] = min(best["plain"], time.perf_counter() - start)
    channels = model.get_layer(LAYERS[name]).output.shape[-1]
    ratio = best["score_cam"] / (channels * best["plain"])
    print(
        f"{name}: Score-CAM, {channels} channels: {best['score_cam']:.1f} s, {ratio:.3f} x (channels x plain pass)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(LAYERS), choices=LAYERS)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--score-cam", action="store_true")
    given = parser.parse_args()
    for name in given.models:
        for batch in given.batches:
            compare(name, batch, given.rounds)
        if given.score_cam:
            score_cam(name)


if __name__ == "__main__":
    main()
