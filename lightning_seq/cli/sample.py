"""`lightning-seq sample`: draw text from a language model."""

from __future__ import annotations

from lightning_seq.cli.checkpoint import loaded_checkpoint
from lightning_seq.cli.rows import ROW_SUFFIXES, output_file, text_out, write_rows
from lightning_seq.cli.verbs import Sample
from lightning_seq.inference.sample import pieces
from lightning_seq.printable import printable


def run(arguments: Sample) -> int:
    path = output_file(arguments.output, text=True)
    loaded = loaded_checkpoint("sample", arguments)
    settings = ("length", "temperature", "top_k", "top_p", "samples", "seed")
    drawn = pieces(loaded, arguments.prompt, **{name: getattr(arguments, name) for name in settings})
    if path is not None and path.suffix in ROW_SUFFIXES:
        texts = map("".join, zip(*drawn, strict=True))
        write_rows(path, ({"sample": number, "text": text} for number, text in enumerate(texts, 1)))
        return 0
    with text_out(path) as out:
        if arguments.samples == 1:
            for (piece,) in drawn:
                print(printable(piece), end="", flush=path is None, file=out)
            print(file=out)
        else:
            for number, parts in enumerate(zip(*drawn, strict=True), 1):
                print(f"--- {number}\n{printable(''.join(parts))}", file=out)
    return 0
