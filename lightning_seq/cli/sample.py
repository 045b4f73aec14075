"""`lightning-seq sample`: text that is drawn from a language model."""

from __future__ import annotations

from lightning_seq.cli.checkpoint import loaded_checkpoint
from lightning_seq.cli.rows import output_file, text_out, write_rows
from lightning_seq.cli.verbs import Sample
from lightning_seq.inference.sample import Drawing, pieces
from lightning_seq.printable import printable


def run(arguments: Sample) -> int:
    path = output_file(arguments.output, text=True)
    loaded = loaded_checkpoint("sample", arguments)
    settings = ("length", "temperature", "top_k", "top_p", "samples", "seed")
    drawn = pieces(loaded, arguments.prompt, Drawing(**{name: getattr(arguments, name) for name in settings}))
    if arguments.samples == 1 and (path is None or path.suffix not in (".jsonl", ".csv")):
        with text_out(path) as out:
            for (piece,) in drawn:
                print(printable(piece), end="", flush=path is None, file=out)
            print(file=out)
        return 0
    texts = enumerate(map("".join, zip(*drawn, strict=True)), 1)
    if path is not None and path.suffix in (".jsonl", ".csv"):
        write_rows(path, ({"sample": number, "text": text} for number, text in texts))
        return 0
    with text_out(path) as out:
        for number, text in texts:
            print(f"--- {number}\n{printable(text)}", file=out)
    return 0
