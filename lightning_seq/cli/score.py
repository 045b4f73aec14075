"""`lightning-seq score`: the probabilities of texts in a language model, a row for each."""

from __future__ import annotations

from lightning_seq.cli.checkpoint import loaded_checkpoint, texts_of
from lightning_seq.cli.rows import counted, output_file, write_rows
from lightning_seq.cli.verbs import Score
from lightning_seq.inference.score import scores


def run(arguments: Score) -> int:
    path = output_file(arguments.output, arguments.file)
    loaded = loaded_checkpoint("score", arguments)
    write_rows(path, counted(scores(loaded, texts_of(arguments, loaded), arguments.batch_size), path))
    return 0
