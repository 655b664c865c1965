"""Names of what the stages write into their folders, for the stages that read it."""

MAPS, CALIBRATION, INSTANCES = "maps", "calibration_maps", "instances"
MASKS, THRESHOLD, CRF_SEARCH = "masks", "threshold.json", "crf_search.json"
ANNOTATIONS, GIVEN_MASKS, CORRECTED_LABELS = "annotations", "given_masks.json", "corrected_labels.json"
SCORES, IMAGE_SCORES = "scores.json", "images.json"
PREDICTIONS, CEILING_PREDICTIONS = "predictions", "ceiling_predictions"
DETECTIONS, CEILING_DETECTIONS, INSTANCE_SCORES = "detections", "ceiling_detections", "instance_scores.json"
