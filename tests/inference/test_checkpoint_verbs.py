"""The verbs on a checkpoint: every line has a row, every kind of model its verbs, every wrong value one line."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

import lightning_seq
from lightning_seq.builders.kinds import KINDS as TASK_KINDS
from lightning_seq.cli.main import main
from lightning_seq.inference.load import load
from tests.runs import environment, sentences, write_csv

Refused = Callable[..., str]
KINDS = {
    "classification": ("data=csv", "classifier"),
    "tagging": ("data=conll", "tagger"),
    "language_modelling": ("data=text_words", "language model"),
    "sequence_to_sequence": ("data=pairs", "translator"),
    "regression": ("data=adding", "regression"),
    "bits": ("data=bits_3", "bits"),
    "sequences_of_sets": ("data=jsb_chorales", "notes"),
}
FITS = {
    "classification": {"predict"},
    "tagging": {"predict"},
    "language_modelling": {"predict", "score", "sample"},
    "sequence_to_sequence": {"predict", "translate"},
    "regression": {"predict"},
    "bits": {"predict"},
    "sequences_of_sets": {"predict"},
}
TEXTS = {"regression": "[[0.5,1],[0.1,0],[0.25,1]]", "bits": "[1,0,0,1]", "sequences_of_sets": "[[60,64],[62]]"}
OTHERS = {
    "sample": ["length=3"], "caption": [f"image={__file__}"], "answer": [f"image={__file__}", "question=a"],
    "transcribe": [f"audio={__file__}"], "forecast": [f"data={__file__}"],
}  # fmt: skip
"""The arguments of a verb that reads no text."""
SMALL = ("embedding=random", "embedding.size=8", "model.hidden_size=8", "trainer.max_epochs=1",
         "trainer.progress=false", "logger=none", "trainer.threads=1", "callbacks=none")  # fmt: skip
VERBS = tuple(dict.fromkeys(verb for kind in TASK_KINDS for verb in kind.verbs))
TITLE = "\x1b]0;owned\x07"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of a kind of task, trained when it is first asked for."""
    place, trained = tmp_path_factory.mktemp("verbs"), {}
    rows = sentences(120)
    write_csv(place / "train.csv", rows)
    write_csv(place / "test.csv", [("xyzzy", "sea"), ("the old wave", "sea"), ("road xyzzy", "land")])
    tagged = ("".join(f"{word} {'B-X' if word == 'ship' else 'O'}\n" for word in text.split()) for text, _ in rows)
    (place / "tags.conll").write_text("\n".join(tagged))
    (place / "text.txt").write_text("".join(f"{text}\n" for text, _ in rows))
    (place / "upper.txt").write_text("".join(f"{text.upper()}\n" for text, _ in rows))
    pieces = [{"notes": [[60 + number % 3], [64, 67], []]} for number in range(40)]
    (place / "notes.jsonl").write_text("".join(json.dumps(piece) + "\n" for piece in pieces))
    words = {
        "classification": ["model=gru", f"data.train={place / 'train.csv'}", f"data.test={place / 'test.csv'}"],
        "tagging": ["model=gru", f"data.train={place / 'tags.conll'}", "data.max_length=4"],
        "language_modelling": ["model=gru", f"data.train={place / 'text.txt'}", "data.batch_size=4",
                               "data.eval_batch_size=2"],
        "sequence_to_sequence": ["model=encoder_decoder_attention", f"data.train={place / 'text.txt'}",
                                 f"data.train_target={place / 'upper.txt'}", "data.max_length=12"],
        "regression": ["model=gru", "data.length=6"],
        "bits": ["model=gru"],
        "sequences_of_sets": ["model=gru", f"data.train={place / 'notes.jsonl'}"],
    }  # fmt: skip

    def run(kind: str) -> Path:
        if kind not in trained:
            given = [KINDS[kind][0], *words[kind], *SMALL, f"runs={place / 'runs'}", f"cache={place / 'cache'}"]
            if kind in ("regression", "bits", "sequences_of_sets"):
                given = [word for word in given if not word.startswith("embedding")]
            assert main(["train", *given, "name=" + kind]) == 0
            trained[kind] = next((place / "runs" / kind).glob("*-seed1"))
        return trained[kind]

    return run


def rows_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(words) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def lines_file(place: Path, content: bytes) -> str:
    (place / "lines.txt").write_bytes(content)
    return f"file={place / 'lines.txt'}"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_verb_on_every_kind_of_model(
    kind: str, verb: str, runs: Callable[[str], Path], refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [verb, str(runs(kind)), *OTHERS.get(verb, [f"text={TEXTS.get(kind, 'the old ship')}"])]
    if verb in FITS[kind]:
        capsys.readouterr()
        assert main(words) == 0
        assert capsys.readouterr().out.strip()
        return
    said = refused(*words)
    assert f"{verb} is for " in said
    assert KINDS[kind][1] in said
    assert said.endswith("use " + " or ".join(name for name in VERBS if name in FITS[kind]))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TEXTS])
def test_every_line_has_a_row(
    kind: str, runs: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = lines_file(tmp_path, b"the old ship\n\nxyzzy\n   \nroad")
    rows = rows_of(["predict", str(runs(kind)), file, "batch_size=2"], capsys)
    assert [row["text"] for row in rows] == ["the old ship", "", "xyzzy", "   ", "road"]
    assert [row.get("note") for row in rows] == [None, "empty line", "only unknown words", "empty line", None]
    readable = [True, kind == "language_modelling", True, kind == "language_modelling", True]
    assert [bool(row["predictions"]) for row in rows] == readable
    for row in (row for row in rows if row["predictions"]):
        (alone,) = rows_of(["predict", str(runs(kind)), f"text={row['text']}"], capsys) if row["text"] else (row,)
        assert alone.keys() == row.keys()


@pytest.mark.parametrize("kind", list(TEXTS))
def test_a_line_that_is_no_sequence_has_a_note(
    kind: str, runs: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Refused
) -> None:
    file = lines_file(tmp_path, f"the sea\n\n{TEXTS[kind]}\n".encode())
    wrong, empty, right = rows_of(["predict", str(runs(kind)), file], capsys)
    assert (wrong["predictions"], empty["predictions"], empty["note"]) == ([], [], "empty line")
    assert wrong["note"]
    assert right["predictions"]
    assert "note" not in right
    assert refused("predict", str(runs(kind)), "text=the sea")


def test_an_unknown_word_has_the_score_of_the_test_split(
    runs: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs("classification")
    tested = parquet.read_table(run / "predictions.parquet").to_pylist()[0]
    (row,) = rows_of(["predict", str(run), "text=xyzzy"], capsys)
    (probability,) = (one["probability"] for one in row["predictions"] if one["label"] == "sea")  # type: ignore[attr-defined]
    assert math.exp(-tested["loss"]) == pytest.approx(probability, abs=2e-6)


def test_score_has_a_row_for_every_line_in_batches_of_any_size(
    runs: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = lines_file(tmp_path, b"the old ship\n\nxyzzy\nroad and hill corn\n")
    one = rows_of(["score", str(runs("language_modelling")), file, "batch_size=1"], capsys)
    four = rows_of(["score", str(runs("language_modelling")), file, "batch_size=4"], capsys)
    assert [row.get("note") for row in one] == [None, "empty line", "only unknown words", None]
    assert [len(row["tokens"]) for row in one] == [3, 0, 1, 4]  # type: ignore[arg-type]
    for row, other in zip(one, four, strict=True):
        assert row["log_probability"] == pytest.approx(other["log_probability"], abs=1e-5)
    assert one[1]["perplexity"] is None
    bits = -one[0]["log_probability"] / math.log(2)  # type: ignore[operator]
    assert one[0]["bits_per_character"] == pytest.approx(bits / len("the old ship"), abs=1e-5)
    assert one[2]["bits_per_character"] is None  # the checkpoint cannot spell an unknown word


def test_translate_has_a_line_for_every_line(
    runs: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    file = lines_file(tmp_path, b"the old ship\n\nxyzzy\n" + b"the " * 13 + b"\nroad\n")
    capsys.readouterr()
    assert main(["translate", str(runs("sequence_to_sequence")), file, "n_best=2", "scores=true"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["1", "1", "2", "3", "3", "4", "5", "5"]
    assert (lines[2], lines[5]) == ("2\t\t", "4\t\t")
    assert "2 lines have no translation; the first is line 2: empty line" in caplog.text
    out = tmp_path / "out.jsonl"
    assert main(["translate", str(runs("sequence_to_sequence")), file, f"output={out}"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row.get("note") for row in rows] == [
        None, "empty line", "only unknown words", "13 tokens, expected at most 12 as in training", None
    ]  # fmt: skip
    assert [len(row["predictions"]) for row in rows] == [1, 0, 1, 0, 1]


def test_a_tagger_says_how_much_it_read(runs: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows_of(["predict", str(runs("tagging")), "text=the old ship was by"], capsys)
    assert row["note"] == "only the first 4 of 5 tokens are read"
    assert len(row["predictions"]) == 4  # type: ignore[arg-type]


def test_a_tagger_tells_of_a_file_of_columns(
    runs: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run = str(runs("tagging"))
    rows = rows_of(["predict", run, lines_file(tmp_path, b"the O\nship B-X\n\nroad O\n")], capsys)
    assert [row["text"] for row in rows] == ["the O", "ship B-X", "", "road O"]
    assert [record.message for record in caplog.records if "looks like CoNLL" in record.message] == [
        f"file={tmp_path / 'lines.txt'} looks like CoNLL, tokens and tags in columns: each line is read as one text; "
        "give a file with one sentence per line, without tags"
    ]
    caplog.clear()
    rows_of(["predict", run, lines_file(tmp_path, b"the O\nship road\n")], capsys)
    assert "looks like CoNLL" not in caplog.text


@pytest.mark.parametrize(("verb", "kind"), [("predict", "classification"), ("translate", "sequence_to_sequence")])
def test_an_answer_costs_no_lightning(verb: str, kind: str, runs: Callable[[str], Path]) -> None:
    code = (
        "import sys\nfrom lightning_seq.cli import main\n"
        f"assert main([{verb!r}, {str(runs(kind))!r}, 'text=the old ship']) == 0\n"
        "sys.exit('imported lightning' if 'lightning' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr


def test_a_loaded_model_is_shown_in_one_line(runs: Callable[[str], Path]) -> None:
    loaded = load(runs("classification"))
    count = sum(parameter.numel() for parameter in loaded.model.parameters())
    assert repr(loaded) == f"<Loaded: a classifier, model=gru, data=csv, {count:,} parameters>"


def test_one_rule_for_lines(
    runs: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "\ufeffthe old ship\r\na\rb\u2028c\x85d\r\r\nroad".encode()
    run, file = str(runs("language_modelling")), lines_file(tmp_path, content)
    from_file = rows_of(["score", run, file], capsys)
    assert [row["text"] for row in from_file] == ["the old ship", "a\rb\u2028c\x85d", "road"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert rows_of(["score", run], capsys) == from_file


def test_pipes_are_files_of_text(runs: Callable[[str], Path]) -> None:
    words = [sys.executable, "-m", "lightning_seq", "predict", str(runs("classification")), "file=/dev/stdin"]
    ended = subprocess.run(words, input="the old ship\nroad\n", capture_output=True, text=True, env=environment())
    assert [json.loads(line)["text"] for line in ended.stdout.splitlines()] == ["the old ship", "road"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'id,story\n1,"the old ship, a"\n2,\n3,road\n'),
        ("a.tsv", "id\tstory\n1\tthe old ship, a\n2\t\n3\troad\n"),
        ("a.jsonl", '{"story": "the old ship, a"}\n{"story": ""}\n{"story": "road"}\n'),
    ],
)
def test_a_column_is_read_and_rows_are_written(
    name: str, content: str, runs: Callable[[str], Path], tmp_path: Path, refused: Refused
) -> None:
    file, out = tmp_path / name, tmp_path / "out.csv"
    file.write_text(content)
    run = str(runs("classification"))
    assert main(["predict", run, f"file={file}", "column=story", f"output={out}", "top_k=2"]) == 0
    with out.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["text", "label", "probability", "label_2", "probability_2", "note"]
    assert [row["text"] for row in rows] == ["the old ship, a", "", "road"]
    assert [row["note"] for row in rows] == ["", "empty line", ""]
    assert rows[1]["label"] == ""
    assert float(rows[0]["probability"]) + float(rows[0]["probability_2"]) == pytest.approx(1, abs=1e-4)
    assert "did you mean story" in refused("predict", run, f"file={file}", "column=stori", f"output={out}")
    assert "is the file that is read" in refused("predict", run, f"file={file}", "column=story", f"output={file}")
    assert file.read_text() == content


def test_output_is_whole_or_as_it_was(runs: Callable[[str], Path], tmp_path: Path, refused: Refused) -> None:
    run, out = str(runs("classification")), tmp_path / "out.jsonl"
    assert main(["predict", run, "text=the old ship", f"output={out}"]) == 0
    before = out.read_text()
    assert json.loads(before)["predictions"]
    broken = lines_file(tmp_path, b"road\n" * 200 + b"caf\xe9\n")
    assert "line 201" in refused("predict", run, broken, f"output={out}", "batch_size=4")
    assert out.read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.txt", "out.jsonl"]
    assert "no directory" in refused("predict", run, "text=a", f"output={tmp_path / 'none' / 'a.csv'}")
    assert "ends in .jsonl or .csv" in refused("predict", run, "text=a", f"output={tmp_path / 'a.parquet'}")


def test_a_run_is_a_checkpoint(
    runs: Callable[[str], Path], refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs("classification")
    best = run / "checkpoints" / "best.ckpt"
    for words in ([str(run)], [str(best)], [f"checkpoint={run}"], [str(run / "checkpoints")]):
        assert rows_of(["predict", *words, "text=the sea"], capsys)[0]["predictions"]
    assert lightning_seq.load(run).config == lightning_seq.load(best).config
    for place in (run.parent, run.parents[1]):
        assert str(run) in refused("predict", str(place), "text=a")
    with pytest.raises(lightning_seq.errors.UserError, match="holds 1 run, expected its path: "):
        lightning_seq.load(run.parent)
    assert "given twice" in refused("predict", str(run), f"checkpoint={run}", "text=a")


def test_what_is_no_checkpoint(tmp_path: Path, refused: Refused) -> None:
    os.mkfifo(tmp_path / "pipe.ckpt")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "empty").mkdir()
    for path, said in [
        (tmp_path / "pipe.ckpt", "a pipe"),
        ("/dev/zero", "a device"),
        (tmp_path / "loop", "symbolic links"),
        ("~nosuchuser_of_a_test", "no such user"),
        ("n" * 5000, "too long"),
        (tmp_path / "empty", "without a run"),
        ("\udcff", "not UTF-8"),
    ]:
        for verb in VERBS:
            assert said in refused(verb, f"checkpoint={path}", *OTHERS.get(verb, ["text=a"]))


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("language_modelling", ["sample", "temperature=-1"], "at least 0"),
        ("language_modelling", ["sample", "temperature=nan"], "expected a number"),
        ("language_modelling", ["sample", "temperature=1e999"], "expected a number"),
        ("language_modelling", ["sample", "temperature=1001"], "at most 1000"),
        ("language_modelling", ["sample", "top_p=0"], "more than 0"),
        ("language_modelling", ["sample", "top_p=1.5"], "at most 1"),
        ("language_modelling", ["sample", "top_k=100000"], "the size of the vocabulary"),
        ("language_modelling", ["sample", "samples=5000000"], "at most 10,000"),
        ("language_modelling", ["sample", "samples=10001"], "at most 10,000"),
        ("language_modelling", ["sample", "length=" + "9" * 5000], "at most 1,000,000"),
        ("language_modelling", ["sample", "seed=" + "9" * 30], "seed is"),
        ("language_modelling", ["predict", "text=a", "top_k=100000"], "to choose from"),
        ("language_modelling", ["score", "text=a", "batch_size=5000000"], "at most 100,000"),
        ("classification", ["predict", "text=a", "top_k=3"], "expected 1 to 2"),
        ("classification", ["predict", "text=a", "batch_size=0"], "at least 1"),
        ("classification", ["predict", "text=a", "column=x"], "column=x"),
        ("tagging", ["predict", "text=a", "top_k=2"], "ranks nothing"),
        ("sequence_to_sequence", ["translate", "text=a", "n_best=5000000"], "at most 1,000"),
        ("sequence_to_sequence", ["translate", "text=a", "beam=5000000"], "at most 1,000"),
        ("sequence_to_sequence", ["translate", "text=a", "length_penalty=inf"], "expected a number"),
        ("sequence_to_sequence", ["translate", "text=a", "target_language="], "target_language"),
        ("sequence_to_sequence", ["predict", "text=a", "top_k=1001"], "expected 1 to 1000"),
    ],
)
def test_numbers_out_of_range(
    kind: str, words: list[str], said: str, runs: Callable[[str], Path], refused: Refused
) -> None:
    verb, *keys = words
    assert said in refused(verb, str(runs(kind)), *keys)


@pytest.mark.parametrize("temperature", ["-0", "1e-320", "0"])
def test_a_cold_draw_is_the_likeliest(
    temperature: str, runs: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    said = []
    for given in ([f"temperature={temperature}", "seed=1"], ["temperature=0", "seed=2"]):
        assert main(["sample", str(runs("language_modelling")), "length=5", *given]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_data_cannot_move_the_terminal(
    runs: Callable[[str], Path], capsys: pytest.CaptureFixture[str], refused: Refused
) -> None:
    capsys.readouterr()
    assert main(["predict", str(runs("classification")), f"text=the old {TITLE}\x9b\u202e ship"]) == 0
    out = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*out}
    assert json.loads(out)["text"] == f"the old {TITLE}\x9b\u202e ship"
    said = refused("predict", f"checkpoint={TITLE}", "text=a")
    assert "\\x1b]0;owned\\x07" in said


@pytest.mark.parametrize(
    "words", [["status", "\udcff"], ["train", "data.train=\udcff"], ["sample", "x", "prompt=\udcff"]]
)
def test_words_that_are_not_utf8(words: list[str], refused: Refused) -> None:
    assert refused(*words) == f"{words[-1]!r} is not UTF-8: expected words in UTF-8, or rename the file"
