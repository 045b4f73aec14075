"""`lightning-seq answer`: the answer to a question about a picture, or to the turns of a dialog about it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from lightning_seq.builders.task_kind import Loaded
from lightning_seq.cli.attention_file import attention_file, kept_attention
from lightning_seq.cli.checkpoint import loaded_checkpoint
from lightning_seq.cli.verbs import Answer
from lightning_seq.data.visual_dialog.reader import Asked, DialogReader, turns_of
from lightning_seq.errors import UserError
from lightning_seq.files import DamagedError, existing_file, read_json
from lightning_seq.inference.answer import Answered, answered, conversation
from lightning_seq.printable import printable

log = logging.getLogger("lightning_seq")


def run(arguments: Answer) -> int:
    path = attention_file(arguments.attention_out, arguments.image)
    image = existing_file(arguments.image, "image")
    if not arguments.question.strip():
        raise UserError('question="" is empty: give a question, such as question="is there a red three"')
    loaded = loaded_checkpoint("answer", arguments)
    of_dialog = isinstance(loaded.reader, DialogReader)
    answers = [*_dialog(loaded, image, arguments)] if of_dialog else [_question(loaded, image, arguments)]
    if path is not None:
        with kept_attention(path, loaded.model.picture.grid) as keep:
            for one in answers:
                keep(one.values, [one], {"image": str(image), "question": one.question})
    for one in answers:
        if one.note:
            log.warning("%s", one.note)
        for best in one.best:
            score = [f"{[*best.values()][1]:.6f}"] if arguments.scores else []
            asked = [printable(one.question)] if len(answers) > 1 else []
            print("\t".join([*asked, *score, printable(str(best["answer"]))]))
    return 0


def _question(loaded: Loaded, image: Path, arguments: Answer) -> Answered:
    if arguments.turns is not None or arguments.caption:
        key = "turns" if arguments.turns is not None else "caption"
        raise UserError(f"{key}=… is for models of dialogs, and this checkpoint is {loaded.kind.name}: leave it out")
    asked = arguments.question, arguments.choices
    return answered(loaded, image, *asked, top_k=arguments.top_k, attention=arguments.attention_out is not None)


def _dialog(loaded: Loaded, image: Path, arguments: Answer) -> Iterator[Answered]:
    """Raises UserError for an empty turn, for one choice, and for a file of turns that cannot be read."""
    questions = [question.strip() for question in arguments.question.split("|")]
    if not all(questions):
        raise UserError(f'question="{arguments.question}" has an empty turn: give a question before and after each |')
    listed = tuple(filter(None, map(str.strip, arguments.choices.split("|"))))
    if len({*listed}) == 1:
        raise UserError(f"choices={arguments.choices} is one answer: expected at least two, with | between them")
    turns: tuple[tuple[str, str], ...] = ()
    if arguments.turns is not None:
        file = existing_file(arguments.turns, "turns")
        try:
            turns = turns_of(read_json(file, list), f"turns={arguments.turns}")
        except DamagedError as error:
            raise UserError(
                f"turns={arguments.turns} cannot be read ({error}): expected [[question, answer], …]"
            ) from None
    first = Asked(image, questions[0], arguments.caption, turns, listed)
    attention = arguments.attention_out is not None
    return conversation(loaded, first, questions[1:], arguments.top_k, attention)
