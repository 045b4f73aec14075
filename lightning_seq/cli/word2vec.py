"""`lightning-seq word2vec`: train or find word vectors, and evaluate them."""

from __future__ import annotations

from pathlib import Path

from lightning_seq.builders.build import build_data
from lightning_seq.builders.inputs import build_inputs
from lightning_seq.config.compose import check_name, compose
from lightning_seq.config.seeds import seeded
from lightning_seq.embeddings.evaluate import report, word_map
from lightning_seq.embeddings.formats import write_word2vec_text
from lightning_seq.errors import UserError
from lightning_seq.files import write_json, write_text
from lightning_seq.report.dashboard.dashboard import map_page
from lightning_seq.terminal import command_console, say


def run(words: list[str]) -> int:
    """Vectors for the train split of `data`, from the cache if it has them; optionally evaluated and exported.

    `evaluate=true` also writes a map of the vectors to `<runs>/<name>/`.
    """
    console = command_console()
    config = compose([*words, "embedding=word2vec"])
    config = seeded(config, config["seed"])
    if config["embedding"]["size"] is not None:
        raise UserError("embedding.size is for models: set word2vec.vector_size")
    output = Path(config["output"]).expanduser() if config["output"] else None
    if output is not None and output.is_dir():
        raise UserError(f"output={output} is a directory: expected a file to write, such as {output / 'vectors.txt'}")
    data = build_data(config)
    say(console, data.summary())
    inputs = build_inputs(config, data, progress=True)
    if inputs.vectors is None or inputs.coverage is None:
        raise TypeError("embedding=word2vec gave no vectors")
    tokens = inputs.coverage.tokens
    say(
        console,
        f"{len(inputs.vectors.words):,} vectors of {inputs.width} numbers, for {inputs.coverage.types:.1%} "
        "of the vocabulary" + (f" and {tokens:.1%} of its occurrences in training" if tokens is not None else ""),
    )
    say(console, f"vectors    {Path(config['cache']) / 'word2vec' / str(inputs.fingerprint)}")
    if output is not None:
        write_word2vec_text(inputs.vectors, output)
        say(console, f"text       {config['output']}")
    if not config["evaluate"]:
        return 0
    console.print(report(inputs.vectors))
    path = Path(config["runs"]) / check_name("name", config["name"] or config["choices"]["data"]) / "word_map.json"
    write_json(path, word_map(inputs.vectors))
    page = path.with_suffix(".html")
    write_text(page, map_page(path, f"{path.parent.name}: word vectors"))
    say(console, f"map        {page}")
    return 0
