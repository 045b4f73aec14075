"""Translators that nobody trained, with their examples and maps of attention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seq.records.record import write
from tests.report.made_run import made_directory, record_of


def make_translation(
    directory: Path,
    labels: tuple[str, ...] = ("gru-fixed", "gru-additive", "gru-dot"),
    seeds: int = 2,
    epochs: int = 3,
    source: tuple[str, ...] = ("in", "the", "beginning", "God", "created", "heaven"),
    target: tuple[str, ...] = ("at", "first", "God", "made", "heaven", "<eos>"),
    sentences: int = 2,
    examples: int = 6,
    data: str = "verses_modernise",
    known: bool = False,
    signatures: tuple[str, str] = ("nrefs:1|case:lc|tok:none", "nrefs:1|case:lc|nc:6"),
    monitor: str = "val/bleu",
    **changes: Any,
) -> Path:
    """As `make_comparison`, for translators: the later a label, the better; those with `fixed` in them do not attend.

    known: whether alignments are.
    """
    random = np.random.default_rng(5)
    for order, label in enumerate(labels):
        attends = "fixed" not in label
        for seed in range(1, seeds + 1):
            run = made_directory(directory, label, seed)
            level = 21.0 + 6.25 * order + 0.5 * seed
            lengths = (
                ("short", 3, 9, level + 4),
                ("middle", 10, 16, level),
                ("long", 17, 38, level - 12 / (1 + order)),
            )
            held = [
                {
                    "id": 100 + number,
                    "source": f"{' '.join(source)} {number}",
                    "reference": f"{' '.join(target)} {number}",
                    "hypothesis": f"{' '.join(target if number % 3 == 2 else target[::-1])} {number}",
                    "loss": 4.0 - 0.1 * number - 0.2 * order,
                }
                for number in range(examples)
            ]
            plain = {
                "signatures": dict(zip(("bleu", "chrf"), signatures, strict=True)),
                "by_length": [
                    {"bucket": name, "from": first, "to": last, "n": 333, "bleu": bleu}
                    for name, first, last, bleu in lengths
                ],
                "by_position": {
                    "accuracy": [0.7 - 0.015 * place / (1 + order) for place in range(30)],
                    "n": [1000 - 33 * place for place in range(30)],
                },
                "examples": held,
                "beam": 5,
                "alignment_error_rate": 0.4 - 0.1 * order if known and attends else None,
                "attention_entropy": 1.5 - 0.2 * order if attends else None,
                "n": 999,
            }
            files = {"translation": run / "translation.json"}
            files["translation"].write_text(json.dumps(plain))
            if attends:
                files["attention"] = run / "attention.json"
                T, S = len(target), len(source)
                maps = []
                for epoch in range(1, epochs + 1):
                    scores = random.normal(0, 1, (sentences, T, S))
                    scores -= np.abs(np.arange(T)[:, None] * S / T - np.arange(S)) * epoch * (0.5 + 0.3 * order)
                    weights = np.exp(scores)
                    maps.append(weights / weights.sum(-1, keepdims=True))
                chosen = [
                    {
                        "id": 40 + number,
                        "source": [*source[:-1], f"{source[-1]}{number}"],
                        "maps": [
                            {"epoch": epoch, "target": list(target), "weights": weights[number].round(4).tolist()}
                            for epoch, weights in enumerate(maps, 1)
                        ],
                    }
                    for number in range(sentences)
                ]
                files["attention"].write_text(json.dumps({"sentences": chosen}))
            bleu = [[epoch * 10, epoch, epoch * 3.0, level - 8 / epoch] for epoch in range(1, epochs + 1)]
            loss = [[*point[:3], 3 - point[3] / 20] for point in bleu]
            write(
                run,
                record_of(
                    run,
                    label,
                    seed,
                    files,
                    task="sequence_to_sequence",
                    model="encoder_decoder_attention" if attends else "encoder_decoder",
                    cell="gru",
                    data=data,
                    engine="fused",
                    parameters={"total": 900_000, "embedding": 500_000, "recurrent": 190_000, "head": 210_000},
                    metrics={
                        "test/loss": 2.5 - 0.1 * order,
                        "test/accuracy": 0.5 + 0.03 * order,
                        "test/perplexity": float(np.exp(2.5 - 0.1 * order)),
                        "test/bleu": level,
                        "test/chrf": level + 20,
                        "test/exact_match": 0.01 * order,
                    },
                    curves={"val/bleu": bleu, "val/loss": loss, "train/loss": loss},
                    throughput={"tokens_per_second": 12_000.0},
                    fingerprints={"data": "7ea5", "split": "5923", "batches": f"ba7e{seed}"},
                    config={"task": {"monitor": monitor}, "data": {"level": "word"}},
                    started=f"2026-01-05T14:{order:02d}:{seed:02d}+00:00",
                ).with_(**changes),
            )
    return directory
