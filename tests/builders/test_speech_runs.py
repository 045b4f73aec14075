"""Recognisers as a user trains them: runs, their files and their page, transcripts of new recordings, wrong files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from lightning_seq.cli.main import main
from lightning_seq.data.sources.tones import Tones
from lightning_seq.inference.load import load
from lightning_seq.models.listen_attend_spell import ListenAttendSpell
from lightning_seq.records.record import read, runs_in
from lightning_seq.records.speech import Speech
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.examples import example_scores
from tests.data.test_speech import write_wav
from tests.runs import sentences

Refused = Callable[..., str]
TINY = (
    "data=tones", "data.examples=60", "model.hidden_size=8", "trainer.max_epochs=2", "trainer.progress=false",
    "logger=none", "trainer.threads=1", "optimizer.lr=0.02", "task.subsample=2", "task.beam=4",
)  # fmt: skip
MODELS = ("gru", "listen_attend_spell")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("speech")
    words = [*TINY, f"runs={place}", f"cache={place / 'cache'}", "name=tones", "launcher=inline", "seeds=1"]
    assert main(["compare", *words, f"model={','.join(MODELS)}"]) == 0
    return place / "tones"


@pytest.fixture
def said(tmp_path: Path) -> Path:
    sound = Tones(examples=20).table("test").read(0).read()  # type: ignore[union-attr]
    write_wav(tmp_path / "said.wav", sound)
    return tmp_path / "said.wav"


@pytest.mark.parametrize("model", MODELS)
def test_a_run_and_what_it_leaves(trained: Path, model: str) -> None:
    record = read(trained / f"{model}-seed1")
    assert record.task == "speech_recognition"
    rows = parquet.read_table(trained / f"{model}-seed1" / "predictions.parquet").to_pylist()
    assert [row["row"] for row in rows] == list(range(6))
    assert [row["target"] for row in rows] == Tones(examples=60).table("test").texts
    for name, errors, sizes in (("wer", "word_errors", "words"), ("cer", "character_errors", "characters")):
        rate = sum(row[errors] for row in rows) / sum(row[sizes] for row in rows)
        assert record.metrics[f"test/{name}"] == pytest.approx(rate)
        assert record.baseline[f"test/{name}"] > 0
    assert {row["group"] for row in rows} == {f"speaker {number}" for number in range(28, 34)}
    held = Speech.read(trained / f"{model}-seed1" / "speech.json")
    assert len(held.utterances) == 6
    first = held.utterances[0]
    assert [unit for unit, *_ in first.spans] == list(first.reference)
    assert first.transcript == next(row["prediction"] for row in rows if row["row"] == first.number)
    assert all(0 < second < first.seconds + 0.02 for _, second in first.spikes)
    assert any(one.attention for one in held.utterances) == (model == "listen_attend_spell")
    assert sum(words for _, _, words in held.speakers) == 6


def test_examples_are_compared_by_speaker(trained: Path) -> None:
    runs = runs_in(trained)
    for name in ("test/cer", "test/wer"):
        scores, groups, notes = example_scores(runs, name)
        assert notes == []
        assert groups is not None
        assert len(set(groups.tolist())) == 6
        for (label, seed), values in scores.items():
            metric = read(trained / f"{label}-seed{seed}").metrics[name]
            assert values.mean() == pytest.approx(metric, abs=1e-6)


def test_the_page_shows_each_utterance_under_each_label(trained: Path) -> None:
    page = dashboard(trained)
    section = page.partition('id="speech"')[2].partition("<section")[0]
    assert section.count("the features of the utterance") == 6
    assert "Word error rate by speaker" in section
    assert "Confused units" in section
    assert "the attention of each unit in listen_attend_spell" in section
    assert "test/cer" in (trained / "table.md").read_text()


def test_transcripts_of_a_recording(trained: Path, said: Path, capsys: Any) -> None:
    assert main(["transcribe", f"checkpoint={trained / 'gru-seed1'}", f"audio={said}", "n_best=3", "beam=6"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["audio"] == str(said)
    assert row["transcript"] == row["predictions"][0]["transcript"]
    scores = [one["score"] for one in row["predictions"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert row["seconds"] == pytest.approx(
        len(Tones(examples=20).table("test").read(0).read().samples) / 8000, abs=1e-3
    )  # type: ignore[union-attr]
    assert main(["predict", str(trained / "gru-seed1"), f"text={said}", "top_k=1"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(row["predictions"][0]) == {"transcript", "log_probability", "score"}


def test_a_directory_has_a_row_for_each_file(trained: Path, said: Path, capsys: Any) -> None:
    folder = said.parent / "all"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "b.wav").write_bytes(said.read_bytes())
    (folder / "a.wav").write_bytes(said.read_bytes()[:500])
    (folder / "notes.txt").write_text("no sound")
    assert main(["transcribe", str(trained / "listen_attend_spell-seed1"), f"audio={folder}"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(row["audio"]).name for row in rows] == ["a.wav", "b.wav"]
    assert "a.wav is damaged" in rows[0]["note"]
    assert rows[0]["predictions"] == []
    assert len(rows[1]["predictions"]) == 1


def test_wrong_recordings_and_models(trained: Path, said: Path, refused: Refused, tmp_path: Path) -> None:
    checkpoint = f"checkpoint={trained / 'gru-seed1'}"
    (tmp_path / "cut.wav").write_bytes(said.read_bytes()[:500])
    assert "cut.wav is damaged" in refused("transcribe", checkpoint, f"audio={tmp_path / 'cut.wav'}")
    (tmp_path / "empty").mkdir()
    assert "holds no recording" in refused("transcribe", checkpoint, f"audio={tmp_path / 'empty'}")
    assert "transcribe is for" not in refused("transcribe", checkpoint, "audio=none.wav")
    reason = refused("transcribe", checkpoint, f"audio={said}", f"language_model={trained / 'gru-seed1'}")
    assert "expected a language model" in reason


def test_a_language_model_takes_part_in_the_search(trained: Path, said: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "digits.txt").write_text("".join(f"{number:03d}\n" for number in range(400)))
    words = [
        "data=text_chars", f"data.train={tmp_path / 'digits.txt'}", "model=gru", "model.hidden_size=8", "logger=none",
        "embedding=onehot", "trainer.max_epochs=1", f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", "name=lm",
        "data.batch_size=2", "trainer.progress=false",
    ]  # fmt: skip
    assert main(["train", *words]) == 0
    capsys.readouterr()
    plain, fused = [], []
    for rows, more in ((plain, []), (fused, [f"language_model={tmp_path / 'lm' / 'gru-seed1'}", "bonus=2"])):
        assert main(["transcribe", str(trained / "gru-seed1"), f"audio={said}", "beam=8", *more]) == 0
        rows += [json.loads(line)["predictions"][0] for line in capsys.readouterr().out.splitlines()]
    assert plain[0]["log_probability"] == pytest.approx(plain[0]["score"])
    assert fused[0]["score"] != pytest.approx(fused[0]["log_probability"])
    assert len(fused[0]["transcript"]) >= len(plain[0]["transcript"])


def test_ctc_and_attention_together_and_an_ngram(tmp_path: Path) -> None:
    place = [f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", "name=own"]
    joint = ["model=listen_attend_spell", "task.ctc_weight=0.3", "data.augment.time_masks=1"]
    assert main(["train", *TINY, *joint, *place]) == 0
    model = load(tmp_path / "own" / "listen_attend_spell-seed1").model
    assert isinstance(model, ListenAttendSpell)
    assert model.emissions is not None
    more = ["model=gru", "task.ngram.order=2", "task.ngram.bonus=1.0", "task.predictions=full", "label=ngram"]
    assert main(["train", *TINY, *more, *place]) == 0
    rows = parquet.read_table(tmp_path / "own" / "ngram-seed1" / "predictions.parquet").to_pylist()
    assert any(row["score"] != pytest.approx(row["log_probability"]) for row in rows)


def test_a_transcript_longer_than_its_frames_is_refused_by_name(tmp_path: Path, refused: Refused) -> None:
    place = [f"runs={tmp_path}", f"cache={tmp_path / 'cache'}"]
    reason = refused("train", *TINY, "model=gru", "task.subsample=20", *place)
    assert "train split, utterance " in reason
    assert "frames for CTC" in reason
    assert "task.subsample" in reason


@pytest.mark.parametrize("subsample", [1, 2])
def test_diagnostics_of_steps_need_a_step_for_each_frame(tmp_path: Path, subsample: int) -> None:
    place = [f"runs={tmp_path}", f"cache={tmp_path / 'cache'}", "name=own", "callbacks=inside", "model=gru"]
    words = [word for word in TINY if "subsample" not in word and "epochs" not in word]
    assert main(["train", *words, f"task.subsample={subsample}", "trainer.max_epochs=1", *place]) == 0
    made = {path.name for path in (tmp_path / "own" / "gru-seed1").iterdir()}
    assert "gradient_flow.json" in made
    assert ({"gates.json", "states.json"} <= made) == (subsample == 1)


def test_models_that_do_not_fit_are_refused(tmp_path: Path, refused: Refused) -> None:
    place = [f"runs={tmp_path}", f"cache={tmp_path / 'cache'}"]
    assert "model=listen_attend_spell" in refused("train", *TINY, "model=encoder_decoder_attention", *place)
    csv = tmp_path / "a.csv"
    csv.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in sentences(40)))
    words = ["data=csv", f"data.train={csv}", "model=stacked_lstm", "model.pyramid=true", "embedding=random", *place]
    assert "model.pyramid=true" in refused("train", *words)


def test_frames_of_a_numpy_file_are_transcribed(tmp_path: Path, capsys: Any) -> None:
    from lightning_seq.data.speech.module import SpeechData
    from lightning_seq.data.speech.reader import SpeechReader

    data = SpeechData(Tones(examples=20), tmp_path / "cache", front_end={"rate": 8000, "bands": 16})
    plain = {**data.to_plain(), "is_audio": False}
    frames = np.random.default_rng(0).standard_normal((30, 16)).astype(np.float32) * 3 + 1
    np.save(tmp_path / "a.npy", frames)
    heard = SpeechReader.from_plain(plain).hear(tmp_path / "a.npy")
    np.testing.assert_allclose(heard.features, (frames - frames.mean(0)) / frames.std(0), atol=1e-4)
