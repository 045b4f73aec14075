"""Searches of a trained encoder-decoder: BLEU and sentences a second, greedy against beams, one sentence at a time
and 64: `python benchmarks/decoding.py CHECKPOINT [SENTENCES]`.

The data set is the one the checkpoint was trained on, its test split, from the beginning; beams have a length penalty
of 1. With batches the sentences are sorted by length first, as test batches are.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from timing import machine, write_results

from lightning_seq.builders.build import build_data
from lightning_seq.inference.load import load
from lightning_seq.metrics.translation import corpus_scores
from lightning_seq.models.search import BeamSearchConfig, beam_search, greedy, max_target_lengths
from lightning_seq.models.translator import Translator

SEARCHES = {
    "greedy": None,
    "beam 1": BeamSearchConfig(1),
    "beam 2": BeamSearchConfig(2),
    "beam 5": BeamSearchConfig(5),
    "beam 10": BeamSearchConfig(10),
}


@torch.inference_mode()
def main(arguments: list[str]) -> None:
    if not arguments:
        sys.exit("a checkpoint is missing: python benchmarks/decoding.py runs/NAME/LABEL-seed1/checkpoints/best.ckpt")
    loaded = load(arguments[0])
    data, reader, console = build_data(loaded.config), loaded.reader, Console(width=120)
    count = min(int(arguments[1]) if len(arguments) > 1 else 500, len(data.lengths("test")))
    rows = sorted(range(count), key=lambda row: int(data.lengths("test")[row]))
    texts = [data.source_text("test", row) for row in rows]
    references = [data.reference("test", row) for row in rows]
    found: dict[str, Any] = {"machine": machine(), "sentences": count}
    table = Table("search", "batch", "BLEU", "chrF", "sentences/s", box=None)
    for name, beam in SEARCHES.items():
        for batch_size in (1, 64):
            written, begun = [], time.perf_counter()
            for start in range(0, count, batch_size):
                batch = reader.encode(texts[start : start + batch_size], cut=True)
                given = Translator.of(loaded.model, batch.inputs, batch.mask), max_target_lengths(batch.mask.sum(1))
                best = greedy(*given) if beam is None else [each[0] for each in beam_search(*given, beam)]
                written += [reader.decode(each.tokens) for each in best]
            speed = count / (time.perf_counter() - begun)
            scores = corpus_scores(written, references, reader.tokenized, reader.target.lower)
            found[f"{name}, batch {batch_size}"] = {"bleu": scores.bleu, "chrf": scores.chrf, "per_second": speed}
            table.add_row(name, str(batch_size), f"{scores.bleu:.2f}", f"{scores.chrf:.2f}", f"{speed:.1f}")
    console.print(found["machine"], f"{count} test sentences of {loaded.config['choices']['data']}")
    console.print(table)
    console.print(f"\nwritten to {write_results('decoding', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
