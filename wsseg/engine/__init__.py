"""Runs the stages of a recipe: what is done, stale or resumed, and the run folder."""
