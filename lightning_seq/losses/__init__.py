"""Losses that are sums over the targets that count, so that any number of ranks gives the same gradient."""
