"""What an experiment does differently for each kind of task."""
