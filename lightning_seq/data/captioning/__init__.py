"""Pictures with captions."""

from lightning_seq.data.captioning.module import CaptioningData

__all__ = ["CaptioningData"]
