from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lightning_seq.builders.build import build_data
from lightning_seq.config.compose import compose
from lightning_seq.config.targets import factory
from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.data.sources.hub import Hub
from lightning_seq.data.sources.hub_stream import HubStream
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.data.sources.pairs import PairColumns
from lightning_seq.data.sources.public import ParallelTexts
from lightning_seq.errors import UserError

NAMES = (
    "verses_modernise", "dates", "reverse", "copy", "reordering", "multi30k_de_en", "multi30k_en_de", "multi30k_en_fr",
    "tatoeba_en_fr", "tatoeba_en_hi", "opus_books", "iitb_en_hi", "wmt14", "pairs",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_data_file_chooses_its_task(name: str) -> None:
    config = compose([f"data={name}"])
    assert config["choices"]["task"] == "sequence_to_sequence"
    assert config["data"]["_target_"].endswith("SequenceToSequenceData")


def pairs(cache: Path, *overrides: str) -> SequenceToSequenceData:
    data = build_data(compose([*overrides, f"cache={cache}"]))
    assert isinstance(data, SequenceToSequenceData)
    return data


@pytest.mark.parametrize("name", ["reverse", "copy", "reordering"])
def test_synthetic_sets_need_no_network(tmp_path: Path, name: str) -> None:
    data = pairs(tmp_path, f"data={name}", "data.examples=40", "data.batch_size=8")
    assert data.prepared.aligned
    assert data.reader.tokenized
    batch = next(iter(data.train_dataloader()))
    assert batch.extra["alignments"].any()


@pytest.mark.slow
def test_verses_are_split_by_chapter_and_translated_word_by_word(tmp_path: Path) -> None:
    data = pairs(tmp_path, "data=verses_modernise")
    sizes = [len(split) for split in data.prepared.splits.values()]
    assert sizes[0] > 24000
    assert min(sizes[1:]) > 2500
    assert (data.reader.source_language, data.reader.target_language) == ("kjv", "web")
    assert 6000 < len(data.target_vocabulary) < 12000
    assert not data.prepared.aligned


def source(config: dict[str, Any]) -> object:
    public = factory(config["data"]["source"], "source")()
    assert isinstance(public, ParallelTexts)
    return public.set


def test_columns_that_differ_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)
    hub = source(compose(["data=tatoeba_en_fr"]))
    assert isinstance(hub, Hub)
    assert isinstance(hub.columns, PairColumns)
    assert (hub.columns.source_column, hub.columns.target_column) == ("english", "non_english")
    assert hub.columns.splits["validation"] == "dev"
    mirror = source(compose(["data=tatoeba_en_fr", "data.mirror=/some"]))
    assert isinstance(mirror, Mirror)
    assert isinstance(mirror.columns, PairColumns)
    assert (mirror.columns.source_column, mirror.columns.splits["validation"]) == (None, "validation")


def test_a_large_set_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)
    stream = source(compose(["data=wmt14", "data.rows=9"]))
    assert isinstance(stream, HubStream)
    assert (stream.id, stream.config, stream.columns.rows) == ("wmt/wmt14", "de-en", 9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes", "languages"),
    [
        ("multi30k_de_en", [29000, 1014, 1000], ("de", "en")),
        ("multi30k_en_fr", [29000, 1014, 1000], ("en", "fr")),
        ("tatoeba_en_hi", [2595, 142, 132], ("en", "hi")),
    ],
)
def test_real_pairs(mirror: Path, tmp_path: Path, name: str, sizes: list[int], languages: tuple[str, str]) -> None:
    data = pairs(tmp_path, f"data={name}", f"data.mirror={mirror}")
    assert [len(split) for split in data.prepared.splits.values()] == sizes
    assert (data.reader.source_language, data.reader.target_language) == languages
    assert sum(batch.count for batch in data.test_dataloader()) == int(
        data.prepared.splits["test"].target.lengths.sum()
    )


@pytest.mark.slow
def test_the_other_way_round_is_the_same_pairs(mirror: Path, tmp_path: Path) -> None:
    there = pairs(tmp_path, "data=multi30k_de_en", f"data.mirror={mirror}")
    back = pairs(tmp_path, "data=multi30k_en_de", f"data.mirror={mirror}")
    for row in (0, 500, 999):
        assert there.source_text("test", row) == back.target_text("test", row)
        assert there.target_text("test", row) == back.source_text("test", row)
    assert there.vocabulary.words == back.target_vocabulary.words


def test_a_language_that_a_real_set_does_not_have(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"multi30k, split train has no language 'fr' \(data\.target_language\)"):
        pairs(tmp_path, "data=multi30k_en_de", "data.target_language=fr", f"data.mirror={mirror}")
