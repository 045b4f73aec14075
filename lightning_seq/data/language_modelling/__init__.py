"""The DataModule of language modelling, its reader of new text, and how its data are prepared."""

from lightning_seq.data.language_modelling.module import LanguageModellingData

__all__ = ["LanguageModellingData"]
