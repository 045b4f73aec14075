from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.builders.build import build_data
from lightning_seq.config.compose import compose
from lightning_seq.config.targets import factory
from lightning_seq.data.classification.module import ClassificationData
from lightning_seq.data.sources.hub import Hub
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.data.sources.tagged import TaggedColumns
from lightning_seq.data.tagging.module import TaggingData
from lightning_seq.errors import UserError

ONE = {"train": "train", "validation": None, "test": None}


def sets(rows: Mapping[str, Any], **kinds: Any) -> Any:
    """A public set with one split, as `datasets` gives it."""
    import datasets

    made = datasets.Dataset.from_dict(rows)
    for name, kind in kinds.items():
        made = made.cast_column(name, kind)
    return {"train": made}


def test_numbers_of_named_classes_and_words() -> None:
    import datasets

    named = datasets.Sequence(datasets.ClassLabel(names=["N", "V"]))
    rows = {"tokens": [["a", "b"], [], ["c"]] * 5, "tags": [[0, 1], [], [1]] * 5, "kind": ["x", "y", "x"] * 5}
    loaded = TaggedColumns(intent_column="kind", splits=ONE).read(sets(rows, tags=named), "set", "abc")
    every = [
        (" ".join(words), tags, intent, number)
        for table in loaded.tables.values()
        for words, tags, intent, number in zip(table.tokens, table.tags, table.intents or [], table.ids, strict=True)
    ]
    assert sorted(every, key=lambda row: row[3])[:3] == [
        ("a b", ["N", "V"], "x", 0), ("c", ["V"], "x", 2), ("a b", ["N", "V"], "x", 3),
    ]  # fmt: skip
    assert loaded.classes == ("N", "V")
    assert loaded.revision == "abc"
    assert loaded.notes[0] == "train: 5 rows without a token left out"
    plain = TaggedColumns(splits=ONE).read(sets({"tokens": [["a"]] * 9, "tags": [["N"]] * 9}), "set", None)
    assert (plain.classes, plain.tables["train"].tags[0], plain.tables["train"].intents) == (None, ["N"], None)


def test_strings_with_spaces_between_tokens() -> None:
    rows = {"text": ["fly to  boston ", "go"] * 5, "slots": ["O O B-city", "O"] * 5}
    columns = TaggedColumns("text", "slots", splits=ONE)
    table = columns.read(sets(rows), "set", None).tables["train"]
    assert (["fly", "to", "boston"], ["O", "O", "B-city"]) in zip(table.tokens, table.tags, strict=True)


def test_what_is_wrong_with_a_row_is_named() -> None:
    import datasets

    named = datasets.Sequence(datasets.ClassLabel(names=["N", "V"]))
    columns = TaggedColumns(splits=ONE)
    for rows, kinds, said in (
        ({"tokens": [["a"], ["a", "b"]], "tags": [["N"], ["N"]]}, {}, r"set, split train, row 1: 2 tokens and 1 tags"),
        ({"tokens": [["a"], ["b"]], "tags": [[0], [-1]]}, {"tags": named}, r"row 1: tag missing .* 0 to 1 \(N, V\)"),
        ({"tokens": [["a"]], "tags": [[None]]}, {"tags": named}, r"row 0: tag missing or out of range, it is None"),
        ({"tokens": [["a", " "]], "tags": [["N", "N"]]}, {}, r"row 0: a token is ' ', expected text"),
        ({"tokens": [["a"]], "tags": [[" "]]}, {}, r"row 0: tag missing or out of range"),
        ({"tokens": [7], "tags": [["N"]]}, {}, r"row 0: int where a list was expected"),
        ({"words": [["a"]], "tags": [["N"]]}, {}, r"no column 'tokens' \(data\.tokens_column\): its columns are words"),
        ({"tokens": [["a"]], "ner": [["N"]]}, {}, r"no column 'tags' \(data\.tag_column\)"),
    ):
        with pytest.raises(UserError, match=said):
            columns.read(sets(rows, **kinds), "set", None)
    with pytest.raises(UserError, match=r"no split 'tain'"):
        TaggedColumns(splits={"train": "tain"}).read(sets({"tokens": [], "tags": []}), "set", None)
    with pytest.raises(UserError, match=r"no column 'kind' \(data\.intent_column\)"):
        TaggedColumns(intent_column="kind", splits=ONE).read(sets({"tokens": [["a"]], "tags": [["N"]]}), "set", None)
    with pytest.raises(UserError, match=r"data\.splits has 'tests'"):
        TaggedColumns(splits={"train": "train", "tests": "x"})


def test_a_mirror_of_tagged_sentences(tmp_path: Path) -> None:
    import datasets

    place = tmp_path / "someone" / "tags"
    place.mkdir(parents=True)
    rows = {"tokens": [["a", "b"], ["c"]] * 10, "tags": [["N", "V"], ["N"]] * 10}
    datasets.Dataset.from_dict(rows).to_parquet(str(place / "train.parquet"))
    source = Mirror(str(tmp_path), "someone/tags", columns=TaggedColumns(splits=ONE))
    loaded = source.load()
    assert [len(table) for table in loaded.tables.values()] == [16, 2, 2]
    other = Mirror(str(tmp_path), "someone/tags", columns=TaggedColumns(tag_column="tokens", splits=ONE))
    assert other.identity() != source.identity()


@pytest.mark.parametrize(
    "name",
    ["verses_punctuation", "look_ahead", "ud_ewt", "ud", "conllu", "conll", "conll2000", "conll2003", "wnut17", "atis",
     "snips"],
)  # fmt: skip
def test_a_data_file_chooses_its_task(name: str) -> None:
    config = compose([f"data={name}"])
    assert config["choices"]["task"] == "tagging"
    assert config["data"]["_target_"].endswith("TaggingData")
    assert set(config["data"]) & set(config["task"]) <= {"_target_"}


def test_a_task_of_the_users_choice_stands() -> None:
    assert compose(["data=ud_ewt", "task=classification"])["choices"]["task"] == "classification"
    assert compose(["data=word_order"])["choices"]["task"] == "classification"


def test_columns_that_differ_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)
    hub = factory(compose(["data=atis"])["data"]["source"], "source")().set
    assert isinstance(hub, Hub)
    assert isinstance(hub.columns, TaggedColumns)
    assert (hub.columns.tokens_column, hub.columns.tag_column, hub.columns.splits["validation"]) == (
        "text",
        "slots",
        None,
    )
    mirror = factory(compose(["data=atis", "data.mirror=/some"])["data"]["source"], "source")().set
    assert isinstance(mirror, Mirror)
    assert isinstance(mirror.columns, TaggedColumns)
    assert (mirror.columns.tokens_column, mirror.columns.tag_column, mirror.path) == (
        "tokens",
        "slot_tags",
        "tuetschek/atis",
    )


def tagging(mirror: Path, cache: Path, *words: str) -> TaggingData:
    data = build_data(compose([*words, f"data.mirror={mirror}", f"cache={cache}"]))
    assert isinstance(data, TaggingData)
    return data


FRENCH = "data.mirror_path=universal-dependencies/fr_sequoia"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sizes", "tokens", "tags", "scheme"),
    [
        (("data=ud_ewt",), [12544, 2001, 2077], [204577, 25147, 25094], 17, "none"),
        (("data=ud_ewt", FRENCH), [2231, 412, 456], [50502, 9999, 10044], 16, "none"),
        (("data=conll2000", "data.validation_fraction=0.25"), [6702, 2234, 2012], [None, None, 47377], 22, "bio"),
        (("data=conll2000", "data.tag_column=pos_tags"), [8042, 894, 2012], [None, None, 47377], 44, "none"),
        (("data=wnut17",), [3394, 1009, 1287], [62730, 15733, 23394], 13, "bio"),
        (("data=atis",), [4478, 500, 893], [50497, 5703, 9164], 120, "bio"),
        (("data=snips",), [13084, 700, 700], [117700, 6384, 6354], 72, "bio"),
    ],
)
def test_real_tagged_sets(
    mirror: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    sizes: list[int],
    tokens: list[int | None],
    tags: int,
    scheme: str,
) -> None:
    data = tagging(mirror, tmp_path, *words)
    splits = list(data.prepared.splits.values())
    assert [len(split) for split in splits] == sizes
    assert [found or int(split.lengths.sum()) for split, found in zip(splits, tokens, strict=True)] == [
        int(split.lengths.sum()) for split in splits
    ]
    assert len(data.prepared.tags) == tags
    assert data.prepared.scheme == scheme
    assert sum(batch.count for batch in data.test_dataloader()) == int(splits[2].counts.sum())


@pytest.mark.slow
def test_what_training_does_not_have_in_real_sets(mirror: Path, tmp_path: Path) -> None:
    chunks, slots = (tagging(mirror, tmp_path, f"data={name}") for name in ("conll2000", "atis"))
    assert "test: 2 tokens whose tag training does not have (I-LST) do not count" in chunks.prepared.report
    assert [int((split.tags < 0).sum()) for split in slots.prepared.splits.values()] == [0, 1, 6]
    assert [int((split.intents < 0).sum()) for split in slots.prepared.splits.values()] == [0, 1, 5]
    with pytest.raises(
        UserError, match=r"validation split, example \d+, token \d+ .* has the tag 'I-return_date.day_number'"
    ):
        tagging(mirror, tmp_path, "data=atis", "data.unseen_tags=error")


def test_relations_with_marked_entities(mirror: Path, tmp_path: Path) -> None:
    data = build_data(compose(["data=semeval2010_task8", f"data.mirror={mirror}", f"cache={tmp_path}"]))
    assert isinstance(data, ClassificationData)
    assert len(data.prepared.classes) == 19
    assert data.prepared.classes[0] == "Cause-Effect(e1,e2)"
    assert [len(split) for split in data.prepared.splits.values()] == [7201, 799, 2717]
    marks = data.vocabulary.encode(["entity1begin", "entity1end", "entity2begin", "entity2end"])
    for split in data.prepared.splits.values():
        for start, stop in pairwise(split.offsets.tolist()):
            assert [token for token in split.flat[start:stop].tolist() if token in marks] == marks
    batch = data.encode(["The <e1>company</e1> makes plastic <e2>chairs</e2>."])
    words = data.vocabulary.decode(batch.inputs[0].tolist())
    assert words[1:4] == ["entity1begin", "company", "entity1end"]
