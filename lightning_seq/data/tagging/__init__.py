"""The DataModule of tagging, its reader of new text, and how its data are prepared."""

from lightning_seq.data.tagging.module import TaggingData

__all__ = ["TaggingData"]
