"""Runs are killed, disks are damaged: nothing may be lost, repeated or silently wrong. `make torture`."""
