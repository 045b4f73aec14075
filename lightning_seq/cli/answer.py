"""`lightning-seq answer`: the answer to a question about a picture."""

from __future__ import annotations

import logging

from lightning_seq.cli.attention_file import attention_file, kept_attention
from lightning_seq.cli.checkpoint import loaded_checkpoint
from lightning_seq.cli.verbs import Answer
from lightning_seq.errors import UserError
from lightning_seq.files import existing_file
from lightning_seq.inference.answer import answered
from lightning_seq.printable import printable

log = logging.getLogger("lightning_seq")


def run(arguments: Answer) -> int:
    path = attention_file(arguments.attention_out, arguments.image)
    image = existing_file(arguments.image, "image")
    if not arguments.question.strip():
        raise UserError('question="" is empty: give a question, such as question="is there a red three"')
    loaded = loaded_checkpoint("answer", arguments)
    asked = arguments.question, arguments.choices
    one = answered(loaded, image, *asked, top_k=arguments.top_k, attention=path is not None)
    if path is not None:
        with kept_attention(path, loaded.model.picture.grid) as keep:
            keep(one.values, [one], {"image": str(image), "question": arguments.question})
    if one.note:
        log.warning("%s", one.note)
    for best in one.best:
        score = [f"{best['probability']:.6f}"] if arguments.scores else []
        print("\t".join([*score, printable(best["answer"])]))
    return 0
