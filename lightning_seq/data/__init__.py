"""Sources, batching, one DataModule per kind of task."""
