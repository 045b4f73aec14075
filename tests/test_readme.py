"""Each command of README is run as it is written if that takes seconds, else planned by `dry_run=true`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seq.cli.main import main
from lightning_seq.cli.verbs import VERBS
from lightning_seq.comparison.grid import entries
from lightning_seq.data.audio import Sound
from tests.conformance.mutants import MUTANTS
from tests.conftest import stamps_alone
from tests.data.given_questions import COCO, csv_lines, vqa_files, write_pictures
from tests.data.test_speech import write_wav
from torture.killed import write_data

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
RUNS = {
    "runs/demo/lstm-seed1": ("classification", "model=lstm", "name=demo"),
    "runs/verses_genre/lstm-seed1": ("classification", "model=lstm", "name=verses_genre"),
    "runs/verses_words/lstm-seed1": ("language_modelling", "model=lstm", "name=verses_words"),
    "runs/scenes/captioner_attention-seed1": ("captioning", "data.examples=40", "name=scenes"),
    "runs/tones/bilstm-seed1": ("speech_recognition", "data.examples=20", "name=tones"),
    "runs/scene_questions/gru-seed1": ("visual_questions", "data.examples=100", "name=scene_questions"),
    "runs/scene_dialog/gru-seed1": ("visual_dialog", "data.examples=10", "name=scene_dialog"),
    "runs/airline_passengers/gru-seed1": ("forecasting", "name=airline_passengers"),
    "runs/dates/attention-seed1": ("sequence_to_sequence", "label=attention", "name=dates"),
}
"""Small runs in the directories that README's commands name."""
KINDS = {
    "classification": ["data=csv"], "language_modelling": ["data=text_words", "data.min_count=1", "data.batch_size=4"],
    "captioning": ["data=scenes", "model=captioner_attention"],
    "speech_recognition": ["data=tones", "model=bilstm"],
    "visual_questions": ["data=scene_questions", "model=gru"],
    "visual_dialog": ["data=scene_dialog", "model=gru"],
    "forecasting": ["data=airline_passengers", "model=gru"],
    "sequence_to_sequence": ["data=pairs", "model=encoder_decoder_attention"],
}  # fmt: skip
TINY = (
    "embedding=random", "embedding.size=4", "model.hidden_size=4", "trainer.max_steps=1", "trainer.progress=false",
    "trainer.threads=1", "logger=none", "cache=cache",
)  # fmt: skip


def tiny(kind: str) -> list[str]:
    """Speech, series and vectors have no embedding."""
    numbers = any(word in kind for word in ("speech", "forecasting", "data=series", "data=vector"))
    return [word for word in TINY if not numbers or not word.startswith("embedding")]


ELSEWHERE = ("trainer=gpu", "trainer.devices=4", "launcher=submitit", "launcher=ray")
"""Words of commands for machines that tests do not have."""
HELD = (
    "verses",
    "text",
    "csv",
    "jsonl",
    "pairs",
    "conll",
    "dates",
    "adding",
    "hello",
    "memory",
    "temporal",
    "questions",
    "vector",
)
"""Beginnings of the data sets that need no network and no mirror."""


def commands() -> Iterator[str]:
    """The lines of code blocks, and the commands within paragraphs, without comments."""
    fenced = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
    for block in fenced.findall(TEXT):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.partition("  # ")[0].strip()
    yield from re.findall(r"`((?:lightning-seq|python|make) [^`]*)`", fenced.sub("", TEXT).replace("\n", " "))


FOUND = list(dict.fromkeys(
    " ".join(line.split()) for line in commands()
    if re.match(r"(lightning-seq (?!check$)|python |make )", line) and not re.search(r"VERB|NAME|…", line)
))  # fmt: skip
OURS = [line.removeprefix("lightning-seq ") for line in FOUND if line.startswith("lightning-seq ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the files that README's commands name, and runs."""
    place = tmp_path_factory.mktemp("readme")
    data = {kind: words[0].removeprefix("data.train=") for kind, words in write_data(place / "data").items()}
    csv = [line.split(",") for line in Path(data["classification"]).read_text().splitlines()[1:]]
    (place / "reviews.csv").write_text(
        "key,body,stars\n" + "".join(f"k{n},{text},{label}\n" for n, (text, label) in enumerate(csv))
    )
    for name in ("train.jsonl", "test.jsonl"):
        (place / name).write_text("".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in csv))
    (place / "train.txt").write_text("".join(f"{label}\t{text}\n" for text, label in csv))
    prose = 20 * Path(data["language_modelling"]).read_text()
    for name in ("mine.txt", "ptb.train.txt", "ptb.valid.txt", "ptb.test.txt", "mine.de", "mine.en"):
        (place / name).write_text(prose)
    (place / "ner.txt").write_text(Path(data["tagging"]).read_text())
    rows = ("\n".join("\t".join(map(str, [n, word, "_", "X" if n % 2 else "Y", *"______"]))
                      for n, word in enumerate(text.split(), 1)) for text, _ in csv)  # fmt: skip
    steps = [f"{n // 4},p{n // 16},{n % 7},{n % 3},{'ab'[n // 4 % 2]}\n" for n in range(320)]
    (place / "steps.csv").write_text("clip,person,x,y,label\n" + "".join(steps))
    for n in range(80):
        np.save(place / f"{n}.npy", np.arange(6.0).reshape(3, 2) + n)
    (place / "index.csv").write_text("file,label\n" + "".join(f"{n}.npy,{'ab'[n % 2]}\n" for n in range(80)))
    (place / "mine.conllu").write_text("\n\n".join(rows) + "\n\n")
    (place / "my_package.py").write_text(
        "from torch import nn\n\n\nclass MyCell(nn.GRUCell):\n"
        "    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:\n"
        "        super().__init__(input_size, hidden_size, bias)\n"
    )
    (place / "recordings").mkdir()
    for number in range(12):
        write_wav(place / "recordings" / f"{number}.wav", Sound(np.full(4000, 0.1 + number / 100), 8000))
    write_wav(place / "said.wav", Sound(np.full(4000, 0.1), 8000))
    rows = (f"{number}.wav,go {number % 3},speaker {number % 6}\n" for number in range(12))
    (place / "speech.csv").write_text("audio,text,speaker\n" + "".join(rows))
    (place / "photos").mkdir()
    for name in ("photo.png", "photos/one.png", "photos/two.png"):
        Image.new("RGB", (48, 48), "red").save(place / name)
    turn = '{"image": "photo.png", "turns": [["is there a red thing", "yes"]], "question": "what is it"}'
    (place / "turns.jsonl").write_text(f"{turn}\n")
    write_pictures(place / "photos")
    (place / "questions.csv").write_text(csv_lines())
    months = [f"1949-{month:02d},{100 + month}" for month in range(1, 13)]
    (place / "passengers.csv").write_text("\n".join(["month,passengers", *months]))
    names = sorted(path.name for path in (place / "photos").iterdir())
    (place / "captions.csv").write_text("image,caption\n" + "".join(f"{name},a picture of {name}\n" for name in names))
    write_pictures(place / "val2014", name=COCO)
    vqa_files(place)
    own = {kind: [f"data.train={path}"] for kind, path in data.items()}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        patched.syspath_prepend(str(place))
        with stamps_alone():
            for kind, *words in RUNS.values():
                assert main(["train", *KINDS[kind], *own.get(kind, ()), *words, *tiny(kind), "seed=1"]) == 0
        yield place


def test_it_has_commands_of_every_verb() -> None:
    assert {line.split()[0] for line in OURS} >= {*VERBS} - {"explain"}
    assert len(OURS) > 45


LONG = ("check torchrecurrent", "word2vec data=verses_genre word2vec.vector_size=100 evaluate=true")
"""Commands that take ten seconds or more: `make test-all` runs them."""


@pytest.mark.parametrize("line", [pytest.param(line, marks=[pytest.mark.slow] * (line in LONG)) for line in OURS])
def test_a_command_of_ours(
    line: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(place)
    verb, *words = shlex.split(line.partition(" < ")[0])
    if verb not in ("train", "compare", "word2vec"):
        if words[:1] == ["checkpoint=best.ckpt"]:
            words[0] = "checkpoint=runs/dates/attention-seed1"
            monkeypatch.setattr("sys.stdin", (place / "mine.de").open())
        words = [word.replace("and god", "ka ne") for word in words]  # the corpus here is another
        assert main([verb, *words]) == (1 if line == "check torchrecurrent" else 0)
        assert capsys.readouterr().out.strip()
        return
    if any(word in line for word in ("experiment=", "cell._target_=", *ELSEWHERE)):
        found = entries(words)
        assert all(entry.label for entry in found)
        assert "experiment=" not in line or found[0].config["choices"]["experiment"]
        return
    sets = [word.removeprefix("data=") for word in words if word.startswith("data=")]
    if sets and not sets[0].startswith(HELD):
        assert entries(words)[0].config["choices"]["data"] == sets[0]
        return
    request.getfixturevalue("no_charts")
    own = any(word.startswith("data.train=") for word in words)
    more = ["cache=cache", f"name=readme-{OURS.index(line)}"]
    if verb == "word2vec":
        more = ["cache=cache", "word2vec.epochs=1", "word2vec.vector_size=8"]
    elif own:
        more += [*tiny(line), *(["launcher=inline"] if verb == "compare" else [])]
    else:
        verb, words = "compare", [word.replace("seed=", "seeds=") for word in words]
        more += ["dry_run=true", "embedding=random"]
        monkeypatch.setattr("lightning_seq.comparison.dry_run.STEPS_TIMED", 1)
    assert main([verb, *words, *more]) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("line", [line for line in FOUND if not line.startswith("lightning-seq ")])
def test_another_command_names_what_is_there(line: str) -> None:
    program, *words = line.split()
    if program == "make":
        assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "-m":
        assert any((ROOT / words[1].replace(".", "/")).with_suffix(end).exists() for end in (".py", ""))
    else:
        assert (ROOT / words[0]).is_file()


def test_its_count_of_mutants_is_the_suites() -> None:
    (said,) = re.findall(r"breaks cells and layers in (\d+) ways", TEXT)
    assert int(said) == len(MUTANTS)
