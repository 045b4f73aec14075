from __future__ import annotations

import numpy as np
import pytest

from lightning_seq.builders.heard_utterances import attention_png, features_png
from lightning_seq.records.pictures import picture_size
from lightning_seq.records.speech import HIGHEST, MOST_UTTERANCES, WIDEST, Speech, Utterance

GENERATOR = np.random.default_rng(0)


def utterance(**changes: object) -> Utterance:
    png = features_png(GENERATOR.standard_normal((600, 120)))
    values = {"number": 3, "png": png, "seconds": 6.0, "reference": "a b", "transcript": "a", **changes}
    return Utterance(**values)  # type: ignore[arg-type]


def test_pictures_are_pooled_to_a_size() -> None:
    assert picture_size(utterance().png) == (WIDEST, HIGHEST)
    assert picture_size(attention_png(GENERATOR.random((4, 30)))) == (30, 4)
    assert picture_size(features_png(np.zeros((1, 2)))) == (1, 2)


def test_a_record_is_read_as_it_was_written() -> None:
    one = utterance(spans=(("a", 0.5, 1.0),), spikes=(("a", 0.75),), units=("a", "<eos>"), attention=utterance().png)
    record = Speech((one,), (("b", "", 2),), (("s", 1, 4),))
    assert Speech.from_plain(record.to_plain()) == record
    many = Speech((one,) * (MOST_UTTERANCES + 2)).to_plain()
    assert len(Speech.from_plain(many).utterances) == MOST_UTTERANCES


@pytest.mark.parametrize("change", [{"png": "no picture"}, {"seconds": 0.0}, {"seconds": "long"}, {"attention": "x"}])
def test_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Utterance.from_plain({**utterance().to_plain(), **change})
