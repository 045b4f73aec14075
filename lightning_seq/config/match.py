"""The settings of size matching: its target, its unit, and the key that holds the width of a model."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Sequence
from typing import Any

from lightning_seq.config.entry import Entry
from lightning_seq.config.targets import resolve
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, near
from lightning_seq.identity import is_matched

COUNTS = ("recurrent", "all")

WIDTHS = ("hidden_size", "model_size", "channels")
"""What the width of a model is called, the first of these that it has: of recurrent and window models, of a
transformer, of a convolution."""

UNITS = {"parameters": "parameters", "state": "bytes of state", "flops": "operations a token"}

SUFFIXES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}


def check_match(found: Sequence[Entry], given: Sequence[str]) -> None:
    """Raises UserError for a wrong target or count, for entries that ask for different ones, and for a given
    size that is to be solved. `given` are the keys that all entries share, as they were typed."""
    settings = found[0].config["match"]
    for entry in found:
        if entry.config["match"] != settings:
            raise UserError(f"{entry.label} asks for another match than {found[0].label}: give match=… once, for all")
    target = read_target(settings["target"])
    if settings["count"] not in COUNTS:
        raise UserError(f"match.count is {settings['count']!r}: {near(str(settings['count']), COUNTS)}")
    if not is_matched(found[0].config):
        if target is not None:
            raise UserError(f"match.target={settings['target']} matches nothing: add {', '.join(map(_said, UNITS))}")
        return
    if settings["kind"] not in UNITS:
        raise UserError(f"match.kind is {settings['kind']!r}: {near(str(settings['kind']), UNITS)}")
    for number, entry in enumerate(found):
        if target is None and number == 0:
            continue  # the first entry defines the target size
        own = [word for word in entry.overrides if word.partition("=")[0] == width_key(entry.config)]
        if target is not None and width_key(entry.config) in given:
            own.append(str(width_key(entry.config)))
        if own:
            raise UserError(
                f"{entry.label} gives {own[0]} by itself, which {_said(settings['kind'])} is to solve: "
                "take one of them out"
            )


def _said(kind: str) -> str:
    return f"match={kind}"


def read_target(value: Any) -> int | None:
    """`200000`, `200k` and `1.5M` as a number; None for null.

    Raises UserError for anything else, and for less than 1.
    """
    if value is None:
        return None
    text = "" if isinstance(value, bool) else str(value).strip().lower()
    fits = re.fullmatch(r"(\d+\.?\d*(?:e\+?\d+)?)\s*([kmg]?)", text)
    number = round(float(fits[1]) * SUFFIXES[fits[2]]) if fits else 0
    if number < 1:
        raise UserError(
            f"match.target is {value!r}, expected a number of at least 1, such as 200000, 200k or 1.5M, or null for "
            "what the first entry has"
        )
    return number


def width_key(config: Config) -> str | None:
    """The key that says how wide the model is, or None where nothing does."""
    model = config["model"]
    taken = {*model, *inspect.signature(resolve(model["_target_"], "model", config["allow"])).parameters}
    return next((f"model.{name}" for name in WIDTHS if name in taken), None)


def step(config: Config) -> int:
    """What an admissible width is a multiple of: heads divide it, and a transformer's is even."""
    model, attention = config["model"], config["attention"]
    if "heads" in model:
        return math.lcm(2, model["heads"])
    if model.get("attend") and attention.get("heads") and attention.get("head_size") is None:
        return 1 if model.get("decoder_hidden_size") else int(attention["heads"])
    return 1


def resized(config: Config, size: int) -> Config:
    """The configuration with another width of the model; every layer has it, and a transformer's inner width keeps its
    ratio to it.

    Raises UserError for layers of different sizes.
    """
    model = dict(config["model"])
    name = str(width_key(config)).removeprefix("model.")
    before = model.get(name)
    if isinstance(before, list):
        if len(set(before)) > 1:
            raise UserError(
                f"model.{name}={before} has layers of different sizes, and match solves one for all: give "
                f"model.num_layers={len(before)} and leave model.{name} out"
            )
        model[name] = [size] * len(before)
    else:
        model[name] = size
    if name == "model_size" and "feedforward_size" in model:
        model["feedforward_size"] = max(1, round(model["feedforward_size"] * size / config["model"]["model_size"]))
    return {**config, "model": model}


def size_of(config: Config) -> int | list[int] | None:
    """The width that the configuration says, one for each layer where they differ; None where nothing says it."""
    key = width_key(config)
    size = config["model"].get(key.removeprefix("model.")) if key else None
    return size[0] if isinstance(size, list) and len(set(size)) == 1 else size
