"""The settings of size matching: its target, its unit, and the key that holds the width of a model."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Sequence

from lightning_seq.config.entry import Entry
from lightning_seq.config.targets import resolve
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.identity import is_matched

WIDTHS = ("hidden_size", "model_size", "channels")
"""The names of a model's width: of recurrent and window models, of a transformer, of a convolution."""

UNITS = {"parameters": "parameters", "state": "bytes of state", "flops": "operations a token"}

SUFFIXES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}


def check_match(entries: Sequence[Entry], shared: Sequence[str]) -> None:
    """Raises UserError for a wrong target, for entries with different settings, and for a size that is both given and
    to be solved. shared: the typed keys of all entries."""
    settings = entries[0].config["match"]
    for entry in entries:
        if entry.config["match"] != settings:
            raise UserError(f"{entry.label} has another match than {entries[0].label}: give match=… once, for all")
    target = read_target(settings["target"])
    if not is_matched(entries[0].config):
        if target is not None:
            kinds = ", ".join(f"match={kind}" for kind in UNITS)
            raise UserError(f"match.target={settings['target']} matches nothing: add {kinds}")
        return
    for entry in entries if target is not None else entries[1:]:  # else the first entry defines the target size
        key = width_key(entry.config)
        typed = [word for word in entry.overrides if word.partition("=")[0] == key]
        if target is not None and key is not None and key in shared:
            typed.append(key)
        if typed:
            raise UserError(
                f"{entry.label} gives {typed[0]} by itself, which match={settings['kind']} is to solve: "
                "take one of them out"
            )


def read_target(value: object) -> int | None:
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
            "the size of the first entry"
        )
    return number


def width_key(config: Config) -> str | None:
    """The key of the model's width; None if it has none."""
    model = config["model"]
    taken = {*model, *inspect.signature(resolve(model["_target_"], "model", config["allow"])).parameters}
    return next((f"model.{name}" for name in WIDTHS if name in taken), None)


def step(config: Config) -> int:
    """The divisor of every possible width: the number of heads; a transformer's width is also even."""
    model, attention = config["model"], config["attention"]
    if "heads" in model:
        return math.lcm(2, model["heads"])
    if model.get("attend") and attention.get("heads") and attention.get("head_size") is None:
        return 1 if model.get("decoder_hidden_size") else int(attention["heads"])
    return 1


def resized(config: Config, size: int) -> Config:
    """The configuration with another width in every layer of the model; a transformer's inner width keeps its ratio.

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
    """The configured width, a list if layers differ; None if the model has none."""
    key = width_key(config)
    size = config["model"].get(key.removeprefix("model.")) if key else None
    return size[0] if isinstance(size, list) and len(set(size)) == 1 else size
