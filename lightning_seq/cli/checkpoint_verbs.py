"""The verbs that work on a checkpoint: predict, score, sample and translate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_seq.cli.arguments import given_keys, given_texts, loaded_checkpoint, real_number, truth, whole_number
from lightning_seq.cli.help import Verb
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.printable import json_line, number_of, printable

if TYPE_CHECKING:
    from lightning_seq.inference.load import Loaded
    from lightning_seq.inference.translate import Translation

Given = dict[str, str | None]
LARGEST = {"batch_size": 100_000, "beam": 1000, "n_best": 1000, "length": 1_000_000, "samples": 10_000}
"""What a key of these verbs may be at most."""
_LOOKED_AT = 50
"""Lines of a file that tell whether it is CoNLL."""
HOTTEST, LARGEST_PENALTY = 1000.0, 100.0
_TEXTS: Given = {"text": None, "file": None, "column": None, "output": None, "allow": ""}

log = logging.getLogger("lightning_seq")


def _given(verb: str, words: list[str], known: Given) -> Given:
    return given_keys(verb, words, {"checkpoint": "", **known}, positional="checkpoint")


def _whole(given: Given, key: str) -> int | None:
    return whole_number(key, given[key], most=LARGEST[key])


def _texts(given: Given, loaded: Loaded) -> Iterator[str]:
    """Raises UserError where the one text that was typed cannot be read; a line of a file has a note instead."""
    text = given["text"]
    note = None if text is None else loaded.reader.note(text)
    if note is not None and not note.readable:
        raise UserError(f"text=…: {note.text}")
    return given_texts(text, given["file"], given["column"])


def _told_of_columns(texts: Iterator[str], file: str, loaded: Loaded) -> Iterator[str]:
    """The texts; a warning before them where they are lines of a CoNLL file, with this tagger's tags in a column."""
    from lightning_seq.text.conll import has_a_column_of

    first = list(islice(texts, _LOOKED_AT))
    if has_a_column_of(loaded.spec.targets.names, first):  # type: ignore[union-attr]
        log.warning(
            "file=%s looks like CoNLL, tokens and tags in columns: each line is read as one text; give a file with one "
            "sentence per line, without tags",
            file,
        )
    yield from first
    yield from texts


def _predict(words: list[str]) -> int:
    from lightning_seq.cli.rows import counted, output_file, write_rows

    given = _given("predict", words, {**_TEXTS, "top_k": None, "n_best": None, "batch_size": "64"})
    top_k, size = whole_number("top_k", given["top_k"]), _whole(given, "batch_size") or 1
    n_best = _whole(given, "n_best")
    path = output_file(given["output"], given["file"])
    loaded = loaded_checkpoint("predict", given)
    from lightning_seq.inference.predict import check_paths, choices, predictions
    from lightning_seq.inference.predictor import predictor_of
    from lightning_seq.spec import Tags

    kind, most = predictor_of(loaded.spec), choices(loaded, top_k)
    widths = {} if kind.choices(loaded) is None else dict.fromkeys(kind.ranked, most)
    if n_best is not None:
        check_paths(loaded, n_best)
        widths["paths"] = n_best
    texts = _texts(given, loaded)
    if isinstance(loaded.spec.targets, Tags) and given["file"] is not None and given["column"] is None:
        texts = _told_of_columns(texts, given["file"], loaded)
    rows = counted(predictions(loaded, texts, top_k, size, n_best), path)
    write_rows(path, rows, kind.ranked, widths)
    return 0


def _score(words: list[str]) -> int:
    from lightning_seq.cli.rows import counted, output_file, write_rows

    given = _given("score", words, {**_TEXTS, "batch_size": "16"})
    size, path = _whole(given, "batch_size") or 1, output_file(given["output"], given["file"])
    loaded = loaded_checkpoint("score", given)
    from lightning_seq.inference.score import scores

    write_rows(path, counted(scores(loaded, _texts(given, loaded), size), path))
    return 0


def _sample(words: list[str]) -> int:
    from lightning_seq.cli.rows import output_file, text_out, write_rows

    keys: Given = {"prompt": "", "length": "200", "temperature": "1.0", "top_k": None, "top_p": None}
    given = _given("sample", words, {**keys, "samples": "1", "seed": "1", "output": None, "allow": ""})
    path = output_file(given["output"], text=True)
    settings = {
        "length": _whole(given, "length") or 1,
        "temperature": real_number("temperature", given["temperature"], most=HOTTEST) or 0.0,
        "top_k": whole_number("top_k", given["top_k"]),
        "top_p": real_number("top_p", given["top_p"], most=1.0),
        "samples": _whole(given, "samples") or 1,
        "seed": whole_number("seed", given["seed"], least=0) or 0,
    }
    loaded = loaded_checkpoint("sample", given)
    from lightning_seq.inference.sample import Drawing, pieces

    drawing = Drawing(**settings)  # type: ignore[arg-type]
    grown = pieces(loaded, given["prompt"] or "", drawing)
    if path is not None and path.suffix in (".jsonl", ".csv"):
        texts = map("".join, zip(*grown, strict=True))
        write_rows(path, ({"sample": number, "text": text} for number, text in enumerate(texts, 1)))
        return 0
    with text_out(path) as out:
        if drawing.samples == 1:
            for (piece,) in grown:
                print(printable(piece), end="", flush=path is None, file=out)
            print(file=out)
            return 0
        for number, text in enumerate(map("".join, zip(*grown, strict=True)), 1):
            print(f"--- {number}\n{printable(text)}", file=out)
    return 0


def _translate(words: list[str]) -> int:
    from lightning_seq.cli.rows import counted, output_file, text_out, write_rows
    from lightning_seq.files import new_file

    keys: Given = {"beam": None, "n_best": "1", "length_penalty": None, "scores": "false", "attention_out": None}
    given = _given("translate", words, {**_TEXTS, **keys, "batch_size": "32", "target_language": None})
    with_scores, n_best, beam_size = (
        truth("scores", given["scores"]),
        _whole(given, "n_best") or 1,
        _whole(given, "beam"),
    )
    penalty = real_number("length_penalty", given["length_penalty"], most=LARGEST_PENALTY)
    batch_size, path = _whole(given, "batch_size") or 1, output_file(given["output"], given["file"], text=True)
    looks = None if given["attention_out"] is None else new_file(given["attention_out"], "attention_out")
    loaded = loaded_checkpoint("translate", given)
    from lightning_seq.builders.sequence_to_sequence import beam
    from lightning_seq.inference.predict import noted, with_note
    from lightning_seq.inference.translate import translations

    loaded.reader.check_target_language(given["target_language"])
    settings = dict(loaded.config["task"])
    settings["beam"] = max(n_best, settings["beam"]) if beam_size is None else beam_size
    settings |= {} if penalty is None else {"length_penalty": penalty}
    search = beam(settings, n_best)

    def answer(batch: list[str]) -> Iterator[list[Translation]]:
        return translations(loaded, batch, search, batch_size, looks is not None)

    found = counted(noted(loaded.reader, _texts(given, loaded), batch_size, answer), path)
    with ExitStack() as stack:
        looked = None if looks is None else stack.enter_context(_json_list(looks))
        answers = _looked(found, looked)
        if path is not None and path.suffix in (".jsonl", ".csv"):
            rows = (
                with_note({"text": text, "predictions": [each.to_plain() for each in best or []]}, note)
                for text, best, note in answers
            )
            write_rows(path, rows, ("predictions",), {"predictions": n_best})
            return 0
        out, left_out, first = stack.enter_context(text_out(path)), 0, ""
        for number, (_, best, note) in enumerate(answers, 1):
            if best is None:
                left_out += 1
                first = first or f"line {number}: {note}"
            written = [(f"{each.score:.6f}", each.text) for each in best or []] or [("", "")]
            for score, translated in written:
                parts = [
                    *([str(number)] if n_best > 1 else []),
                    *([score] if with_scores else []),
                    printable(translated),
                ]
                print("\t".join(parts), flush=path is None, file=out)
        if left_out:
            have = "has" if left_out == 1 else "have"
            log.warning("%s %s no translation; the first is %s", number_of(left_out, "line"), have, first)
    return 0


def _looked(
    answers: Iterator[tuple[str, list[Translation] | None, str | None]], looks: Callable[[Plain], None] | None
) -> Iterator[tuple[str, list[Translation] | None, str | None]]:
    """The answers as they come; where each of their symbols looked goes to `looks`."""
    for number, (text, best, note) in enumerate(answers, 1):
        for each in best or []:
            if looks is not None:
                looks({"number": number, "source": each.source, "target": each.target, "weights": each.weights})
        yield text, best, note


@contextmanager
def _json_list(path: Path) -> Iterator[Callable[[Plain], None]]:
    """What is handed to the function becomes a list of JSON in the file, entry by entry."""
    from lightning_seq.cli.rows import text_out

    with text_out(path) as out:
        before = "[\n"

        def write(value: Plain) -> None:
            nonlocal before
            out.write(before + json_line(value))
            before = ",\n"

        yield write
        out.write("[]\n" if before == "[\n" else "\n]\n")


ROW_KEYS = {"output=FILE": "instead of standard output: .jsonl, or .csv with a column for each value"}

CHECKPOINT_VERBS = {
    "predict": Verb(
        "What a trained model says of new text, as JSON lines.",
        _predict,
        {
            "checkpoint=PATH": "the directory of a run (its best), or a file; also the first word",
            'text="…"': "one text; or",
            "file=FILE column=NAME": "one per line, or a column (text) of .csv .tsv .jsonl; or standard input",
            "top_k=N": "how many labels, or next tokens (3)",
            "n_best=N": "of a tagger with a CRF: also the N likeliest ways to tag the whole text",
            **ROW_KEYS,
            "batch_size=N": "texts at a time (64)",
            "allow=[MODULE]": "where a cell of your own comes from",
        },
        (),
        (
            'predict runs/demo/lstm-seed1 text="In the morning"',
            "predict runs/demo/lstm-seed1 file=verses.csv column=text output=labels.csv",
            "predict checkpoint=best.ckpt < verses.txt",
        ),
    ),
    "score": Verb(
        "How likely a text is to a language model, token by token, as JSON lines.",
        _score,
        {
            "checkpoint=PATH": "the directory of a run (its best), or a file; also the first word",
            'text="…"': "one text; or",
            "file=FILE column=NAME": "one per line, or a column (text) of .csv .tsv .jsonl; or standard input",
            **ROW_KEYS,
            "batch_size=N": "texts at a time (16)",
            "allow=[MODULE]": "where a cell of your own comes from",
        },
        (),
        (
            'score checkpoint=runs/verses_words/lstm-seed1/checkpoints/best.ckpt text="and"',
            "score checkpoint=best.ckpt file=verses.txt",
            "score checkpoint=best.ckpt < verses.txt",
        ),
    ),
    "sample": Verb(
        "Text from a language model, as it is drawn.",
        _sample,
        {
            "checkpoint=PATH": "the directory of a run (its best), or a file; also the first word",
            'prompt="…"': "what it begins with (the beginning of a line)",
            "length=N": "symbols after the prompt (200)",
            "temperature=T": "0 always takes the likeliest (1.0)",
            "top_k=N top_p=P": "draw from the likeliest alone",
            "samples=N seed=N": "how many, side by side (1), and the draw (1)",
            "output=FILE": "instead of standard output; with a row for each sample where it ends in .jsonl or .csv",
        },
        (),
        (
            'sample checkpoint=runs/verses_words/lstm-seed1/checkpoints/best.ckpt prompt="and"',
            "sample checkpoint=best.ckpt length=500 temperature=0.8 top_k=40 top_p=0.95 seed=2",
            "sample checkpoint=best.ckpt samples=4",
        ),
    ),
    "translate": Verb(
        "Another sequence for each line, from a trained encoder-decoder.",
        _translate,
        {
            "checkpoint=PATH": "the directory of a run (its best), or a file; also the first word",
            'text="…"': "one text; or",
            "file=FILE column=NAME": "one per line, or a column (text) of .csv .tsv .jsonl; or standard input",
            "beam=N length_penalty=A": "how it is searched (as in training's test)",
            "n_best=N": "hypotheses of each text, after its number and a tab (1)",
            "scores=true": "the score before each, and a tab",
            "attention_out=FILE": "where each symbol looked, as JSON",
            "output=FILE": "instead of standard output; rows with all numbers where it ends in .jsonl or .csv",
            "batch_size=N": "texts at a time (32)",
            "target_language=CODE": "refuse a model that writes another",
        },
        (),
        (
            "translate checkpoint=runs/dates/attention-seed1/checkpoints/best.ckpt < in.txt",
            'translate checkpoint=best.ckpt text="march 5, 2026" n_best=5 scores=true',
            "translate checkpoint=best.ckpt file=in.txt attention_out=out.json",
        ),
    ),
}
