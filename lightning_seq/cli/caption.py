"""`lightning-seq caption`: captions of a picture, or of every picture in a directory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from lightning_seq.builders.sequence_to_sequence import beam
from lightning_seq.cli.attention_file import Keep, attention_file, kept_attention
from lightning_seq.cli.checkpoint import loaded_checkpoint
from lightning_seq.cli.rows import ROW_SUFFIXES, counted, output_file, text_out, write_rows
from lightning_seq.cli.verbs import Caption
from lightning_seq.errors import UserError
from lightning_seq.files import existing_file, place
from lightning_seq.inference.caption import Captioned, captions
from lightning_seq.printable import number_of, printable

MOST_DRAWN = 50
"""Pictures of one `attention_out=FILE.png`."""

log = logging.getLogger("lightning_seq")


def run(arguments: Caption) -> int:
    path = output_file(arguments.output, arguments.image, text=True)
    weights = attention_file(arguments.attention_out, arguments.image)
    files = _files(arguments.image)
    several = place(arguments.image, "image").is_dir()
    if weights is not None and weights.suffix == ".png" and len(files) > MOST_DRAWN:
        raise UserError(
            f"attention_out={arguments.attention_out} holds at most {MOST_DRAWN} pictures, and image={arguments.image} "
            f"{len(files):,} files: use attention_out=maps.json, or a smaller directory"
        )
    loaded = loaded_checkpoint("caption", arguments)
    settings, n_best = dict(loaded.config["task"]), arguments.n_best
    settings["beam"] = max(n_best, settings["beam"]) if arguments.beam is None else arguments.beam
    if arguments.length_penalty is not None:
        settings["length_penalty"] = arguments.length_penalty
    search = beam(settings, n_best)
    answers = captions(loaded, files, search, arguments.batch_size, attention=weights is not None)
    answers = counted(_with_a_picture(answers, arguments.image) if several else map(_readable, answers), path)
    with ExitStack() as stack:
        if weights is not None:
            keep = stack.enter_context(kept_attention(weights, loaded.model.picture.grid))
            answers = _kept(answers, keep)
        if several or (path is not None and path.suffix in ROW_SUFFIXES):
            write_rows(path, (one.to_plain() for one in answers), ("predictions",), {"predictions": n_best})
            return 0
        out = stack.enter_context(text_out(path))
        for one in answers:
            if one.note:
                log.warning("%s: %s", one.path, one.note)
            for best in one.best or []:
                score = [f"{best.score:.6f}"] if arguments.scores else []
                print("\t".join([*score, printable(best.text)]), file=out)
    return 0


def _files(image: str) -> list[Path]:
    """The one file, or those of a directory by name, without hidden ones.

    Raises UserError for a path that is not there, and for a directory without a file.
    """
    path = place(image, "image")
    if not path.is_dir():
        return [existing_file(image, "image")]
    try:
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise UserError(f"image={image} cannot be read ({error.strerror}): give a directory of pictures") from None
    if not files:
        raise UserError(f"image={image} holds no file: expected a directory of pictures")
    return files


def _readable(one: Captioned) -> Captioned:
    """Raises UserError for a file that is no picture."""
    if one.best is None:
        raise UserError(f"image={one.note}")
    return one


def _with_a_picture(answers: Iterator[Captioned], image: str) -> Iterator[Captioned]:
    """The answers. Raises UserError, before the first, where no file is a picture."""
    before: list[Captioned] = []
    for one in answers:
        before.append(one)
        if one.best is not None:
            return chain(before, answers)
    raise UserError(f"image={image} holds no picture in {number_of(len(before), 'file')}; the first: {before[0].note}")


def _kept(answers: Iterator[Captioned], keep: Keep) -> Iterator[Captioned]:
    """The answers; the attention of each is kept first."""
    for one in answers:
        if one.values is not None:
            keep(one.values, one.best or [], {"image": str(one.path)})
        yield one
