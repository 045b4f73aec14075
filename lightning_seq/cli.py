"""The verbs: `lightning-seq VERB [positional] key=value…`."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from lightning_seq.errors import UserError, near
from lightning_seq.experiment.arguments import (
    given_keys,
    given_texts,
    loaded_checkpoint,
    print_json_line,
    real_number,
    truth,
    whole_number,
)
from lightning_seq.experiment.config import groups

if TYPE_CHECKING:
    from rich.console import Console


FLAGS = ("--help", "--debug", "--list")


@dataclass(frozen=True)
class Verb:
    """What `--help` says, and what is done.

    keys:   the verb's own keys, with what they mean.
    groups: the configuration groups it reads.
    """

    summary: str
    run: Callable[[list[str]], int]
    keys: dict[str, str]
    groups: tuple[str, ...]
    examples: tuple[str, ...]
    positional: str = ""
    listing: Callable[[], None] | None = None


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120)


def _word2vec(words: list[str]) -> int:
    from lightning_seq.experiment.vectors import word2vec

    console = _console()
    word_map = word2vec(words, console)
    if word_map is not None:
        from lightning_seq.files import write_text
        from lightning_seq.report.dashboard import map_page

        page = word_map.with_suffix(".html")
        write_text(page, map_page(word_map, f"{word_map.parent.name}: word vectors"))
        say(console, f"map        {page}")
    return 0


def _train(words: list[str]) -> int:
    from lightning_seq.experiment.compare import train
    from lightning_seq.experiment.run import rank

    console = _console()
    outcome = train(words, console)
    if rank() != 0:
        return 0
    return _finish(outcome.directory, outcome.failed, console, _wandb_of(words))


def _compare(words: list[str]) -> int:
    from lightning_seq.experiment.compare import compare
    from lightning_seq.experiment.grid import entries

    if any("=" not in word and Path(word).is_dir() for word in words):
        return _report(words)
    console = _console()
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
    from lightning_seq.experiment.grid import entries

    settings = entries(words)[0].config["logger"]
    return settings if settings["kind"] == "wandb" else None


def _finish(directory: Path, failed: int, console: Console, wandb: dict[str, str | None] | None) -> int:
    """Tables, dashboard, the W&B summary; what to open next."""
    from lightning_seq.report.tables import terminal
    from lightning_seq.report.write import write_report

    mode = None
    if wandb is not None:
        from lightning_seq.experiment.loggers import wandb_mode

        mode, _ = wandb_mode(str(wandb["mode"]))
    summary = write_report(directory)
    if wandb is not None and mode is not None:
        from lightning_seq.report.wandb_summary import log_comparison
        from lightning_seq.report.wandb_workspace import write_plan

        shutil.rmtree(directory / "wandb", ignore_errors=True)  # one summary run, of what there is now
        log_comparison(directory, mode=mode, project=str(wandb["project"]), entity=wandb["entity"])
        upload = write_plan(directory, str(wandb["project"]), wandb["entity"])["upload"]
    console.print()
    console.print(terminal(summary))
    console.print()
    say(console, f"dashboard  {directory / 'dashboard.html'}")
    say(console, f"tables     {directory / 'table.md'}  {directory / 'table.csv'}  {directory / 'table.tex'}")
    if mode == "offline":
        say(console, f"W&B        {upload}")
    return 1 if failed else 0


def say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _report(words: list[str]) -> int:
    from lightning_seq.report.gathered import write_gathered
    from lightning_seq.report.summary import runs_of
    from lightning_seq.report.tables import terminal
    from lightning_seq.report.terminal_chart import learning_curves
    from lightning_seq.report.write import write_report

    places = [Path(word) for word in words if "=" not in word]
    given = given_keys("report", [word for word in words if "=" in word], {"output": None, "stochastic_order": "false"})
    if not places:
        raise UserError("report takes a directory, or several and output=DIR, none came: such as report runs/demo")
    if len(places) > 1 and not given["output"]:
        raise UserError(
            f"{len(places)} directories came, expected where their report goes: lightning-seq report "
            f"{' '.join(map(str, places))} output=DIR"
        )
    order = truth("stochastic_order", given["stochastic_order"])
    console = _console()
    directory = Path(given["output"]).expanduser() if given["output"] else places[0]
    if given["output"]:
        summary = write_gathered(places, directory, order)
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
    from lightning_seq.experiment.status import status

    if len(words) != 1 or "=" in words[0]:
        raise UserError(
            f"status takes one directory, {' '.join(words) or 'nothing'} came: lightning-seq status runs/demo"
        )
    status(Path(words[0]), _console())
    return 0


def _predict(words: list[str]) -> int:
    from lightning_seq.experiment.predict import predictions

    given = given_keys("predict", words, {"checkpoint": "", "text": None, "file": None, "top_k": "3", "allow": ""})
    top_k = whole_number("top_k", given["top_k"])
    for line in predictions(loaded_checkpoint("predict", given), given_texts(given["text"], given["file"]), top_k or 0):
        print_json_line(line)
    return 0


def _score(words: list[str]) -> int:
    from lightning_seq.experiment.score import scores

    given = given_keys("score", words, {"checkpoint": "", "text": None, "file": None, "allow": ""})
    for line in scores(loaded_checkpoint("score", given), given_texts(given["text"], given["file"])):
        print_json_line(line)
    return 0


def _sample(words: list[str]) -> int:
    from lightning_seq.experiment.sample import Drawing, pieces

    given = given_keys(
        "sample",
        words,
        {
            **{"checkpoint": "", "prompt": "", "length": "200", "temperature": "1.0", "top_k": None, "top_p": None},
            **{"samples": "1", "seed": "1", "allow": ""},
        },
    )
    drawing = Drawing(
        length=whole_number("length", given["length"]) or 0,
        temperature=real_number("temperature", given["temperature"]) or 0.0,
        top_k=whole_number("top_k", given["top_k"]),
        top_p=real_number("top_p", given["top_p"]),
        samples=whole_number("samples", given["samples"]) or 0,
        seed=whole_number("seed", given["seed"], least=0) or 0,
    )
    grown = pieces(loaded_checkpoint("sample", given), given["prompt"] or "", drawing)
    if drawing.samples == 1:
        for (piece,) in grown:
            print(piece, end="", flush=True)
        print()
        return 0
    for number, text in enumerate(map("".join, zip(*grown, strict=True)), 1):
        print(f"--- {number}\n{text}")
    return 0


def _translate(words: list[str]) -> int:
    from lightning_seq.experiment.kinds.sequence_to_sequence import beam, check_translator
    from lightning_seq.experiment.translate import Translation, translations

    keys = {"checkpoint": "", "text": None, "file": None, "beam": None, "n_best": "1", "length_penalty": None}
    more = {"scores": "false", "attention_out": None, "batch_size": "32", "target_language": None, "allow": ""}
    given = given_keys("translate", words, {**keys, **more})
    with_scores = truth("scores", given["scores"])
    loaded, n_best = loaded_checkpoint("translate", given), whole_number("n_best", given["n_best"]) or 1
    check_translator(loaded)
    size, penalty = whole_number("beam", given["beam"]), real_number("length_penalty", given["length_penalty"])
    settings = dict(loaded.config["task"])
    settings["beam"] = max(n_best, settings["beam"]) if size is None else size
    settings |= {} if penalty is None else {"length_penalty": penalty}
    out, looks = given["attention_out"], []
    place = None if out is None else Path(out).expanduser()
    if place is not None and (place.is_dir() or not place.parent.is_dir()):
        raise UserError(f"attention_out={out}: expected a file in a directory that is there")
    found = translations(
        loaded,
        given_texts(given["text"], given["file"]),
        beam(settings, n_best),
        whole_number("batch_size", given["batch_size"]) or 1,
        out is not None,
        given["target_language"],
    )

    def line(number: int, each: Translation) -> str:
        parts = [str(number)] if n_best > 1 else []
        parts += [f"{each.score:.6f}"] if with_scores else []
        return "\t".join([*parts, each.text])

    for number, best in enumerate(found, 1):
        for each in best:
            print(line(number, each), flush=True)
            if place is not None:
                looks.append({"number": number, "source": each.source, "target": each.target, "weights": each.weights})
    if place is not None:
        from lightning_seq.files import write_json

        write_json(place, looks)
    return 0


def _check(words: list[str]) -> int:
    from lightning_seq.experiment.check import check

    return 0 if check(words, _console()) else 1


def _explain(words: list[str]) -> int:
    from lightning_seq.experiment.explain import explain

    explain(words, _console())
    return 0


def _explain_list() -> None:
    from lightning_seq.experiment.explain import listing

    listing(_console())


RUN_KEYS = {
    "runs=DIR": "root of all output (runs)",
    "name=NAME": "directory under it (the data set's name)",
    "cache=DIR": "prepared data and vectors (~/.cache/lightning_seq)",
}
RUN_GROUPS = ("data", "model", "cell", "embedding", "init", "optimizer", "trainer", "logger", "callbacks", "match")

VERBS = {
    "word2vec": Verb(
        "Train word vectors on the train split of a data set, or find them in the cache.",
        _word2vec,
        {
            "word2vec.KEY=…": "vector_size window architecture epochs min_count …",
            "evaluate=true": "neighbours, analogies, word pairs, a map in <runs>/<name>/",
            "output=FILE": "also write word2vec text",
            "cache=DIR": RUN_KEYS["cache=DIR"],
        },
        ("data",),
        (
            "word2vec data=verses_genre word2vec.vector_size=100",
            "word2vec data=verses_genre word2vec.architecture=cbow evaluate=true",
            "word2vec data=text data.train=mine.txt output=vectors.txt",
        ),
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
            "train model=lstm trainer=ddp trainer.accelerator=cpu trainer.devices=2",
        ),
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
    ),
    "status": Verb(
        "What runs, is done, has failed and is left of a comparison, and how long that may take.",
        _status,
        {},
        (),
        ("status runs/demo", "status runs/demo | cut -f1,2", "status /somewhere/else/runs/demo"),
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
    "predict": Verb(
        "What a trained model says of new text, as JSON lines.",
        _predict,
        {
            "checkpoint=FILE": "of a run: <run>/checkpoints/best.ckpt",
            'text="…"': "one text; or",
            "file=FILE": "one per line; or standard input",
            "top_k=N": "how many labels, or next tokens (3)",
            "allow=[MODULE]": "where a cell of your own comes from",
        },
        (),
        (
            'predict checkpoint=runs/demo/lstm-seed1/checkpoints/best.ckpt text="In the morning"',
            "predict checkpoint=best.ckpt file=verses.txt top_k=1",
            "predict checkpoint=best.ckpt < verses.txt",
        ),
    ),
    "score": Verb(
        "How likely a text is to a language model, token by token, as JSON lines.",
        _score,
        {
            "checkpoint=FILE": "of a run: <run>/checkpoints/best.ckpt",
            'text="…"': "one text; or",
            "file=FILE": "one per line; or standard input",
            "allow=[MODULE]": "where a cell of your own comes from",
        },
        (),
        (
            'score checkpoint=runs/verses_words/lstm-seed1/checkpoints/best.ckpt text="and"',
            "score checkpoint=best.ckpt file=verses.txt",
            "score checkpoint=best.ckpt < verses.txt",
        ),
    ),
    "sample": Verb(
        "Text from a language model, as it is drawn.",
        _sample,
        {
            "checkpoint=FILE": "of a run: <run>/checkpoints/best.ckpt",
            'prompt="…"': "what it begins with (the beginning of a line)",
            "length=N": "symbols after the prompt (200)",
            "temperature=T": "0 always takes the likeliest (1.0)",
            "top_k=N top_p=P": "draw from the likeliest alone",
            "samples=N seed=N": "how many, side by side (1), and the draw (1)",
        },
        (),
        (
            'sample checkpoint=runs/verses_words/lstm-seed1/checkpoints/best.ckpt prompt="and"',
            "sample checkpoint=best.ckpt length=500 temperature=0.8 top_k=40 top_p=0.95 seed=2",
            "sample checkpoint=best.ckpt samples=4",
        ),
    ),
    "translate": Verb(
        "Another sequence for each line, from a trained encoder-decoder.",
        _translate,
        {
            "checkpoint=FILE": "of a run: <run>/checkpoints/best.ckpt",
            'text="…"': "one text; or",
            "file=FILE": "one per line; or standard input",
            "beam=N length_penalty=A": "how it is searched (as in training's test)",
            "n_best=N": "hypotheses of each text, after its number and a tab (1)",
            "scores=true": "the score before each, and a tab",
            "attention_out=FILE": "where each symbol looked, as JSON",
            "batch_size=N": "texts at a time (32)",
            "target_language=CODE": "refuse a model that writes another",
        },
        (),
        (
            "translate checkpoint=runs/dates/attention-seed1/checkpoints/best.ckpt < in.txt",
            'translate checkpoint=best.ckpt text="march 5, 2026" n_best=5 scores=true',
            "translate checkpoint=best.ckpt file=in.txt attention_out=out.json",
        ),
    ),
    "check": Verb(
        "Put a cell or a scorer through the conformance suite: ours, or your own.",
        _check,
        {
            "input_size=N hidden_size=N": "of a cell: D (3) and H (4)",
            "query_size=N value_size=N": "of a scorer: Q (8) and D (6)",
            "slow=true": "also 20,000 steps forward and back",
        },
        ("cell", "attention"),
        ("check lstm", "check additive", "check my_package.MyCell"),
        "CELL",
    ),
    "explain": Verb(
        "Equations, state, paper and parameters of a cell, a scorer or a layer; --list shows all.",
        _explain,
        {
            "input_size=N hidden_size=N": "of a cell: D (100) and H (128)",
            "query_size=N value_size=N": "of a scorer: Q (128) and D (256)",
        },
        ("cell", "attention"),
        ("explain lstm", "explain gru hidden_size=256", "explain additive"),
        "CELL",
        _explain_list,
    ),
}


def help_of(verb: str | None) -> str:
    """Fits a screen of 24 by 100."""
    if verb is None:
        lines = [
            "Compare recurrent networks fairly, on inputs that start from word2vec.",
            "",
            "lightning-seq VERB [key=value …]",
            "",
        ]
        lines += [f"  {name:10}{entry.summary}" for name, entry in VERBS.items()]
        lines += [
            "",
            "  VERB --help   the keys, groups and choices of a verb, with examples",
            "  --list        every group and its choices",
            "  --debug       show tracebacks",
            "",
            'Tab completion: eval "$(lightning-seq completion bash)"   (or zsh)',
        ]
        return "\n".join(lines)
    entry = VERBS[verb]
    positional = f" {entry.positional}" if entry.positional else ""
    lines = [entry.summary, "", f"lightning-seq {verb}{positional}{' key=value …' if entry.keys else ''}"]
    lines += [f"  {key:19}{meaning}" for key, meaning in entry.keys.items()]
    lines += _group_lines(entry.groups)
    lines += ["", "Examples", *(f"  lightning-seq {example}" for example in entry.examples)]
    return "\n".join(lines)


def _group_lines(names: Sequence[str], width: int = 100) -> list[str]:
    """Every group with its choices: long ones on a line of their own, cut where it ends, short ones side by side."""
    lines: list[str] = []
    shared = ""
    for group in names:
        choices = groups().get(group, ())
        said = f"{group}= {' '.join(choices)}"
        if len(said) > width // 2:
            lines.append(f"  {shorten(said, width - 2, placeholder=f' … ({len(choices)} in all: --list)')}")
        elif len(shared) + len(said) + 4 <= width:
            shared = f"{shared}    {said}" if shared else f"  {said}"
        else:
            lines, shared = [*lines, shared], f"  {said}"
    return [*lines, shared] if shared else lines


def list_of(verb: str | None) -> str:
    wanted = VERBS[verb].groups if verb else tuple(groups())
    return "\n".join(f"{group}\n" + "".join(f"  {name}\n" for name in groups()[group]) for group in wanted).rstrip()


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
        place = f"{error.filename}: " if error.filename else ""
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
    with _friendly(debug):
        for flag in flags:
            if flag not in FLAGS:
                raise UserError(f"{flag} is unknown: flags are {', '.join(FLAGS)}; everything else is key=value")
        if words[:1] == ["completion"]:
            from lightning_seq.completion import script

            print(script(words[1] if len(words) > 1 else ""))
            return 0
        verb = words[0] if words else None
        if verb is not None and verb not in VERBS:
            raise UserError(f"there is no verb {verb!r}; {near(verb, VERBS)}")
        if "--list" in flags:
            listing = VERBS[verb].listing if verb else None
            if listing is not None:
                listing()
            else:
                print(list_of(verb))
            return 0
        if verb is None or "--help" in flags:
            print(help_of(verb))
            return 0
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        for handler in logging.getLogger().handlers:  # what ends the command is said once, at its end
            handler.addFilter(_untold)
        logging.getLogger("gensim").setLevel(logging.ERROR)
        for noisy in ("httpx", "httpcore", "fsspec", "urllib3", "filelock", "datasets"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        return _ended(VERBS[verb].run, words[1:])


def _untold(line: logging.LogRecord) -> bool:
    return not getattr(line, "told", False)


def _ended(run: Callable[[list[str]], int], words: list[str]) -> int:
    from lightning_seq.experiment.signals import Interrupted, listening

    try:
        with listening():
            return run(words)
    except Interrupted as interrupted:
        print(f"lightning-seq: {interrupted}; the same command goes on with what is missing", file=sys.stderr)
        return interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def entry() -> None:
    """The `lightning-seq` command. Modules of the user's are also looked for where it is called."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
