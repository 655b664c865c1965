"""Scenes: the built-in benchmark, rendered on first use and then cached; no download."""

from wsseg.datasets.scenes.dataset import scenes
from wsseg.datasets.scenes.generator import Scene, SceneObject, render
from wsseg.datasets.scenes.heads import CLASSES

__all__ = ["CLASSES", "Scene", "SceneObject", "render", "scenes"]
