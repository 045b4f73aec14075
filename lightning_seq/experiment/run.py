"""`python -m lightning_seq.experiment.run` of version 0.1."""

import runpy

runpy.run_module("lightning_seq.training.run", run_name="__main__")
