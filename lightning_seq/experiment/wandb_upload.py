"""`python -m lightning_seq.experiment.wandb_upload` of version 0.1."""

import runpy

runpy.run_module("lightning_seq.training.loggers.wandb_upload", run_name="__main__")
