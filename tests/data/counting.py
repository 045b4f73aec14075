"""How much is done for a batch, in calls: a figure that does not depend on the machine."""

from __future__ import annotations

import cProfile
from typing import Any

from torch.utils.data import Dataset


def calls(data: Dataset[Any], share: Any) -> int:
    """The calls of functions, Python's and C's, that `data[share]` makes."""
    profile = cProfile.Profile()
    profile.runcall(data.__getitem__, share)
    return sum(entry.callcount for entry in profile.getstats())
