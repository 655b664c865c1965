"""A segmenter that learns from a running average of itself where a mask is unsure."""

from typing import Any

import keras
import tensorflow as tf

from wsseg.artifacts import IGNORE
from wsseg.recipe import TeacherConfig
from wsseg.segmenters.restrict_to_labels import restrict_to_labels
from wsseg.segmenters.segmenter import Segmenter


class MeanTeacher(keras.Model):
    r"""A model to `fit` instead of the segmenter; it trains the segmenter.

    The teacher is a copy of the segmenter whose weights are an exponential moving average. At each step it labels the
    pixels of the batch whose mask is 255. The student gets the images with rectangles of each other pasted into them
    (CutMix), and has to predict the teacher's labels where the teacher is confident. The loss is
    $L(masks) + w\, s\, L(teacher)$, where $L$ is the segmenter's loss, a mean over known pixels, $w$ is the option
    `weight`, and $s$ is the share of the unsure pixels that the teacher labels. So unsure pixels of pseudo-masks get
    labels during training, and images without any mask (255 everywhere) are used too. At the end, `finish` gives the
    segmenter the teacher's weights.

    Args:
        segmenter: The network, which is the student.
        trained: The model of it that is trained: `segmenter.with_auxiliary()`.
        config: Options of the teacher.
        steps: Number of steps of the whole training.
        hold: Whether the teacher may predict only the image-level labels and the classes of the mask
            (`restrict_to_labels`).

    References:
        Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017, section 3 (average, whose momentum
        rises as 1 - 1 / (step + 1)).
        French et al., Semi-supervised semantic segmentation needs strong, varied perturbations, BMVC 2020, section 3
        (CutMix of images and of the teacher's results, rectangles of half the image; here masks are mixed too).
        Sohn et al., FixMatch, NeurIPS 2020, equation 4 (labels above a confidence, weighted by their share).
    """

    def __init__(
        self,
        segmenter: Segmenter,
        trained: keras.Model,
        config: TeacherConfig,
        steps: int,
        hold: bool,
    ):
        super().__init__(name=f"{segmenter.name}_with_teacher")
        self.segmenter, self.trained, self.config, self.hold = segmenter, trained, config, hold
        self.warm_up = round(config.warm_up * steps)
        self.teacher = type(segmenter).from_config(segmenter.get_config())
        self.teacher.set_weights(segmenter.get_weights())
        self.teacher.trainable = False
        self.random = keras.random.SeedGenerator(0)  # its state is set again before each epoch
        self.mean_loss = keras.metrics.Mean(name="loss")
        self.mean_share = keras.metrics.Mean(name="labelled_by_teacher")
        self.built = True

    def call(self, inputs: tuple, training: bool | None = None) -> Any:
        """Return the student's logits.

        Args:
            inputs: `(images, valid, labels)`, as in `train_step`; only the images are used.
            training: Whether the network runs in training mode.
        """
        return self.trained(inputs[0], training=training)

    def train_step(self, data: tuple) -> dict[str, Any]:
        """Run one training step.

        Args:
            data: `((images (B, H, W, 3), valid (B, H, W), labels (B, K)), masks (B, h, w))`, as `TrainingBatches` with
                `image_labels` gives them.
        """
        (images, valid, labels), masks = data
        margin = self.segmenter.margin
        inside = slice(margin, images.shape[1] - margin)
        unsure = (masks == IGNORE) & (valid[:, inside, inside] > 0)
        # A mask may contain classes that the labels lack: from annotated points, or true masks with wrong labels.
        held = tf.reduce_max(tf.one_hot(masks, labels.shape[1] + 1), axis=(1, 2))[:, 1:]
        guesses = tf.where(unsure, self.guesses(images, tf.maximum(labels, held)), IGNORE)
        guesses = tf.cond(
            self.optimizer.iterations >= self.warm_up,
            lambda: guesses,
            lambda: tf.fill(tf.shape(masks), IGNORE),
        )
        share = tf.reduce_sum(tf.cast(guesses != IGNORE, tf.float32)) / tf.maximum(
            tf.reduce_sum(tf.cast(unsure, tf.float32)), 1
        )
        box = self.rectangles(images)
        images = mixed(images, box[..., None])
        masks, guesses = (mixed(ids, box[:, inside, inside]) for ids in (masks, guesses))
        with tf.GradientTape() as tape:
            logits = self.trained(images, training=True)
            loss = self.loss(masks, logits) + self.config.weight * share * self.loss(guesses, logits)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trained.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        self.follow()
        self.mean_loss.update_state(loss)
        self.mean_share.update_state(share)
        return {"loss": self.mean_loss.result(), "labelled_by_teacher": self.mean_share.result()}

    def guesses(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Return the teacher's labels of all pixels, `(B, h, w)` int32; 255 where it is not confident."""
        found = tf.nn.softmax(tf.cast(self.teacher(images, training=False), tf.float32))
        if self.hold:
            found = restrict_to_labels(found, labels[:, None, None])
        ids = tf.argmax(found, axis=-1, output_type=tf.int32)
        return tf.where(tf.reduce_max(found, axis=-1) >= self.config.confidence, ids, IGNORE)

    def rectangles(self, images: tf.Tensor) -> tf.Tensor:
        """Draw a random rectangle of half the area for each image: `(B, H, W)` bool, True inside."""
        count, height, width = images.shape[0] or tf.shape(images)[0], images.shape[1], images.shape[2]
        drawn = keras.random.uniform((3, count), seed=self.random)
        tall = 0.5 ** drawn[0]  # log-uniform in (0.5, 1]
        inside = []
        for side, share, position in ((height, tall, drawn[1]), (width, 0.5 / tall, drawn[2])):
            centres = (tf.range(side, dtype=tf.float32) + 0.5) / side
            first = (1 - share) * position
            inside.append((centres >= first[:, None]) & (centres < (first + share)[:, None]))
        return inside[0][:, :, None] & inside[1][:, None, :]

    def follow(self) -> None:
        """Move the teacher's weights towards the student's, and copy the statistics of batch normalisation.

        The statistics are running means already; if they were averaged again, they would lag behind the weights.
        """
        step = tf.cast(self.optimizer.iterations, tf.float32)
        momentum = tf.minimum(self.config.momentum, 1 - 1 / (step + 1))
        learnt = {id(variable) for variable in self.trained.trainable_variables}
        for mean, own in zip(self.teacher.weights, self.segmenter.weights):
            mean.assign(own + momentum * (mean - own) if id(own) in learnt else own)

    def finish(self) -> None:
        """Give the segmenter the teacher's weights.

        The statistics of batch normalisation are still the student's; `estimate_statistics` comes after this.
        """
        self.segmenter.set_weights(self.teacher.get_weights())


def mixed(values: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Paste into each image of a batch, inside its rectangle, the pixels of the next image (CutMix)."""
    return tf.where(box, tf.roll(values, -1, axis=0), values)
