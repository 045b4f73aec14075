"""Launchers of runs: local processes, SLURM, Ray."""
