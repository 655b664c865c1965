"""Class maps from CLIP and only the names of the classes: the softmax Grad-CAM of CLIP-ES."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.core import Explainer
from wsseg.explainers.gradients import differentiate, positive
from wsseg.explainers.network import Network, Outputs
from wsseg.explainers.score import Score
from wsseg.explainers.targets import ClassScores
from wsseg.grid import Grid
from wsseg.layers.hub_architecture import Architecture
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.resampling import resample
from wsseg.layers.vision_tokens import clip_embedded


class CLIPNetwork(Network):
    """CLIP's image encoder, split at the last block: the input of the block's attention, and the embedding after it.

    Args:
        clip: A `keras_hub.models.CLIPBackbone`.
        num_classes: Number of classes that can be explained.
        output_stride: Pixels from cell to cell; None for the patch's side. For another value the image is resized.
        preprocessing: Source of the image's scale and offset; None for those of OpenAI's CLIP.

    Raises:
        InputError: `clip` is not such a network.
    """

    channels = 3

    def __init__(
        self,
        clip: keras.Model,
        num_classes: int,
        output_stride: int | None = None,
        preprocessing: Architecture | None = None,
    ):
        if not hasattr(clip, "text_encoder") or Architecture.of(clip).family != "clip":
            raise InputError(
                f"CLIPText explains a `keras_hub.models.CLIPBackbone`; got {type(clip).__name__}"
            )
        self.model, self.encoder = clip, clip.vision_encoder
        self.architecture = preprocessing or Architecture.of(clip)
        self.patch = self.architecture.patch
        self.stride = output_stride or self.patch
        self.block = self.encoder.encoder_layers[-1]
        self.layer = self.block.layer_norm_1.name
        self.grid = Grid((float(self.stride),) * 2, ((self.stride - 1) / 2,) * 2)
        logits = keras.KerasTensor((None, num_classes))
        self.spec = Outputs(logits, logits, ("similarity",))

    def inputs(self, given: Any) -> list[np.ndarray]:
        """Return the images as the only input."""
        given = np.asarray(given, np.float32)
        if given.ndim == 4:
            LegalSizes(self.stride, smallest=self.stride).check(given.shape[1:3], "clip_text")
        return [given]

    def tokens(self, inputs: Sequence[Any]) -> tuple[Any, Any, tuple[int, int]]:
        """Run up to the last block.

        Returns:
            The tokens that the last block's attention reads, `(B, 1 + N, C)` float32, class token first; the same
            tokens before the layer norm, for the residual connection; and the number of patches `(h, w)`.
        """
        (images,) = inputs
        grid_hw = tuple(side // self.stride for side in keras.ops.shape(images)[1:3])
        if self.stride != self.patch:
            images = resample(images, tuple(n * self.patch for n in grid_hw), "linear", antialias=True)
        images = images * np.float32(self.architecture.scale) + np.float32(self.architecture.offset)
        tokens = clip_embedded(self.encoder, keras.ops.cast(images, self.encoder.compute_dtype), grid_hw)
        for block in self.encoder.encoder_layers[:-1]:
            tokens = block(tokens, training=False)
        return keras.ops.cast(self.block.layer_norm_1(tokens), "float32"), tokens, grid_hw

    def embedding(self, normed: Any, tokens: Any) -> Any:
        """Run the rest, from the last block's attention on; return the image's unit embedding `(B, D)` float32."""
        block, normed = self.block, keras.ops.cast(normed, tokens.dtype)
        tokens = tokens + block.attention(normed, normed, normed, training=False)
        # Only the class token is read from here on.
        first = tokens[:, :1]
        first = first + block.dense_2(block.activation(block.dense_1(block.layer_norm_2(first))))
        found = self.model.vision_projection(self.encoder.layer_norm(first)[:, 0])
        return tf.math.l2_normalize(tf.cast(found, tf.float32), axis=-1)


class CLIPText(Explainer):
    r"""Maps of what CLIP finds in an image for the names of the classes present (CLIP-ES, Lin et al. 2023).

    The scores of an image are $s = softmax(e^\tau\, v \cdot t)$ over the classes that are present in it and words for
    the background: $v$ is the image's unit embedding, $t$ the texts' embeddings, $\tau$ CLIP's own log scale. A class
    thus competes with the other present classes and the background words; absent classes have no influence. A class
    without competitors always has the score 1 and the map 0. Grad-CAM is applied at the tokens $A$ that the last
    block's attention reads, the last layer where patches influence the class token:
    $\alpha_k^c = \frac{1}{N} \sum_i \partial s_c / \partial A_{ik}$ over the N patches, and
    $L_i^c = ReLU(\sum_k \alpha_k^c A_{ik})$.

    Nothing is trained, and the only labels used are the classes present in each image. CLIP-ES then spreads the maps
    by the attention of the last blocks (its CAA); that part is not included here. With `MultiScale`, scaled sides
    must remain multiples of `output_stride`.

    Args:
        clip: A `keras_hub.models.CLIPBackbone`, such as `wsseg.backbones.hub.load_preset("clip_vit_base_patch16")`.
        classes: `(K, D)` text embeddings of the classes, from `wsseg.explainers.clip_prompts`.
        background: `(W, D)` text embeddings of words for the background, W may be 0; None for no words.
        output_stride: Pixels from cell to cell, the patch's side by default; a smaller stride gives finer maps.
        preprocessing: Source of the image's scale and offset; None for those of OpenAI's CLIP.

    Raises:
        InputError: Embeddings have another shape or are not unit vectors, or `clip` is not a CLIP of keras-hub.

    References:
        Lin et al., CLIP is Also an Efficient Segmenter: A Text-Driven Approach for Weakly Supervised Semantic
        Segmentation, CVPR 2023, sections 3.1 and 3.2.
    """

    def __init__(
        self,
        clip: keras.Model,
        classes: np.ndarray,
        background: np.ndarray | None = None,
        output_stride: int | None = None,
        preprocessing: Architecture | None = None,
    ):
        classes = np.asarray(classes, np.float32)
        self.network = CLIPNetwork(clip, len(classes), output_stride, preprocessing)
        width = clip.projection_dim
        background = np.zeros((0, width)) if background is None else np.asarray(background)
        for name, array in (("classes", classes), ("background", background)):
            if array.ndim != 2 or array.shape[1] != width:
                raise InputError(f"`{name}` must be text embeddings (number, {width}); got {array.shape}")
        texts = np.concatenate([classes, background.astype(np.float32)])
        if not len(classes) or not np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-3):
            raise InputError(
                "`classes` and `background` must be unit vectors; use `clip_prompts.text_embeddings`"
            )
        self.texts, self.num_classes = tf.constant(texts), len(classes)
        self.output, self._functions = None, OrderedDict()

    def similarities(self, embedding: Any, classes: Any) -> tf.Tensor:
        """Return the softmax over each image's classes and the background words.

        Args:
            embedding: `(B, D)` unit embeddings of the images.
            classes: `(B, T)` class indices, -1 for none.

        Returns:
            `(B, K + W)` float32 probabilities: 0 for classes that an image does not have.
        """
        scale = tf.exp(tf.cast(self.network.model.clip_head.logit_scale, tf.float32))
        logits = scale * tf.matmul(embedding, self.texts, transpose_b=True)
        present = tf.reduce_max(tf.one_hot(classes, self.num_classes), axis=1)
        words = tf.ones((tf.shape(present)[0], len(self.texts) - self.num_classes))
        there = tf.concat([present, words], axis=1) > 0
        exponents = tf.where(there, logits, tf.float32.min)
        return tf.where(there, tf.nn.softmax(exponents, axis=1), 0.0)

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Differentiate the softmax through the last block and combine."""
        if not isinstance(score.target, ClassScores):
            raise InputError("CLIPText explains class indices only; give the indices of the image's classes")
        (classes,) = score.arrays
        normed, tokens, grid_hw = self.network.tokens(inputs)
        count = tf.shape(normed)[0]
        classes = tf.broadcast_to(classes, [count, classes.shape[1]])

        def scores(position: tf.Tensor) -> tf.Tensor:
            found = self.similarities(self.network.embedding(position, tokens), classes)
            return tf.gather(found, tf.maximum(classes, 0), axis=1, batch_dims=1)

        gradients = differentiate(scores, normed, self.network)  # (B, T, 1 + N, C)
        weights = tf.reduce_mean(gradients[:, :, 1:], axis=2)
        maps = positive(tf.einsum("bnc,btc->btn", normed[:, 1:], weights))
        maps *= tf.cast(classes >= 0, tf.float32)[..., None]
        return tf.reshape(maps, (count, classes.shape[1], *grid_hw))
