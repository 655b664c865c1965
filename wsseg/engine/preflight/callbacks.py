"""Checks of the Keras callbacks that a recipe names, before the first stage runs."""

from wsseg.recipe import Recipe


def check_callbacks(recipe: Recipe) -> None:
    """Make the callbacks of every training once, to find errors; they are thrown away.

    Raises:
        InputError: The message names the option.
    """
    for section in ("classify", "propagate", "segment", "detect"):
        named = getattr(recipe, section).callbacks
        if named:
            from wsseg.training.callbacks import create_callbacks  # imports Keras

            create_callbacks(named, f"{section}.callbacks")
