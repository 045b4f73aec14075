"""Help, lists, completion, the wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lightning_seq
from lightning_seq.cli.choices import setting
from lightning_seq.cli.completion import script
from lightning_seq.cli.help import fields_of
from lightning_seq.cli.main import main
from lightning_seq.cli.verbs import VERBS
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import conf_directory, groups
from lightning_seq.config.words import SHORT
from lightning_seq.identity import value_at

ROOT = Path(lightning_seq.__file__).parents[1]


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_help_is_short_and_has_three_examples(verb: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*([verb] if verb else []), "--help"]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    for typed in (["help", verb], ["-h", verb], [verb, "-h"]):
        assert main([word for word in typed if word]) == 0
        assert capsys.readouterr().out == said
    if verb:
        assert sum(line.startswith(f"  lightning-seq {verb}") for line in lines) >= 3


@pytest.mark.parametrize("verb", VERBS)
def test_help_keeps_keys_and_their_meanings_apart(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([verb, "--help"])
    lines = capsys.readouterr().out.splitlines()
    arguments = VERBS[verb].arguments
    for field in fields_of(arguments) if arguments else []:
        if field.row is not None:
            key, meaning = field.row
            line = next(line for line in lines if line.startswith(f"  {key}"))
            assert line.removeprefix(f"  {key}").startswith("  ")
            assert meaning.startswith(line.removeprefix(f"  {key}").strip())


@pytest.mark.parametrize("key", sorted({key for verb in VERBS.values() for key in verb.settings}))
def test_a_setting_in_help_is_a_key_with_its_default_and_a_meaning(key: str) -> None:
    """Of its file's comment; the default is the one that Hydra composes."""
    shown, config = setting(key), compose([])
    place = SHORT.get(key, key)
    parent, _, last = place.rpartition(".")
    assert last in (value_at(config, parent) if parent else config)
    assert value_at(config, place) == shown.default or key == "cache"
    assert type(value_at(config, place)) is type(shown.default) or key == "cache"
    assert shown.meaning
    kinds = {"N": "2", "X": "0.25", "true|false": "true", "WORD": shown.default or "cbow"}
    compose([f"{key}={kinds[shown.kind]}"])


def test_a_setting_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(KeyError):
        setting("optimizer.rate")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lightning-seq {lightning_seq.__version__}\n"


TERMINALS = ({"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"},
             {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})  # fmt: skip
PRINTED = (["train", "--help"], ["--list"], ["translate", "text=é"], ["explain", "lstm"])


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        pytest.param(words, settings, marks=[pytest.mark.slow] * (words[0] == "explain" and number > 0))
        for words in PRINTED
        for number, settings in enumerate(TERMINALS)
    ],
)
def test_a_terminal_that_is_not_utf_8_ends_nothing(settings: dict[str, str], words: list[str]) -> None:
    """Characters that it lacks are escaped."""
    done = subprocess.run(
        [sys.executable, "-m", "lightning_seq", *words],
        capture_output=True,
        check=False,
        env={**os.environ, **settings},
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == (2 if words[0] == "translate" else 0)
    if words == ["explain", "lstm"]:
        assert b"\\u03c3(" in done.stdout  # σ


def test_what_a_terminal_lacks_is_escaped_as_json_has_it() -> None:
    code = (
        "import json, sys; from lightning_seq.printable import print_any_character; print_any_character(); "
        "print(json.dumps('é σ 😀', ensure_ascii=False)); print('é', file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env)
    assert json.loads(done.stdout.decode("ascii")) == "é σ 😀"
    assert done.stderr == b"\\u00e9\n"


def test_other_packages_say_only_what_is_worth_a_warning() -> None:
    """Such as matplotlib's `generated new fontManager`."""
    code = (
        "import logging\nfrom lightning_seq.cli import main\ntry: main(['status', '.'])\nexcept SystemExit: pass\n"
        "logging.getLogger('matplotlib.font_manager').info('generated new fontManager')\n"
        "logging.getLogger('x').warning('worth it')\nlogging.getLogger('lightning_seq').info('ours')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "docs")
    assert done.stderr.splitlines()[1:] == ["worth it", "ours"]


def test_installing_says_nothing_unless_it_fails() -> None:
    """No notice of a newer pip, no warning about root: what `make demo` runs before the demo."""
    (line,) = (line for line in (ROOT / "Makefile").read_text().splitlines() if "-m pip install" in line)
    options = line.partition("-m pip install")[2].partition(" -c ")[0].split()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    for words, ends_well in (["pytest"], True), (["--no-index", "no-such-package-anywhere"], False):
        command = [sys.executable, "-m", "pip", "install", *options, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert (done.returncode == 0) == ends_well
        assert (done.stdout + done.stderr == "") == ends_well


def test_help_and_list_import_neither_torch_nor_hydra() -> None:
    code = (
        "import sys; from lightning_seq.cli import main; main(['train', '--help']); main(['--list']); "
        "assert not {'torch', 'hydra', 'pandas', 'lightning'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("verb", VERBS)
def test_every_example_composes(verb: str) -> None:
    for example in VERBS[verb].examples:
        words = [word for word in example.split()[1:] if "=" in word]
        if verb in ("train", "word2vec"):
            compose(words)


def test_list_names_every_choice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    said = capsys.readouterr().out
    for group, choices in groups().items():
        assert group in said
        lines = [line.split(maxsplit=1) for line in _group(said, group)]
        assert [line[0] for line in lines] == list(choices)
        assert all(len(line) == 2 and len(line[1]) >= 8 for line in lines), group


def _group(said: str, group: str) -> list[str]:
    lines = said.splitlines()
    start = lines.index(group) + 1
    return lines[start : lines.index("", start) if "" in lines[start:] else None]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("lightning-seq tr", "train"),
        ("lightning-seq train model=bil", "bilstm"),
        ("lightning-seq train see", "seed="),
        ("lightning-seq predict col", "column="),
        ("lightning-seq report --h", "--help"),
    ],
)
def test_completion_completes(typed: str, offered: str) -> None:
    words = " ".join(f"'{word}'" for word in typed.split())
    code = (
        f"{script(['bash'])}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed.split()) - 1}; COMP_LINE='{typed}'; "
        f"COMP_POINT={len(typed)}; _lightning_seq; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert offered in done.stdout.split(), done


def test_the_pipelines_are_the_verbs() -> None:
    names = {path.stem for path in (ROOT / "pipelines").glob("*.py")}
    assert names == set(VERBS)


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in conf_directory().rglob("*.yaml"):
        assert f"lightning_seq/conf/{path.relative_to(conf_directory()).as_posix()}" in names
    for name in (
        "py.typed",
        "cli/main.py",
        "report/dashboard/templates/page.html",
        "report/dashboard/style.css",
        "report/dashboard/scripts/start.js",
    ):
        assert f"lightning_seq/{name}" in names
    assert any(name.endswith("entry_points.txt") for name in names)


def test_an_unknown_flag_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "runs", "--verbose"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("lightning-seq: --verbose is unknown: flags are --help")
