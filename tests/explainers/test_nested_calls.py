"""Nested models called in all the ways that Keras takes, and nested outputs by every name that one may mean."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers.graph_network import GraphNetwork
from wsseg.explainers.output_names import names_of, position

IMAGES = np.random.default_rng(0).uniform(0, 1, (2, 16, 16, 3)).astype("float32")
VECTORS = np.random.default_rng(1).uniform(-1, 1, (2, 3)).astype("float32")


def check(model, given, layer="conv"):
    """Both halves, one after the other, must be the model."""
    network = GraphNetwork(model, layer)
    inputs = network.inputs(given)
    found = network.head(network.features(inputs), inputs)
    for one, wanted in zip(
        keras.tree.flatten(found.values), keras.tree.flatten(model(given, training=False))
    ):
        np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-6)


def base(structure, dtype=None):
    image, vector = keras.Input((16, 16, 3), name="image", dtype=dtype), keras.Input((3,), name="vector")
    tensor = layers.Conv2D(4, 3, activation="relu", name="conv")(layers.Rescaling(2.0)(image))
    tensor = tensor * layers.Dense(4)(vector)[:, None, None]
    inputs = {"vector": vector, "image": image} if structure is dict else structure([image, vector])
    return keras.Model(inputs, {"maps": tensor, "sums": ops.sum(tensor, axis=(1, 2))}, name="base")


@pytest.mark.parametrize(
    "call",
    [
        lambda inner, x, v: inner(inputs=[x, v]),
        lambda inner, x, v: inner([x, v], training=False),
        lambda inner, x, v: inner(inputs=(x, v), training=True),
        lambda inner, x, v: inner({"image": x, "vector": v}),
        lambda inner, x, v: inner([x, v], mask=None),
    ],
    ids=["keyword", "training", "both", "dict by names", "mask"],
)
def test_ways_to_call_a_nested_model(call):
    image, vector, inner = keras.Input((16, 16, 3)), keras.Input((3,)), base(list)
    found = call(inner, image, vector)
    model = keras.Model([image, vector], layers.Dense(2)(found["sums"]))
    check(model, [IMAGES, VECTORS])


def test_nested_model_of_a_dict_and_of_bytes():
    image, vector = keras.Input((16, 16, 3)), keras.Input((3,))
    sums = base(dict)({"vector": vector, "image": image})["sums"]
    check(keras.Model([image, vector], layers.Dense(2)(sums)), [IMAGES, VECTORS])
    # The nested model takes bytes, so it casts what it is given, as Keras does.
    sums = base(list, "uint8")([image, vector])["sums"]
    check(keras.Model([image, vector], layers.Dense(2)(sums)), [255 * IMAGES, VECTORS])


def test_layers_called_by_keyword():
    image = keras.Input((16, 16, 3))
    tensor = layers.Conv2D(4, 3, strides=4, activation="relu", name="conv")(inputs=image)
    rows = layers.Reshape((-1, 4))(tensor)
    rows = layers.MultiHeadAttention(2, 3)(query=rows, value=rows, use_causal_mask=True, training=False)
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling1D()(rows)))
    check(model, IMAGES)


def test_renamed_nested_layers_stay_at_inference():
    def part(name):
        return keras.Sequential(
            [keras.Input((None, None, 3)), layers.RandomFlip(name="flip"), layers.Dropout(0.5, name="drop"),
             layers.Conv2D(3, 3, name="conv")], name=name,
        )  # fmt: skip

    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(part("b")(part("a")(image)))))
    check(model, IMAGES, "a/conv")
    check(model, IMAGES, "b.conv")


def test_inputs_in_the_models_own_structure():
    image, extra, depth = keras.Input((16, 16, 3)), keras.Input((3,)), keras.Input((16, 16, 1))
    joined = layers.Concatenate()([image, depth])
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(joined))
    model = keras.Model(
        [{"image": image, "depth": depth}, extra], layers.Dense(2)(pooled) + layers.Dense(2)(extra)
    )
    given = [{"image": IMAGES, "depth": IMAGES[..., :1]}, VECTORS]
    expected = explainers.create("hires_cam", model=model).raw(given, 0)
    flat = [given[0]["depth"], given[0]["image"], VECTORS]
    assert [x.shape[-1] for x in model.inputs] == [1, 3, 3]
    np.testing.assert_array_equal(
        explainers.create("hires_cam", model=model, image="0.image").raw(flat, 0), expected
    )
    with pytest.raises(InputError, match="takes 3 inputs"):
        explainers.create("hires_cam", model=model).raw([{"image": IMAGES}, VECTORS], 0)


def several():
    image = keras.Input((16, 16, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(image))
    heads = [layers.Dense(n, name=name) for n, name in [(4, "main_scores"), (2, "age_scores"), (3, "third")]]
    main, age, third = (head(pooled) for head in heads)
    structure = {"main": main, "heads": {"age": age, "more": [third, age]}, "aux": [third]}
    return keras.Model(image, structure), [keras.Model(image, x) for x in (main, age, third)]


def test_nested_outputs_by_every_name():
    model, (main, age, third) = several()
    for alone, names in {
        main: ["main", "main_scores", 4, -1],
        age: ["heads.age", "heads/age", ("heads", "age"), "age", 1, "heads.more.1", ("heads", "more", 1)],
        third: ["aux", "aux.0", ("aux", 0), "heads.more.0", 0],
    }.items():
        expected = explainers.create("hires_cam", model=alone).raw(IMAGES, 1)
        for name in names:
            found = explainers.create("hires_cam", model=model, output=name).raw(IMAGES, 1)
            np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=str(name))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            None,
            r"has 5 outputs \(aux.0, heads.age, heads.more.0, heads.more.1, main\); choose one with `output=`",
        ),
        ("heads", "stands for 3 outputs; choose one of: heads.age, heads.more.0, heads.more.1"),
        ("0", "stands for 2 outputs; choose one of: aux.0, heads.more.0"),
        ("mian", "no output `mian`; did you mean `main`"),
        (5, "`output` is 5, but the model has 5 outputs, 0 to 4"),
        (-6, "`output` is -6, but"),
        (True, "must be a name, a path of names or a position|no output `True`"),
        (1.5, "`output` must be a name"),
        ((), "`output` must be a name"),
    ],
)
def test_outputs_that_there_are_not(output, message):
    with pytest.raises(InputError, match=message):
        explainers.create("grad_cam", model=several()[0], output=output).raw(IMAGES, 1)


def test_names_of_structures():
    assert names_of([0.0, 0.0], ["a", "b"]) == ("a", "b") and names_of(0.0) == ("output_0",)
    assert names_of(([0.0], 0.0)) == ("0.0", "1") and names_of({"b": 0.0, "a": (0.0,)}) == ("a.0", "b")
    assert position(None, ("only",)) == 0


def test_outputs_of_a_subclassed_model():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.pool, self.scores = (
                layers.Conv2D(4, 3, name="conv"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3),
            )

        def call(self, x):
            return {"b": self.pool(x), "a": {"scores": [self.scores(self.pool(self.conv(x)))]}}

    explainer = explainers.create("grad_cam", model=Own(), layer="conv", output="a.scores")
    assert explainer.raw(IMAGES, 2).shape == (2, 14, 14)
    assert explainer.network.names == ("a.scores.0", "b")
