"""What watches a run: clock, batch fingerprint, thawing, progress lines."""
