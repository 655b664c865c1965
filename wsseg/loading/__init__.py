"""From files to batches: decode, resize, pad, crop, augment (`image_files` needs no TensorFlow)."""
