"""The annotations of constructors, read from source files: nothing is imported, so torch is not loaded either."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

LARGEST_INT, LARGEST_FLOAT = 2**31 - 1, 1e9
"""The largest size of a number whose annotation names no range."""


@dataclass(frozen=True)
class Anything:
    """Any plain value."""


@dataclass(frozen=True)
class Scalar:
    """A number, a text, a switch or null.

    type: `int`, `float`, `str`, `bool` or `None`. low, high: of a number, both included. names: of a text, where only
    some are admitted.
    """

    type: str
    low: float = 0
    high: float = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListOf:
    item: Kind


@dataclass(frozen=True)
class MappingOf:
    value: Kind


@dataclass(frozen=True)
class Target:
    """A mapping whose `_target_` names a class, with the arguments of that class."""


@dataclass(frozen=True)
class Fields:
    """A mapping with the fields of the dataclass at this path."""

    path: str


@dataclass(frozen=True)
class AnyOf:
    options: tuple[Kind, ...]


Kind = Anything | Scalar | ListOf | MappingOf | Target | Fields | AnyOf
NUMBERS = {"int": Scalar("int", -LARGEST_INT, LARGEST_INT), "float": Scalar("float", -LARGEST_FLOAT, LARGEST_FLOAT)}
PLAIN: dict[str, Kind] = {
    **NUMBERS,
    "str": Scalar("str"),
    "bool": Scalar("bool"),
    "Any": Anything(),
    "object": Anything(),
}
LISTS = ("list", "Sequence", "Iterable", "tuple", "set", "frozenset")
MAPPINGS = ("dict", "Mapping")


@dataclass(frozen=True)
class Arguments:
    """The arguments of a class. open: it accepts any other name too."""

    kinds: Mapping[str, Kind]
    open: bool = False


@dataclass(frozen=True)
class Module:
    """A parsed source file. names: the definitions and imports at its top level."""

    path: str
    is_package: bool
    names: Mapping[str, ast.stmt] = field(hash=False)


Attributes = Mapping[str, tuple[Module, ast.expr]]


def options_of(kind: Kind) -> tuple[Kind, ...]:
    """The kinds of a union, or the one kind."""
    return kind.options if isinstance(kind, AnyOf) else (kind,)


@cache
def module_at(path: str) -> Module | None:
    """The module of this name, parsed; None without a source file."""
    top, *parts = path.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    roots = [Path(root) for root in spec.submodule_search_locations or ()]
    files = [root.joinpath(*parts) for root in roots]
    candidates = [file / "__init__.py" for file in files] + [file.with_suffix(".py") for file in files if parts]
    if not parts and not roots and spec.origin:
        candidates = [Path(spec.origin)]
    for file in candidates:
        if file.is_file() and file.suffix == ".py":
            try:
                body = ast.parse(file.read_bytes()).body
            except (SyntaxError, ValueError, OSError):
                return None
            return Module(path, file.name == "__init__.py", dict(_named(body)))
    return None


def _named(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for statement in body:
        if isinstance(statement, ast.If):  # such as `if TYPE_CHECKING:`
            yield from _named([*statement.orelse, *statement.body])
        elif isinstance(statement, ast.ClassDef):
            yield statement.name, statement
        elif isinstance(statement, ast.ImportFrom):
            yield from ((alias.asname or alias.name, statement) for alias in statement.names)
        elif isinstance(statement, ast.Assign):
            yield from ((target.id, statement) for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, statement


def _find(module: Module | None, name: str, depth: int = 8) -> tuple[Module, ast.stmt] | None:
    """The statement that defines a name, in this module or in the module of the same package that it imports from.

    The root of a package (`from torch import Tensor`) is not read: it is long, and has no settings.
    """
    statement = module.names.get(name) if module else None
    if module is None or statement is None or depth == 0:
        return None
    if not isinstance(statement, ast.ImportFrom):
        return module, statement
    origin = statement.module or ""
    if statement.level:
        parts = module.path.split(".")
        parts = parts[: len(parts) - statement.level + module.is_package]
        origin = ".".join([*parts, *([origin] if origin else [])])
    if "." not in origin or origin.partition(".")[0] != module.path.partition(".")[0]:
        return None
    original = next(alias.name for alias in statement.names if (alias.asname or alias.name) == name)
    return _find(module_at(origin), original, depth - 1)


@cache
def arguments(path: str) -> Arguments | None:
    """The arguments of the class at `package.module.Name`; None if its source cannot be read."""
    module, _, name = path.rpartition(".")
    return _of_class(module_at(module), name) if module else None


def _of_class(module: Module | None, name: str, attributes: Attributes | None = None) -> Arguments | None:
    definition = _find(module, name)
    return _arguments(*definition, attributes) if definition else None


def _arguments(module: Module, statement: ast.stmt, attributes: Attributes | None = None) -> Arguments | None:
    """attributes: of the class that inherits from this one."""
    if not isinstance(statement, ast.ClassDef):
        return None
    attributes = {**_attributes(module, statement), **(attributes or {})}
    names = [base.value if isinstance(base, ast.Subscript) else base for base in statement.bases]
    bases = [_of_class(module, base.id, attributes) for base in names if isinstance(base, ast.Name)]
    inherited = [base for base in bases if base is not None]
    if _is_dataclass(statement):
        kinds: dict[str, Kind] = {}
        for base in reversed(inherited):
            kinds |= base.kinds
        for line in statement.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                kinds[line.target.id] = _kind(line.annotation, module)
        return Arguments(kinds)
    for line in statement.body:
        if isinstance(line, ast.FunctionDef) and line.name == "__init__":
            return _of_function(line.args, module, attributes)
    return inherited[0] if inherited else None


def _is_dataclass(statement: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(decorator) for decorator in statement.decorator_list)


def _attributes(module: Module, statement: ast.ClassDef) -> Attributes:
    """The names that a class assigns, each with its value and the module of the class."""
    assignments = [line for line in statement.body if isinstance(line, ast.Assign)]
    return {ast.unparse(line.targets[0]): (module, line.value) for line in assignments}


def _of_function(parameters: ast.arguments, module: Module, attributes: Attributes) -> Arguments:
    listed = [*parameters.posonlyargs, *parameters.args][1:] + parameters.kwonlyargs
    kinds = {one.arg: _kind(one.annotation, module) for one in listed}
    if parameters.kwarg is None:
        return Arguments(kinds)
    for marker in ast.walk(parameters.kwarg.annotation or ast.Constant(None)):
        if isinstance(marker, ast.Call) and ast.unparse(marker.func) == "ArgumentsOf":
            target = marker.args[0]
            home, name = attributes[str(target.value)] if isinstance(target, ast.Constant) else (module, target)
            more = _of_class(home, ast.unparse(name))
            if more:
                return Arguments({**more.kinds, **kinds}, more.open)
    return Arguments(kinds, open=True)


def _kind(node: ast.expr | None, module: Module) -> Kind:
    """The kind of value of an annotation. A type that no plain value has is `Anything`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    if isinstance(node, ast.Constant) and node.value is None:
        return Scalar("None")
    if isinstance(node, ast.Name):
        return PLAIN.get(node.id) or _of_name(node.id, module)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return any_of(_kind(node.left, module), _kind(node.right, module))
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _of_subscript(ast.unparse(node.value).rpartition(".")[2], inner, module)
    return Anything()


def _of_name(name: str, module: Module) -> Kind:
    if name in LISTS:
        return ListOf(Anything())
    if name in MAPPINGS:
        return MappingOf(Anything())
    if name == "Callable":
        return Target()
    definition = _find(module, name)
    if definition is None:
        return Anything()
    home, statement = definition
    if isinstance(statement, ast.ClassDef):
        return Fields(f"{home.path}.{name}") if _is_dataclass(statement) else Anything()
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    return _kind(value, home)


def _of_subscript(name: str, inner: list[ast.expr], module: Module) -> Kind:
    if name == "Annotated":
        return _marked(_kind(inner[0], module), inner[1:], module)
    if name == "Literal":
        return any_of(*(_literal(one) for one in inner))
    if name in ("Union", "Optional"):
        return any_of(*(_kind(one, module) for one in inner), *([Scalar("None")] if name == "Optional" else []))
    if name in LISTS:
        kinds = [_kind(one, module) for one in inner if ast.unparse(one) != "..."]
        return ListOf(any_of(*kinds))
    if name in MAPPINGS:
        return MappingOf(_kind(inner[-1], module))
    return Target() if name == "Callable" else Scalar("str") if name == "type" else Anything()


def _literal(node: ast.expr) -> Scalar:
    value = ast.literal_eval(node)
    if isinstance(value, str):
        return Scalar("str", names=(value,))
    return Scalar(type(value).__name__, value, value) if value is not None else Scalar("None")


def _marked(kind: Kind, markers: list[ast.expr], module: Module) -> Kind:
    """A number with the range, or a text with the names, of its annotation's markers."""
    for marker in markers:
        if not isinstance(marker, ast.Call) or not isinstance(kind, Scalar):
            continue
        if ast.unparse(marker.func) == "Range" and kind.type in NUMBERS:
            low, *high = (ast.literal_eval(value) for value in marker.args)
            kind = Scalar(kind.type, low, high[0] if high else NUMBERS[kind.type].high)
        elif ast.unparse(marker.func) == "OneOf":
            kind = Scalar(kind.type, names=_names(marker.args[0], module))
    return kind


def _names(node: ast.expr, module: Module) -> tuple[str, ...]:
    """The texts of a tuple or the keys of a dictionary, or of a name for one of these."""
    if isinstance(node, ast.Name):
        home, statement = _find(module, node.id) or (module, None)
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        return _names(value, home) if value else ()
    if isinstance(node, ast.Starred):
        return _names(node.value, module)
    if isinstance(node, ast.Constant):
        return (str(node.value),)
    listed = node.keys if isinstance(node, ast.Dict) else node.elts if isinstance(node, ast.Tuple | ast.List) else []
    return tuple(name for one in listed if one is not None for name in _names(one, module))


def any_of(*kinds: Kind) -> Kind:
    """Either of these kinds; types that no plain value has are left out of a union."""
    flat = [one for kind in kinds for one in options_of(kind)]
    known = list(dict.fromkeys(one for one in flat if not isinstance(one, Anything)))
    texts = [one for one in known if isinstance(one, Scalar) and one.type == "str"]
    if texts and all(one.names for one in texts):
        names = tuple(name for one in texts for name in one.names)
        known = [Scalar("str", names=names), *(one for one in known if one not in texts)]
    if set(known) <= {Scalar("None")}:
        return Anything()
    return known[0] if len(known) == 1 else AnyOf(tuple(known))
