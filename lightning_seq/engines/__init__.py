"""Ways to run a cell over a sequence: `loop` (the reference) and `native` (torch's kernels)."""
