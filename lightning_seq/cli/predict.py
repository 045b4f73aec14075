"""`lightning-seq predict`: the predictions of a trained model for new texts, a row for each."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import chain, islice

from lightning_seq.cli.checkpoint import loaded_checkpoint, texts_of
from lightning_seq.cli.rows import counted, output_file, write_rows
from lightning_seq.cli.verbs import Predict
from lightning_seq.inference.predict import check_paths, choices, predictions
from lightning_seq.spec import Tags
from lightning_seq.text.conll import has_a_column_of

_EXAMINED = 50
"""Lines from the start of a file that are tested for the columns of CoNLL."""

log = logging.getLogger("lightning_seq")


def run(arguments: Predict) -> int:
    path = output_file(arguments.output, arguments.file)
    loaded = loaded_checkpoint("predict", arguments)
    kind, most = loaded.kind, choices(loaded, arguments.top_k)
    widths = {} if kind.choices(loaded) is None else dict.fromkeys(kind.ranked, most)
    if arguments.n_best is not None:
        check_paths(loaded, arguments.n_best)
        widths["paths"] = arguments.n_best
    texts = texts_of(arguments, loaded)
    if isinstance(loaded.spec.targets, Tags) and arguments.file is not None and arguments.column is None:
        texts = _warn_of_columns(texts, arguments.file, loaded.spec.targets)
    rows = predictions(loaded, texts, arguments.top_k, arguments.batch_size, arguments.n_best)
    write_rows(path, counted(rows, path), kind.ranked, widths)
    return 0


def _warn_of_columns(texts: Iterator[str], file: str, tags: Tags) -> Iterator[str]:
    """The texts. A warning is logged if they are lines of a CoNLL file, with this tagger's tags in a column."""
    first = list(islice(texts, _EXAMINED))
    if has_a_column_of(tags.names, first):
        log.warning(
            "file=%s looks like CoNLL, tokens and tags in columns: each line is read as one text; give a file with one "
            "sentence per line, without tags",
            file,
        )
    return chain(first, texts)
