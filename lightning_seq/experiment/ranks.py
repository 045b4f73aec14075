"""`python -m lightning_seq.experiment.ranks` of version 0.1."""

import runpy

runpy.run_module("lightning_seq.launch.ranks", run_name="__main__")
