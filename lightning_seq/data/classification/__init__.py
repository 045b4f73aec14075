"""The DataModule of classification, its reader of new text, and how its data are prepared."""

from lightning_seq.data.classification.module import ClassificationData

__all__ = ["ClassificationData"]
