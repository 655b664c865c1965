"""From files to batches: decode, resize, pad, crop and augment. Needs TensorFlow; `wsseg.image_files` does not."""
