"""The seeds of a run's streams: the same in every version, or no run could be made again."""

from __future__ import annotations

from lightning_seq.config.seeds import Stream, stream_seed


def test_a_stream_has_its_own_seed_and_every_rank_another() -> None:
    assert [stream_seed(1, stream) for stream in Stream] == [
        3941715099434534770,
        2553429759812580548,
        3429124248386577504,
    ]
    assert stream_seed(1, Stream.DROPOUT, rank=1) == 1782504758326530303
    assert stream_seed(2, Stream.INITIALISATION) == 6086241362117087505
