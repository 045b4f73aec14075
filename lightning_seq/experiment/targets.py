"""What a `_target_` may name, and its construction."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from lightning_seq.errors import UserError, near

ROOTS = ("lightning_seq", "torch.optim", "lightning.pytorch.callbacks")


PUBLISHED = ("torchrecurrent", "torch.nn")
"""Where an argument that is itself a class may come from, beside a module of `allow`."""


def _inside(module: str, roots: Sequence[str]) -> bool:
    return any(module == root or module.startswith(f"{root}.") for root in roots)


def resolve(path: str, allow: Sequence[str] = (), key: str = "_target_") -> type:
    """The class that `path` names.

    The path must begin in one of our own rooms, torch.optim, Lightning's callbacks or a module of `allow`, and the
    class it leads to must be *defined* in one of them: a name that was only imported there leads outside.
    """
    roots = (*ROOTS, *allow)
    parts = path.split(".") if isinstance(path, str) else []
    if len(parts) < 2 or not _inside(path, roots):
        raise UserError(
            f"{key}={path} is not admitted: expected a class of lightning_seq, torch.optim or Lightning's "
            "callbacks; for a module of your own add allow=[your_module]"
        )
    module, name = ".".join(parts[:-1]), parts[-1]
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise UserError(f"{key}={path}: there is no module {error.name!r}; check the path, or install it") from error
    except AttributeError:
        classes = [key for key, value in vars(import_module(module)).items() if inspect.isclass(value)]
        raise UserError(f"{key}={path}: {module} has no class {name!r}; {near(name, classes)}") from None
    if not inspect.isclass(found) or not _inside(found.__module__, roots):
        raise UserError(f"{key}={path} is not admitted: expected a class defined in {', '.join(roots)}")
    return found


def factory(node: Mapping[str, Any], allow: Sequence[str] = ()) -> Callable[..., Any]:
    """The class that `node["_target_"]` names, with the node's other keys as arguments.

    Raises UserError for a key that the class does not take, listing those it does.
    """
    target = resolve(node["_target_"], allow)
    arguments = {key: value for key, value in node.items() if key != "_target_"}
    accepted = inspect.signature(target).parameters
    for key, parameter in accepted.items():
        if str(parameter.annotation).startswith("type[") and arguments.get(key) is not None:
            arguments[key] = resolve(arguments[key], (*PUBLISHED, *allow), key)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        for key in arguments:
            if key not in accepted:
                raise UserError(f"{node['_target_']} takes no argument {key!r}; {near(key, accepted)}")
    return partial(target, **arguments)
