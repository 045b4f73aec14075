from __future__ import annotations

import pytest
import torch

from lightning_seq.losses.ranking import ranked_class
from lightning_seq.models.artificial_class import ArtificialClass


@pytest.mark.parametrize("place", [0, 2, 4])
def test_it_is_chosen_where_all_others_are_negative(place: int) -> None:
    torch.manual_seed(0)
    scores = torch.randn(200, 4) - 1
    every = ArtificialClass(place)(scores)
    assert every.shape == (200, 5)
    assert not every[:, place].any()
    others = [column for column in range(5) if column != place]
    assert torch.equal(every[:, others], scores)
    assert torch.equal(every.argmax(1), ranked_class(scores, place))
    assert 20 < int((every.argmax(1) == place).sum()) < 180
