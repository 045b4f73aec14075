"""The classes that a `_target_` may name, and their construction."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from lightning_seq.errors import UserError, first_line, near
from lightning_seq.files import Plain
from lightning_seq.own_modules import admit, lies_here

GROUPS = {
    "model": "lightning_seq.models",
    "cell": "lightning_seq.cells",
    "init": "lightning_seq.cells",
    "attention": "lightning_seq.attention",
    "data": "lightning_seq.data",
    "source": "lightning_seq.data.sources",
    "task": "lightning_seq.tasks",
    "optimizer": "torch.optim",
}
"""The package with the classes of each group: a checkpoint's `model` can name no DataModule."""

BASES = {
    "cell": ("lightning_seq.cells.cell.Cell", "cell"),
    "init": ("lightning_seq.cells.init.Initialisation", "initialisation"),
    "attention": ("lightning_seq.attention.scorer.Scorer", "scorer"),
    "data": ("lightning.pytorch.LightningDataModule", "DataModule"),
    "task": ("lightning_seq.tasks.task.Task", "task"),
}
"""The base class of a group, and its name for people. A model is any class that accepts the arguments."""

PUBLISHED = ("torchrecurrent", "torch.nn")
"""Packages of arguments that are classes, in addition to the modules of `allow`."""


def _inside(module: str, roots: Sequence[str]) -> bool:
    return any(module == root or module.startswith(f"{root}.") for root in roots)


def resolve(path: str, group: str, allow: Sequence[str] = ()) -> type:
    """The class that `path` names, for a configuration group of `GROUPS`.

    The path must begin in the group's package or in a module of `allow`, which must *define* its class, not only import
    it.
    """
    key = "data.source" if group == "source" else group
    return class_at(path, f"{key}._target_", (GROUPS[group],), allow)


def class_at(path: str, key: str, rooms: Sequence[str], allow: Sequence[str] = ()) -> type:
    """The class that `path` names, defined under one of `rooms` or in a module of `allow`. key: for messages.

    Only modules of `allow` are also looked for in the working directory. Raises UserError for any other path.
    """
    roots = (*rooms, *allow)
    parts = path.split(".") if isinstance(path, str) else []
    if len(parts) < 2 or not _inside(path, roots):
        raise UserError(
            f"{key}={path} is not admitted: expected a class of {', '.join(roots)}; for a module of your own add "
            "allow=[your_module]"
        )
    module, name = ".".join(parts[:-1]), parts[-1]
    admit(allow)
    try:
        target = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if lies_here(error.name or ""):
            raise UserError(
                f"{key}={path} imports {error.name!r} of the working directory: if you trust it, add "
                f"allow=[{error.name}]"
            ) from error
        raise UserError(f"{key}={path}: there is no module {error.name!r}; check the path, or install it") from error
    except AttributeError:
        classes = [key for key, value in vars(import_module(module)).items() if inspect.isclass(value)]
        raise UserError(f"{key}={path}: {module} has no class {name!r}; {near(name, classes)}") from None
    if not inspect.isclass(target) or not _inside(target.__module__, roots):
        raise UserError(f"{key}={path} is not admitted: expected a class defined in {', '.join(roots)}")
    if inspect.isabstract(target):
        raise UserError(f"{key}={path} is abstract: expected a subclass of it")
    return target


class Construction(partial[object]):
    """A class with some of its arguments. Raises UserError if the arguments of the call do not complete them."""

    def __call__(self, /, *positional: object, **named: object) -> object:
        signature = inspect.signature(self.func)
        arguments, keywords = (*self.args, *positional), {**self.keywords, **named}
        try:
            signature.bind(*arguments, **keywords)
        except TypeError as error:
            name = f"{self.func.__module__}.{getattr(self.func, '__qualname__', '')}"
            missing = _missing(signature, arguments, keywords)
            reason = f"it also needs {', '.join(missing)}" if missing else first_line(error)
            raise UserError(f"{name} cannot be made with these arguments: {reason}") from error
        return super().__call__(*positional, **named)


def _missing(signature: inspect.Signature, arguments: Sequence[object], keywords: Mapping[str, object]) -> list[str]:
    """The arguments without a default and without a value."""
    try:
        bound = signature.bind_partial(*arguments, **keywords).arguments
    except TypeError:
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        key
        for key, parameter in signature.parameters.items()
        if key not in bound and parameter.default is parameter.empty and parameter.kind not in optional
    ]


def check_base(target: type, path: str, group: str) -> None:
    """Raises UserError for a class that is not a subclass of the group's base (`BASES`).

    An initialisation from outside this package may be any class with callable objects.
    """
    if group not in BASES or (group == "init" and not _inside(target.__module__, [GROUPS[group]])):
        return
    base_path, name = BASES[group]
    module, _, last = base_path.rpartition(".")
    if not issubclass(target, getattr(import_module(module), last)):
        other = f"; for a module like torch's cells use cell=external cell.path={path}" if group == "cell" else ""
        raise UserError(f"{group}._target_={path} is no {name}: expected a subclass of {base_path}{other}")


def factory(node: Mapping[str, Plain], group: str, allow: Sequence[str] = ()) -> Callable[..., Any]:
    """The class of a group that `node["_target_"]` names, with the node's other keys as arguments.

    An argument with the annotation `type[…]` is a class of `PUBLISHED` or of `allow`; all others are plain values.

    Raises UserError for a class that does not belong to the group, and, naming the near arguments, for a key that is no
    argument of the class. The returned callable raises UserError for missing arguments.
    """
    target = resolve(node["_target_"], group, allow)
    check_base(target, node["_target_"], group)
    arguments = {key: value for key, value in node.items() if key != "_target_"}
    accepted = inspect.signature(target).parameters
    for key, parameter in accepted.items():
        if str(parameter.annotation).startswith("type[") and arguments.get(key) is not None:
            arguments[key] = class_at(arguments[key], key, PUBLISHED, allow)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        for key in arguments:
            if key not in accepted:
                raise UserError(f"{node['_target_']} has no argument {key!r}; {near(key, accepted)}")
    return Construction(target, **arguments)
