"""Training that can be killed at any moment and ends as if it had not been."""
