"""The column `group` of `predictions.parquet`, and the verdict that is reached from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from lightning_seq.builders.prediction_columns import write_predictions
from lightning_seq.cli.main import main
from lightning_seq.data.classification.module import ClassificationData
from lightning_seq.data.example_ids import ExampleIds
from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.data.sources.agreement import Agreement
from lightning_seq.data.sources.columns import Columns
from lightning_seq.data.sources.files import Files
from lightning_seq.data.sources.keys import Grouped
from lightning_seq.data.sources.pairs import PairColumns
from lightning_seq.data.sources.tagged import TaggedColumns
from lightning_seq.data.sources.verses import verses
from lightning_seq.data.sources.verses_modernise import VersesModernise
from lightning_seq.data.sources.verses_punctuation import VersesPunctuation
from lightning_seq.data.tagging.module import TaggingData
from lightning_seq.errors import UserError
from lightning_seq.files import sha256
from lightning_seq.records.record import Record, write
from lightning_seq.report.summary import summarise
from tests.data.from_keys import made
from tests.runs import TINY, sentences

Refused = Callable[..., str]


@pytest.fixture(scope="module", name="verse_ids")
def _verse_ids(tmp_path_factory: pytest.TempPathFactory) -> ExampleIds:
    """The names of the verses in the test split."""
    return made(ClassificationData, "verses_genre", tmp_path_factory.mktemp("verses")).example_ids("test")


def write_reviews(kind: str, path: Path, count: int = 60) -> dict[str, str]:
    """A file of texts in groups of five. Returns the group of each text."""
    rows = [(f"{text} number{n}", label, f"d{n // 5}") for n, (text, label) in enumerate(sentences(count))]
    if kind == "jsonl":
        lines = [json.dumps({"text": text, "label": label, "document": group}) for text, label, group in rows]
    else:
        separator = "\t" if kind == "tsv" else ","
        lines = [separator.join(row) for row in [("text", "label", "document"), *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {text: group for text, _, group in rows}


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_column_of_the_user_names_the_groups(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"own.{kind}"
    groups = write_reviews(kind, file)
    words = [f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", "name=one", "label=one", "trainer.max_epochs=1"]
    given = [f"data={kind}", f"data.train={file}", "data.test_fraction=0.3", "data.group_column=document"]
    assert main(["train", *TINY, *words, *given, "task.predictions=full"]) == 0
    table = parquet.read_table(tmp_path / "one" / "one-seed1" / "predictions.parquet")
    assert table.column_names[:4] == ["id", "origin", "group", "row"]
    rows = table.to_pylist()
    assert len(rows) == 20  # four whole groups of five, as near to 30 % of 60 as whole groups come
    assert len({row["group"] for row in rows}) == 4
    assert [row["group"] for row in rows] == [groups[row["text"]] for row in rows]


def test_groups_are_kept_next_to_ids_and_whole_in_a_split(tmp_path: Path) -> None:
    """Whole numbers are numbers; the data without the column stay where they are in the cache."""
    file = tmp_path / "own.csv"
    lines = [f"{text},{label},k{n},{n // 2}" for n, (text, label) in enumerate(sentences(40))]
    file.write_text("\n".join(["text,label,key,chapter", *lines]) + "\n", encoding="utf-8")
    plain = made(ClassificationData, "csv", tmp_path / "cache", train=str(file))
    assert plain.example_ids("test").groups is None
    for _ in range(2):  # prepared, and found again
        data = made(
            ClassificationData, "csv", tmp_path / "cache", train=str(file), id_column="key", group_column="chapter"
        )
        ids = data.example_ids("test")
        assert ids.groups == [int(str(key)[1:]) // 2 for key in ids.values]
    chapters = [set(data.example_ids(split).groups or ()) for split in ("train", "validation", "test")]
    assert sum(map(len, chapters)) == len(set.union(*chapters)) == 20
    assert data.prepared.directory != plain.prepared.directory


@pytest.mark.parametrize(
    "source",
    [Columns(), TaggedColumns(), PairColumns("de", "en"), Files(__file__, kind="csv")],
    ids=lambda source: type(source).__name__,
)
def test_the_key_of_a_cache_is_the_same_without_a_column_of_groups(source: Any) -> None:
    plain = source.identity() if isinstance(source, Files) else source.to_plain()
    assert not {"ids", "groups"} & plain.keys()


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (
            "csv",
            "text,label\na,x\nb,y\n",
            "{file} has no column 'chapter' (data.group_column): its columns are text, l",
        ),
        ("jsonl", '{"text": "a", "label": "x"}\n', "line 1: there is no column 'chapter' (data.group_column)"),
        (
            "csv",
            "chapter,text,label\n1,a,x\n ,b,y\n",
            "line 3: 'chapter' is ' ', expected text or a whole number (data.g",
        ),
        (
            "jsonl",
            '{"chapter": 1.5, "text": "a", "label": "x"}\n',
            "line 1: 'chapter' is 1.5, expected text or a",
        ),
        ("text", "x\ta\ny\tb\n", "there is no key 'group_column' in data"),
    ],
)
def test_a_column_that_names_no_groups_is_refused(
    kind: str, content: str, message: str, tmp_path: Path, refused: Refused
) -> None:
    file = tmp_path / f"own.{kind}"
    file.write_text(content, encoding="utf-8")
    said = refused("train", f"data={kind}", f"data.train={file}", "data.group_column=chapter", f"cache={tmp_path}")
    assert message.format(file=file) in said


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (ClassificationData, {}),
        (TaggingData, {}),
        (SequenceToSequenceData, {"source_language": "de", "target_language": "en"}),
    ],
)
def test_a_column_of_a_public_set_names_the_groups(kind: Any, given: dict[str, Any], tmp_path: Path) -> None:
    import datasets

    place = tmp_path / "mirror" / "someone" / "all"
    place.mkdir(parents=True)
    for split in ("train", "test"):
        rows = {
            "text": [f"the {split} {row}" for row in range(20)],
            "label": [f"c{row % 2}" for row in range(20)],
            "tokens": [["a", f"{split}{row}"] if row != 3 else [] for row in range(20)],
            "tags": [["X", "Y"] if row != 3 else [] for row in range(20)],
            "de": [f"ein {row}" if row != 3 else " " for row in range(20)],
            "en": [f"a {row}" for row in range(20)],
            "document": [row // 4 for row in range(20)],
        }
        datasets.Dataset.from_dict(rows).to_parquet(str(place / f"{split}.parquet"))
    given = given | {
        "mirror": str(tmp_path / "mirror"),
        "mirror_path": "someone/all",
        "hub": {"id": "someone/all"},
        "splits": {"train": "train", "validation": None, "test": "test"},
        "cache": tmp_path / "cache",
    }
    ids = made(kind, "hub", **given, group_column="document").example_ids("test")
    assert ids.groups == [int(row) // 4 for row in ids.values]
    assert len(ids.values) == (20 if kind is ClassificationData else 19)
    with pytest.raises(UserError, match=r"no column 'chapter' \(data.group_column\): its columns are text, label"):
        made(kind, "hub", **given, group_column="chapter")


def _groups(source: Grouped, ids: list[int]) -> list[int]:
    groups = source.groups_of("test", np.array(ids))
    assert groups is not None
    return [int(group) for group in groups]


def test_sentences_of_a_file_are_in_its_documents(tmp_path: Path) -> None:
    """Five of two to four sentences; the test split is cut from the same file, in whole documents."""
    conll, conllu, document_of = [], [], {"conll": {}, "conllu": {}}  # type: ignore[var-annotated]
    for document in range(1, 6):
        conll += ["-DOCSTART- O", ""]
        conllu += [f"# newdoc id = d{document}"]
        for sentence in range(2 + document % 3):
            document_of["conll"][len(conll) + 1] = document
            conll += [f"w{sentence} X", f"d{document} Y", ""]
            conllu.append(f"# sent_id = {sentence}")
            document_of["conllu"][len(conllu) + 1] = document
            conllu += [f"{place}\tw\t_\t{tag}" + "\t_" * 6 for place, tag in ((1, "X"), (2, "Y"))] + [""]
    for kind, lines in (("conll", conll), ("conllu", conllu)):
        file = tmp_path / f"own.{kind}"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        ids = made(TaggingData, kind, tmp_path / "cache", train=str(file), test_fraction=0.5).example_ids("test")
        assert ids.groups == [document_of[kind][number] for number in ids.values]
        assert len(ids.values) > len(set(ids.groups or ())) == 2
        file.write_text("\n".join(line for line in lines if line[:3] not in ("-DO", "# n")), encoding="utf-8")
        assert made(TaggingData, kind, tmp_path / "cache", train=str(file)).example_ids("test").groups is None


def test_verses_are_in_chapters_and_partners_in_pairs(verse_ids: ExampleIds) -> None:
    chapters = {verse.id: (verse.book, verse.chapter) for verse in verses()}
    assert verse_ids.groups is not None
    pairs = {(chapters[int(number)], group) for number, group in zip(verse_ids.values, verse_ids.groups, strict=True)}
    assert len(pairs) == len({chapter for chapter, _ in pairs}) == len(set(verse_ids.groups)) == 119
    for source in (VersesPunctuation(), VersesModernise()):
        assert _groups(source, [1001001, 1001031, 1002001, 66022021]) == [1001, 1001, 1002, 66022]
    table = Agreement(examples=40).load().tables["train"]
    groups = _groups(Agreement(), table.ids)
    for row in range(0, 40, 2):
        first, second = (text.split() for text in table.texts[row : row + 2])
        assert groups[row] == groups[row + 1] == row // 2
        assert first[2:] == second[2:]


def test_the_verdict_on_verses_is_over_chapters(verse_ids: ExampleIds, tmp_path: Path) -> None:
    """Labels that differ in whole chapters are not told apart by the number of their verses."""
    _, chapter = np.unique(np.array(verse_ids.groups), return_inverse=True)
    rows, random = np.arange(len(chapter)), np.random.default_rng(0)
    favourable = {"gru": random.random(119) < 0.6, "rnn": random.random(119) < 0.5}

    def verdict(place: Path, grouped: bool) -> Any:
        for label, chapters in favourable.items():
            for seed in (1, 2, 3):
                run = place / f"{label}-seed{seed}"
                run.mkdir(parents=True)
                right = np.where(chapters[chapter], random.random(len(rows)) < 0.9, random.random(len(rows)) < 0.6)
                columns = {"target": pa.array(["law"] * len(rows)), "prediction": np.where(right, "law", "acts")}
                files = write_predictions(run, verse_ids, rows, columns)
                if not grouped:
                    path = run / files["predictions"]
                    parquet.write_table(parquet.read_table(path).drop_columns(["group"]), path)
                entry = {"path": files["predictions"], "sha256": sha256(run / files["predictions"])}
                known = {"task": "classification", "data": "verses_genre", "artifacts": {"predictions": entry}}
                write(run, Record("done", "demo", label, seed, metrics={"test/accuracy": float(right.mean())}, **known))
        return summarise(place).groups[0].verdict

    by_chapter, by_verse = verdict(tmp_path / "grouped", True), verdict(tmp_path / "alone", False)
    assert f"over training runs (seeds) and {len(rows):,} test examples in 119 groups" in by_chapter.how[0]
    assert "groups" not in by_verse.how[0]
    width, narrow = (found.pairs[0].high - found.pairs[0].low for found in (by_chapter, by_verse))
    assert width > 1.5 * narrow
    assert not by_chapter.pairs[0].told_apart
