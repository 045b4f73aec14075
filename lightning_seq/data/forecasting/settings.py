"""How series are cut into windows, filled and scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

from lightning_seq.errors import UserError, near
from lightning_seq.field_checks import check_fields
from lightning_seq.files import Plain
from lightning_seq.value_types import OneOf, Part, Range, Size

FILLS = ("none", "forward", "linear")
SCALES = ("none", "standard", "mean_abs", "minmax", "robust")
CALENDAR = ("hour_of_day", "day_of_week", "day_of_month", "day_of_year", "month_of_year")
SPLIT_BY = ("time", "random")

Horizon = Annotated[int, Range(1, 100_000)]


@dataclass(frozen=True, kw_only=True)
class SeriesSettings:
    """context:    steps that a model sees before the first step to predict; a series with fewer is not padded.
    horizon:    steps to predict.
    stride:     steps between the origins of the validation and test windows.
    season:     steps of a period, of seasonal naive and MASE; None: as the source says, else 1.
    fill:       missing values in the past of a window: `none`: 0, with a feature that says so; `forward`: the last
                value; `linear`: between the values on both sides (and forward where none follows in the window).
                Missing values are never targets.
    scale:      of each series by itself, by its train part alone: `standard`: mean and deviation; `mean_abs`: the mean
                of the absolute values; `minmax`; `robust`: median and quartiles; `none`.
    calendar:   features of the clock as sine and cosine, of `CALENDAR`.
    validation_fraction, test_fraction: the parts at the end of each series, if the source has none; at least a
                horizon each.
    split:      `time`; a random split is refused.

    Raises UserError for values out of their range.
    """

    context: Horizon
    horizon: Horizon
    stride: Size = 1
    season: Size | None = None
    fill: Annotated[str, OneOf(FILLS)] = "none"
    scale: Annotated[str, OneOf(SCALES)] = "standard"
    calendar: Sequence[str] = ()
    validation_fraction: Part = 0.15
    test_fraction: Part = 0.15
    split: Annotated[str, OneOf(SPLIT_BY)] = "time"

    def __post_init__(self) -> None:
        check_fields(self, "data")
        for name in self.calendar:
            if name not in CALENDAR:
                raise UserError(f"data.calendar has {name!r}; {near(str(name), CALENDAR)}")
        if self.split != "time":
            raise UserError(
                "data.split=random would train on values from after the test windows, which overlap the training "
                "windows: the error would be too small; series are split by data.split=time alone"
            )
        if self.validation_fraction + self.test_fraction >= 0.95:
            raise UserError(
                f"data.validation_fraction={self.validation_fraction} and data.test_fraction={self.test_fraction} "
                "leave nothing to train on: give smaller ones"
            )

    def to_plain(self) -> dict[str, Plain]:
        return {**asdict(self), "calendar": list(self.calendar)}
