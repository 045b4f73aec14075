"""Names of version 0.1 for `python -m`: gone with 0.3."""
