"""`predictions.parquet` joined back to the user's own files: by line, by row, by a column of ids."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from lightning_seq.cli.main import main
from lightning_seq.comparison.grid import entries
from lightning_seq.data.classification.module import ClassificationData
from lightning_seq.data.sequence_to_sequence.module import SequenceToSequenceData
from lightning_seq.data.sources.columns import keys_of
from lightning_seq.data.tagging.module import TaggingData
from lightning_seq.errors import UserError
from lightning_seq.records.record import read
from lightning_seq.report.examples import example_scores
from tests.data.from_keys import made
from tests.runs import TINY, sentences

Refused = Callable[..., str]
Rows = list[dict[str, Any]]


def trained(place: Path, *words: str) -> Path:
    """The directory of a run of one epoch, in `<place>/runs/`."""
    where = [f"runs={place / 'runs'}", f"cache={place / 'cache'}", "name=one", "label=one"]
    assert main(["train", *TINY, "trainer.max_epochs=1", *where, *words]) == 0
    return place / "runs" / "one" / "one-seed1"


def rows_of(run: Path) -> Rows:
    return parquet.read_table(run / "predictions.parquet").to_pylist()


def labelled(count: int = 60) -> list[tuple[str, str, str]]:
    """A key, a text and a label of each example; no two texts are alike, some fill two lines."""
    return [
        (f"k{number:03}", f"{text} number{number}" + ("\nand more" if number % 7 == 0 else ""), label)
        for number, (text, label) in enumerate(sentences(count))
    ]


def write_labelled(kind: str, path: Path, examples: list[tuple[str, str, str]]) -> dict[int, tuple[str, str, str]]:
    """Write a file with blank lines between some records. Returns the example that begins on each line, from 1."""
    lines, begins = [], {}
    if kind in ("csv", "tsv"):
        lines.append("label,key,text" if kind == "csv" else "label\tkey\ttext")
    for number, (key, text, label) in enumerate(examples):
        text = text if kind in ("csv", "jsonl") else text.replace("\n", " ")
        lines += [""] * (number % 5 == 2)
        begins[len(lines) + 1] = (key, text, label)
        if kind == "csv":
            out = io.StringIO()
            csv.writer(out, lineterminator="", quoting=csv.QUOTE_ALL).writerow([label, key, text])
            lines += out.getvalue().split("\n")
        elif kind == "jsonl":
            lines.append(json.dumps({"key": key, "text": text, "label": label}))
        else:
            lines.append("\t".join([label, *([key] if kind == "tsv" else []), text]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return begins


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "text"])
def test_an_id_is_the_line_on_which_the_record_begins(kind: str, tmp_path: Path) -> None:
    """The line names the example although splits are cut from train, batches are shuffled and some lines are blank."""
    file = tmp_path / f"own.{kind}"
    begins = write_labelled(kind, file, labelled())
    fractions = ["data.validation_fraction=0.2", "data.test_fraction=0.3"]
    run = trained(tmp_path, f"data={kind}", f"data.train={file}", *fractions, "task.predictions=full")
    rows = rows_of(run)
    assert len(rows) == 18
    assert [row["row"] for row in rows] == list(range(18))
    assert {row["origin"] for row in rows} == {str(file)}
    found = [(begins[row["id"]][1:]) for row in rows]  # KeyError if no record begins on the line
    assert found == [(row["text"], row["target"]) for row in rows]
    assert [row["id"] for row in rows] != [row["row"] for row in rows]
    for row in rows:
        by_class = {name: row[f"probability_{name}"] for name in ("sea", "land")}
        assert sum(by_class.values()) == pytest.approx(1, abs=1e-6)
        assert max(by_class, key=lambda name: by_class[name]) == row["prediction"]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_column_of_ids_takes_the_place_of_lines(kind: str, tmp_path: Path) -> None:
    train, test = tmp_path / f"train.{kind}", tmp_path / f"test.{kind}"
    write_labelled(kind, train, labelled(40))
    begins = write_labelled(kind, test, labelled(30)[::-1])
    run = trained(tmp_path, f"data={kind}", f"data.train={train}", f"data.test={test}", "data.id_column=key")
    rows, labels = rows_of(run), {key: label for key, _, label in begins.values()}
    assert {row["id"]: row["target"] for row in rows} == labels
    assert [row["id"] for row in rows] == [key for key, _, _ in begins.values()]
    assert {row["origin"] for row in rows} == {str(test)}
    assert "text" not in rows[0]
    assert not [name for name in rows[0] if name.startswith("probability")]


@pytest.mark.parametrize(
    ("kind", "keys", "expected"),
    [
        ("csv", ["12", "7", "-3", "9223372036854775807"], [12, 7, -3, 9223372036854775807]),
        ("csv", ["12", "07", "3", "4"], ["12", "07", "3", "4"]),
        ("csv", ["12", "9223372036854775808", "3", "4"], ["12", "9223372036854775808", "3", "4"]),
        ("jsonl", [12, 7, 3, 4], [12, 7, 3, 4]),
        ("jsonl", ["12", "7", "3", "4"], ["12", "7", "3", "4"]),
        ("jsonl", [12, "7", 3, 4], ["12", "7", "3", "4"]),
    ],
)
def test_whole_numbers_are_numbers_as_the_file_has_them(
    kind: str, keys: list[Any], expected: list[Any], tmp_path: Path
) -> None:
    """A csv file holds text only: digits become a number if the number is written with the same digits."""
    file = tmp_path / f"own.{kind}"
    if kind == "csv":
        file.write_text("key,text,label\n" + "".join(f"{key},a b,{n % 2}\n" for n, key in enumerate(keys)))
    else:
        file.write_text(
            "".join(json.dumps({"key": k, "text": "a b", "label": n % 2}) + "\n" for n, k in enumerate(keys))
        )
    paths = {split: str(file) for split in ("train", "validation", "test")}
    for _ in range(2):  # prepared, and found again
        data = made(ClassificationData, kind, tmp_path / "cache", id_column="key", **paths)
        assert data.example_ids("test").values == expected
    assert made(ClassificationData, kind, tmp_path / "cache", **paths).example_ids("test").values != expected


def test_the_same_file_at_another_place_is_prepared_once_and_called_by_its_own_path(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        write_labelled("csv", tmp_path / name, labelled(30))
    one, two = (
        made(ClassificationData, "csv", tmp_path / "cache", train=str(tmp_path / n)) for n in ("one.csv", "two.csv")
    )
    assert one.prepared.directory == two.prepared.directory
    assert [data.example_ids("test").origin for data in (one, two)] == [
        str(tmp_path / n) for n in ("one.csv", "two.csv")
    ]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("csv", "key,text,label\n1,a,x\n2,b,y\n\n1,c,x\n", "line 5: 'key' is '1', as at {file}, line 2"),
        ("csv", "key,text,label\n1,a,x\n ,b,y\n", "line 3: 'key' is ' ', expected text or a whole number"),
        ("csv", "text,label\na,x\nb,y\n", "has no column 'key' (data.id_column): its columns are text, label"),
        ("jsonl", '{"key": 1.5, "text": "a", "label": "x"}\n', "line 1: 'key' is 1.5, expected text or a whole"),
        ("jsonl", '{"key": true, "text": "a", "label": "x"}\n', "line 1: 'key' is True, expected text or a whole"),
        ("jsonl", '{"key": "\\ud83d", "text": "a", "label": "x"}\n', "line 1: \\ud83d alone is half a character"),
        ("jsonl", '{"key": null, "text": "a", "label": "x"}\n', "line 1: 'key' is None"),
        ("jsonl", '{"key": 1, "text": "a", "label": "x"}\n{"key": "1", "text": "b", "label": "y"}\n', "as at"),
        ("jsonl", '{"text": "a", "label": "x"}\n', "there is no column 'key' (data.id_column)"),
        ("text", "x\ta\ny\tb\n", "there is no key 'id_column' in data"),
    ],
)
def test_ids_that_name_no_example_are_refused(
    kind: str, content: str, message: str, tmp_path: Path, refused: Refused
) -> None:
    file = tmp_path / f"own.{kind}"
    file.write_text(content, encoding="utf-8")
    said = refused("train", f"data={kind}", f"data.train={file}", "data.id_column=key", f"cache={tmp_path}")
    assert message.format(file=file) in said


def tagged(count: int = 40) -> list[list[tuple[str, str]]]:
    return [
        [(word, word[0].upper()) for word in f"{text} w{n}".split()] for n, (text, _) in enumerate(sentences(count))
    ]


def test_a_sentence_of_a_conll_file_is_called_by_the_line_of_its_first_word(tmp_path: Path) -> None:
    file, lines = tmp_path / "own.conll", ["-DOCSTART- O", ""]
    for number, sentence in enumerate(tagged()):
        lines += [*(f"{word} {tag}" for word, tag in sentence), *[""] * (1 + number % 3)]
    file.write_text("\n".join(lines), encoding="utf-8")
    words = ["data=conll", f"data.train={file}", "data.unseen_tags=ignore", "task.predictions=full", "task.crf=true"]
    rows = rows_of(trained(tmp_path, *words, "data.test_fraction=0.3"))
    assert len({row["id"] for row in rows}) == 12
    assert {row["origin"] for row in rows} == {str(file)}
    for row in rows:
        assert lines[row["id"] - 1 + row["position"]] == f"{row['token']} {row['target']}"
        assert row["id"] == 1 or not lines[row["id"] - 2]
    names = [name for name in rows[0] if name.startswith("probability_")]
    assert sum(rows[0][name] for name in names) == pytest.approx(1, abs=1e-5)
    for row in rows:  # the loss is that of the marginal
        assert row["loss"] == pytest.approx(-math.log(row[f"probability_{row['target']}"]), rel=1e-4, abs=1e-6)


def test_conllu_passes_over_comments_and_ranges(tmp_path: Path) -> None:
    """An id is the line of the first word; the origin is the file inside a treebank's directory."""
    lines = []
    for number in range(6):
        lines += [f"# sent_id = {number}", "1-2\tdont" + "\t_" * 8]
        lines += [f"{place}\tw{place}\t_\t{tag}" + "\t_" * 6 for place, tag in ((1, "X"), (2, "Y"))] + [""]
    for part in ("train", "dev", "test"):
        (tmp_path / f"x-ud-{part}.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ids = made(TaggingData, "conllu", tmp_path / "cache", train=str(tmp_path)).example_ids("test")
    assert ids.values == [3 + 5 * number for number in range(6)]
    assert ids.origin == str(tmp_path / "x-ud-test.conllu")
    assert all(lines[line - 1].startswith("1\t") for line in ids.values)  # type: ignore[operator]
    file = str(tmp_path / "x-ud-train.conllu")
    assert made(TaggingData, "conllu", tmp_path / "cache", train=file).example_ids("test").origin == file


def test_pairs_are_called_by_their_line_whatever_was_left_out(tmp_path: Path) -> None:
    left, right = tmp_path / "left.txt", tmp_path / "right.txt"
    texts = [f"{text} n{number}" if number % 4 else "" for number, (text, _) in enumerate(sentences(80))]
    texts[9] = "\u200b"  # no token, and not a blank line
    left.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    right.write_text("".join(f"{text.upper()}\n" for text in texts), encoding="utf-8")
    words = ["data=pairs", f"data.train={left}", f"data.train_target={right}", "model=encoder_decoder"]
    run = trained(tmp_path, *words, "task.predictions=full", "task.beam=2", "data.test_fraction=0.3")
    rows = rows_of(run)
    assert [texts[row["id"] - 1] for row in rows] == [row["source"] for row in rows]
    assert {row["origin"] for row in rows} == {str(left)}
    assert all(row["score"] >= row["log_probability"] for row in rows)
    assert all(row["log_probability"] < 0 for row in rows)


def test_what_a_translation_was_chosen_by_is_what_translate_says(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{text} n{n}\t{text}\n" for n, (text, _) in enumerate(sentences(60))), encoding="utf-8")
    run = trained(tmp_path, "data=pairs", f"data.train={file}", "model=encoder_decoder", "task.predictions=full")
    assert read(run).config["task"]["monitor"] == "auto"
    assert read(run).selected_by == "val/bleu"
    rows = rows_of(run)
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"{row['source']}\n" for row in rows), encoding="utf-8")
    capsys.readouterr()
    assert main(["translate", str(run), f"file={texts}", f"output={tmp_path / 'out.jsonl'}"]) == 0
    said = [json.loads(line)["predictions"][0] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [one["score"] for one in said] == pytest.approx([row["score"] for row in rows], abs=1e-4)
    assert [one["log_probability"] for one in said] == pytest.approx([r["log_probability"] for r in rows], abs=1e-3)


@pytest.fixture
def mirror(tmp_path: Path) -> str:
    """A mirror with `someone/all`: a train and a test split with columns of every kind."""
    import datasets

    place = tmp_path / "mirror" / "someone" / "all"
    place.mkdir(parents=True)
    for split, size in (("train", 40), ("test", 12)):
        rows = {
            "text": [f"the {split} {row}" for row in range(size)],
            "label": [f"c{row % 2}" for row in range(size)],
            "tokens": [["a", f"{split}{row}"] if row != 3 else [] for row in range(size)],
            "tags": [["X", "Y"] if row != 3 else [] for row in range(size)],
            "de": [f"ein {row}" if row != 3 else " " for row in range(size)],
            "en": [f"a {row}" for row in range(size)],
            "key": [f"{split}-{row}" for row in range(size)],
            "number": [100 + row for row in range(size)],
            "twice": [row // 2 for row in range(size)],
        }
        datasets.Dataset.from_dict(rows).to_parquet(str(place / f"{split}.parquet"))
    (place / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - split: train\n    path: train.parquet\n  - split: test\n    path: test.parquet\n---\n"
    )
    return str(tmp_path / "mirror")


KINDS: list[tuple[Any, dict[str, Any], str]] = [
    (ClassificationData, {}, "text"),
    (TaggingData, {}, "tokens"),
    (SequenceToSequenceData, {"source_language": "de", "target_language": "en"}, "de"),
]


@pytest.mark.parametrize(("kind", "given", "column"), KINDS)
def test_a_public_set_counts_the_rows_of_its_own_split(
    kind: Any, given: dict[str, Any], column: str, mirror: str, tmp_path: Path
) -> None:
    import datasets

    given = given | {
        "mirror": mirror,
        "mirror_path": "someone/all",
        "hub": {"id": "someone/all"},
        "cache": tmp_path / "cache",
    }
    own = datasets.load_dataset(f"{mirror}/someone/all", cache_dir=str(tmp_path / "room"))

    def check(data: Any, split: str, names: str | None = None) -> None:
        ids = data.example_ids("test")
        assert ids.origin == split
        there = {key: row for row, key in enumerate(own[split][names])} if names else None
        rows = [there[key] if there else key for key in ids.values]
        assert len(rows) == len(set(rows)) > 2
        expected = [own[split][row][column] for row in rows]
        if kind is TaggingData:
            assert [data.tokens("test", row) for row in range(len(rows))] == expected
        elif kind is SequenceToSequenceData:
            assert [data.source_text("test", row) for row in range(len(rows))] == expected
        else:
            assert list(data.prepared.test_texts()) == expected

    cut = {"train": "train", "validation": None, "test": None}
    given_test = {"train": "train", "validation": None, "test": "test"}
    check(made(kind, "hub", splits=cut, **given), "train")
    check(made(kind, "hub", splits=given_test, **given), "test")
    check(made(kind, "hub", splits=given_test, id_column="key", **given), "test", "key")
    check(made(kind, "hub", splits=cut, id_column="number", **given), "train", "number")
    with pytest.raises(UserError, match=r"row 1: 'twice' is 0, as at someone/all, split train, row 0"):
        made(kind, "hub", splits=cut, id_column="twice", **given)
    with pytest.raises(UserError, match=r"no column 'key2' \(data.id_column\)"):
        made(kind, "hub", splits=cut, id_column="key2", **given)


def test_data_without_files_have_no_origin(tmp_path: Path) -> None:
    """Ids are then those of the source, each once."""
    for kind, source in ((ClassificationData, "verses_genre"), (ClassificationData, "word_order")):
        ids = made(kind, source, tmp_path / "cache").example_ids("test")
        assert ids.origin is None
        assert len(set(ids.values)) == len(ids.values) > 100


def test_full_predictions_change_no_number(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    write_labelled("csv", file, labelled())
    words = ["data=csv", f"data.train={file}", f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", "label=x"]
    for name, more in (("short", []), ("full", ["task.predictions=full", "data.id_column=key"])):
        assert main(["train", *TINY, *words, f"name={name}", *more]) == 0
    short, full = (tmp_path / name / "x-seed1" for name in ("short", "full"))
    one, other = read(short), read(full)
    assert one.metrics == other.metrics
    assert {key: value for key, value in one.fingerprints.items() if key != "embedding"} == {
        key: value for key, value in other.fingerprints.items() if key != "embedding"
    }
    for name in ("row", "target", "prediction", "loss", "length"):
        assert [row[name] for row in rows_of(short)] == [row[name] for row in rows_of(full)]


def test_a_done_run_says_that_its_predictions_are_written(tmp_path: Path, refused: Refused) -> None:
    file = tmp_path / "own.csv"
    write_labelled("csv", file, labelled())
    words = ["data=csv", f"data.train={file}"]
    run = trained(tmp_path, *words)
    where = [*TINY, "trainer.max_epochs=1", f"runs={tmp_path / 'runs'}", f"cache={tmp_path}", "name=one", "label=one"]
    said = refused("train", *where, *words, "task.predictions=full")
    assert f"{run} is done, and its predictions were written with task.predictions=short" in said
    assert "written with data.id_column=None" in refused("train", *where, *words, "data.id_column=key")
    assert main(["train", *where, *words]) == 0


def test_wrong_words_for_predictions_are_refused(tmp_path: Path, refused: Refused) -> None:
    said = refused("train", "data=csv", f"data.train={tmp_path / 'absent.csv'}", "task.predictions=long")
    assert said.startswith("task.predictions=long is unknown")
    for words in (["task.predictions=short,full"], ["data=adding", "model=gru", "task.predictions=full"]):
        with pytest.raises(UserError, match=r"does not change the model|there is no key 'predictions' in task"):
            entries(words)


def test_reports_join_runs_with_and_without_rows(tmp_path: Path) -> None:
    """An older run has numbers as ids, and no `row`."""
    runs = []
    for name, key in (("new", "data.id_column=key"), ("old", "data.id_column=null")):
        file = tmp_path / name / "own.csv"
        file.parent.mkdir()
        write_labelled("csv", file, labelled())
        run = trained(tmp_path / name, "data=csv", f"data.train={file}", key)
        runs.append((run, read(run).with_(label=name)))
    path = runs[1][0] / "predictions.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.drop_columns(["id", "origin"]).rename_columns({"row": "id"}), path)
    artifacts = {**runs[1][1].artifacts, "predictions": {"path": path.name}}
    runs[1] = (runs[1][0], runs[1][1].with_(artifacts=artifacts))
    scores, _, notes = example_scores(runs, "test/accuracy")
    assert not notes
    assert scores["new", 1].tolist() == scores["old", 1].tolist()
    assert len(scores["new", 1]) == 6


def test_help_and_show_tell_of_the_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    assert "task.predictions=WORD" in capsys.readouterr().out
    shown = ["data=csv", "data.train=x.csv", "data.id_column=key", "task.predictions=full", "show=config"]
    assert main(["train", *shown]) == 0
    out = capsys.readouterr().out
    assert "  id_column: key\n" in out
    assert "  predictions: full\n" in out


@pytest.mark.parametrize(
    ("given", "kept"),
    [([1, 2], [1, 2]), (np.array([2**63, 1], np.uint64), [str(2**63), "1"]), (["7", "007"], ["7", "007"])],
)
def test_ids_of_a_public_set_keep_their_kind_where_they_fit(given: Any, kept: list[int | str]) -> None:
    from datasets import Dataset

    assert keys_of(Dataset.from_dict({"idx": given}), "idx", "set") == kept
