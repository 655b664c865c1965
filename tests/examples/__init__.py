"""Small networks and data sets that several test files use."""
