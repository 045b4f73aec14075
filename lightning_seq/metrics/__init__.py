"""Metrics that torchmetrics does not have, and the sets of those it has that each task reports."""
