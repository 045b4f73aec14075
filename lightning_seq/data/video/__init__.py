"""The DataModules of clips, their reader of new clips, and how their data are prepared."""

from typing import TYPE_CHECKING

from lightning_seq.lazy import handed_on

if TYPE_CHECKING:
    from lightning_seq.data.video.module import NextFrameData, VideoData

__all__ = ["NextFrameData", "VideoData"]
__getattr__ = handed_on(__name__, {"module": __all__})  # the module imports Lightning, the reader does not
