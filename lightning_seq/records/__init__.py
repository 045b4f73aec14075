"""The files that a run leaves: one file per format."""
