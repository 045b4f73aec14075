"""`lightning-seq answer`: the answer to a question about a picture."""

from __future__ import annotations

import logging

from lightning_seq.cli.attention_file import attention_file
from lightning_seq.cli.checkpoint import loaded_checkpoint
from lightning_seq.cli.rows import json_list
from lightning_seq.cli.verbs import Answer
from lightning_seq.errors import UserError
from lightning_seq.files import existing_file, replacing
from lightning_seq.inference.answer import answered
from lightning_seq.inference.attention_frames import drawn
from lightning_seq.printable import printable

log = logging.getLogger("lightning_seq")


def run(arguments: Answer) -> int:
    path = attention_file(arguments.attention_out, arguments.image)
    image = existing_file(arguments.image, "image")
    if not arguments.question.strip():
        raise UserError('question="" is empty: give a question, such as question="is there a red three"')
    loaded = loaded_checkpoint("answer", arguments)
    one = answered(loaded, image, arguments.question, arguments.top_k, attention=path is not None)
    if path is not None:
        grid = loaded.model.picture.grid
        if path.suffix == ".png":
            with replacing(path) as temporary:
                drawn([(one.values, one)], grid).save(temporary, "PNG")
        else:
            with json_list(path) as write:
                write({"image": str(image), "question": arguments.question, "grid": list(grid), "weights": one.weights})
    if one.note:
        log.warning("%s", one.note)
    for best in one.best:
        score = [f"{best['probability']:.6f}"] if arguments.scores else []
        print("\t".join([*score, printable(best["answer"])]))
    return 0
