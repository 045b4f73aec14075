"""Ways to run a cell over a sequence: `loop` (the reference), `native` (torch's kernels), `fused` and `aten` (ours)."""
