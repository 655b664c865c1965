"""Images per second of every segmenter, beside the DeepLab v3+ of keras-hub and keras-cv, in one process.

    python benchmarks/segmenters.py [--size 256] [--batch 2] [--rounds 3] [NETWORK ...]

All networks have random weights and 21 classes. A step is one `train_on_batch` (SGD, plain cross-entropy) or one
`predict_on_batch` of the same images. The networks take turns, and each one's best round counts, so that other work
on the machine disturbs all alike. The last column is the rate over that of keras-hub's network (keras-cv's without
it). The peers have a ResNet-50 of stride 32, which they do not dilate, plain 3x3 convolutions in the pyramid and a
1x1 decoder: "the peers' graph" is just that, made of this project's parts; "deeplab_v3_plus, stride 32" is ours on that
backbone with the published separable pyramid and decoder.
`pip install keras-hub` gives the peer that is no dependency of this project; a peer that is not installed is left
out, and said so.
"""

import argparse
import gc
import time
from collections.abc import Callable

import keras
import numpy as np

from wsseg import backbones, segmenters
from wsseg.layers.aspp import aspp, convolution
from wsseg.layers.bilinear_resize import BilinearResizeTo

CLASSES = 21


def ours(name: str, size: int, **options) -> keras.Model:
    with keras.StatelessScope(initialize_variables=False):
        side = segmenters.create(name, num_classes=CLASSES, **options).sizes.above(size)
    return segmenters.create(name, num_classes=CLASSES, input_size=(side, side), **options)


def peers_graph(size: int) -> keras.Model:
    network = backbones.create("resnet50", 32, input_size=(size, size))
    image, levels = network.inputs[0], network.output
    pyramid = aspp(levels["level_5"], 256, (6, 12, 18), separable=False)
    low = convolution(levels["level_2"], 48, "low_level")
    fused = keras.layers.Concatenate()([BilinearResizeTo()([pyramid, low]), low])
    scores = keras.layers.Conv2D(CLASSES, 1)(convolution(fused, 256, "decoder"))
    return keras.Model(image, BilinearResizeTo()([scores, image]))


def keras_hub(size: int) -> keras.Model:
    import keras_hub

    encoder = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(size, size, 3),
    )
    backbone = keras_hub.models.DeepLabV3Backbone(
        image_encoder=encoder,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P5",
        upsampling_size=8,
        dilation_rates=[6, 12, 18],
    )
    return keras_hub.models.DeepLabV3ImageSegmenter(backbone=backbone, num_classes=CLASSES, preprocessor=None)


def keras_cv(size: int) -> keras.Model:
    import keras_cv

    backbone = keras_cv.models.ResNetBackbone(
        stackwise_filters=[64, 128, 256, 512],
        stackwise_blocks=[3, 4, 6, 3],
        stackwise_strides=[1, 2, 2, 2],
        include_rescaling=True,
        input_shape=(size, size, 3),
    )
    return keras_cv.models.DeepLabV3Plus(num_classes=CLASSES, backbone=backbone)


def logits_only(model: keras.Model) -> keras.Model:
    return (
        model if isinstance(model.output, keras.KerasTensor) else keras.Model(model.inputs, model.outputs[0])
    )


class Timed:
    """One network and its best times."""

    def __init__(self, model: keras.Model, batch: int, size: int):
        self.model = logits_only(model)
        random = np.random.default_rng(0)
        self.side = self.model.input_shape[1] or size
        self.images = random.uniform(0, 255, (batch, self.side, self.side, 3)).astype("float32")
        out_hw = self.model.predict_on_batch(self.images).shape[1:3]
        self.masks = random.integers(0, CLASSES, (batch, *out_hw)).astype("int32")
        # keras-cv's network ends in a softmax.
        from_logits = not np.allclose(self.model.predict_on_batch(self.images).sum(-1), 1, atol=1e-3)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        self.model.compile(keras.optimizers.SGD(1e-4), loss, metrics=[], jit_compile=False)
        self.model.train_on_batch(self.images, self.masks)
        self.best = {"predict": float("inf"), "train": float("inf")}

    def round(self) -> None:
        steps: dict[str, Callable] = {
            "predict": lambda: self.model.predict_on_batch(self.images),
            "train": lambda: self.model.train_on_batch(self.images, self.masks),
        }
        for kind, step in steps.items():
            begin = time.perf_counter()
            step()
            self.best[kind] = min(self.best[kind], time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", help="default: all of wsseg.segmenters")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    size = arguments.size
    peers: dict[str, Callable[[], keras.Model]] = {
        "keras-hub DeepLabV3+": lambda: keras_hub(size),
        "keras-cv DeepLabV3Plus": lambda: keras_cv(size),
        "the peers' graph, our parts": lambda: peers_graph(size),
        "deeplab_v3_plus, stride 32": lambda: ours(
            "deeplab_v3_plus", size, backbone="resnet50", output_stride=32
        ),
    }
    timed: dict[str, Timed] = {}
    for name, build in peers.items():
        try:
            timed[name] = Timed(build(), arguments.batch, size)
        except ImportError as error:
            print(f"{name} left out: {error}")
    for _ in range(arguments.rounds):
        for one in timed.values():
            one.round()
    reference = next(iter(timed.values())).best
    print(f"{size} px, batch {arguments.batch}, best of {arguments.rounds} rounds")
    print(f"{'network':<28}{'parameters':>12}{'side':>6}{'predict/s':>11}{'train/s':>9}{'ratios':>14}")
    for name, one in timed.items():
        show(name, one, reference, arguments.batch)
    for name in arguments.networks or segmenters.SEGMENTERS:
        # One at a time, with the reference beside it: all together would not fit into memory.
        one = Timed(ours(name, size), arguments.batch, size)
        beside = next(iter(timed.values()))
        beside.best = {"predict": float("inf"), "train": float("inf")}
        for _ in range(arguments.rounds):
            one.round()
            beside.round()
        show(name, one, beside.best, arguments.batch)
        del one
        keras.utils.clear_session(free_memory=False)
        gc.collect()


def show(name: str, one: Timed, reference: dict, batch: int) -> None:
    rates = [batch / one.best[kind] for kind in ("predict", "train")]
    ratios = [reference[kind] / one.best[kind] for kind in ("predict", "train")]
    print(
        f"{name:<28}{one.model.count_params() / 1e6:>10.2f} M{one.side:>6}{rates[0]:>11.2f}{rates[1]:>9.2f}"
        f"{ratios[0]:>7.2f}{ratios[1]:>7.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
