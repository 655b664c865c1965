"""Names of the files and folders of a run. The code that writes a file and the code that reads it both use them."""

# The run folder.
OWNER, LOCK, DATA = "recipe.json", ".lock", "data"
DEFINITION = "definition.json"
MANIFEST = "manifest.json"
MADE_FILES = "files.json"
DATA_CONTENTS = "contents/files.json"
CORRECTED_MASKS = "corrected_masks"

# Files that training writes.
CLASSIFIER, AFFINITY_NETWORK = "classifier.keras", "affinity.keras"
SEGMENTER, DETECTOR = "segmenter.keras", "detector.keras"
HISTORY, TENSORBOARD = "history.csv", "tensorboard"
ENLARGED = "enlarged.json"
CHECKPOINT, TRAINING_STATE = "checkpoint.weights.h5", "training.json"

# Labels, maps and masks.
CORRECTED_LABELS = "corrected_labels.json"
MAPS, CALIBRATION, INSTANCES = "maps", "calibration_maps", "instances"
CONFIDENT_LABELS = "labels"
MASKS, THRESHOLD, CRF_SEARCH = "masks", "threshold.json", "crf_search.json"
ANNOTATIONS, GIVEN_MASKS, CORRECTED_IDS = "annotations", "given_masks.json", "corrected_masks.json"

# Scores, and the predictions that are scored.
SCORES, IMAGE_SCORES, THRESHOLD_CURVE = "scores.json", "images.json", "threshold_curve.json"
PREDICTIONS, CEILING_PREDICTIONS = "predictions", "ceiling_predictions"
DETECTIONS, CEILING_DETECTIONS, INSTANCE_SCORES = "detections", "ceiling_detections", "instance_scores.json"
PAGE = "report.html"

# Beside the pictures of `wsseg explain`: which these are.
EXPLAINED = ".explanations.json"

# The folder of `wsseg predict`; corrected masks have `classes.txt` too.
CLASS_NAMES, SHARES, OVERLAYS, PREDICTED_WITH = "classes.txt", "shares.csv", "overlays", "predict.json"

# The folder of `wsseg explain`, which has overlays and maps too.
CLASS_SCORES, CONTACT_SHEET, EXPLAINED_WITH = "scores.csv", "contact_sheet.jpg", "explain.json"
