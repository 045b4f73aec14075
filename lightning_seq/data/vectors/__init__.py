"""The DataModule of sequences of vectors, its reader of new sequences, and how its data are prepared."""

from typing import TYPE_CHECKING

from lightning_seq.lazy import handed_on

if TYPE_CHECKING:
    from lightning_seq.data.vectors.module import VectorData

__all__ = ["VectorData"]
__getattr__ = handed_on(__name__, {"module": __all__})  # the module imports Lightning, the reader does not
