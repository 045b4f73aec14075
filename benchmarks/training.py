"""Whole training runs against the simplest correct script:
`python benchmarks/training.py [model,model …] [data=… key=value …]`.

The script has the same model, data, batch size, optimiser and number of epochs; it uses torch.nn's layers, shuffled
batches padded to their longest sentence (or, for language models, the same columns, the state carried), torch's
cross-entropy over whole padded batches, and logs nothing. Each side is a process of its own. Real tokens per second of
training, the peak of memory, and accuracy (of language models: perplexity) on validation.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from timing import machine, write_results
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.builders.build import build_data
from lightning_seq.builders.inputs import build_inputs
from lightning_seq.config.compose import compose
from lightning_seq.records.record import read
from lightning_seq.spec import Class, NextToken
from lightning_seq.training.environment import peak_memory_bytes

TWINS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU, "birnn": nn.RNN, "bilstm": nn.LSTM, "bigru": nn.GRU}
HIDDEN = 128


class Plain(nn.Module):
    """Embedding, one recurrent layer, a linear head: over the maximum over time, or at every step."""

    def __init__(self, model: str, words: int, matrix: Tensor | None, width: int, outputs: int, config: Any) -> None:
        super().__init__()
        both = model.startswith("bi")
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        if matrix is not None:
            self.embedding.weight.data.copy_(matrix)
        self.layer = TWINS[model](width, HIDDEN, batch_first=True, bidirectional=both)
        self.dropout = nn.Dropout(config["task"]["dropout"])
        self.head = nn.Linear(HIDDEN * (1 + both), outputs)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        outputs, state = self.layer(self.dropout(self.embedding(ids)), state)
        return outputs, state

    def of_sequence(self, ids: Tensor, mask: Tensor) -> Tensor:
        outputs, _ = self(ids)
        return self.head(self.dropout(outputs.masked_fill(~mask[..., None], float("-inf")).amax(1)))

    def of_steps(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        outputs, state = self(ids, state)
        return self.head(self.dropout(outputs)), state


def padded(rows: list[np.ndarray], fill: int = 0) -> Tensor:
    return nn.utils.rnn.pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, fill)


def sentences(data: Any, split: str) -> tuple[list[np.ndarray], Any]:
    """Token ids and targets of each sentence, in lists."""
    found = data.prepared.splits[split]
    cuts = np.asarray(found.offsets[1:-1])
    rows = np.split(np.asarray(found.flat), cuts)
    if isinstance(data.spec.targets, Class):
        return rows, torch.tensor(np.asarray(found.labels))
    tags = np.asarray(found.tags)
    rows = np.split(data.prepared.spellings.words[np.asarray(found.flat)], cuts)
    return rows, np.split(np.where(tags < 0, -100, tags), cuts)


def losses(module: Plain, data: Any, split: str, size: int) -> Iterator[tuple[Tensor, int, float]]:
    """For each batch of a pass: loss, tokens, and correct tokens (for language models, the summed loss)."""
    if isinstance(data.spec.targets, NextToken):
        flat = torch.from_numpy(np.asarray(data.prepared.splits[split].flat)).long()
        length = (len(flat) - 1) // size
        inputs, targets = (flat[first : first + size * length].view(size, length) for first in (0, 1))
        state = None
        for at in range(0, length, data.chunk_length):
            ids, following = inputs[:, at : at + data.chunk_length], targets[:, at : at + data.chunk_length]
            scores, state = module.of_steps(ids, state)
            state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
            loss = functional.cross_entropy(scores.flatten(0, 1), following.flatten())
            yield loss, ids.numel(), float(loss.detach()) * ids.numel()
        return
    rows, wanted = sentences(data, split)
    order = np.random.permutation(len(rows))
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        ids, lengths = padded([rows[index] for index in chosen]), torch.tensor([len(rows[index]) for index in chosen])
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        if isinstance(data.spec.targets, Class):
            scores, target = module.of_sequence(ids, mask), wanted[chosen]
            yield functional.cross_entropy(scores, target), int(mask.sum()), int((scores.argmax(-1) == target).sum())
            continue
        target = padded([wanted[index] for index in chosen], -100)
        scores, _ = module.of_steps(ids)
        loss = functional.cross_entropy(scores.flatten(0, 1), target.flatten(), ignore_index=-100)
        yield loss, int(mask.sum()), int((scores.argmax(-1) == target).sum())


def plain(model: str, words: list[str], answer: Any) -> None:
    """The script, in a process of its own: tokens per second, quality on validation, peak memory."""
    config = compose([f"model={model}", *words])
    data = build_data(config)
    vectors = build_inputs(config, data)
    matrix = None if vectors.matrix is None else torch.from_numpy(vectors.matrix)
    if config["trainer"]["threads"]:
        torch.set_num_threads(config["trainer"]["threads"])
    torch.manual_seed(1)
    module = Plain(model, data.spec.inputs.size, matrix, vectors.width, data.spec.targets.size, config)
    given = {key: value for key, value in config["optimizer"].items() if key != "_target_"}
    optimizer = torch.optim.AdamW(module.parameters(), **given)
    tokens, seconds = 0, 0.0
    for _ in range(config["trainer"]["max_epochs"]):
        module.train()
        begun = time.perf_counter()
        for loss, count, _ in losses(module, data, "train", config["data"]["batch_size"]):
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), config["trainer"]["gradient_clip_val"])
            optimizer.step()
            tokens += count
        seconds += time.perf_counter() - begun
    module.eval()
    with torch.no_grad():
        found = [(count, right) for _, count, right in losses(module, data, "validation", data.eval_batch_size)]
    counted = sum(count for count, _ in found)
    if isinstance(data.spec.targets, Class):
        counted = len(sentences(data, "validation")[0])
    quality = sum(right for _, right in found) / counted
    answer.put(
        {
            "tokens_per_second": tokens / seconds,
            "quality": float(np.exp(quality)) if isinstance(data.spec.targets, NextToken) else quality,
            "peak_memory_bytes": float(peak_memory_bytes()),
        }
    )


def theirs(model: str, words: list[str]) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=plain, args=(model, words, answer))
    process.start()
    while process.is_alive() and answer.empty():
        time.sleep(0.1)
    if answer.empty() and process.exitcode:
        sys.exit(f"the plain script of {model} ended with code {process.exitcode}")
    found: dict[str, float] = answer.get()
    process.join()
    return found


def ours(model: str, words: list[str], metric: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        command = ["train", f"model={model}", f"runs={directory}", "name=timed", *words]
        subprocess.run([sys.executable, "-m", "lightning_seq", *command], check=True)
        record = read(Path(directory) / "timed" / f"{model}-seed1")
    return {
        "tokens_per_second": record.throughput["tokens_per_second"],
        "quality": float(record.curves[metric][-1][3] or 0.0),
        "peak_memory_bytes": float(record.peak_memory_bytes or 0),
    }


def main(arguments: list[str]) -> None:
    models = next((word for word in arguments if "=" not in word), "rnn,lstm,gru,bilstm").split(",")
    words = [word for word in arguments if "=" in word]
    if not any(word.startswith("trainer.max_epochs=") for word in words):
        words.append("trainer.max_epochs=2")
    words += ["logger=none", "trainer.progress=false", "callbacks=none"]
    config = compose([f"model={models[0]}", *words])
    targets = build_data(config).spec.targets
    metric = "val/perplexity" if isinstance(targets, NextToken) else "val/accuracy"
    found: dict[str, Any] = {"machine": machine(), "words": words, "metric": metric}
    headings = ("model", "ours tokens/s", "plain tokens/s", "ratio", f"our {metric}", "plain", "our MB", "plain MB")
    table = Table(*headings, box=None)
    for model in models:
        mine, other = ours(model, words, metric), theirs(model, words)
        ratio = mine["tokens_per_second"] / other["tokens_per_second"]
        found[model] = {"ours": mine, "plain": other, "ratio": ratio}
        table.add_row(
            model, f"{mine['tokens_per_second']:,.0f}", f"{other['tokens_per_second']:,.0f}", f"{ratio:.2f}",
            f"{mine['quality']:.3f}", f"{other['quality']:.3f}", f"{mine['peak_memory_bytes'] / 2**20:,.0f}",
            f"{other['peak_memory_bytes'] / 2**20:,.0f}",
        )  # fmt: skip
    console = Console(width=120)
    console.print(f"{json.dumps(found['machine'])}\n{config['choices']['data']}")
    console.print(table)
    console.print(f"written to {write_results('training_' + config['choices']['data'], found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
