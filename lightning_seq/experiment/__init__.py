"""From configuration to objects, one run, many runs, and back from a checkpoint."""
