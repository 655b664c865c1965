"""Use what a run has trained on new photographs: `wsseg.load`, and what `predict` returns."""
