"""The scale on which a metric is compared: its limits, its unit, and what difference is too small to matter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lightning_seq.errors import UserError
from lightning_seq.report.headline import is_percentage, is_share, lower_is_better
from lightning_seq.significance.simultaneous import ALPHA

_LARGEST = math.log(1e4)
"""A ratio of perplexities above ten thousand is written as `over 1000000 %`."""


@dataclass(frozen=True)
class Scale:
    """How a metric is compared and how its differences are written.

    unit:    of a difference: `points`, `%`, or the metric's own name.
    factor:  from a difference to the number that is shown.
    limits:  the lowest and highest value of the metric.
    rope:    half the width of the region of practical equivalence; 0 where no difference is called equal.
    log:     whether logarithms are compared: perplexities, whose single blow-ups would dominate every mean.
    level:   of the test: one minus the coverage of the intervals; nan for several.
    """

    unit: str
    lower_is_better: bool = False
    factor: float = 1.0
    limits: tuple[float, float] = (-math.inf, math.inf)
    rope: float = 0.0
    log: bool = False
    level: float = ALPHA

    @property
    def coverage(self) -> str:
        """Of the intervals: `95 %`, `99.7 %`; empty for several levels."""
        if math.isnan(self.level):
            return ""
        decimals = max(0, math.ceil(-math.log10(100 * self.level)))
        return f"{100 * (1 - self.level):.{decimals}f} %"

    def compared(self, value: float) -> float:
        """The value that is compared. inf for a perplexity of 0 or below."""
        if not self.log:
            return value
        return math.log(value) if value > 0 else math.inf

    def original(self, compared: float) -> float:
        """The value of the metric from the value that is compared."""
        return math.exp(min(compared, 700.0)) if self.log else compared

    def all_compared(self, runs: Mapping[int, float]) -> dict[int, float]:
        """By seed, the values that are compared; without perplexities of 0 or below."""
        values = {seed: self.compared(value) for seed, value in runs.items()}
        return {seed: value for seed, value in values.items() if math.isfinite(value)}

    def shown(self, *differences: float) -> list[str]:
        """Differences as people write them, without the unit; infinite and missing ones are left out."""
        known = [value for value in differences if math.isfinite(value)]
        scaled = [100 * math.expm1(min(value, _LARGEST)) if self.log else self.factor * value for value in known]
        if not scaled:
            return []
        few = self.factor == 100 or self.unit in ("points", "%") or min(map(abs, scaled)) >= 100
        decimals = 1 if few else 2 if max(map(abs, scaled)) >= 10 else 3
        most = decimals + 2
        while decimals < most and any(value and not round(value, decimals) for value in scaled):
            decimals += 1
        texts = [f"{round(value, decimals) + 0.0:.{decimals}f}" for value in scaled]
        shown = zip(known, texts, strict=True)
        return ["over 1000000" if self.log and value > _LARGEST else text for value, text in shown]

    def size(self, *differences: float) -> str:
        """`2.1 points`, `2.1 to 2.4 points`, `0.12 in nll`."""
        numbers = self.shown(*differences)
        return f"{' to '.join(dict.fromkeys(numbers))} {self.unit}"

    def equal(self) -> str:
        """The region of equivalence in words."""
        value = 100 * math.expm1(min(self.rope, _LARGEST)) if self.log else self.factor * self.rope
        return f"{value:.3g} {self.unit}"


def scale(metric: str, rope: float | None = None, level: float = ALPHA) -> Scale:
    """The scale of a metric.

    rope: in the metric's own unit (0.005 of an accuracy), a share of the perplexity; by default half a point of shares
          and percentages, 1 % of a perplexity, and none for other metrics.
    """
    name = metric.rpartition("/")[2]
    lower = lower_is_better(metric)
    if name == "perplexity":
        return Scale("%", True, rope=math.log1p(0.01 if rope is None else rope), log=True, level=level)
    if is_share(metric):
        return Scale("points", lower, 100.0, (0.0, 1.0), 0.005 if rope is None else rope, level=level)
    if is_percentage(metric):
        return Scale("points", lower, limits=(0.0, 100.0), rope=0.5 if rope is None else rope, level=level)
    if name in ("wer", "cer"):
        return Scale("points", lower, 100.0, rope=rope or 0.0, level=level)
    if name == "cider":
        return Scale("in CIDEr", limits=(0.0, 10.0), rope=rope or 0.0, level=level)
    return Scale(f"in {name}", lower, rope=rope or 0.0, level=level)


def check_rope(metric: str, rope: object) -> None:
    """Raises UserError for a region that holds every difference of the metric. rope: a number, or none is given."""
    low, high = scale(metric).limits
    if isinstance(rope, int | float) and rope >= high - low:
        raise UserError(
            f"rope={rope:g} calls every difference of {metric} equal: expected less than {high - low:g}, such as "
            f"rope={scale(metric).rope:g}"
        )


SUCCESSES = Scale("points of runs that succeed", factor=100.0, limits=(0.0, 1.0))
"""Of shares of successful runs, where runs succeed or fail."""
