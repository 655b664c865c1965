"""Stage 3: spread the class maps by learnt affinities and a random walk."""
