"""Text-driven class maps of a tiny CLIP with random weights, against float64 NumPy and finite differences."""

import numpy as np
import pytest

hub = pytest.importorskip("keras_hub")

from hub.tiny import TINY, images, shake  # noqa: E402
from references.clip_text import class_map, embedded, embedding, probabilities, up_to_last  # noqa: E402
from references.resampling import resampled  # noqa: E402

from wsseg.errors import InputError  # noqa: E402
from wsseg.explainers.clip_prompts import BACKGROUND, text_embeddings, token_ids, unit  # noqa: E402
from wsseg.explainers.clip_text import CLIPText  # noqa: E402
from wsseg.explainers.multi_scale import MultiScale  # noqa: E402
from wsseg.layers.hub_architecture import CLIP_MEAN_RGB, CLIP_STD_RGB, Architecture  # noqa: E402

GRID = (2, 3)
PIXELS = images((32, 48))
TEXTS = unit(np.random.default_rng(5).normal(0, 1, (6, 12))).astype("float32")
CLASSES, WORDS = TEXTS[:4], TEXTS[4:]


@pytest.fixture(scope="module")
def clip():
    encoder = Architecture.parse(f"clip({TINY}, patch_size=16, image_shape=(48, 48, 3))").build()
    text = hub.models.CLIPTextEncoder(30, 8, 8, 2, 2, 16, max_sequence_length=12)
    network = hub.models.CLIPBackbone(encoder, text, 12)
    shake(network, seed=2)
    network.clip_head.logit_scale.assign(np.log(5.0))
    return network


@pytest.fixture(scope="module")
def explain(clip):
    return CLIPText(clip, CLASSES, WORDS)


def twin(clip, image):
    """The tokens at the last block in NumPy, the position embeddings resampled."""
    table = np.asarray(clip.vision_encoder.embedding.position_embedding.embeddings, np.float64)
    grid = resampled(table[1:].reshape(1, 3, 3, 16), GRID, "cubic", False).reshape(-1, 16)
    preprocessed = (image.astype(np.float64) / 255 - CLIP_MEAN_RGB) / CLIP_STD_RGB
    tokens = embedded(clip.vision_encoder, preprocessed, np.concatenate([table[:1], grid]))
    return up_to_last(clip.vision_encoder, tokens)


def test_the_two_parts_equal_keras_hubs_embedding(clip, explain):
    pixels = images((48, 48))
    preprocessed = (pixels / 255 - np.float32(CLIP_MEAN_RGB)) / np.float32(CLIP_STD_RGB)
    normed, tokens, _ = explain.network.tokens([pixels])
    expected = unit(np.asarray(clip.get_vision_embeddings(preprocessed)))
    np.testing.assert_allclose(explain.network.embedding(normed, tokens), expected, atol=1e-5)


def test_the_two_parts_equal_numpy_at_another_size(clip, explain):
    normed, tokens, grid_hw = explain.network.tokens([PIXELS])
    found = explain.network.embedding(normed, tokens)
    assert grid_hw == GRID
    for image in range(2):
        expected = twin(clip, PIXELS[image])
        np.testing.assert_allclose(normed[image], expected[0], atol=1e-4)
        np.testing.assert_allclose(found[image], embedding(clip, *expected), atol=1e-4)


def test_similarities_are_a_softmax_over_what_is_present(clip, explain):
    vectors = unit(np.random.default_rng(2).normal(0, 1, (2, 12))).astype("float32")
    found = np.asarray(explain.similarities(vectors, np.array([[0, 2, -1], [3, -1, -1]], "int32")))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    for row, vector, present in zip(found, vectors, ([0, 2], [3])):
        expected = probabilities(clip, vector.astype(np.float64), CLASSES, WORDS, present)
        np.testing.assert_allclose(row[present], [expected[c] for c in present], rtol=1e-5)
        assert not row[:4][[c for c in range(4) if c not in present]].any() and row[4:].all()


def test_maps_equal_finite_differences(clip, explain):
    found = explain.raw(PIXELS, np.array([[0, 2], [3, -1]]))
    assert found.shape == (2, 2, *GRID) and found.dtype == np.float32
    for image, present in enumerate(([0, 2], [3])):
        normed, tokens = twin(clip, PIXELS[image])
        for place, wanted in enumerate(present):
            expected = class_map(clip, normed, tokens, CLASSES, WORDS, present, wanted).reshape(GRID)
            np.testing.assert_allclose(found[image, place], expected, rtol=1e-3, atol=1e-3 * found.max())
    assert found[found > 0].size >= 9  # else nothing was compared
    assert not found[1, 1].any()


def test_absent_classes_have_no_part(explain):
    alone = explain.raw(PIXELS, np.array([[1], [2]]))
    filled = explain.raw(PIXELS, np.array([[1, -1, -1], [-1, 2, -1]]))
    np.testing.assert_allclose(filled[0, 0], alone[0, 0], rtol=1e-5, atol=1e-5 * alone.max())
    np.testing.assert_allclose(filled[1, 1], alone[1, 0], rtol=1e-5, atol=1e-5 * alone.max())
    assert not filled[0, 1:].any() and not filled[1, [0, 2]].any()
    beside = explain.raw(PIXELS, np.array([[1, 0], [2, 3]]))  # a class that is present competes
    assert not np.allclose(beside[:, 0], alone[:, 0], rtol=1e-2)


def test_a_class_with_nothing_to_compete_with_has_no_map(clip):
    found = CLIPText(clip, CLASSES).raw(PIXELS, [0, 1])
    np.testing.assert_allclose(found, np.zeros((2, *GRID)), atol=1e-6)


def test_maps_of_pixels(explain):
    found = explain(PIXELS, np.array([[0, 2], [3, -1]]))
    assert found.shape == (2, 2, 32, 48) and found.min() >= 0 and not found[1, 1].any()
    raw = explain.raw(PIXELS, np.array([[0, 2], [3, -1]]))
    for image, place in ((0, 0), (0, 1), (1, 0)):
        assert found[image, place].max() == 1
        # The strongest pixel lies in the strongest cell.
        row, column = np.unravel_index(found[image, place].argmax(), (32, 48))
        assert (row // 16, column // 16) == np.unravel_index(raw[image, place].argmax(), GRID)


def test_finer_cells(clip):
    # The image is resized to twice its size first, by the resampling that is tested elsewhere.
    twice = resampled(PIXELS, (64, 96), "linear", True).astype("float32")
    expected = CLIPText(clip, CLASSES, WORDS).raw(twice, [0, 1])
    found = CLIPText(clip, CLASSES, WORDS, output_stride=8).raw(PIXELS, [0, 1])
    assert found.shape == (2, 4, 6) and found.max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3 * found.max())


def test_several_scales(explain):
    sums = MultiScale(explain, (1.0, 0.5), flip=False).raw(PIXELS, np.array([[0, 2], [3, -1]]))
    assert sums.shape == (2, 2, 8, 12) and np.isfinite(sums).all() and sums.max() > 0 and not sums[1, 1].any()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((CLASSES[:, :5], WORDS), r"`classes` must be text embeddings \(number, 12\); got \(4, 5\)"),
        ((CLASSES, WORDS[0]), r"`background` must be text embeddings"),
        ((2 * CLASSES, WORDS), "must be unit vectors"),
    ],
)
def test_refuses_other_embeddings(clip, texts, message):
    with pytest.raises(InputError, match=message):
        CLIPText(clip, *texts)


def test_refuses_other_inputs(clip, explain):
    with pytest.raises(InputError, match="multiples of 16"):
        explain(images((30, 32)), [0, 0])
    with pytest.raises(InputError, match="class indices from 0 to 3"):
        explain(PIXELS, [0, 4])
    with pytest.raises(InputError, match="explains class indices only"):
        explain(PIXELS, lambda output: output[:, 0])
    with pytest.raises(InputError, match=r"CLIPText explains a `keras_hub\.models\.CLIPBackbone`"):
        CLIPText(clip.vision_encoder, CLASSES)


# === Text ===


@pytest.fixture(scope="module")
def tokenizer():
    words = ["a</w>", "cat</w>", "photo</w>", "of</w>", ".</w>"]
    letters = sorted({letter for word in words for letter in word.removesuffix("</w>")})
    vocabulary, merges = [*letters, *(f"{letter}</w>" for letter in letters)], []
    for word in ("cat", "photo", "of"):
        made = word[0]
        for place, letter in enumerate(word[1:], 1):
            letter = f"{letter}</w>" if place == len(word) - 1 else letter
            merges.append(f"{made} {letter}")
            made += letter
            vocabulary.append(made)
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    return hub.models.CLIPTokenizer({token: i for i, token in enumerate(vocabulary)}, merges)


def test_token_ids(tokenizer):
    ids = token_ids(["Cat", "photo of a cat"], tokenizer, ["a photo of {}", "{}"], length=7)
    assert ids.shape == (2, 2, 7)
    start, end = tokenizer.start_token_id, tokenizer.end_token_id
    a, photo, of, cat = (tokenizer.token_to_id(word) for word in ("a</w>", "photo</w>", "of</w>", "cat</w>"))
    assert ids[0].tolist() == [[start, a, photo, of, cat, end, 0], [start, cat, end, 0, 0, 0, 0]]
    assert ids[1, 0].tolist() == [start, a, photo, of, photo, of, end]  # cut, its end kept
    assert len(set(BACKGROUND)) == len(BACKGROUND) == 25


@pytest.mark.parametrize(
    ("names", "templates"), [(["cat"], ["a cat"]), (["cat"], []), ([], ["{}"]), ("cat", ["{}"])]
)
def test_token_ids_refuse(tokenizer, names, templates):
    with pytest.raises(InputError, match=r"`names` must be|`templates` must be"):
        token_ids(names, tokenizer, templates)


def test_text_embeddings_are_means_of_unit_vectors(clip):
    ids = np.random.default_rng(0).integers(1, 28, (3, 2, 9))
    ids[..., 8] = 29  # the end
    own = np.stack([np.asarray(clip.get_text_embeddings(sentences.astype("int32"))) for sentences in ids])
    expected = []
    for first, second in own.astype(np.float64):
        mean = (first / np.sqrt((first**2).sum()) + second / np.sqrt((second**2).sum())) / 2
        expected.append(mean / np.sqrt((mean**2).sum()))
    np.testing.assert_allclose(text_embeddings(clip, ids), expected, atol=1e-5)
    np.testing.assert_allclose(text_embeddings(clip, ids[:, 0]), unit(own[:, 0]), atol=1e-5)


def test_what_comes_after_the_end_is_ignored(clip):
    ids = np.random.default_rng(0).integers(1, 28, (2, 1, 6))
    ids[..., 5] = 29
    padded = np.concatenate([ids, np.zeros((2, 1, 6), int)], axis=2)
    padded[1, 0, 8:] = 7
    np.testing.assert_allclose(text_embeddings(clip, padded), text_embeddings(clip, ids), atol=1e-5)


@pytest.mark.parametrize("ids", [np.zeros((2, 3, 13), int), np.zeros((2, 3)), np.zeros((0, 1, 4), int)])
def test_text_embeddings_refuse(clip, ids):
    with pytest.raises(InputError, match="at most 12 tokens"):
        text_embeddings(clip, ids)
