"""`lightning-seq translate`: a line for each text, from a trained encoder-decoder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TextIO

from lightning_seq.builders.sequence_to_sequence import beam
from lightning_seq.cli.checkpoint import loaded_checkpoint, texts_of
from lightning_seq.cli.rows import ROW_SUFFIXES, counted, json_list, output_file, text_out, write_rows
from lightning_seq.cli.verbs import Translate
from lightning_seq.files import Plain, new_file
from lightning_seq.inference.predict import with_note
from lightning_seq.inference.translate import Answer, translations
from lightning_seq.printable import number_of, printable, table_cell

log = logging.getLogger("lightning_seq")


def run(arguments: Translate) -> int:
    path = output_file(arguments.output, arguments.file, text=True)
    weights = None if arguments.attention_out is None else new_file(arguments.attention_out, "attention_out")
    loaded = loaded_checkpoint("translate", arguments)
    settings, n_best = dict(loaded.config["task"]), arguments.n_best
    settings["beam"] = max(n_best, settings["beam"]) if arguments.beam is None else arguments.beam
    if arguments.length_penalty is not None:
        settings["length_penalty"] = arguments.length_penalty
    translated = translations(
        loaded,
        texts_of(arguments, loaded),
        beam(settings, n_best),
        arguments.batch_size,
        weights is not None,
        arguments.target_language,
    )
    answers = counted(translated, path)
    with ExitStack() as stack:
        if weights is not None:
            answers = _with_weights(answers, stack.enter_context(json_list(weights)))
        if path is not None and path.suffix in ROW_SUFFIXES:
            rows = (
                with_note({"text": text, "predictions": [one.to_plain() for one in best or []]}, note)
                for text, best, note in answers
            )
            write_rows(path, rows, ("predictions",), {"predictions": n_best})
        else:
            out = stack.enter_context(text_out(path))
            escape = _tsv_cell if path is not None and path.suffix == ".tsv" else printable
            _write_lines(answers, out, arguments.scores, n_best > 1, escape, flush=path is None)
    return 0


def _tsv_cell(text: str) -> str:
    return table_cell(text).replace("\t", " ")


def _write_lines(
    answers: Iterable[Answer], out: TextIO, scores: bool, numbers: bool, escape: Callable[[str], str], flush: bool
) -> None:
    """A line for each translation: the number of its text, its score, the translation. Texts without one are logged."""
    missing, first = 0, ""
    for number, (_, best, note) in enumerate(answers, 1):
        if best is None:
            missing += 1
            first = first or f"line {number}: {note}"
        for score, text in [(f"{one.score:.6f}", one.text) for one in best or []] or [("", "")]:
            parts = [*([str(number)] if numbers else []), *([score] if scores else []), escape(text)]
            print("\t".join(parts), flush=flush, file=out)
    if missing:
        have = "has" if missing == 1 else "have"
        log.warning("%s %s no translation; the first is %s", number_of(missing, "line"), have, first)


def _with_weights(answers: Iterator[Answer], write: Callable[[Plain], object]) -> Iterator[Answer]:
    """The answers, unchanged; the attention weights of each translation are written."""
    for number, (text, best, note) in enumerate(answers, 1):
        for one in best or []:
            write({"number": number, "source": one.source, "target": one.target, "weights": one.weights})
        yield text, best, note
