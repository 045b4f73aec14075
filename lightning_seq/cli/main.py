"""The verbs: `lightning-seq VERB [positional] key=value…`."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_seq import __version__
from lightning_seq.cli.arguments import check_utf8, given_keys, truth
from lightning_seq.cli.cell_verbs import CELL_VERBS
from lightning_seq.cli.checkpoint_verbs import CHECKPOINT_VERBS
from lightning_seq.cli.help import Verb, help_of, list_of
from lightning_seq.errors import UserError, near
from lightning_seq.files import place
from lightning_seq.printable import PrintableFormatter, command_console, print_any_character, printable
from lightning_seq.training.threads import wait_without_spinning

if TYPE_CHECKING:
    from rich.console import Console


FLAGS = ("--help", "-h", "--version", "--list", "--debug")


def _word2vec(words: list[str]) -> int:
    from lightning_seq.cli.word2vec import word2vec

    console = command_console()
    word_map = word2vec(words, console)
    if word_map is not None:
        from lightning_seq.files import write_text
        from lightning_seq.report.dashboard.dashboard import map_page

        page = word_map.with_suffix(".html")
        write_text(page, map_page(word_map, f"{word_map.parent.name}: word vectors"))
        say(console, f"map        {page}")
    return 0


def _train(words: list[str]) -> int:
    from lightning_seq.comparison.compare import train
    from lightning_seq.training.run_record import rank

    console = command_console()
    outcome = train(words, console)
    if rank() != 0 or outcome is None:
        return 0
    return _finish(outcome.directory, outcome.failed, console, _wandb_of(words))


def _compare(words: list[str]) -> int:
    from lightning_seq.comparison.compare import compare
    from lightning_seq.comparison.grid import entries

    if any("=" not in word and Path(word).is_dir() for word in words):
        return _report(words)
    console = command_console()
    directory = None
    try:
        outcome = compare(words, console)
        if outcome is None:
            return 0
        directory = outcome.directory
        return _finish(directory, outcome.failed, console, _wandb_of(words))
    except BaseException as error:
        if not isinstance(error, UserError) and directory is None:
            config = entries(words)[0].config
            _report_quietly(Path(config["runs"]) / config["name"])
        raise


def _report_quietly(directory: Path) -> None:
    """After an interruption: the tables of what there is, where there is anything."""
    from contextlib import suppress

    from lightning_seq.report.write import write_report

    with suppress(UserError):
        write_report(directory)


def _wandb_of(words: list[str]) -> dict[str, str | None] | None:
    from lightning_seq.comparison.grid import entries

    settings = entries(words)[0].config["logger"]
    return settings if settings["kind"] == "wandb" else None


def _finish(directory: Path, failed: int, console: Console, wandb: dict[str, str | None] | None) -> int:
    """Tables, dashboard, the W&B summary; what to open next."""
    from lightning_seq.report.summary import runs_of, summarise_runs
    from lightning_seq.report.terminal_table import terminal
    from lightning_seq.report.wandb.workspace import FILE as PLAN
    from lightning_seq.report.write import DashboardError, is_current, write_report

    missing = told = None
    if is_current(directory) and (wandb is None or (directory / PLAN).is_file()):  # no run has been made since
        summary = summarise_runs(directory, runs_of(directory))
    else:
        try:
            summary = write_report(directory)
        except DashboardError as error:  # the runs are done all the same
            summary, missing = error.summary, str(error)
        told = _to_wandb(directory, wandb) if wandb is not None else None
    console.print()
    console.print(terminal(summary))
    console.print()
    say(console, f"dashboard  {missing or directory / 'dashboard.html'}")
    say(console, f"tables     {directory / 'table.md'}  {directory / 'table.csv'}  {directory / 'table.tex'}")
    if told:
        say(console, f"W&B        {told}")
    return 1 if failed else 0


def _to_wandb(directory: Path, settings: dict[str, str | None]) -> str | None:
    """Of several runs, the comparison as a W&B run of its own; what to do with them. W&B never fails a comparison."""
    from lightning_seq.report.summary import runs_of
    from lightning_seq.report.wandb.summary import log_comparison
    from lightning_seq.report.wandb.workspace import write_plan
    from lightning_seq.training.loggers.wandb_run import SENT, send, wandb_mode

    mode, _ = wandb_mode(str(settings["mode"]))
    if mode == "disabled":
        return None
    project, entity = str(settings["project"]), settings["entity"]
    shutil.rmtree(directory / "wandb", ignore_errors=True)  # one summary run, of what there is now
    recorded = None
    try:
        if len(runs_of(directory)) > 1:
            recorded = log_comparison(directory, project=project, entity=entity)
    except Exception as error:  # W&B raises what its own parts do: the tables are there without it
        return f"does not take the comparison ({error}); the tables have it all"
    upload = write_plan(directory, project, entity)["upload"]
    if mode == "offline":
        return upload
    if recorded is not None:
        send(recorded)
    return f"is being sent in the background; what {SENT} says was not: {upload}"


def say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _report(words: list[str]) -> int:
    from lightning_seq.comparison.status import comparisons_in, list_comparisons
    from lightning_seq.report.merge import write_merged
    from lightning_seq.report.summary import runs_of
    from lightning_seq.report.terminal_chart import learning_curves
    from lightning_seq.report.terminal_table import terminal
    from lightning_seq.report.write import write_report

    places = [place(word, "directory") for word in words if "=" not in word]
    given = given_keys("report", [word for word in words if "=" in word], {"output": None, "stochastic_order": "false"})
    if not places:
        raise UserError("report takes a directory, or several and output=DIR, none came: such as report runs/demo")
    if len(places) > 1 and not given["output"]:
        raise UserError(
            f"{len(places)} directories came, expected where their report goes: lightning-seq report "
            f"{' '.join(map(str, places))} output=DIR"
        )
    order = truth("stochastic_order", given["stochastic_order"])
    console = command_console()
    several = comparisons_in(places[0]) if len(places) == 1 else []
    if several:
        list_comparisons(several, "report", console)
        return 0
    directory = place(given["output"], "output") if given["output"] else places[0]
    if given["output"]:
        summary = write_merged(places, directory, order)
    else:
        summary = write_report(directory, stochastic_order=order)
    console.print(terminal(summary))
    if summary.sources:
        say(console, summary.sources)
    runs = [run for place in places for run in runs_of(place)]
    for line in learning_curves(runs, summary, console.width, console.encoding.startswith("utf")):
        say(console, line)
    say(console, f"\ndashboard  {directory / 'dashboard.html'}")
    return 0


def _status(words: list[str]) -> int:
    from lightning_seq.comparison.status import status

    if len(words) != 1 or "=" in words[0]:
        raise UserError(
            f"status takes one directory, {' '.join(words) or 'nothing'} came: lightning-seq status runs/demo"
        )
    status(place(words[0], "directory"), command_console())
    return 0


RUN_KEYS = {
    "runs=DIR": "root of all output (runs)",
    "name=NAME": "directory under it (the data set's name)",
    "cache=DIR": "prepared data and vectors (~/.cache/lightning_seq)",
}
RUN_SETTINGS = (
    "optimizer.lr", "trainer.max_epochs", "data.batch_size", "model.hidden_size", "model.num_layers",
    "model.bidirectional", "model.dropout", "task.dropout", "callbacks.early_stopping.patience",
    "trainer.gradient_clip_val", "word2vec.vector_size", "embedding.frozen", "data.max_length", "task.predictions",
)  # fmt: skip
WORD2VEC_SETTINGS = tuple(
    f"word2vec.{key}" for key in ("vector_size", "window", "architecture", "min_count", "epochs", "learning_rate")
)
RUN_GROUPS = ("data", "model", "cell", "embedding", "init", "optimizer", "trainer", "logger", "callbacks", "match")

VERBS = {
    "word2vec": Verb(
        "Train word vectors on the train split of a data set, or find them in the cache.",
        _word2vec,
        {
            "evaluate=true": "neighbours, analogies, word pairs, a map in <runs>/<name>/",
            "output=FILE": "also write word2vec text",
            "cache=DIR": RUN_KEYS["cache=DIR"],
        },
        ("data",),
        (
            "word2vec data=verses_genre word2vec.vector_size=100",
            "word2vec data=verses_genre word2vec.architecture=cbow evaluate=true",
            "word2vec data=text_words data.train=mine.txt output=vectors.txt",
        ),
        settings=WORD2VEC_SETTINGS,
    ),
    "train": Verb(
        "Train one model with one seed, select it on validation, test it once.",
        _train,
        {
            "seed=N": "initialisation, batch order and dropout (1)",
            "resume=auto": "from the last good checkpoint; must, never",
            **RUN_KEYS,
        },
        RUN_GROUPS,
        (
            "train model=lstm data=verses_genre seed=1 trainer=cpu",
            "train model=recurrent cell=gru model.bidirectional=true data=imdb",
            "train model=bilstm data=csv data.train=mine.csv trainer.max_epochs=20",
            "train model=lstm trainer=ddp trainer.accelerator=cpu trainer.devices=2",
        ),
        settings=RUN_SETTINGS,
    ),
    "compare": Verb(
        "Train every architecture with every seed; tables and dashboard.",
        _compare,
        {
            "seeds=N": "seeds 1 to N, or a list [1,5] (3)",
            "jobs=N": "runs at a time (1)",
            "tune=N": "N trials of each architecture first, over tune.space (0)",
            "dry_run=true": "grid, parameters, minutes; no run is started",
            "runs=DIR name=NAME": "where: <runs>/<name>/ (runs/<data set>)",
        },
        (*RUN_GROUPS, "launcher", "experiment"),
        (
            "compare model=rnn,lstm,gru,birnn data=verses_genre seeds=3",
            "compare model=lstm optimizer.lr=0.001,0.002 data=rotten_tomatoes dry_run=true",
            "compare model=rnn,lstm,gru match=parameters match.target=200k",
            "compare experiment=demo",
        ),
        settings=RUN_SETTINGS,
    ),
    "status": Verb(
        "What runs, is done, has failed and is left of a comparison, or of all in a directory.",
        _status,
        {},
        (),
        ("status runs/demo", "status runs/demo | cut -f1,2", "status runs"),
        "DIRECTORY",
    ),
    "report": Verb(
        "Write the tables and the dashboard of a comparison again, or of several as one.",
        _report,
        {
            "output=DIR": "where the report of several directories is written",
            "stochastic_order=true": "almost stochastic order in the table of pairs",
        },
        (),
        ("report runs/demo", "report /somewhere/else/runs/demo", "report runs/mine /mnt/theirs output=runs/both"),
        "DIRECTORY …",
    ),
    **CHECKPOINT_VERBS,
    **CELL_VERBS,
}


@contextmanager
def _friendly(debug: bool) -> Iterator[None]:
    """A user's mistake is one line; ours is a traceback. With `debug`, every traceback."""
    try:
        yield
    except UserError as error:
        if debug:
            raise
        print(f"lightning-seq: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        import errno

        user = {errno.ENOSPC: "free some space", errno.EDQUOT: "free some space", errno.EROFS: "write elsewhere",
                errno.EACCES: "check its permissions"}  # fmt: skip
        if debug or error.errno not in user:
            raise
        place = printable(f"{error.filename}: ") if error.filename else ""
        print(
            f"lightning-seq: {place}{error.strerror}: {user[error.errno]}, or give runs=DIR and cache=DIR",
            file=sys.stderr,
        )
        raise SystemExit(2) from None


def main(arguments: Sequence[str]) -> int:
    """Run one verb; return the exit code: 0 done, 1 a run failed, 2 the user's mistake, 128 + n ended by signal n.

    Raises whatever is our own fault, and SystemExit(2) for the user's.
    """
    flags = [word for word in arguments if word.startswith("-")]
    words = [word for word in arguments if not word.startswith("-")]
    debug = "--debug" in flags
    print_any_character()
    wait_without_spinning()
    with _friendly(debug):
        check_utf8(arguments)
        for flag in flags:
            if flag not in FLAGS:
                raise UserError(f"{flag} is unknown: flags are {', '.join(FLAGS)}; everything else is key=value")
        if "--version" in flags:
            print(f"lightning-seq {__version__}")
            return 0
        if words[:1] == ["help"]:
            words, flags = words[1:2], ["--help"]
        if words[:1] == ["completion"]:
            from lightning_seq.cli.completion import script

            print(script(words[1:], VERBS))
            return 0
        verb = words[0] if words else None
        if verb is not None and verb not in VERBS:
            raise UserError(f"there is no verb {verb!r}; {near(verb, VERBS)}")
        if "--list" in flags:
            listing = VERBS[verb].listing if verb else None
            if listing is not None:
                listing()
            else:
                print(list_of(verb, VERBS))
            return 0
        if verb is None or {"--help", "-h"} & {*flags}:
            print(help_of(verb, VERBS))
            return 0
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr)  # of other packages, what is worth a warning
        logging.getLogger("lightning_seq").setLevel(logging.INFO)
        for handler in logging.getLogger().handlers:  # what ends the command is said once, at its end
            handler.setFormatter(PrintableFormatter("%(message)s"))
            handler.addFilter(_untold)
        logging.getLogger("gensim").setLevel(logging.ERROR)
        return _ended(VERBS[verb].run, words[1:])


def _untold(line: logging.LogRecord) -> bool:
    return not getattr(line, "told", False)


def _ended(run: Callable[[list[str]], int], words: list[str]) -> int:
    from lightning_seq.training.signals import Interrupted, listening

    try:
        with listening():
            return run(words)
    except Interrupted as interrupted:
        print(f"lightning-seq: {interrupted}; run the same command again to finish the missing runs", file=sys.stderr)
        return interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def entry() -> None:
    """The `lightning-seq` command. Modules of the user's are also looked for where it is called."""
    from lightning_seq.training.signals import end_at_once

    end_at_once()
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
