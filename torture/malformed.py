"""Malformed calls of the command: every key of every group with wrong values, wrong paths, wrong files.

    python -m torture.malformed [COUNT [WORD]]

COUNT: how many calls (default 500). WORD: make only the calls that hold it.

A call must end within 10 seconds: with exit code 2 and one clear line, or with exit code 0. A traceback, another exit
code, a longer call, and an infinite number that was accepted are faults: they are listed, and the script ends with 1.
"""

from __future__ import annotations

import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lightning_seq.cli.main import main as command
from lightning_seq.config.compose import compose
from lightning_seq.config.tree import paths
from lightning_seq.identity import value_at
from lightning_seq.printable import printable
from torture.killed import write_data

SECONDS, MEMORY = 10.0, 16 * 2**30
ENDLESS = ("inf", "nan", "-inf")
WRONG = (
    *ENDLESS, "-1", "0", "1000000", "1000000000", str(10**30), "9" * 5000, "1e-320", "null", "word", "[1,2]", "{a:1}",
    "", "true", "x" * 5000, "'\x1b[31m\x07'",
)  # fmt: skip
SMALL = (
    "embedding=random", "embedding.size=8", "model.hidden_size=8", "trainer.max_epochs=1", "trainer.progress=false",
    "logger=none", "trainer.threads=1", "data.batch_size=16", "launcher=inline",
)  # fmt: skip
KINDS = {
    "classification": ("data=csv",),
    "language_modelling": ("data=text_words", "data.batch_size=4"),
    "tagging": ("data=conll",),
    "sequence_to_sequence": ("data=pairs", "model=encoder_decoder_attention"),
}
FIXED = ("runs", "cache", "name", "data.train", "embedding.kind", "launcher.kind", "logger.kind", "show", "dry_run")
"""Keys whose values the calls need; calls written by hand change some of them."""


@dataclass(frozen=True)
class Call:
    """words: of the command. refused: whether exit code 0 is a fault."""

    words: tuple[str, ...]
    refused: bool = False


def by_key(bases: dict[str, list[str]], draw: random.Random) -> Iterator[Call]:
    """A wrong value of each key in turn, then a second one of each, until no value is left."""
    seen: set[str] = set()
    pools = []
    for base in bases.values():
        config = compose(base)
        for key in paths(config):
            default = value_at(config, key)
            if key in seen or key in FIXED or key.startswith("choices") or (isinstance(default, dict) and default):
                continue
            seen.add(key)
            verb = "compare" if key in ("seeds", "jobs", "entries") or key.startswith("tune.") else "train"
            words = [word for word in base if word.partition("=")[0] != key]
            number = isinstance(default, int | float) and not isinstance(default, bool)
            values = draw.sample(WRONG, len(WRONG))
            pools.append([Call((verb, *words, f"{key}={v}"), number and v in ENDLESS) for v in values])
    draw.shuffle(pools)
    for turn in range(len(WRONG)):
        yield from (pool[turn] for pool in pools)


def by_hand(directory: Path, csv: Sequence[str]) -> Iterator[Call]:
    """Paths, files, classes and verbs."""
    fifo, loop, long = directory / "fifo", directory / "loop", "n" * 5000
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    wrong = [str(fifo), str(loop), long, f"/{'d/' * 3000}", "~nosuchuser/x", "/dev/zero", "", "\udcff", "a\nb",
             str(directory)]  # fmt: skip
    base = [word for word in csv if not word.startswith(("data.train", "embedding"))]
    for path in wrong:
        yield Call(("train", *base, f"data.train={path}"), True)
        yield Call(("train", *csv, "embedding=file", f"embedding.path={path}"), True)
        for key in ("data.validation", "data.mirror"):
            yield Call(("train", *csv, f"{key}={path}"), key == "data.validation" and bool(path))
        for verb in ("predict", "sample", "score", "translate"):
            yield Call((verb, f"checkpoint={path}"), True)
        yield Call(("caption", f"checkpoint={path}", f"image={__file__}"), True)
        yield Call(("caption", "checkpoint=x", f"image={path}"), True)
        for verb in ("report", "status"):
            yield Call((verb, path), path != str(directory))
    for path in wrong[:8]:
        yield Call(("train", *csv, f"name={path}"), bool(path))
        yield Call(("train", *csv, f"label={path}"), bool(path))
        yield Call(("train", *csv, f"runs={path}"), True)
        yield Call(("train", *csv, f"cache={path}"), bool(path))
        yield Call(("predict", "checkpoint=x", f"output={path}"), True)
        yield Call(("word2vec", *csv, f"output={path}"), bool(path))
    for target in ("torch.optim.lr_scheduler.LambdaLR", "torch.optim.Optimizer", "torch.optim.LBFGS", "torch.optim",
                   "torch.optim.SparseAdam", "5", "null", "os.system", "torch.optim.nothing.X"):  # fmt: skip
        yield Call(("train", *csv, f"optimizer._target_={target}"), True)
    for target in ("lightning_seq.cells.cell.Cell", "lightning_seq.cells.init.Initialisation", "torch.nn.LSTMCell"):
        yield Call(("train", *csv, "model=recurrent", f"cell._target_={target}"), True)
    for word in (
        "task.schedule._target_=os.system",
        "task.ranking={_target_:os.system}",
        "data._target_=os.system",
        "init._target_=lightning_seq.cells.lstm.LSTMCell",
        "cell.arguments={_target_:os.system}",
        "model._target_=lightning_seq.models.crf.LinearChainCRF",
        "data.replace={a:1}",
        "data.replace={1:null}",
    ):
        yield Call(("train", *csv, word), word != "data.replace={a:1}")
    for verb in ("explain", "check"):
        for size in ("0", "-1", "9" * 5000, "1e3", "", str(10**12)):
            yield Call((verb, "lstm", f"hidden_size={size}"), True)
        yield Call((verb, long), True)
    keys = {
        "sample": ("samples", "length", "temperature", "top_k", "top_p", "seed"),
        "predict": ("top_k", "batch_size"),
        "translate": ("n_best", "beam", "length_penalty", "batch_size", "scores"),
        "score": ("batch_size",),
        "caption": ("n_best", "beam", "length_penalty", "batch_size", "scores", "image"),
    }
    for verb, own in keys.items():
        for key in own:
            for value in ("inf", "-1", str(10**30), "9" * 5000, "word", ""):
                yield Call((verb, "checkpoint=x", f"{key}={value}"), True)
    for words in (
        ("train", "=5"),
        ("train", "-x"),
        ("train", long),
        ("",),
        ("train", "optimizer.lr"),
        ("\udcff",),
        ("train", "seed=1", "seed=1" + "0" * 5000),
        ("report",),
        ("status", "a", "b"),
        ("help", long),
    ):
        yield Call(words)


def outcome(call: Call, place: Path) -> tuple[str, float]:
    """Make the call in a forked process. Return its fault (empty: none) and its seconds."""
    place.mkdir()
    begun = time.monotonic()
    with (place / "said").open("w+b") as said:
        child = os.fork()
        if child == 0:
            _run(call, place, said.fileno())
        done = os.pidfd_open(child)
        ended = select.select([done], [], [], SECONDS)[0]
        if not ended:
            os.killpg(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(done)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        said.seek(0)
        text = said.read().decode(errors="replace")
    seconds = time.monotonic() - begun
    last = printable(next(iter(reversed(text.strip().splitlines())), ""))[:160]
    lines = [line for line in text.splitlines() if line.startswith("lightning-seq: ")]
    if not ended:
        return f"more than {SECONDS:g} seconds: {last}", seconds
    if "Traceback (most recent call last)" in text:
        return f"traceback: {last}", seconds
    if code not in (0, 2):
        return f"exit code {code}: {last}", seconds
    if code == 2 and len(lines) != 1:
        return f"exit code 2 and {len(lines)} lines: {last}", seconds
    if code == 2 and len(lines[0]) > 2000:
        return f"a line of {len(lines[0])} characters", seconds
    return ("accepted" if code == 0 and call.refused else ""), seconds


def _run(call: Call, place: Path, said: int) -> None:
    """In the child; never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.chdir(place)
        code = command(call.words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def main(count: int, only: str = "") -> int:
    draw, found, faults, slowest = random.Random(1), Counter[str](), [], 0.0
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        bases = {
            kind: [*SMALL, *KINDS[kind], *words, f"runs={directory / 'runs'}", f"cache={directory / 'cache'}"]
            for kind, words in write_data(directory / "data").items()
        }
        calls = list(by_hand(directory, bases["classification"]))
        calls += list(by_key(bases, draw))[: max(0, count - len(calls))]
        for kind, words in bases.items():  # data prepared, packages imported
            command(["train", *words, f"name=first-{kind}"])
        for number, call in enumerate(call for call in calls if only in " ".join(call.words)):
            words = call.words
            if words[:1] in (("train",), ("compare",)) and not any(word.startswith("name=") for word in words):
                words = (*words, f"name=n{number}")
            fault, seconds = outcome(Call(words, call.refused), directory / f"call{number}")
            slowest = max(slowest, seconds)
            found["fault" if fault else "as it should be"] += 1
            if fault:
                short = " ".join(word for word in call.words if word not in bases["classification"])
                faults.append(f"{printable(short)[-150:]}\n    {fault}")
                print(faults[-1], flush=True)
    print(f"{sum(found.values())} malformed calls: {dict(found)}; the slowest took {slowest:.1f} s")
    return int(bool(faults))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500, *sys.argv[2:3]))
