"""LightningModules, one per kind of task: loss, metrics, optimiser, carried state."""
