"""Pairs of texts that are prepared once for all tests of them."""

from __future__ import annotations

import pytest

from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.data.sequence_to_sequence.prepare import prepare_pairs
from lightning_seq.data.sequence_to_sequence.prepared import PreparedPairs
from lightning_seq.data.sequence_to_sequence.settings import PairSettings

from .given_pairs import Given, pairs


@pytest.fixture(scope="session")
def source() -> Given:
    return Given(pairs(230, 0), pairs(24, 1), pairs(38, 2))


@pytest.fixture(scope="session")
def prepared(source: Given, tmp_path_factory: pytest.TempPathFactory) -> PreparedPairs:
    return prepare_pairs(source, tmp_path_factory.mktemp("pairs"), PairSettings())


@pytest.fixture
def data(prepared: PreparedPairs) -> SequenceToSequenceData:
    return SequenceToSequenceData(prepared=prepared, batch_size=16)
