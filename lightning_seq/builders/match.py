"""Architectures of one size: the width at which all have as many parameters, bytes of state or operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lightning_seq.builders.build import build_model
from lightning_seq.config.entry import Entry
from lightning_seq.config.match import UNITS, read_target, resized, size_of, step, width_key
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, first_line
from lightning_seq.files import Plain
from lightning_seq.identity import is_matched
from lightning_seq.layers.recurrent import Recurrent
from lightning_seq.models.parameters import count_parameters
from lightning_seq.models.sequence_writer import SequenceWriter
from lightning_seq.models.tagger import Tagger
from lightning_seq.spec import DataSpec, Features, Grid, Picture, Question, Reply

LARGEST = {"parameters": 65_536, "state": 65_536, "flops": 4_096}
"""The largest width; it is smaller for operations, which are counted on models with real tensors."""
TOKENS, CHARACTERS = 16, 8
"""The length of the sequence over which operations are counted, and of each of its words."""
REFUSALS = 128
"""After so many impossible sizes in a row (not divisible by the number of heads, say), larger ones count as impossible.
"""


def measure(config: Config, spec: DataSpec, width: int) -> int:
    """The size of the configured model in the unit of `match`. width: of the embedding.

    parameters: as the record counts them, on torch's meta device, which holds shapes and no numbers.
    state:      bytes of the tensors that the recurrent layers pass from step to step, in all layers, both directions,
                encoder and decoder.
    flops:      operations per token, forward, as `torch.utils.flop_counter` counts them on the engine `loop` over 16
                tokens: two for each multiply-add of a matrix product, a convolution or an attention product;
                elementwise operations (gates, biases, normalisation) and lookups (embeddings, one-hot inputs) do not
                count. A token of an encoder-decoder is one source token and one target token, one of a
                captioner is one word, and one of an answerer is one word of a question; a dialog has one fact before
                it and one answer, of as many words. Facts, answers and the encoder of pictures count with `count=all`
                alone. With `count=all` each word has 8 characters.
    """
    kind, part = config["match"]["kind"], config["match"]["count"]
    if kind == "flops":
        return _operations(config, spec, width)
    with torch.device("meta"):
        model = build_model(config, spec, width)
    if kind == "parameters":
        return count_parameters(model)["total" if part == "all" else "recurrent"]
    return _state_bytes(model.parts()["recurrent"] if part == "recurrent" else model)


def _state_bytes(module: nn.Module) -> int:
    return sum(
        math.prod(shape) * kind.itemsize
        for layer in module.modules()
        if isinstance(layer, Recurrent)
        for shape, kind in zip(layer.cell.state_shapes, layer.cell.state_types(), strict=True)
    )


def _operations(config: Config, spec: DataSpec, width: int) -> int:
    """The operations of a forward pass over one sequence, divided by its tokens."""
    if "engine" in config["model"]:
        config = {**config, "model": {**config["model"], "engine": "loop"}}
    model = build_model(config, spec, width)
    mask = torch.ones(1, TOKENS, dtype=torch.bool)
    ids = torch.ones(1, TOKENS, dtype=torch.int64)
    inputs = torch.zeros(1, TOKENS, spec.inputs.width) if isinstance(spec.inputs, Features) else ids
    if isinstance(spec.inputs, Grid):
        inputs = torch.zeros(1, TOKENS, spec.inputs.channels, *spec.inputs.space, dtype=torch.uint8)
    more: tuple[object, ...] = ()
    if isinstance(model, SequenceWriter):
        more = (ids, mask)
    if isinstance(spec.inputs, Question):
        more = (torch.zeros(1, *spec.inputs.picture, dtype=torch.uint8),)
    if isinstance(spec.targets, Reply):
        more = (*more, ids[:, None], ids)
    if isinstance(spec.inputs, Picture):
        inputs, mask = torch.zeros(1, *spec.inputs.shape, dtype=torch.uint8), mask[:, :1]
    elif isinstance(model, Tagger):
        spelling, characters = torch.arange(TOKENS)[None], torch.ones(TOKENS, CHARACTERS, dtype=torch.int64)
        more = ({"spelling": spelling, "characters": characters, "case": torch.zeros_like(ids)},)
    # In evaluation torch's transformer uses its fast path, whose attention is not counted.
    model.train()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        made = model(inputs, mask, *more)
        without_softmax = counter.get_total_flops()
        if isinstance(model, SequenceWriter):
            model.softmax.log_probabilities(made.hidden[0])

    def inside(part: str) -> int:
        return sum(counter.get_flop_counts().get(f"{type(model).__name__}.{part}", {}).values())

    if config["match"]["count"] == "all":
        total = counter.get_total_flops()
    elif isinstance(model, SequenceWriter):
        total = without_softmax - inside("output_projection") - inside("picture")
    else:
        total = inside("encoder")
    return round(total / TOKENS)


def nearest(
    count: Callable[[int], int | None], target: int, step: int = 1, largest: int = 65_536
) -> tuple[int, bool] | None:
    """The multiple of `step` whose count is nearest to `target`, of two equally near the smaller; and whether sizes up
    to `largest` reach the target. `count` must not fall from a size to a larger one; it is None for an impossible size.
    None if all sizes are impossible."""
    last = largest // step

    def possible(units: int) -> int | None:
        """The first possible size from here on."""
        within = range(units, min(units + REFUSALS, last + 1))
        return next((size for size in within if count(size * step) is not None), None)

    def total(units: int) -> float:
        size = possible(units)
        counted = None if size is None else count(size * step)
        return math.inf if counted is None else counted

    low = possible(1)
    if low is None:
        return None
    if total(low) > target:
        return low * step, False
    high = low
    while total(high) < target:
        if high == last:
            return high * step, False
        low, high = high, min(2 * high, last)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if total(middle) <= target else (low, middle)
    best = min((low, high), key=lambda units: (abs(total(units) - target), units))
    return (possible(best) or best) * step, total(high) < math.inf or total(low) == target


@dataclass
class Matching:
    """One measure for all entries of a comparison. target: None: the size of the first entry."""

    kind: str
    count: str
    target: int | None

    @classmethod
    def of(cls, config: Config) -> Matching | None:
        """The measure of a configuration; None if nothing is to be matched."""
        if not is_matched(config):
            return None
        settings = config["match"]
        return cls(settings["kind"], settings["count"], read_target(settings["target"]))

    @property
    def unit(self) -> str:
        return f"{UNITS[self.kind]}, {'all together' if self.count == 'all' else 'recurrent part alone'}"

    def solve(self, entry: Entry, spec: DataSpec, width: int) -> tuple[Entry, int]:
        """The entry with the size nearest to the target, and its count at that size; the first entry without a target
        is not changed.

        Raises UserError, naming the nearest size, if no size reaches the target.
        """
        if self.target is None:
            self.target = measure(entry.config, spec, width)
            if self.target < 1:
                raise UserError(
                    f"{entry.label}, the first entry, has 0 {self.unit}: there is nothing to match; give match.target="
                )
            return self._with_target(entry, entry.config), self.target
        key, known, refusals = width_key(entry.config), dict[int, int | None](), list[Exception]()

        def count(size: int) -> int | None:
            if size not in known:
                try:
                    known[size] = measure(resized(entry.config, size), spec, width)
                except (ValueError, TypeError, RuntimeError, AssertionError, ArithmeticError) as error:
                    known[size] = None  # a cell may refuse a size
                    refusals.append(error)
            return known[size]

        if key is None:
            raise UserError(
                f"{entry.label}: model={entry.config['choices']['model']} has no size to solve, it has "
                f"{measure(entry.config, spec, width):,} {self.unit}: take it out, or use match=none"
            )
        pace = step(entry.config)
        solution = nearest(count, self.target, pace, LARGEST[self.kind])
        if solution is None:
            reason = first_line(refusals[-1])
            raise UserError(
                f"{entry.label} cannot be built with {key} from {pace} to {pace * len(refusals)}: {reason}"
            ) from refusals[-1]
        size, reached = solution
        total = count(size) or 0
        if not reached:
            if self.kind == "state" and total == 0:
                raise UserError(
                    f"{entry.label}: model={entry.config['choices']['model']} carries no state from step to step, "
                    "0 bytes at any size: take it out, or use match=parameters"
                )
            extreme = "smallest" if total > self.target else "largest"
            raise UserError(
                f"{entry.label} cannot have {self.target:,} {self.unit}: the nearest possible is its {extreme} size, "
                f"{key}={size}, with {total:,}; give another match.target"
            )
        return self._with_target(entry, resized(entry.config, size)), total

    def _with_target(self, entry: Entry, config: Config) -> Entry:
        return replace(entry, config={**config, "match": {**config["match"], "target": self.target}})


def residual(config: Config, spec: DataSpec, width: int, found: int | None = None) -> dict[str, Plain]:
    """The record's `match`: `kind`, `count`, `target`, the solved `key` and its `size`, the count `found` at that size
    (measured here if None) and the `mismatch`, (found - target) / target; `{}` if nothing was matched."""
    if not is_matched(config):
        return {}
    settings, found = config["match"], measure(config, spec, width) if found is None else found
    target = int(settings["target"])
    return {
        "kind": settings["kind"],
        "count": settings["count"],
        "target": target,
        "key": width_key(config),
        "size": size_of(config),
        "found": found,
        "mismatch": (found - target) / target,
    }


def said(match: dict[str, Plain]) -> str:
    """`model.hidden_size=187: 199,876 of 200,000 parameters (-0.06 %)`."""
    size = f"{match['key']}={match['size']}: " if match["key"] else ""
    return f"{size}{match['found']:,} of {match['target']:,} {UNITS[match['kind']]} ({100 * match['mismatch']:+.2f} %)"
