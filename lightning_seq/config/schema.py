"""Checks a configuration against the annotations of its settings and constructors."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from lightning_seq.config.annotations import (
    NUMBERS,
    AnyOf,
    Anything,
    Fields,
    Kind,
    ListOf,
    MappingOf,
    Scalar,
    Target,
    arguments,
    module_at,
    options_of,
)
from lightning_seq.config.further_settings import FURTHER
from lightning_seq.config.settings import Settings
from lightning_seq.config.tree import Config
from lightning_seq.config.words import is_verbatim
from lightning_seq.errors import UserError, near
from lightning_seq.identity import located, shown

OURS = "lightning_seq."
LONGEST = 1000
"""Characters of a word: of a name, a choice, a class."""
SHOWN = 80
LARGEST_SEED = 0x7FFF_FFFF_FFFF_FFFF
ONE = {"int": "a whole number", "float": "a number", "str": "a word", "bool": "true or false", "None": "null"}
MANY = {"int": "whole numbers", "float": "numbers", "str": "words"}
ROOT = Fields(f"{Settings.__module__}.{Settings.__qualname__}")


def check(config: Config) -> None:
    """Raises UserError, naming the key, for a value that the annotation of its key does not admit."""
    for key, value in config.items():
        if key != "choices":
            _check(key, value, kinds_of(ROOT, config).get(key))


def kind_at(config: Config, key: str) -> Kind | None:
    """The kind of value of a key; None if it has no schema."""
    kind: Kind | None = ROOT
    node: object = config
    for part in located(config, key).split("."):
        chosen = _chosen(kind, node)
        below = kind if isinstance(kind, Anything) else None
        kind = kinds_of(chosen, node).get(part) if chosen else below
        node = node.get(part) if isinstance(node, Mapping) else None
    return kind


def admits_null(kind: Kind | None) -> bool:
    """Whether null is a value of this kind."""
    return kind is not None and _fits(None, kind)


def admits_texts(kind: Kind | None) -> bool:
    """Whether a mapping from text to text is a value of this kind."""
    return kind is not None and MappingOf(Scalar("str")) in options_of(kind)


def _chosen(kind: Kind | None, value: object) -> Kind | None:
    """The kind in a union that describes this mapping."""
    nodes = [one for one in options_of(kind) if isinstance(one, Fields | Target | MappingOf)] if kind else []
    name = value.get("kind") if isinstance(value, Mapping) else None
    fitting = (one for one in nodes if isinstance(one, Fields) and name in _names_of_kind(one))
    return next(fitting, nodes[0] if nodes else None)


def _names_of_kind(settings: Fields) -> tuple[str, ...]:
    """The names of the field `kind` of a settings class."""
    kind = kinds_of(settings, {}).get("kind")
    return kind.names if isinstance(kind, Scalar) else ()


def kinds_of(kind: Kind, value: object) -> Mapping[str, Kind]:
    """The kind of each key of a mapping of this kind."""
    if isinstance(kind, Fields):
        settings = arguments(kind.path)
        return settings.kinds if settings else {}
    if isinstance(kind, MappingOf):
        return dict.fromkeys(value, kind.value) if isinstance(value, Mapping) else {}
    if not isinstance(kind, Target) or not isinstance(value, Mapping):
        return {}
    path = str(value.get("_target_"))
    own = arguments(path)
    kinds = dict(own.kinds) if own else {}
    beginning = max((one for one in FURTHER if path.startswith(one)), key=len, default=None)
    if beginning is not None:
        more = arguments(f"{FURTHER[beginning].__module__}.{FURTHER[beginning].__qualname__}")
        takes_all = beginning.startswith(f"{OURS}data.")  # the constructor accepts each key of its node
        others = more.kinds.items() if more else ()
        kinds |= {name: one for name, one in others if name in kinds or not takes_all}
    of_new_kind = beginning is None and path.startswith(f"{OURS}tasks.")  # its builder reads further keys
    if own is None or own.open or of_new_kind or not path.startswith(OURS):
        kinds = {**dict.fromkeys(value, Anything()), **kinds}
    return {**kinds, "_target_": Scalar("str")}


def _check(key: str, value: object, kind: Kind | None) -> None:
    if kind is None:
        return
    node = _chosen(kind, value)
    if node is None or not isinstance(value, Mapping):
        _check_value(key, value, kind)
        return
    if isinstance(kind, AnyOf) and "kind" in value and isinstance(node, Fields):
        names = [name for one in kind.options if isinstance(one, Fields) for name in _names_of_kind(one)]
        if names and value["kind"] not in names:
            raise UserError(f"{key}.kind={_shown(value['kind'])} is unknown: {near(str(value['kind']), names)}")
    if isinstance(node, Target):
        _check_class(f"{shown(key)}._target_", value.get("_target_"))
    kinds = kinds_of(node, value)
    for name, inner in value.items():
        if not isinstance(node, MappingOf) and name not in kinds:
            known = {**kinds, **kinds_of(kinds["source"], value["source"])} if "source" in kinds else kinds
            raise UserError(f"{shown(key)}.{name}: there is no key {name!r} in {shown(key)}; {near(str(name), known)}")
        _check(f"{key}.{name}", inner, kinds[name])


def _check_class(key: str, path: object) -> None:
    """Raises UserError for a class of this package that its source files do not define."""
    if not isinstance(path, str) or not path.startswith(OURS):
        return
    module, _, name = path.rpartition(".")
    source = module_at(module)
    if source is None:
        raise UserError(f"{key}={path}: there is no module {module!r}; check the path")
    if name not in source.names:
        classes = [word for word, statement in source.names.items() if isinstance(statement, ast.ClassDef)]
        raise UserError(
            f"{key}={path}: {module} has no class {name!r}; {near(name, classes) if classes else 'give module.Class'}"
        )


def _check_value(key: str, value: object, kind: Kind) -> None:
    word = f"{shown(key)}={_shown(value)}"
    for leaf in _leaves(value):
        if isinstance(leaf, str) and len(leaf) > LONGEST and not is_verbatim(key):
            raise UserError(f"{word}: expected at most {LONGEST} characters, {len(leaf)} came")
        of_leaf = NUMBERS["float"] if isinstance(leaf, float) else NUMBERS["int"]
        if isinstance(kind, Anything) and isinstance(leaf, int | float) and not of_leaf.low <= leaf <= of_leaf.high:
            raise UserError(f"{word}: expected numbers from {of_leaf.low} to {of_leaf.high}, {leaf} came")
    if _fits(value, kind):
        return
    if isinstance(value, str) and (names := _names(kind)):
        raise UserError(f"{word} is unknown: {near(value, names)}")
    wanted = describe(kind)
    if isinstance(kind, Scalar) and kind in NUMBERS.values() and type(value) in (int, float):
        wanted += f" from {_number(kind.low)} to {_number(kind.high)}"
    raise UserError(f"{word}: expected {wanted}, {_shown(value)} came")


def _names(kind: Kind) -> tuple[str, ...]:
    return tuple(name for one in options_of(kind) if isinstance(one, Scalar) for name in one.names)


def _fits(value: object, kind: Kind) -> bool:
    if isinstance(kind, AnyOf):
        return any(_fits(value, one) for one in kind.options)
    if isinstance(kind, ListOf):
        return isinstance(value, list) and all(_fits(one, kind.item) for one in value)
    if isinstance(kind, MappingOf | Fields | Target):
        return isinstance(value, Mapping)
    if isinstance(kind, Anything):
        return True
    return _fits_scalar(value, kind)


def _fits_scalar(value: object, kind: Scalar) -> bool:
    if kind.type in NUMBERS:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return (kind.type == "float" or isinstance(value, int)) and kind.low <= value <= kind.high
    if kind.type == "str":
        return isinstance(value, str) and (not kind.names or value in kind.names)
    return value is None if kind.type == "None" else isinstance(value, bool)


def describe(kind: Kind) -> str:
    """The values that a kind admits, in words."""
    return " or ".join(dict.fromkeys(_phrases(kind)))


def _phrases(kind: Kind) -> Iterator[str]:
    if isinstance(kind, AnyOf):
        covered = [NUMBERS["int"]] if NUMBERS["float"] in kind.options else []
        if Scalar("str") in kind.options:  # a word may look like a number
            covered = [*NUMBERS.values()]
        for one in kind.options:
            if isinstance(one, ListOf) and one.item in kind.options:
                yield "a list of them"
            elif one not in covered:
                yield from _phrases(one)
    elif isinstance(kind, ListOf):
        yield "a list" if isinstance(kind.item, Anything) else f"a list of {_plural(kind.item)}"
    elif isinstance(kind, Fields):
        yield f"a mapping {_fields(kind)}"
    elif isinstance(kind, Target):
        yield "a mapping {_target_: CLASS}"
    elif isinstance(kind, MappingOf):
        yield "a mapping {key: value}"
    elif isinstance(kind, Scalar):
        exact = _number(kind.low) if kind.type in NUMBERS and kind.low == kind.high else ONE[kind.type] + _range(kind)
        yield from kind.names or [exact]
    else:
        yield "a value"


def _plural(kind: Kind) -> str:
    if isinstance(kind, Scalar) and kind.type in MANY and not kind.names:
        return MANY[kind.type] + _range(kind)
    return _fields(kind) if isinstance(kind, Fields) else describe(kind)


def _fields(kind: Fields) -> str:
    return f"{{{', '.join(f'{name}: …' for name in kinds_of(kind, {}))}}}"


def _range(kind: Scalar) -> str:
    """Empty for a number without a range."""
    usual = NUMBERS.get(kind.type, kind)
    if kind in (usual, Scalar(kind.type)):
        return ""
    low, high = _number(kind.low), _number(kind.high)
    boundless = kind.high in (usual.high, LARGEST_SEED)
    return f" of at least {low}" if boundless else f" from {low} to {high}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else str(value)


def _shown(value: object) -> str:
    """A value as it is typed; a long one is cut."""
    if isinstance(value, Mapping):
        text = f"{{{', '.join(f'{_shown(key)}: {_shown(inner)}' for key, inner in value.items())}}}"
    elif isinstance(value, list):
        text = f"[{', '.join(map(_shown, value))}]"
    elif value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    else:
        text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (key, *_leaves(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value
