"""The `word2vec` verb: train or find word vectors, and say what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lightning_seq.config.compose import check_name, compose
from lightning_seq.errors import UserError
from lightning_seq.files import write_json


def word2vec(words: Sequence[str], console: Console) -> Path | None:
    """Vectors for the train split of `data`, from the cache where they are there; optionally evaluated and exported.

    With `evaluate=true`, a map of the vectors is left in `<runs>/<name>/word_map.json`, whose path is returned.
    """
    from lightning_seq.builders.build import build_data
    from lightning_seq.builders.inputs import build_inputs
    from lightning_seq.embeddings.evaluate import report, word_map
    from lightning_seq.embeddings.formats import write_word2vec_text

    config = compose([*words, "embedding=word2vec"])
    if config["embedding"]["size"] is not None:
        raise UserError("embedding.size is for models: set word2vec.vector_size")
    output = Path(config["output"]).expanduser() if config["output"] else None
    if output is not None and output.is_dir():
        raise UserError(f"output={output} is a directory: expected a file to write, such as {output / 'vectors.txt'}")
    data = build_data(config)
    _say(console, data.summary())
    inputs = build_inputs(config, data, progress=True)
    assert inputs.vectors is not None and inputs.coverage is not None  # noqa: PT018 - embedding=word2vec has both
    place = Path(config["cache"]) / "word2vec" / str(inputs.fingerprint)
    tokens = inputs.coverage.tokens
    _say(
        console,
        f"{len(inputs.vectors.words):,} vectors of {inputs.width} numbers, for {inputs.coverage.types:.1%} "
        "of the vocabulary" + (f" and {tokens:.1%} of its occurrences in training" if tokens is not None else ""),
    )
    _say(console, f"vectors    {place}")
    if output is not None:
        write_word2vec_text(inputs.vectors, output)
        _say(console, f"text       {config['output']}")
    if not config["evaluate"]:
        return None
    console.print(report(inputs.vectors))
    path = Path(config["runs"]) / check_name("name", config["name"] or config["choices"]["data"]) / "word_map.json"
    write_json(path, word_map(inputs.vectors))
    return path


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
