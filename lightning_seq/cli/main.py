"""The verbs: `lightning-seq VERB [positional] key=value…`."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning_seq import __version__
from lightning_seq.cli.arguments import parse
from lightning_seq.cli.completion import script
from lightning_seq.cli.help import help_of, list_of
from lightning_seq.cli.verbs import VERBS
from lightning_seq.errors import UserError, near
from lightning_seq.printable import PrintableFormatter, print_any_character, printable
from lightning_seq.training.signals import Interrupted, end_at_once, listening
from lightning_seq.training.threads import wait_without_spinning

FLAGS = ("--help", "-h", "--version", "--list", "--debug")


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
        for word in arguments:
            try:
                word.encode()
            except UnicodeEncodeError:
                raise UserError(f"{word!r} is not UTF-8: expected words in UTF-8, or rename the file") from None
        for flag in flags:
            if flag not in FLAGS:
                raise UserError(f"{flag} is unknown: flags are {', '.join(FLAGS)}; everything else is key=value")
        if words[:1] == ["help"]:
            words, flags = words[1:2], ["--help"]
        if "--version" in flags:
            print(f"lightning-seq {__version__}")
        elif words[:1] == ["completion"]:
            print(script(words[1:]))
        elif words and words[0] not in VERBS:
            raise UserError(f"there is no verb {words[0]!r}; {near(words[0], VERBS)}")
        elif "--list" in flags and words and VERBS[words[0]].lists:
            _module(words[0]).listing()
        elif "--list" in flags:
            print(list_of(words[0] if words else None))
        elif not words or {"--help", "-h"} & {*flags}:
            print(help_of(words[0] if words else None))
        else:
            _log_to_standard_error()
            return _run(*words)
    return 0


def _module(verb: str) -> Any:
    """The module that does what a verb says; most import torch."""
    return import_module(f"lightning_seq.cli.{verb}")


def _log_to_standard_error() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)  # of other packages, what is worth a warning
    logging.getLogger("lightning_seq").setLevel(logging.INFO)
    for handler in logging.getLogger().handlers:  # what ends the command is said once, at its end
        handler.setFormatter(PrintableFormatter("%(message)s"))
        handler.addFilter(_untold)
    logging.getLogger("gensim").setLevel(logging.ERROR)


def _untold(line: logging.LogRecord) -> bool:
    return not getattr(line, "told", False)


def _run(verb: str, *words: str) -> int:
    try:
        with listening():
            kind = VERBS[verb].arguments
            arguments = [*words] if kind is None else parse(verb, kind, words)
            return _module(verb).run(arguments)
    except Interrupted as interrupted:
        print(f"lightning-seq: {interrupted}; run the same command again to finish the missing runs", file=sys.stderr)
        return interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def entry() -> None:
    """The `lightning-seq` command. Modules of the user's are also looked for where it is called."""
    end_at_once()
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
