"""The DataModule of speech recognition, its reader of new recordings, and how its data are prepared."""

from typing import TYPE_CHECKING

from lightning_seq.lazy import handed_on

if TYPE_CHECKING:
    from lightning_seq.data.speech.module import SpeechData

__all__ = ["SpeechData"]
__getattr__ = handed_on(__name__, {"module": __all__})  # the module imports Lightning, the reader does not
