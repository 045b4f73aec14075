"""Find the scorer of a name: a choice of `attention=`, or a class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import yaml

from lightning_seq.attention.scorer import Scorer
from lightning_seq.config.groups import conf_directory, groups
from lightning_seq.config.targets import class_at, factory
from lightning_seq.errors import UserError

MakeScorer = Callable[[int, int], Scorer]


def known_scorers() -> tuple[str, ...]:
    """Our scorers: the choices of `attention=`."""
    return groups().get("attention", ())


def our_scorer(name: str) -> MakeScorer:
    """A function from (query_size, value_size) to the scorer of `attention=name`."""
    text = (conf_directory() / "attention" / f"{name}.yaml").read_text(encoding="utf-8")
    return factory(yaml.safe_load(text), "attention")


def find_scorer(name: str) -> MakeScorer | None:
    """A function from (query_size, value_size) to a scorer; None where no scorer has this name.

    name: a choice of `attention=` (`additive`), or a subclass of Scorer (`my_package.MyScorer`), which is imported.
    """
    if name in known_scorers():
        return our_scorer(name)
    try:
        kind = class_at(name, "the scorer", (), [name.partition(".")[0]])
    except UserError:
        return None
    return partial(kind) if issubclass(kind, Scorer) else None
