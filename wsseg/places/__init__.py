"""From maps to places: boxes and masks, and counterfactual localisation of a classifier's evidence.

The modules `counterfactual_localisation`, `removal_scores` and `class_odds` need a model, and so TensorFlow; the others
need only NumPy, Pillow and scikit-image.
"""

from wsseg.places.boxes_at_levels import boxes_at_levels
from wsseg.places.boxes_from_map import boxes_from_map
from wsseg.places.components import Components, components
from wsseg.places.map_level import map_level
from wsseg.places.masks_from_map import Places, masks_from_map

__all__ = [
    "Components",
    "Places",
    "boxes_at_levels",
    "boxes_from_map",
    "components",
    "map_level",
    "masks_from_map",
]
