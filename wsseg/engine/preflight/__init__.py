"""Checks before the first stage runs, for errors that would otherwise stop a late stage."""
