"""Comparisons: the plan of their runs, shared preparation, and progress."""
