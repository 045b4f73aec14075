"""The DataModule of memory problems, its reader of new text, and how its data are prepared."""

from lightning_seq.data.memory_problems.module import MemoryProblemData

__all__ = ["MemoryProblemData"]
