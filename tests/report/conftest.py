"""Comparisons that nobody ran: records, predictions and word maps that look like those of real runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from lightning_seq.files import sha256
from lightning_seq.record import Record, write

CLASSES = ("law", "history", "wisdom", "prophets", "gospels", "acts", "letters")
LEVELS = {"rnn": 0.69, "lstm": 0.752, "gru": 0.757, "birnn": 0.715}
RECURRENT = {"rnn": 33_024, "lstm": 117_248, "gru": 88_320, "birnn": 59_392}
WORDS = (
    "king",
    "queen",
    "israel",
    "egypt",
    "judah",
    "jerusalem",
    "babylon",
    "assyria",
    "damascus",
    "samaria",
    "lord",
    "god",
    "spirit",
    "house",
    "temple",
    "altar",
    "priest",
    "prophet",
    "father",
    "mother",
    "son",
    "daughter",
    "brother",
    "sister",
    "city",
    "river",
    "mountain",
    "sea",
    "wilderness",
    "bread",
)


def make_comparison(
    directory: Path,
    labels: tuple[str, ...] = ("rnn", "lstm", "gru", "birnn"),
    seeds: int = 3,
    epochs: int = 8,
    classes: tuple[str, ...] = CLASSES,
    words: tuple[str, ...] = WORDS,
    failed: tuple[tuple[str, int], ...] = (),
    error: str = "RuntimeError: loss is not finite at step 120",
    steps_per_epoch: int = 0,
    **changes: Any,
) -> Path:
    """Write `<directory>/<label>-seed<k>/` for each label and seed and return the directory.

    steps_per_epoch: how many points `train/loss` has within an epoch; 0 logs it once an epoch.
    changes:         fields of every record.
    """
    for order, label in enumerate(labels):
        for seed in range(1, seeds + 1):
            random = np.random.default_rng([order, seed])
            level = LEVELS.get(label, 0.7 + 0.01 * order) + random.normal(0, 0.006)
            run = directory / f"{_file_name(label)}-seed{seed}"
            run.mkdir(parents=True)
            is_failed = (label, seed) in failed
            files = _write_files(run, random, level, classes, words, is_failed)
            record = Record(
                status="failed" if is_failed else "done",
                name=directory.name,
                label=label,
                seed=seed,
                error=error if is_failed else None,
                overrides=[f"model={label}"],
                task="classification",
                model=label,
                cell=label,
                data="verses_genre",
                engine="native",
                parameters={
                    "total": 1_200_000 + RECURRENT.get(label, 50_000) + 903,
                    "embedding": 1_200_000,
                    "recurrent": RECURRENT.get(label, 50_000),
                    "head": 903,
                },
                metrics={}
                if is_failed
                else {
                    "val/accuracy": level + 0.004,
                    "test/loss": 1.9 - 1.5 * level,
                    "test/macro_f1": level - 0.031,
                    "test/accuracy": level,
                },
                curves=_curves(random, level, order, 2 if is_failed else epochs, steps_per_epoch),
                throughput={} if is_failed else {"tokens_per_second": 61_000 - 9_000 * order + random.normal(0, 800)},
                peak_memory_bytes=812_000_000,
                fingerprints={
                    "config": f"c{order}{seed}",
                    "data": "61fa0c2277b1d3aa",
                    "split": "0d93bb1c5e02f7a4",
                    "batches": f"ba7c4e5{seed}",
                    "embedding": "9a0be3d1c2f45566",
                },
                embedding={"kind": "word2vec", "size": 100, "type_coverage": 0.934, "token_coverage": 0.9921},
                artifacts={name: {"path": path.name, "sha256": sha256(path)} for name, path in files.items()},
                config={
                    "seed": seed,
                    "model": {"cell": label, "hidden_size": 128, "num_layers": 1, "bidirectional": label == "birnn"},
                    "optimizer": {"name": "adamw", "lr": 0.002, "weight_decay": 0.01},
                    "data": {"name": "verses_genre", "batch_size": 64, "max_length": None},
                    "trainer": {"max_epochs": epochs, "accelerator": "cpu"},
                },
                environment={
                    "python": "3.11.9",
                    "torch": "2.13.0",
                    "lightning": "2.6.6",
                    "device": "cpu",
                    "threads": 2,
                },
                started=f"2026-01-05T10:{order:02d}:{seed:02d}+00:00",
                finished=f"2026-01-05T10:{order:02d}:{seed + 30:02d}+00:00",
            )
            write(run, record.with_(**changes))
    return directory


def _file_name(label: str) -> str:
    return label if label.replace("-", "_").isidentifier() else f"label{crc32(label.encode())}"


def _write_files(
    run: Path, random: np.random.Generator, level: float, classes: tuple[str, ...], words: tuple[str, ...], failed: bool
) -> dict[str, Path]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    files = {"config": run / "config.yaml", "log": run / "log.txt"}
    files["config"].write_text("seed: 1\n")
    files["log"].write_text("started\n")
    if failed:
        return files
    n = 900
    weights = 1 / np.arange(1, len(classes) + 1)
    target = random.choice(len(classes), n, p=weights / weights.sum())
    near = (target + random.choice([-1, 1, 2], n, p=[0.45, 0.4, 0.15])) % len(classes)
    prediction = np.where(random.random(n) < level, target, near)
    files |= {"predictions": run / "predictions.parquet", "word_map": run / "word_map.json"}
    names = np.array(classes, dtype=object)
    parquet.write_table(
        pa.table(
            {
                "id": np.arange(n),
                "target": names[target].tolist(),
                "prediction": names[prediction].tolist(),
                "loss": random.exponential(0.8, n),
            }
        ),
        files["predictions"],
    )
    places = np.random.default_rng(7).normal(0, [2.2, 1.1], (len(words), 2))
    plain = {
        "method": "PCA",
        "words": [
            {"word": word, "count": int(9000 / (index + 1)) + 5, "x": float(x), "y": float(y)}
            for index, (word, (x, y)) in enumerate(zip(words, places, strict=True))
        ],
        "arrows": [{"from": words[0], "to": words[1]}, {"from": words[2], "to": words[5 % len(words)]}],
    }
    files["word_map"].write_text(json.dumps(plain))
    files["metrics"] = run / "metrics.csv"
    files["metrics"].write_text("step,val/loss\n1,0.5\n")
    return files


def _curves(
    random: np.random.Generator, level: float, order: int, epochs: int, steps_per_epoch: int
) -> dict[str, list[list[float | None]]]:
    curves: dict[str, list[list[float | None]]] = {"train/loss": [], "val/loss": [], "val/accuracy": []}
    for epoch in range(1, epochs + 1):
        step, seconds = epoch * 380, epoch * (7.0 + 2.2 * order) + random.normal(0, 0.2)
        rise = 1 - np.exp(-0.7 * epoch)
        noise = random.normal(0, 0.006)
        curves["val/accuracy"].append([step, epoch, seconds, float(0.3 + (level - 0.3) * rise + noise)])
        curves["val/loss"].append([step, epoch, seconds, float(1.9 - 1.5 * level * rise + 0.012 * epoch - noise)])
        for part in range(1, max(1, steps_per_epoch) + 1):
            share = part / max(1, steps_per_epoch)
            at = epoch - 1 + share
            loss = 1.95 - 1.6 * level * (1 - np.exp(-0.7 * at)) - 0.03 * at + random.normal(0, 0.015)
            took = seconds * at / epoch
            curves["train/loss"].append([step - 380 + 380 * share, epoch, took, float(loss)])
    return curves


def make_language(
    directory: Path,
    labels: tuple[str, ...] = ("rnn", "gru"),
    seeds: int = 2,
    level: str = "word",
    data: str = "",
    prompt: str = "in the",
    epochs: int = 3,
    words: tuple[str, ...] = ("the", "beginning", "of", "<eos>", "lord"),
    settings: dict[str, Any] | None = None,
    evaluation: str | None = "carry",
    **changes: Any,
) -> Path:
    """As `make_comparison`, for language models: the later a label, the better its perplexity, the worse its accuracy.

    level:    `word` or `character`.
    words:    what the model writes and expects.
    settings: of the data, over the usual ones.
    """
    for order, label in enumerate(labels):
        for seed in range(1, seeds + 1):
            nats = 5.2 - 0.4 * order + 0.03 * seed
            by_epoch = [nats + 1.5 / epoch for epoch in range(1, epochs + 1)]
            run = directory / f"{_file_name(label)}-seed{seed}"
            run.mkdir(parents=True)
            symbols = prompt.split() if level == "word" else list(prompt)
            plain = {
                "prompt": prompt,
                "samples": [
                    {"epoch": epoch, "text": prompt + " " + " ".join(words[: epoch + 1])}
                    for epoch in range(1, epochs + 1)
                ],
                "steps": [
                    {"symbol": symbol, "next": [{"symbol": w, "probability": 0.6 / 2**i} for i, w in enumerate(words)]}
                    for symbol in symbols
                ],
            }
            (run / "samples.json").write_text(json.dumps(plain))
            curves = {name: [] for name in ("train/loss", "val/loss", "val/perplexity", "val/accuracy")}
            for epoch, value in enumerate(by_epoch, 1):
                for name, point in zip(curves, (value, value, float(np.exp(value)), 0.2 - 0.01 * order), strict=True):
                    curves[name].append([epoch * 10, epoch, epoch * 2.0, point])
            curves["val/bits_per_character"] = [[*point[:3], point[3] / 3] for point in curves["val/loss"]]
            write(
                run,
                Record(
                    status="done",
                    name=directory.name,
                    label=label,
                    seed=seed,
                    task="language_modelling",
                    model=label,
                    cell=None if label.startswith("window") else label,
                    data=data or f"verses_{level}s",
                    engine="fused",
                    parameters={"total": 500_000, "embedding": 300_000, "recurrent": 40_000, "head": 160_000},
                    metrics={
                        "test/loss": nats,
                        "test/perplexity": float(np.exp(nats)),
                        "test/accuracy": 0.2 - 0.01 * order + 0.001 * seed,
                        "test/bits_per_character": nats / 3,
                    },
                    curves=curves,
                    throughput={"tokens_per_second": 20_000.0},
                    fingerprints={"data": "da7a", "split": "5911", "batches": f"ba7c{seed}"},
                    artifacts={"samples": {"path": "samples.json", "sha256": sha256(run / "samples.json")}},
                    config={
                        "task": {"evaluation": evaluation} if evaluation else {},
                        "data": {
                            "level": level,
                            "eos": True,
                            "layout": "columns",
                            "chunk_length": 35,
                            "eval_chunk_length": None,
                            **(settings or {}),
                        },
                    },
                    started=f"2026-01-05T12:{order:02d}:{seed:02d}+00:00",
                ).with_(**changes),
            )
    return directory


TAGS = ("O", "B-NP", "I-NP", "B-VP")
SENTENCES: tuple[dict[str, Any], ...] = (
    {
        "id": 4,
        "tokens": ["right", "here"],
        "target": ["O", "B-NP"],
        "prediction": ["O", "B-NP"],
        "loss": 9.5,
    },
    {
        "id": 17,
        "tokens": ["the", "dog", "barks", "?"],
        "target": ["B-NP", "I-NP", "B-VP", "O"],
        "prediction": ["B-NP", "B-VP", "B-VP", "O"],
        "loss": 7.25,
    },
)


def make_tagging(
    directory: Path,
    labels: tuple[str, ...] = ("rnn", "birnn"),
    seeds: int = 2,
    tags: tuple[str, ...] = TAGS,
    sentences: tuple[dict[str, Any], ...] = SENTENCES,
    spans: bool = True,
    data: str = "conll2000",
    parquet: bool = True,
    **changes: Any,
) -> Path:
    """As `make_comparison`, for taggers: the later a label, the better its F1, the worse its accuracy.

    spans:   whether the tags mark spans, and there are metrics of them.
    parquet: whether there is a `predictions.parquet` beside the `tagging.json`; the counts of both are equal.
    """
    import pyarrow as pa
    import pyarrow.parquet as sheets

    for order, label in enumerate(labels):
        for seed in range(1, seeds + 1):
            run = directory / f"{_file_name(label)}-seed{seed}"
            run.mkdir(parents=True)
            size = len(tags)
            confusion = np.eye(size, dtype=int) * 40 + np.eye(size, k=1, dtype=int) * (8 - order)
            kinds = list(dict.fromkeys(tag[2:] for tag in tags if tag != "O")) if spans else []
            score = {"precision": 0.8, "recall": 0.7, "f1": 0.6 + 0.05 * order}
            plain = {
                "labels": list(tags),
                "confusion": confusion.tolist(),
                "per_class": [{"label": tag, **score, "support": 190 - number} for number, tag in enumerate(tags)],
                "spans": [
                    {"kind": kind, **score, "predicted": 80, "spans": 90 - number} for number, kind in enumerate(kinds)
                ],
                "sentences": list(sentences),
            }
            files = {"tagging": run / "tagging.json", "conll": run / "predictions.conll"}
            files["tagging"].write_text(json.dumps(plain))
            files["conll"].write_text("the B-NP B-NP\n")
            if parquet:
                files["predictions"] = run / "predictions.parquet"
                target, prediction = np.repeat(
                    np.indices(confusion.shape).reshape(2, -1), confusion.reshape(-1), axis=1
                )
                names = np.array(tags, dtype=object)
                table = {"target": names[target].tolist(), "prediction": names[prediction].tolist()}
                sheets.write_table(pa.table(table), files["predictions"])
            metrics = {"test/loss": 0.4, "test/accuracy": 0.95 - 0.02 * order + 0.001 * seed}
            if spans:
                f1 = 0.86 + 0.04 * order + 0.002 * seed
                metrics |= {"test/f1": f1, "test/precision": f1, "test/recall": f1}
            curve = [[epoch, epoch, float(epoch), 0.5 + 0.1 * epoch] for epoch in (1, 2, 3)]
            write(
                run,
                Record(
                    status="done",
                    name=directory.name,
                    label=label,
                    seed=seed,
                    task="tagging",
                    model=label,
                    cell=label,
                    data=data,
                    engine="native",
                    parameters={"total": 900_000, "embedding": 700_000, "recurrent": 190_000, "head": 10_000},
                    metrics=metrics,
                    curves={"val/accuracy": curve, "val/loss": curve, **({"val/f1": curve} if spans else {})},
                    fingerprints={"data": "7a95", "split": "5922", "batches": f"ba7d{seed}"},
                    artifacts={name: {"path": path.name, "sha256": sha256(path)} for name, path in files.items()},
                    started=f"2026-01-05T11:{order:02d}:{seed:02d}+00:00",
                ).with_(**changes),
            )
    return directory


def make_music(directory: Path, labels: tuple[str, ...] = ("tanh", "gru"), seeds: int = 2) -> Path:
    """As `make_comparison`, for sequences of sets: the later a label, the better its likelihood."""
    for order, label in enumerate(labels):
        for seed in range(1, seeds + 1):
            nats = 9.1 - 0.5 * order + 0.02 * seed
            curve = [[epoch, epoch, float(epoch), nats + 1 / epoch] for epoch in (1, 2, 3)]
            run = directory / f"{label}-seed{seed}"
            run.mkdir(parents=True)
            write(
                run,
                Record(
                    status="done",
                    name=directory.name,
                    label=label,
                    seed=seed,
                    task="sequences_of_sets",
                    model=label,
                    cell=label,
                    data="jsb_chorales",
                    metrics={"val/nll": nats, "test/loss": nats, "test/nll": nats},
                    curves={"val/loss": curve, "val/nll": curve, "train/loss": curve},
                    started=f"2026-01-05T13:{order:02d}:{seed:02d}+00:00",
                ),
            )
    return directory


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
            run = directory / f"{_file_name(label)}-seed{seed}"
            run.mkdir(parents=True)
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
                Record(
                    status="done",
                    name=directory.name,
                    label=label,
                    seed=seed,
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
                    artifacts={name: {"path": path.name, "sha256": sha256(path)} for name, path in files.items()},
                    config={"task": {"monitor": monitor}, "data": {"level": "word"}},
                    started=f"2026-01-05T14:{order:02d}:{seed:02d}+00:00",
                ).with_(**changes),
            )
    return directory


@pytest.fixture(scope="session", name="make_comparison")
def _make_comparison() -> Callable[..., Path]:
    return make_comparison


@pytest.fixture(scope="session", name="make_language")
def _make_language() -> Callable[..., Path]:
    return make_language


@pytest.fixture(scope="session", name="make_tagging")
def _make_tagging() -> Callable[..., Path]:
    return make_tagging


@pytest.fixture(scope="session", name="make_music")
def _make_music() -> Callable[..., Path]:
    return make_music


@pytest.fixture(scope="session", name="make_translation")
def _make_translation() -> Callable[..., Path]:
    return make_translation
