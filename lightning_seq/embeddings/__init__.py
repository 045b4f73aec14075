"""Word vectors: train, save, load, evaluate; the matrix; the layer."""
