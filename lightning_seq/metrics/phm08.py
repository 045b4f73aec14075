"""The score of the PHM08 challenge for remaining life."""

from __future__ import annotations

import torch
from torch import Tensor


def phm08_score(errors: Tensor) -> Tensor:
    """The score of the PHM08 challenge (Saxena et al. 2008), of which less is better: a life that is predicted too long
    costs more than one that is too short.

        s(d) = exp(-d/13) - 1 if d < 0 else exp(d/10) - 1,  d = predicted - true remaining life
    """
    return torch.expm1(torch.where(errors < 0, -errors / 13, errors / 10))
