"""Losses that are sums over the targets that count, so the gradient is the same for any number of ranks."""
