"""From `key=value` words to one resolved configuration of plain values."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_seq.config.groups import conf_directory, groups, task_of
from lightning_seq.config.schema import admits_null, admits_texts, check, kind_at
from lightning_seq.config.suggestions import meant
from lightning_seq.config.tree import Config, paths, put
from lightning_seq.config.words import (
    PATHS,
    Word,
    as_typed,
    check_digits,
    check_texts,
    is_verbatim,
    read_texts,
    split_words,
)
from lightning_seq.errors import UserError, near
from lightning_seq.files import default_cache, place
from lightning_seq.identity import located, shown, value_at

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
"""A name of a run, a comparison or a label."""

GENERAL_MODEL = "recurrent"
ATTENTION_MODEL = "encoder_decoder_attention"
CAPTIONERS = ("captioner", "captioner_attention")
ATTENTION_MODELS = (ATTENTION_MODEL, "captioner_attention")
OF_ANY_CELL = (GENERAL_MODEL, "encoder_decoder", "encoder_decoder_context", ATTENTION_MODEL, *CAPTIONERS, "answerer")
"""Models with any cell."""

QUESTIONS, DIALOGS = "visual_questions", "visual_dialog"
"""Data of questions are also data of dialogs, of one turn each."""

NAMED = {
    "model.decoder_cell": ("cell", "cell"),
    **dict.fromkeys(
        ("model.picture", "task.picture", "data.features", "embedding.picture"),
        ("model/picture", "encoder of pictures"),
    ),
}
"""Keys that take the name of a file, with its folder in `conf/` and its kind. The keys of the file are typed below
them, such as `model.picture.weights=FILE`."""

ROOMS = ("lightning_seq", "torch", "torchrecurrent")
"""Packages that every group admits in part (`targets.GROUPS`, `targets.PUBLISHED`); naming a class admits no more."""


def compose(words: Sequence[str], of_file: Sequence[str] = ()) -> Config:
    """The configuration of these words, resolved to plain values; each group's choice is under `choices`.

    words:   of the command line. They admit the user's classes that they name, as `allow` does.
    of_file: further words, of an entry of an experiment file; they admit nothing.

    Raises UserError for an unknown group, key or value, naming the near ones, and for a value of the wrong kind.
    """
    typed = split_words(words)
    pairs = [*typed, *split_words(of_file)]
    chosen = [pair for pair in pairs if pair.key in groups()]
    values = [pair for pair in pairs if pair.key not in groups()]
    for pair in chosen:
        if pair.value not in groups()[pair.key]:
            raise UserError(f"{pair.text}: there is no such {pair.key}; {near(pair.value, groups()[pair.key])}")
    base = _hydra(chosen)
    _refuse_fixed(pairs, base["choices"]["model"])
    own = _own_classes(values)
    files = _files_of_names(values, base, own)
    values = [*files, *(pair for pair in values if pair.key not in {word.key for word in files})]
    if "data" in own:
        base["data"].pop("source", None)
    _check_keys_exist(values, base, own)
    texts = {pair.key: read_texts(pair) for pair in values if admits_texts(kind_at(base, pair.key))}
    for pair in values:
        if not is_verbatim(pair.key) and pair.key not in texts:
            check_digits(pair)
    config = _hydra([
        *chosen,
        *(replace(pair, key=located(base, pair.key)) for pair in values
          if not is_verbatim(pair.key) and texts.get(pair.key) is None),
    ])  # fmt: skip
    if "data" in own and not any(pair.key.startswith("data.source") for pair in values):
        config["data"].pop("source", None)
    for pair in {pair.key: pair for pair in values}.values():  # the last value of a repeated key
        if is_verbatim(pair.key):
            put(config, pair.key, as_typed(pair, value_at(base, pair.key), admits_null(kind_at(base, pair.key))))
            if pair.key in PATHS and value_at(config, pair.key) is not None:
                place(pair.value, pair.key)
        elif (replaced := texts.get(pair.key)) is not None:
            put(config, pair.key, replaced)
        elif pair.key in texts:
            check_texts(pair, value_at(config, pair.key))
    if base["choices"]["task"] == DIALOGS and task_of(str(base["choices"]["data"])) == QUESTIONS:
        _read_as_dialogs(config["data"], values)
    for group, name in own.items():
        typed_keys = {pair.key.split(".")[1] for pair in values if pair.key.startswith(f"{group}.")}
        config[group] = {key: value for key, value in config[group].items() if key in typed_keys}
        config["choices"][group] = name
    check(config)
    _admit(config, typed)
    if not config["runs"]:
        raise UserError("runs= is empty: expected a directory for all files, such as runs=runs")
    config["runs"] = str(place(config["runs"], "runs"))
    config["cache"] = str(place(config["cache"] or default_cache(), "cache"))
    return config


def _check_keys_exist(values: Sequence[Word], base: Config, own: Collection[str]) -> None:
    """Raises UserError for a key that the configuration does not have. An empty mapping takes any key."""
    known = {shown(path) for path in paths(base) if path != "data.source" and path.partition(".")[0] != "choices"}
    for pair in values:
        parents = [pair.key[: dot.start()] for dot in re.finditer(r"\.", pair.key)]
        is_free = pair.key.partition(".")[0] in own or any(value_at(base, parent) == {} for parent in parents)
        if pair.key not in known and not is_free:
            _refuse_key(pair, known)


def _admit(config: Config, typed: Sequence[Word]) -> None:
    """Admit the packages of the classes named on the command line. An experiment file admits none."""
    allow: list[str] = next((config["allow"] for pair in typed if pair.key == "allow"), [])
    if config["allow"] != allow:
        raise UserError(
            f"experiment={config['choices']['experiment']} admits the modules {config['allow']} by itself: expected "
            f"allow={config['allow']} on the command line, where you know what they are"
        )
    own = [
        pair.value.partition(".")[0]
        for pair in typed
        if pair.key == "cell.path" or (pair.key.endswith("._target_") and pair.key.partition(".")[0] in groups())
    ]
    config["allow"] = list(dict.fromkeys([*allow, *(root for root in own if root and root not in ROOMS)]))


def _own_classes(values: Sequence[Word]) -> dict[str, str]:
    """The class name of each group whose `_target_` was typed; such a group has the typed keys alone."""
    return {
        group: pair.value.rpartition(".")[2] for pair in values for group in groups() if pair.key == f"{group}._target_"
    }


def _hydra(words: Sequence[Word]) -> Config:
    """The configuration that Hydra composes; kept, since a command needs it several times (0.2 s each)."""
    config = deepcopy(_composed(tuple(words), conf_directory(), frozenset(os.environ.items())))
    for group in groups():
        if group in config and not isinstance(config[group], dict):
            raise UserError(f"{group}={config[group]}: expected a mapping of the keys of {group}")
    data, source = config["data"], config["data"].get("source")
    if isinstance(source, dict):  # an experiment file may write `data.train` for `data.source.train`
        source.update({name: data.pop(name) for name in [*data] if name in source and name != "_target_"})
    return config


@lru_cache(maxsize=256)
def _of_files(words: tuple[Word, ...], directory: Path) -> tuple[DictConfig, dict[str, str | None]]:
    """The configuration of the files that `words` choose, not resolved, and the choice of each group.

    Hydra takes most of its time for the files, and little for the values that `_composed` sets in a copy.
    """
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(directory), version_base="1.3"):
        composed = hydra_compose("config", [word.text for word in words], return_hydra_config=True)
    choices = {group: composed.hydra.runtime.choices.get(group) for group in groups()}
    OmegaConf.set_struct(composed, False)
    composed.pop("hydra")
    return composed, choices


@lru_cache(maxsize=64)
def _composed(words: tuple[Word, ...], directory: Path, _environment: frozenset[tuple[str, str]]) -> Config:
    """_environment: for `${oc.env:…}` in a file or a value."""
    values = [f"++{word.text}" for word in words if word.key not in groups()]
    try:
        files, choices = _of_files(tuple(word for word in words if word.key in groups()), directory)
        composed = deepcopy(files)
        for override in OverridesParser.create().parse_overrides(values):
            if override.is_sweep_override():
                raise HydraException(f"{override.input_line} has several values: expected one, or a list in brackets")
            OmegaConf.update(composed, override.key_or_group, override.value(), force_add=True)
        config = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        for word in words:
            if not _is_grammatical(word):
                raise UserError(
                    f"{word.text}: the value cannot be read (brackets, quotes, signs and letters beyond ASCII need "
                    f"quotes inside those of the shell): give text as {word.key}='\"TEXT\"'"
                ) from error
        reason = str(error.__cause__ or error).splitlines() or [type(error).__name__]
        raise UserError(f"{' '.join(word.text for word in words)}: {reason[0]}") from error
    return {**config, "choices": choices}  # type: ignore[dict-item]


def _is_grammatical(word: Word) -> bool:
    try:
        OverridesParser.create().parse_override(f"++{word.text}")
    except HydraException:
        return False
    return True


def _refuse_fixed(words: Sequence[Word], model: str) -> None:
    """Raises UserError for a cell or attention with a preset of `model` that has a fixed cell, or no attention."""
    for word in words:
        if word.key == "cell" and model not in OF_ANY_CELL:
            raise UserError(
                f"{word.text} does not fit model={model}, which has a fixed cell or none: "
                f"use the general form, model={GENERAL_MODEL} {word.text}"
            )
        if word.key.partition(".")[0] == "attention" and model not in ATTENTION_MODELS:
            other = ATTENTION_MODELS[model in CAPTIONERS]
            raise UserError(f"{word.text} does not fit model={model}, which has no attention: use model={other}")


def _files_of_names(values: Sequence[Word], base: Config, own: Collection[str]) -> list[Word]:
    """For each key of `NAMED` that names a file, typed or by default, a word with the content of the file. In `base`
    the content replaces the name."""
    words = []
    for key, (folder, kind) in NAMED.items():
        typed = [pair.value for pair in values if pair.key == key]
        group, _, last = key.partition(".")
        if last not in base[group] and not (typed and group in own):
            continue
        name = typed[-1] if typed else base[group].get(last)
        if name in (None, "null", "") or (str(name).startswith("{") and "_target_" in name):
            continue
        known = sorted(file.stem for file in (conf_directory() / folder).glob("*.yaml"))
        if str(name).startswith("{"):
            raise UserError(f"{key}={name}: expected the name of a file ({near('', known)}) or {{_target_: …}}")
        if name not in known:
            raise UserError(f"{key}={name}: there is no such {kind}; {near(str(name), known)}")
        content = yaml.safe_load((conf_directory() / folder / f"{name}.yaml").read_text(encoding="utf-8"))
        put(base, key, content)
        words.append(Word(key, yaml.safe_dump(content, default_flow_style=True, width=10**9).strip()))
    return words


def _read_as_dialogs(data: Config, values: Sequence[Word]) -> None:
    """Let the DataModule of dialogs read the source of questions. Raises UserError for a typed key that it lacks."""
    base = yaml.safe_load((conf_directory() / "data" / "base" / f"{DIALOGS}.yaml").read_text(encoding="utf-8"))
    typed = {pair.key.split(".")[1]: pair for pair in values if pair.key.startswith("data.")}
    for key in [key for key in data if key not in base and key != "source"]:
        if key in typed:
            raise UserError(f"{typed[key].text}: the answers of task={DIALOGS} have no {key!r}: leave data.{key} out")
        data.pop(key)
    data["_target_"] = base["_target_"]


def _refuse_key(pair: Word, known: set[str]) -> None:
    parent, _, last = pair.key.rpartition(".")
    inside = {path.rpartition(".")[2] for path in known if path.rpartition(".")[0] == parent}
    if pair.key == "data.source":
        raise UserError(
            f"{pair.text}: each set of data has its own source: choose the set with data=NAME, or give a key of its "
            "source, such as data.train=FILE"
        )
    if targets := meant(pair.key, known):
        words = " or ".join(f"{key}={pair.value}" for key in targets)
        raise UserError(f"{pair.text}: there is no key {pair.key!r}; did you mean {words}?")
    if parent in known and inside:
        raise UserError(f"{pair.text}: there is no key {last!r} in {parent}; {near(last, inside)}")
    raise UserError(f"{pair.text}: there is no key {pair.key!r}; {near(pair.key, known)}")


def check_task(config: Config) -> None:
    """Raises UserError, naming data that fit, for a `task` of `conf/` that does not fit the `data` of `conf/`."""
    task, data = config["choices"]["task"], config["choices"]["data"]
    if task not in groups()["task"] or data not in groups()["data"] or task == task_of(data):
        return
    if task == DIALOGS and task_of(data) == QUESTIONS:
        return
    others = [name for name in groups()["data"] if task_of(name) == task]
    raise UserError(
        f"task={task} does not fit data={data}, which are for task={task_of(data)}: leave task= out, or choose data "
        f"for {task}: {', '.join(others)}"
    )


def check_name(kind: str, name: str) -> str:
    """Raises UserError unless `name` is made of letters, digits, `_`, `-` and inner dots, at most 100 characters."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"{kind} is {name!r}: expected 1 to 100 letters, digits, '_', '-' or '.', not starting with '.' or '-'"
        )
    return name
