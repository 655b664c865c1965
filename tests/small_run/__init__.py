"""A whole run in seconds: a small backbone, recipe, photographs, and the command with a kill switch."""
