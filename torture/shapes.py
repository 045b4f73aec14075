"""Calls with random shapes, strides, types, lengths and devices, under AddressSanitizer.

    python -m torture.shapes 2000 [FIRST]

The engine is compiled with the sanitizers, and the calls FIRST, FIRST + 1, … are made in a process under them. A call
that fits gives what `loop` gives (or what plain tensors give), whatever its strides; one that does not fit ends in one
line of ValueError, TypeError or IndexError. Anything else ends the run with the call's number.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lightning_seq.engines import fused
from lightning_seq.engines.plans import ELMAN, LSTM
from torture.shape_calls import Call, made, strided, unfit

ROOT = Path(__file__).parents[1]
SANITIZED = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")


def flat(values: Any) -> list[Tensor]:
    return [values] if isinstance(values, Tensor) else [tensor for value in values for tensor in flat(value)]


def outcome(call: Callable[..., Any], module: nn.Module | None, given: dict[str, Tensor]) -> list[Tensor]:
    """Values, and the gradients of all floating tensors and all parameters."""
    leaves = {k: v.detach().requires_grad_() if v.is_floating_point() else v for k, v in given.items()}
    values = [value for value in flat(call(**leaves)) if value is not None]
    wanted = [leaf for leaf in leaves.values() if leaf.requires_grad] + list(module.parameters() if module else [])
    sums = [value.sin().sum() for value in values if value.requires_grad]
    if not wanted or not sums:
        return values
    gradients = torch.autograd.grad(torch.stack(sums).sum(), wanted, allow_unused=True)
    return values + [torch.zeros_like(w) if g is None else g for w, g in zip(wanted, gradients, strict=True)]


def one(number: int) -> str:
    """One call. Returns its result: `equal` or `refused`. Raises AssertionError for any other result."""
    draw = random.Random(number)
    torch.manual_seed(number)
    torch.set_num_threads(draw.choice([1, 1, 3]))
    call = made(draw)
    if draw.random() < 0.3 and fused.compiled() is not None:
        return array(draw, call)
    given = {name: strided(draw, tensor) if draw.random() < 0.5 else tensor for name, tensor in call.given.items()}
    if draw.random() < 0.6:
        name = draw.choice(list(given))
        given[name] = unfit(draw, name, given[name])
        refused(lambda: flat(call.run(**given)), f"{call.name}: {name} {_said(given[name])}")
        return "refused"
    run, module = call.reference or (call.run, call.module)
    found, expected = outcome(call.run, call.module, given), outcome(run, module, call.given)
    for mine, wanted in zip(found, expected, strict=True):
        size = max(1.0, float(wanted.detach().abs().max())) if wanted.numel() else 1.0
        tolerance = (1e-9 if wanted.dtype == torch.float64 else 1e-3) * size
        assert mine.shape == wanted.shape, f"{call.name}: {tuple(mine.shape)} came, {tuple(wanted.shape)} was expected"
        assert torch.allclose(mine, wanted, rtol=0, atol=tolerance), f"{call.name}: {(mine - wanted).abs().max()} off"
    return "equal"


def refused(call: Callable[[], Any], what: str) -> None:
    """Raises AssertionError unless the call ends in one clear line."""
    try:
        call()
    except (ValueError, TypeError, IndexError) as error:
        lines = str(error).strip().splitlines()
        if len(lines) != 1 and "Type-check error" not in lines[0]:  # jaxtyping's, which some tests turn on
            raise AssertionError(f"{what}: {error!r}") from error
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"{what} was accepted")


def _said(value: Any) -> str:
    return f"{value.dtype} {tuple(value.shape)} {value.device}" if isinstance(value, Tensor) else type(value).__name__


def array(draw: random.Random, call: Call) -> str:
    """The arguments for C of a valid call, with one change: they must be refused before C reads them."""
    seen: list[tuple[Any, ...]] = []
    passed, moved = fused._pass, fused._move
    try:
        fused._pass, fused._move = recorded("pass", passed, seen), recorded("move", moved, seen)
        outcome(call.run, call.module, call.given)
    finally:
        fused._pass, fused._move = passed, moved
    if not seen or draw.random() < 0.1:
        B, T = draw.randint(1, 5), draw.randint(1, 5)
        lengths = torch.randint(0, T + 1, (B,))
        far = lengths.clone()
        far[draw.randrange(B)] = draw.choice([-1, T + 1, 2**40, -(2**62)])
        wrong = draw.choice([far, lengths.int(), lengths.repeat(3), lengths.repeat(2)[::2].float(), lengths.to("meta")])
        refused(lambda: fused.Fused().lay_out(wrong, B, T), f"lengths {_said(wrong)}")
        return "refused in C"
    entry, first, *rest = draw.choice(seen)
    if entry == "move":
        source, layout, target = rest
        wider = source.repeat(1, *[2] * (source.dim() - 1)) if source.dim() > 1 else source.double().half()
        spoiled = draw.choice(
            [
                (source[:-1], layout, target),
                (source, layout, target[1:]),
                (source, layout, torch.cat([target, target])),
                (wider, layout, target),
                (source.to("meta"), layout, target),
                (source, replace(layout, rows=layout.rows + 1), target),
                (source, replace(layout, steps=layout.steps + 1), target),
                (source, replace(layout, index=layout.index.int()), target),
            ]
        )
        if len(source) and len(target):
            refused(lambda: moved(first, *spoiled), f"{first} {_said(spoiled[0])}")
        return "refused in C"
    plan, layout, arrays, own = rest
    passed(first, plan, layout, {name: None if a is None else a.clone() for name, a in arrays.items()}, own)
    there = [name for name, tensor in arrays.items() if tensor is not None and tensor.numel()]
    name = draw.choice(there)
    tensor = arrays[name]
    other_type = torch.float32 if tensor.dtype == torch.float64 else torch.float64
    needed = name in ("U", "h0", "gates", "h", "hT", "dout", "dh", "extra") or (
        plan.kind == LSTM and name in ("c", "tc", "cT")
    )
    spoiled_arrays = [
        {name: tensor.new_empty(*tensor.shape[:-1], tensor.shape[-1] + 1)},
        {name: tensor[..., :-1]},
        {name: tensor[:-1]},
        {name: tensor.to("meta")},
        {name: tensor.to(draw.choice([torch.float16, torch.int64, other_type]))},
        {name: torch.stack([tensor, tensor], -1)[..., 0] if tensor.numel() > 1 else tensor[..., None]},
        {name: torch._neg_view(tensor)},
        *([{name: None}] if needed else []),
    ]
    spoiled_plans = [
        replace(plan, hidden_size=plan.hidden_size + 1),
        replace(plan, gates=plan.gates + 1),
        replace(plan, kind=LSTM if plan.kind == ELMAN else ELMAN),
    ]
    spoiled_layouts = [
        replace(layout, rows=layout.rows + 1), replace(layout, shards=layout.shards + 1),
        replace(layout, batch=layout.batch + 1), replace(layout, firsts=layout.firsts[:-1]),
        replace(layout, firsts=layout.firsts.int()),
        *([] if layout.dense else [replace(layout, counts=None), replace(layout, starts=layout.starts[:-1])]),
        *([] if not layout.dense else [replace(layout, steps=layout.steps + 1)]),
    ]  # fmt: skip
    how = draw.choice(["arrays"] * 4 + ["plan", "layout"])
    if how == "plan":
        plan = draw.choice(spoiled_plans)
    elif how == "layout":
        layout = draw.choice(spoiled_layouts)
    else:
        arrays = {**arrays, **draw.choice(spoiled_arrays)}
    refused(lambda: passed(first, plan, layout, arrays, own), f"{first} of {call.name}: {how} {name}")
    return "refused in C"


def recorded(entry: str, function: Callable[..., Any], seen: list[tuple[Any, ...]]) -> Callable[..., Any]:
    """The function, which stores copies of its arguments before the call."""

    def call(*given: Any) -> Any:
        seen.append((entry, *_copied(given)))
        return function(*given)

    return call


def _copied(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arrays as they were before the pass."""
    return tuple(
        value.clone()
        if isinstance(value, Tensor)
        else {name: None if tensor is None else tensor.clone() for name, tensor in value.items()}
        if isinstance(value, dict)
        else value
        for value in given
    )


def calls(count: int, first: int = 0) -> Counter[str]:
    """Several calls, counted by their results. Raises AssertionError, with the call's number, for a fault."""
    found: Counter[str] = Counter()
    threads = torch.get_num_threads()
    try:
        for number in range(first, first + count):
            try:
                found[one(number)] += 1
            except Exception as error:
                raise AssertionError(f"call {number}: {error}") from error
    finally:
        torch.set_num_threads(threads)
    return found


def sanitized(count: int, first: int) -> int:
    """The calls in a process of their own, with the engine and its memory under the sanitizers."""
    sys.path.insert(0, str(ROOT))
    from hatch_build import BETTER, FLAGS

    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory) / "_fused.so"
        source = str(ROOT / "lightning_seq/engines/csrc/fused.c")
        for better in BETTER:
            build = ["gcc", *FLAGS, *better, *SANITIZED, source, "-o", str(library)]
            if subprocess.run(build, check=False, capture_output=True).returncode == 0:
                break
        else:
            sys.exit("gcc cannot compile the engine with -fsanitize=address,undefined")
        preload = subprocess.run(
            ["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
        ).stdout.strip()
        options = {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
        command = [sys.executable, "-m", "torture.shapes", str(count), str(first), str(library)]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, **options}, check=False).returncode


def main(count: int, first: int, library: str | None = None) -> None:
    if library is None:
        sys.exit(sanitized(count, first))
    fused.LIBRARY = Path(library)
    if fused.compiled() is None:
        sys.exit(f"{library} cannot be loaded")
    found = calls(count, first)
    print(f"{sum(found.values())} calls: " + ", ".join(f"{many} {what}" for what, many in sorted(found.items())))


if __name__ == "__main__":
    words = [*sys.argv[1:], *("2000", "0")[len(sys.argv) - 1 :]]
    main(int(words[0]), int(words[1]), *words[2:])
