"""Objects of an image: instances, run lengths, COCO annotations and results."""
