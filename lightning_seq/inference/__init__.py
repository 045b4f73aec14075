"""The uses of a checkpoint: predict, score, sample, translate."""
