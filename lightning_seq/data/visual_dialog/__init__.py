"""Dialogs about pictures."""

from typing import TYPE_CHECKING

from lightning_seq.lazy import handed_on

if TYPE_CHECKING:
    from lightning_seq.data.visual_dialog.module import VisualDialogData

__all__ = ["VisualDialogData"]
__getattr__ = handed_on(__name__, {"module": __all__})  # the module imports Lightning, the reader does not
