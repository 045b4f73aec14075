"""Mutated checkpoints: a value changed, removed or exchanged, parts of two files mixed, bytes lost, archives rewritten.

    python -m torture.checkpoints [COUNT [SEED]]

COUNT: how many of each style (default 400): one change of a value; several changes, or changes of the file.

A checkpoint of each kind of task is mutated and given to a verb that reads it. A verb must end within 10 seconds: with
exit code 0, or with exit code 2 and one clear line. All others are faults: they are listed, and the script ends with 1.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from lightning_seq.cli.main import main as command
from torture.killed import SHARED, TASKS, write_data
from torture.malformed import Call, outcome

VERBS = {
    "classification": ("predict", "text=kako lile"),
    "language_modelling": ("sample", "length=5"),
    "sequence_to_sequence": ("translate", "text=kako lile"),
    "tagging": ("predict", "text=kako lile", "n_best=2"),
}
VALUES: tuple[object, ...] = (
    None, -1, 0, 1, 3, 10**6, 10**9, 10**30, -0.5, 1e30, float("nan"), True, False, "", "word", "lstm", "\x1b[31m", [],
    [1], ["a", "a"], {}, {"a": 1}, {"_target_": "os.system"}, b"bytes",
)  # fmt: skip
Content = dict[str, Any]
Places = list[tuple[Any, Any]]


def places_of(content: Any) -> Places:
    """Every container in a checkpoint with each of its keys; of a long list a few."""
    found: Places = []
    keys = [*content] if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys if len(keys) < 30 else [*keys][:30]:
        found += [(content, key), *places_of(content[key])]
    return found


def tensor_like(tensor: torch.Tensor, draw: random.Random) -> object:
    return draw.choice([
        lambda: tensor[:-1] if tensor.dim() else tensor.repeat(2),
        lambda: tensor.unsqueeze(0),
        lambda: tensor.flatten(),
        lambda: tensor.to(torch.int64),
        lambda: tensor.to(torch.complex64),
        lambda: torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else tensor - 10**6,
        lambda: torch.zeros(1).expand(100_000, 100_000),
        lambda: tensor.to_sparse() if tensor.dim() else tensor,
        lambda: torch.zeros(0),
        lambda: None,
        lambda: tensor.tolist(),
    ])()  # fmt: skip


def change_value(content: Content, others: list[Content], draw: random.Random) -> None:
    kept = {key: content[key] for key in ("lightning_seq", "state_dict") if key in content}
    container, key = draw.choice(places_of(draw.choice([kept, kept.get("lightning_seq", kept), kept])))
    if container is kept:
        container = content
    value = container[key]
    match draw.randrange(6):
        case 0:
            del container[key]
        case 1 if isinstance(value, torch.Tensor):
            container[key] = tensor_like(value, draw)
        case 1 | 2 if isinstance(value, int | float) and not isinstance(value, bool):
            container[key] = draw.choice([-value, value + 1, value * 2, value * 10**6, str(value)])
        case 3 if isinstance(value, list | dict) and value:
            part = [*value][: len(value) // 2]
            container[key] = part if isinstance(value, list) else {one: value[one] for one in part}
        case 4 if isinstance(container, dict):
            container[f"{key}x"] = container.pop(key)
        case _:
            container[key] = draw.choice(VALUES)


def exchange(content: Content, others: list[Content], draw: random.Random) -> None:
    """A part of another checkpoint."""
    other = draw.choice(others)
    name = draw.choice(["state_dict", "lightning_seq", "config", "data", "group"])
    if name in ("state_dict", "lightning_seq"):
        content[name] = deepcopy(other[name])
    elif name in ("config", "data"):
        content["lightning_seq"][name] = deepcopy(other["lightning_seq"][name])
    else:
        group = draw.choice(["model", "cell", "task", "embedding", "attention", "data", "choices", "init"])
        content["lightning_seq"]["config"][group] = deepcopy(other["lightning_seq"]["config"][group])


def change_file(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    match draw.randrange(6):
        case 0:
            content = content[: draw.randrange(len(content))]
        case 1:
            for _ in range(draw.randint(1, 20)):
                content[draw.randrange(len(content))] = draw.randrange(256)
        case 2:
            begin = draw.randrange(len(content))
            del content[begin : begin + draw.randint(1, 5000)]
        case 3:
            content += bytes(draw.randint(1, 10_000))
        case _:
            rewrite(path, draw)
            return
    path.write_bytes(bytes(content))


def rewrite(path: Path, draw: random.Random) -> None:
    """The archive with a part missing, longer, compressed, or given twice."""
    with zipfile.ZipFile(path) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    number = draw.randrange(len(parts))
    name, part = parts[number]
    parts[number : number + 1] = draw.choice([[], [(name, part[: len(part) // 2])], [(name, part + bytes(5000))]])
    kind = draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, part in parts:
            archive.writestr(name, part)


def mutated(contents: dict[str, Content], task: str, several: bool, path: Path, draw: random.Random) -> str:
    """Write a mutation of the checkpoint of a task; return what was done."""
    content, others = deepcopy(contents[task]), [contents[name] for name in contents if name != task]
    done: list[str] = []
    changes: list[Callable[[Content, list[Content], random.Random], None]] = [change_value]
    of_file = several and draw.random() < 0.4
    if several:
        changes = [] if of_file else [draw.choice([change_value, exchange]) for _ in range(draw.randint(1, 3))]
    for change in changes:
        try:
            change(content, others, draw)
            done.append(change.__name__)
        except (KeyError, TypeError, IndexError, AttributeError, RuntimeError):
            done.append("nothing")
    torch.save(content, path)
    if of_file:
        change_file(path, draw)
        done.append("change_file")
    return " ".join(done)


def main(count: int, seed: int) -> int:
    found, faults = Counter[str](), 0
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        contents = {}
        for task, words in write_data(directory / "data").items():
            runs = [
                f"runs={directory / 'runs'}",
                f"cache={directory / 'cache'}",
                f"name={task}",
                "trainer.max_epochs=1",
            ]
            if command(["train", *SHARED, *TASKS[task], *words, *runs, "trainer.max_epochs=1"]) != 0:
                raise SystemExit(f"the run of {task} failed")
            (best,) = (directory / "runs" / task).glob("*/checkpoints/best.ckpt")
            contents[task] = torch.load(best, weights_only=True)
            command([*VERBS[task], f"checkpoint={best}"])
        for number in range(2 * count):
            draw, task = random.Random(f"{seed} {number}"), [*contents][number % len(contents)]
            path = directory / "mutated.ckpt"
            done = mutated(contents, task, number >= count, path, draw)
            verb, *words = VERBS[task]
            fault, _ = outcome(Call((verb, *words, f"checkpoint={path}")), directory / f"call{number}")
            found[(fault and "fault") or "as it should be"] += 1
            if fault:
                faults += 1
                print(f"{seed} {number} {task} ({done})\n    {fault}", flush=True)
    print(f"{2 * count} mutated checkpoints: {dict(found)}")
    return int(bool(faults))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(given + [400, 1][len(given) :])))
