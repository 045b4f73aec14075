"""Loggers of a run: metrics.csv, TensorBoard, W&B."""
