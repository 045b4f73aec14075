"""Commands that read a damaged cache, record, plan or artifact: they make it again, or refuse it in one line."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from lightning_seq.data.sequence_to_sequence.prepare import prepare_pairs
from lightning_seq.data.sequence_to_sequence.settings import PairSettings
from lightning_seq.files import sha256, write_json
from lightning_seq.records.record import read
from lightning_seq.sealed import SEAL, damage_of
from tests.damage import CONTENTS, DAMAGES, NO_FILES, damage, seal
from tests.data.given_pairs import Given, pairs
from tests.report.made_comparison import make_comparison
from tests.report.made_run import rewrite
from tests.runs import INLINE, TINY, record_of

Refused = Callable[..., str]


@pytest.fixture
def done(own: list[str]) -> list[str]:
    """The words of a command whose run `rnn-seed1` is done."""
    words = ["train", "model=rnn", *own, *TINY, INLINE]
    assert main(words) == 0
    return words


def lines(caplog: pytest.LogCaptureFixture, end: str) -> list[str]:
    return [line for line in caplog.messages if line.endswith(end)]


def test_train_makes_damaged_caches_again(own: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    words = [
        "train", "model=rnn", *own, *(word for word in TINY if not word.startswith("embedding")), INLINE,
        "embedding=word2vec", "word2vec.vector_size=4", "word2vec.epochs=1",
    ]  # fmt: skip
    assert main(words) == 0
    metrics = record_of(own, "rnn-seed1").metrics
    (data,), (vectors,) = ([place for place in (tmp_path / "cache" / kind).iterdir() if place.is_dir()]
                           for kind in ("data", "word2vec"))  # fmt: skip
    kept = [path for place in (data, vectors) for path in place.iterdir() if path.suffix != ".json"]
    before = {path: sha256(path) for path in [*kept, vectors / "vocabulary.json", data / "corpus_words.json"]}
    for number, kind in enumerate(("deep", "digits", "a list", "not UTF-8", "cut")):
        for place, name in ((data, "meta.json"), (vectors, "vocabulary.json")):
            damage(place / name, kind)
            seal(place)
        caplog.clear()
        assert main([*words, f"name=again{number}"]) == 0
        assert len(lines(caplog, "): it is made again")) == 2
        assert record_of(own, "rnn-seed1", f"again{number}").metrics == metrics
        assert {path: sha256(path) for path in before} == before


@pytest.mark.parametrize("kind", [*NO_FILES, "deep"])
def test_train_makes_a_cache_with_a_damaged_seal_again(
    kind: str, done: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = (tmp_path / "cache" / "data").glob(f"*/{SEAL}")
    damage(path, kind)
    assert main([*done, "name=again"]) == 0
    assert len(lines(caplog, "): it is made again")) == 1
    assert damage_of(path.parent) is None


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_damaged_subword_model_is_trained_again(kind: str, tmp_path: Path) -> None:
    source, settings = Given(pairs(40, 0)), PairSettings(level="subword", subword={"kind": "bpe", "size": 30})
    prepared = prepare_pairs(source, tmp_path, settings)
    model = prepared.target.subwords
    damage(prepared.directory / "target_subwords.json", kind)
    seal(prepared.directory)
    assert prepare_pairs(source, tmp_path, settings).target.subwords == model
    assert source.reads == 2


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_is_one_line(
    kind: str, own: list[str], tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = make_comparison(tmp_path / "runs" / "csv", labels=("rnn", "gru"), seeds=1)
    said = damage(directory / "rnn-seed1" / "record.json", kind)
    assert main(["status", str(directory)]) == 0
    rows = {row.split("\t")[0]: row for row in capsys.readouterr().out.splitlines()}
    assert rows["rnn-seed1"].split("\t")[1] == "failed"
    assert said in rows["rnn-seed1"]
    assert rows["gru-seed1"].split("\t")[1] == "done"
    (directory / "rnn-seed1" / "config.yaml").unlink()
    for words in (["report", str(directory)], ["train", "model=rnn", *own, *TINY, INLINE]):
        line = refused(*words)
        assert str(directory / "rnn-seed1" / "record.json") in line
        assert said in line
        assert len(line) < 400


FORMS = {
    "seed": [None, 1.5, "1", True],
    "metrics": [{"test/accuracy": "0.5"}, [], None],
    "curves": [{"val/accuracy": [1, 2]}, {"val/accuracy": [["1"]]}],
    "parameters": [{"total": None}],
    "started": [None, 3],
    "artifacts": [{"log": "log.txt"}],
}


@pytest.mark.parametrize("field", FORMS)
def test_a_record_with_a_wrong_type_in_a_field_is_one_line(field: str, tmp_path: Path, refused: Refused) -> None:
    directory = make_comparison(tmp_path / "runs", labels=("rnn",), seeds=1)
    path = directory / "rnn-seed1" / "record.json"
    plain = json.loads(path.read_text())
    for value in FORMS[field]:
        path.write_text(json.dumps(plain | {field: value}))
        assert f"{path} is not a record ({field} is " in refused("report", str(directory))


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"trainer": 5, "task": [1], "data": None}},
        {"config": {"trainer": {"max_epochs": "8"}, "task": {"monitor": ["val/loss"]}}},
        {"curves": {"val/loss": [[1, 2]], "train/loss": [[]]}},
        {"curves": {"val/loss": [[None, None, None, None]], "train/loss": [[1, 1, None, 0.5]]}},
        {"started": "2026-01-05T10:00:00", "status": "running"},
        {"started": "yesterday"},
    ],
)
def test_status_lists_records_with_odd_values(
    changes: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = make_comparison(tmp_path / "runs", labels=("rnn", "gru"), seeds=1)
    path = directory / "rnn-seed1" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert main(["status", str(directory)]) == 0
    assert "rnn-seed1\t" in capsys.readouterr().out
    assert read(path).label == "rnn"


@pytest.mark.parametrize("kind", ["deep", "digits", "a list", "not UTF-8", "cut", "a pipe", "a directory"])
def test_a_damaged_plan_is_told_and_its_runs_are_listed(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    directory = make_comparison(tmp_path / "runs", labels=("rnn", "gru"), seeds=1)
    path = directory / "comparison.json"
    said = damage(path, kind)
    assert main(["status", str(directory)]) == 0
    (line,) = lines(caplog, "the next command writes it again")
    assert line.startswith(f"{path} cannot be read (")
    assert said in line
    assert capsys.readouterr().out.splitlines()[-1] == f"{directory}: 2 runs: 2 done"


@pytest.mark.parametrize("jobs", [None, "2", 1.5, 0, [1]])
def test_a_plan_with_a_wrong_number_of_jobs_is_not_used(
    jobs: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = make_comparison(tmp_path / "runs", labels=("rnn",), seeds=1)
    plain = {"schema": 1, "launcher": "local", "jobs": jobs, "runs": {"gru-seed1": "gru"}}
    (directory / "comparison.json").write_text(json.dumps(plain))
    assert main(["status", str(directory)]) == 0
    assert len(lines(caplog, "the next command writes it again")) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: " + b"[" * 100_000, "nested"),
        (b"a: " + b"9" * 101, "101 digits"),
        (b"- a", "a list, expected a mapping"),
        (b"a: \xff", "byte 3 is not UTF-8"),
        (b"a: [", "not YAML"),
        (b"a: 1", "not a run's configuration"),
        (b"#" * (2 << 20), "2,097,152 bytes"),
    ],
)
def test_a_damaged_configuration_of_a_run_is_one_line(
    content: bytes, said: str, done: list[str], tmp_path: Path, refused: Refused
) -> None:
    path = tmp_path / "runs" / "csv" / "rnn-seed1" / "config.yaml"
    path.write_bytes(content)
    line = refused(*done)
    assert str(path) in line
    assert said in line


ARTIFACTS = (
    "word_map", "states", "gates", "samples", "deciding_words", "translation", "gradient_flow", "attention", "tagging",
    "captions", "test_captions", "test_questions", "test_dialogs", "questions",
)  # fmt: skip


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.dashboard
def test_a_report_says_which_artifact_cannot_be_read(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = make_comparison(tmp_path / "runs", labels=("rnn", "gru"), seeds=1)
    content, _ = CONTENTS[kind]
    for name in ARTIFACTS:
        rewrite(directory, "rnn-seed1", name, "")
        (directory / "rnn-seed1" / f"{name}.json").write_bytes(content)
        plain = json.loads((directory / "rnn-seed1" / "record.json").read_text())
        plain["artifacts"][name]["sha256"] = sha256(directory / "rnn-seed1" / f"{name}.json")
        write_json(directory / "rnn-seed1" / "record.json", plain)
    (directory / "tune").mkdir()
    (directory / "tune" / "tune.json").write_bytes(content)
    assert main(["report", str(directory)]) == 0
    page = (directory / "dashboard.html").read_text()
    for name in ARTIFACTS:
        assert f"{name}.json cannot be used (" in page
    assert "tune/tune.json cannot be used (" in page
    assert "rnn" in capsys.readouterr().out


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.dashboard
def test_an_artifact_that_is_no_file_is_a_note(kind: str, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "runs", labels=("rnn", "gru"), seeds=1)
    for name in ("word_map.json", "predictions.parquet"):
        damage(directory / "rnn-seed1" / name, kind)
    (directory / "tune").mkdir()
    damage(directory / "tune" / "tune.json", kind)
    assert main(["report", str(directory)]) == 0
    page = (directory / "dashboard.html").read_text()
    assert "rnn, seed 1: word_map.json is missing" in page
    assert "rnn, seed 1: predictions.parquet is missing" in page


@pytest.mark.dashboard
def test_a_link_to_itself_is_a_note(tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "runs", labels=("rnn", "gru"), seeds=1)
    looped = directory / "rnn-seed1" / "predictions.parquet"
    looped.unlink()
    looped.symlink_to(looped)
    assert main(["report", str(directory)]) == 0
    assert "rnn, seed 1: predictions.parquet cannot be read (" in (directory / "dashboard.html").read_text()


@pytest.mark.dashboard
def test_a_pipe_at_the_dashboards_path_is_replaced(tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "runs", labels=("rnn",), seeds=1)
    damage(directory / "dashboard.html", "a pipe")
    assert main(["report", str(directory)]) == 0
    assert (directory / "dashboard.html").stat().st_size > 1000


@pytest.mark.parametrize("kind", ["a pipe", "a directory", "not UTF-8", "a dangling link"])
def test_a_checkpoint_without_a_checksum_that_can_be_read_is_damaged(
    kind: str, done: list[str], own: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "runs" / "csv" / "rnn-seed1"
    (run / "record.json").unlink()
    damage(run / "checkpoints" / "last.ckpt.sha256", kind)
    caplog.set_level(logging.WARNING)
    assert main(done) == 0
    assert any("last.ckpt is damaged" in line for line in caplog.messages)
    assert record_of(own, "rnn-seed1").status == "done"
