"""Whole training runs against the plainest correct script:
`python benchmarks/training.py [model,model …] [key=value …]`.

The script has the same model, data, batch size, optimiser and number of epochs; it uses torch.nn's layers, shuffled
batches padded to their longest sentence, and logs nothing. Real tokens per second of training, and accuracy on
validation.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from timing import machine, write_results
from torch import Tensor, nn

from lightning_seq.cli import main as lightning_seq
from lightning_seq.experiment.build import build_data, build_inputs
from lightning_seq.experiment.config import compose
from lightning_seq.record import read

TWINS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU, "birnn": nn.RNN, "bilstm": nn.LSTM, "bigru": nn.GRU}
HIDDEN = 128


class Plain(nn.Module):
    """Embedding, one recurrent layer, the maximum over time, a linear head."""

    def __init__(self, model: str, matrix: Tensor, classes: int, dropout: float) -> None:
        super().__init__()
        both = model.startswith("bi")
        self.embedding = nn.Embedding.from_pretrained(matrix.clone(), freeze=False, padding_idx=0)
        self.layer = TWINS[model](matrix.shape[1], HIDDEN, batch_first=True, bidirectional=both)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(HIDDEN * (1 + both), classes)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        outputs = self.layer(self.dropout(self.embedding(ids)))[0]
        pooled = outputs.masked_fill(~mask[..., None], float("-inf")).amax(1)
        return self.head(self.dropout(pooled))


def padded(sentences: list[np.ndarray], chosen: np.ndarray) -> tuple[Tensor, Tensor]:
    rows = [torch.from_numpy(sentences[index]).long() for index in chosen]
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    lengths = torch.tensor([len(row) for row in rows])
    return ids, torch.arange(ids.shape[1]) < lengths[:, None]


def plain(model: str, config: dict[str, Any], data: Any, matrix: Tensor) -> dict[str, float]:
    torch.manual_seed(1)
    splits = {}
    for name in ("train", "validation"):
        split = data.prepared.splits[name]
        sentences = np.split(np.asarray(split.flat), np.asarray(split.offsets[1:-1]))
        splits[name] = sentences, torch.tensor(np.asarray(split.labels))
    module = Plain(model, matrix, data.spec.targets.size, config["task"]["dropout"])
    given = {key: value for key, value in config["optimizer"].items() if key != "_target_"}
    optimizer = torch.optim.AdamW(module.parameters(), **given)
    sentences, labels = splits["train"]
    tokens, seconds, size = 0, 0.0, config["data"]["batch_size"]
    for _ in range(config["trainer"]["max_epochs"]):
        module.train()
        order = np.random.permutation(len(sentences))
        begun = time.perf_counter()
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            ids, mask = padded(sentences, chosen)
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(ids, mask), labels[chosen]).backward()
            nn.utils.clip_grad_norm_(module.parameters(), config["trainer"]["gradient_clip_val"])
            optimizer.step()
            tokens += int(mask.sum())
        seconds += time.perf_counter() - begun
    module.eval()
    sentences, labels = splits["validation"]
    with torch.no_grad():
        right = sum(
            int((module(*padded(sentences, chosen)).argmax(-1) == labels[chosen]).sum())
            for chosen in np.array_split(np.arange(len(sentences)), len(sentences) // 256 + 1)
        )
    return {"tokens_per_second": tokens / seconds, "accuracy": right / len(sentences)}


def ours(model: str, words: list[str], directory: Path) -> dict[str, float]:
    lightning_seq(["train", f"model={model}", f"runs={directory}", "name=timed", *words])
    record = read(directory / "timed" / f"{model}-seed1")
    accuracy = record.curves["val/accuracy"][-1][3]
    return {
        "tokens_per_second": record.throughput["tokens_per_second"],
        "accuracy": float(accuracy or 0.0),
        "peak_memory_bytes": float(record.peak_memory_bytes or 0),
    }


def main(arguments: list[str]) -> None:
    models = next((word for word in arguments if "=" not in word), "rnn,lstm,gru,bilstm").split(",")
    words = [word for word in arguments if "=" in word]
    if not any(word.startswith("trainer.max_epochs=") for word in words):
        words.append("trainer.max_epochs=2")
    words += ["logger=none", "trainer.progress=false", "callbacks=none"]
    found: dict[str, Any] = {"machine": machine()}
    table = Table("model", "ours tokens/s", "plain tokens/s", "ratio", "our accuracy", "plain accuracy", box=None)
    for model in models:
        config = compose([f"model={model}", *words])
        data = build_data(config)
        matrix = torch.from_numpy(build_inputs(config, data).matrix)
        with tempfile.TemporaryDirectory() as directory:
            mine = ours(model, words, Path(directory))
        theirs = plain(model, config, data, matrix)
        ratio = mine["tokens_per_second"] / theirs["tokens_per_second"]
        found[model] = {"ours": mine, "plain": theirs, "ratio": ratio}
        table.add_row(
            model, f"{mine['tokens_per_second']:,.0f}", f"{theirs['tokens_per_second']:,.0f}", f"{ratio:.2f}",
            f"{mine['accuracy']:.3f}", f"{theirs['accuracy']:.3f}",
        )  # fmt: skip
    console = Console(width=110)
    console.print(table)
    console.print(f"written to {write_results('training', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
