"""The DataModule of memory problems, its reader of new text, and how its data are prepared."""

from typing import TYPE_CHECKING

from lightning_seq.lazy import handed_on

if TYPE_CHECKING:
    from lightning_seq.data.memory_problems.module import MemoryProblemData

__all__ = ["MemoryProblemData"]
__getattr__ = handed_on(__name__, {"module": __all__})  # the module imports Lightning, the reader does not
