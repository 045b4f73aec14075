"""From a configuration to data, vectors, model and task: one file per kind of task."""
