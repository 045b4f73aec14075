"""Data made from the keys that a user types: `data.train=FILE` is an argument of the source, `data.level` is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from lightning_seq.config.targets import factory
from lightning_seq.data.module import DataModule
from lightning_seq.records.old_configuration import modern

D = TypeVar("D", bound=DataModule[Any, Any])


def source_of(kind: type[D], name: str, **keys: Any) -> Any:
    """The source that the choice of data has, with these keys."""
    return factory(_node(kind, name, keys)["source"], "source")()


def made(kind: type[D], name: str, cache: Path | None = None, seed: int = 1, **keys: Any) -> D:
    """The DataModule of such a source."""
    node = _node(kind, name, keys)
    settings = {key: value for key, value in node.items() if key not in ("_target_", "source")}
    return kind(factory(node["source"], "source")(), cache, seed=seed, **settings)


def _node(kind: type[D], name: str, keys: dict[str, Any]) -> dict[str, Any]:
    return modern({"data": {"_target_": f"{kind.__module__}.{kind.__name__}", "source": name, **keys}})["data"]
