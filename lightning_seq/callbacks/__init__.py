"""Callbacks of a run: clock, batch fingerprint, thawing, progress lines, diagnostics."""
