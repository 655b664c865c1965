"""Runs the stages of a recipe: which stages are done, stale or resumed, and the run folder."""
