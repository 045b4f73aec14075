"""Time, direction and depth over any cell."""
