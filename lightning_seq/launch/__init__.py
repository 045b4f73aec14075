"""Where runs run: local processes, SLURM, Ray."""
