"""Which scorer a name means: a choice of `attention=`, or a class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from omegaconf import OmegaConf

from lightning_seq.attention.scorer import Scorer
from lightning_seq.config.groups import conf_directory, groups
from lightning_seq.config.targets import class_at, factory
from lightning_seq.errors import UserError

MakeScorer = Callable[[int, int], Scorer]


def known_scorers() -> tuple[str, ...]:
    """Our scorers: the choices of `attention=`."""
    return groups().get("attention", ())


def our_scorer(name: str) -> MakeScorer:
    """What makes the scorer of `attention=name` from (query_size, value_size)."""
    node = OmegaConf.to_container(OmegaConf.load(conf_directory() / "attention" / f"{name}.yaml"))
    return factory(node, "attention")  # type: ignore[arg-type]


def find_scorer(name: str) -> MakeScorer | None:
    """What makes a scorer from (query_size, value_size), or None where the name means none.

    name: a choice of `attention=` (`additive`), or a subclass of Scorer (`my_package.MyScorer`). The user has named it:
          it is imported.
    """
    if name in known_scorers():
        return our_scorer(name)
    try:
        kind = class_at(name, "the scorer", [name.partition(".")[0]])
    except UserError:
        return None
    return partial(kind) if issubclass(kind, Scorer) else None
