"""What a checkpoint can do: predict, score, sample, translate."""
