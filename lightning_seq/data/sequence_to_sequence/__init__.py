"""The DataModule of sequence to sequence, its reader of new text, and how its data are prepared."""

from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData

__all__ = ["SequenceToSequenceData"]
