"""The DataModule of series, its reader of new series, and how its data are prepared."""

from typing import TYPE_CHECKING

from lightning_seq.lazy import handed_on

if TYPE_CHECKING:
    from lightning_seq.data.forecasting.module import ForecastingData

__all__ = ["ForecastingData"]
__getattr__ = handed_on(__name__, {"module": __all__})  # the module imports Lightning, the reader does not
