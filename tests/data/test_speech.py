from __future__ import annotations

import json
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from lightning_seq.data.audio import Sound
from lightning_seq.data.bucket_sampler import BatchShard
from lightning_seq.data.front_end import FrontEnd
from lightning_seq.data.sources.speech_files import SpeechFiles
from lightning_seq.data.sources.spoken_words import ToneFrames
from lightning_seq.data.sources.tones import RATE, Tones
from lightning_seq.data.speech.module import SpeechData
from lightning_seq.data.speech.reader import SpeechReader
from lightning_seq.data.vectors.module import VectorData
from lightning_seq.errors import UserError
from lightning_seq.spec import SPANS, Features, Tags
from lightning_seq.text.vocabulary import EOS

FRONT = {"rate": RATE, "bands": 16}


def tones(tmp_path: Path, **settings: object) -> SpeechData:
    return SpeechData(Tones(examples=20), tmp_path / "cache", front_end=FRONT, **settings)  # type: ignore[arg-type]


def write_wav(path: Path, sound: Sound) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, sound.rate, 0, "NONE", ""))
        file.writeframes(np.rint(sound.samples * 32767).astype("<i2").tobytes())


def test_speakers_and_utterances_are_drawn_by_the_seed() -> None:
    one, two, other = Tones(examples=20), Tones(examples=20), Tones(examples=20, split_seed=2)
    first = one.recordings("train")
    assert [said.digits for said in first] == [said.digits for said in two.recordings("train")]
    assert [said.digits for said in first] != [said.digits for said in other.recordings("train")]
    np.testing.assert_array_equal(first[3].read().samples, two.recordings("train")[3].read().samples)
    voices = [{said.voice.name for said in one.recordings(split)} for split in ("train", "validation", "test")]
    assert not voices[0] & voices[1] | voices[0] & voices[2] | voices[1] & voices[2]


def test_a_digit_sounds_where_its_span_is() -> None:
    said = Tones(examples=10, noise=0.0).recordings("train")[0]
    samples, inside = said.read().samples, np.zeros(round(said.seconds * RATE), dtype=bool)
    for start, stop in said.spans:
        inside[round(start * RATE) : round(stop * RATE)] = True
    assert np.abs(samples[~inside]).max() == 0
    assert (samples[inside] ** 2).mean() > 1e-3


def test_features_are_those_of_the_front_end_normalised_by_speaker(tmp_path: Path) -> None:
    data, front = tones(tmp_path), FrontEnd(rate=RATE, bands=16)
    table = Tones(examples=20).table("train")
    raw = [front(table.read(row).read()) for row in table.rows]  # type: ignore[union-attr]
    mine = np.concatenate([one for one, name in zip(raw, table.groups, strict=True) if name == table.groups[1]])
    split = data.prepared.splits["train"]
    made = split.steps[int(split.offsets[1]) : int(split.offsets[2])]
    np.testing.assert_allclose(made, (raw[1] - mine.mean(0)) / mine.std(0), atol=1e-4)
    assert split.lengths.tolist() == [len(one) for one in raw]
    assert "by speaker" in data.summary()


def test_global_features_use_training_alone(tmp_path: Path) -> None:
    data = tones(tmp_path, normalise="global")
    train, test = data.prepared.splits["train"], data.prepared.splits["test"]
    np.testing.assert_allclose(train.steps[:].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(train.steps[:].std(0), 1, atol=1e-3)
    assert np.abs(test.steps[:].mean(0)).max() > 0.01
    sound = Tones(examples=20).table("test").read(0).read()  # type: ignore[union-attr]
    write_wav(tmp_path / "a.wav", sound)
    heard = SpeechReader.from_plain(json.loads(json.dumps(data.to_plain()))).hear(tmp_path / "a.wav")
    np.testing.assert_allclose(heard.features, test.steps[: int(test.offsets[1])], atol=0.05)


def test_batches_hold_frames_targets_and_spans(tmp_path: Path) -> None:
    data = tones(tmp_path)
    dataset, sampler = data.batches("train")
    batch = dataset[BatchShard([4, 9], 10)]
    texts = [Tones(examples=20).table("train").texts[row] for row in (4, 9)]
    assert [data.reader.decode(row) for row in batch.targets.tolist()] == texts
    assert batch.targets[0, len(texts[0])] == EOS
    assert batch.target_mask.sum(1).tolist() == [len(text) + 1 for text in texts]
    assert batch.mask.sum(1).tolist() == data.lengths("train")[[4, 9]].tolist()
    assert not batch.inputs[~batch.mask].any()
    spans = Tones(examples=20).table("train").spans
    np.testing.assert_allclose(batch.extra[SPANS][0, : len(texts[0])], np.array(spans[4]) * 100, rtol=1e-4)
    assert sum(shard.count for shard in sampler) >= sum(map(len, texts))
    padding = dataset[BatchShard([-1], 10)]
    assert not padding.target_mask.any()


def test_masks_are_for_training_and_follow_the_epoch(tmp_path: Path) -> None:
    augment = {"time_masks": 2, "frequency_masks": 1}
    plain, masked = tones(tmp_path), tones(tmp_path, augment=augment)
    shards = [BatchShard([3, 1], 10, epoch) for epoch in (0, 1)]
    first, second = (masked.batches("train")[0][shard].inputs for shard in shards)
    assert not first.equal(second)
    assert first.equal(tones(tmp_path, augment=augment).batches("train")[0][shards[0]].inputs)
    assert (first == plain.batches("train")[0][shards[0]].inputs).any()
    test = [one.batches("test")[0][BatchShard([0], 1)].inputs for one in (plain, masked)]
    assert test[0].equal(test[1])
    with pytest.raises(UserError, match=r"data\.augment writes 0"):
        tones(tmp_path, augment=augment, normalise="none")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    table = Tones(examples=20).table("train")
    (tmp_path / "sound").mkdir()
    lines = []
    for row in table.rows:
        write_wav(tmp_path / "sound" / f"{row}.wav", table.read(row).read())  # type: ignore[union-attr]
        lines.append({"audio": f"sound/{row}.wav", "text": f"say {table.texts[row]}", "speaker": table.groups[row]})
    file = tmp_path / "all.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def test_files_of_the_user_keep_speakers_together(manifest: Path, tmp_path: Path) -> None:
    source = SpeechFiles(str(manifest), validation_fraction=0.2, test_fraction=0.2)
    data = SpeechData(source, tmp_path / "cache", front_end={"rate": 8000}, level="word")
    groups = [set(data.example_ids(split).groups) for split in ("train", "validation", "test")]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert data.reference("train", 0).startswith("say ")
    assert "in whole groups" in data.summary()


def test_a_table_with_other_names_is_read(manifest: Path, tmp_path: Path) -> None:
    lines = ["path\tsentence", *(f"{row}\tgo {row % 3}" for row in range(9))]
    (tmp_path / "cv.tsv").write_text("\n".join(lines))
    loaded = SpeechFiles(str(tmp_path / "cv.tsv"), audio=str(tmp_path / "sound")).load()
    assert {one.read(0).name for one in loaded.tables.values()} <= {f"{row}.wav" for row in range(9)}  # type: ignore[union-attr]
    assert loaded.tables["train"].groups is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("audio,text\nnone.wav,go\n", "line 2: the recording none.wav is not in"),
        ("audio,text\n../x.wav,go\n", "names the recording '../x.wav'"),
        ("audio,label\n0.wav,go\n", "no column 'text' or 'transcript'"),
    ],
)
def test_mistakes_in_a_manifest_are_told_with_their_line(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=reason):
        SpeechFiles(str(tmp_path / "a.csv")).load()


def test_a_damaged_recording_is_refused_by_name(manifest: Path, tmp_path: Path) -> None:
    file = tmp_path / "sound" / "5.wav"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"sound/5\.wav is damaged"):
        SpeechData(SpeechFiles(str(manifest)), tmp_path / "cache", front_end={"rate": 8000})


def test_normalising_by_speaker_needs_speakers(manifest: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    manifest.write_text("\n".join(json.dumps({"audio": one["audio"], "text": one["text"]}) for one in lines))
    with pytest.raises(UserError, match=r"data\.normalise=group needs the speaker"):
        SpeechData(SpeechFiles(str(manifest)), tmp_path / "cache", front_end={"rate": 8000})


def test_frames_have_the_digit_that_sounds(tmp_path: Path) -> None:
    source = ToneFrames(examples=10, front_end=FRONT)
    data = VectorData(source, tmp_path / "cache", normalise="none")
    names = data.spec.targets_as(Tags).names
    assert "silence" in names
    assert data.spec.inputs_as(Features).width == 16
    batch = data.batches("train")[0][BatchShard([0], 1)]
    said = source.recordings("train")[0]
    labels = [names[number] for number in batch.targets[0].tolist()]
    for digit, (start, stop) in zip(said.digits, said.spans, strict=True):
        inside = labels[round(start * 100) + 1 : round(stop * 100) - 2]
        assert set(inside) == {
            ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")[int(digit)]
        }
    assert labels[0] == "silence" == labels[-1]


mirrored = pytest.mark.skipif(not os.environ.get("LIGHTNING_SEQ_MIRROR"), reason="needs the mirror")


@mirrored
def test_an4_is_read_as_it_is(tmp_path: Path) -> None:
    from lightning_seq.builders.build import build_data
    from lightning_seq.config.compose import compose

    data = build_data(compose(["data=an4_letters", f"cache={tmp_path}"]))
    assert [len(data.prepared.splits[split]) for split in ("train", "validation", "test")] == [330, 39, 50]
    assert data.spec.inputs_as(Features).width == 26
    assert len(data.vocabulary) == 63 + 4
    assert data.lengths("train").sum() == 79_930
    groups = [set(data.example_ids(split).groups) for split in ("train", "validation", "test")]
    assert not groups[0] & groups[2]


@mirrored
def test_spoken_digits_have_other_speakers_in_each_split(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    from lightning_seq.builders.build import build_data
    from lightning_seq.config.compose import compose

    data = build_data(compose(["data=spoken_digits", f"cache={tmp_path}"]))
    assert [len(data.prepared.splits[split]) for split in ("train", "validation", "test")] == [720, 240, 240]
    groups = [set(data.example_ids(split).groups) for split in ("train", "validation", "test")]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert data.prepared.splits["train"].lengths.max() == 98
