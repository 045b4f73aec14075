"""The DataModule of language modelling, its reader of new text, and how its data are prepared."""

from typing import TYPE_CHECKING

from lightning_seq.lazy import handed_on

if TYPE_CHECKING:
    from lightning_seq.data.language_modelling.module import LanguageModellingData

__all__ = ["LanguageModellingData"]
__getattr__ = handed_on(__name__, {"module": __all__})  # the module imports Lightning, the reader does not
