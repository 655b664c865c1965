"""Stage 3: spread the class maps by learned affinity and a random walk."""
