"""The DataModule of sequences of sets, its reader of new text, and how its data are prepared."""

from lightning_seq.data.sequences_of_sets.module import SequencesOfSetsData

__all__ = ["SequencesOfSetsData"]
