"""`lightning-seq transcribe`: the words that are said in a recording, or in every recording of a directory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from lightning_seq.builders.speech_recognition import search_of
from lightning_seq.cli.checkpoint import loaded_checkpoint
from lightning_seq.cli.rows import counted, output_file, write_rows
from lightning_seq.cli.verbs import Transcribe
from lightning_seq.data.audio import SUFFIXES
from lightning_seq.errors import UserError
from lightning_seq.files import existing_file, place
from lightning_seq.inference.load import load
from lightning_seq.inference.transcribe import Transcribed, scorer_of, transcripts
from lightning_seq.models.ctc import Fusion
from lightning_seq.printable import number_of


def run(arguments: Transcribe) -> int:
    path = output_file(arguments.output, arguments.audio)
    loaded = loaded_checkpoint("transcribe", arguments)
    several = place(arguments.audio, "audio").is_dir()
    files = _files(arguments.audio, SUFFIXES if loaded.reader.is_audio else (".npy",))
    fusion = None
    if arguments.language_model is not None:
        scorer = scorer_of(load(arguments.language_model, arguments.allow), loaded)
        fusion = Fusion(scorer, arguments.language_model_weight, arguments.bonus)
    search = search_of(loaded, arguments.beam, arguments.n_best)
    answers = transcripts(loaded, files, search, arguments.batch_size, fusion)
    answers = counted(_with_a_recording(answers, arguments.audio) if several else map(_readable, answers), path)
    write_rows(path, (one.to_plain() for one in answers), ("predictions",), {"predictions": arguments.n_best})
    return 0


def _files(audio: str, suffixes: tuple[str, ...]) -> list[Path]:
    """The one file, or those of a directory and of the directories in it that have one of these endings, by path.

    Raises UserError for a path that is not there, and for a directory without such a file.
    """
    path = place(audio, "audio")
    if not path.is_dir():
        return [existing_file(audio, "audio")]
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    if not files:
        raise UserError(f"audio={audio} holds no recording: expected files that end in {', '.join(suffixes)}")
    return files


def _readable(one: Transcribed) -> Transcribed:
    """Raises UserError for a file that is no recording."""
    if one.best is None:
        raise UserError(f"audio={one.note}")
    return one


def _with_a_recording(answers: Iterator[Transcribed], audio: str) -> Iterator[Transcribed]:
    """The answers. Raises UserError, before the first, where no file can be read."""
    before: list[Transcribed] = []
    for one in answers:
        before.append(one)
        if one.best is not None:
            return chain(before, answers)
    raise UserError(
        f"audio={audio} holds no recording in {number_of(len(before), 'file')}; the first: {before[0].note}"
    )
