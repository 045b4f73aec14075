"""`python -m lightning_seq.report.wandb_workspace` of version 0.1."""

import runpy

runpy.run_module("lightning_seq.report.wandb.workspace", run_name="__main__")
