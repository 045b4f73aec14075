"""The verbs: `lightning-seq VERB [positional] key=value…`."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from traceback import format_exception
from types import ModuleType, TracebackType

from lightning_seq import __version__
from lightning_seq.cli.arguments import parse
from lightning_seq.cli.verbs import VERBS
from lightning_seq.errors import UserError, near
from lightning_seq.printable import PrintableFormatter, print_any_character, printable, without_credentials
from lightning_seq.training.signals import Interrupted, end_at_once, listening
from lightning_seq.training.threads import wait_without_spinning

FLAGS = ("--help", "-h", "--version", "--list", "--debug")
REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "check its permissions",
}
"""By the number of an OSError that a user can mend."""


@contextmanager
def _friendly(debug: bool) -> Iterator[None]:
    """Print a user's mistake in one line; any other error, and with `debug` every error, keeps its traceback."""
    try:
        yield
    except (UserError, OSError) as error:
        message = str(error)
        if isinstance(error, OSError):
            if error.errno not in REMEDIES:
                raise
            path = printable(f"{error.filename}: ") if error.filename else ""
            message = f"{path}{error.strerror}: {REMEDIES[error.errno]}, or give runs=DIR and cache=DIR"
        if debug:
            raise
        print(f"lightning-seq: {message}", file=sys.stderr)
        raise SystemExit(2) from None


def main(arguments: Sequence[str]) -> int:
    """Run one verb; return the exit code: 0 done, 1 a run failed, 128 + n ended by signal n.

    Raises SystemExit(2) for the user's mistake, and any other error as it is.
    """
    flags = [word for word in arguments if word.startswith("-")]
    words = [word for word in arguments if not word.startswith("-")]
    print_any_character()
    wait_without_spinning()
    with _friendly("--debug" in flags):
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
        verb = words[0] if words else None
        if "--version" in flags:
            print(f"lightning-seq {__version__}")
        elif verb == "completion":
            print(_module("completion").script(words[1:]))
        elif verb is not None and verb not in VERBS:
            raise UserError(f"there is no verb {verb!r}; {near(verb, VERBS)}")
        elif "--list" in flags and verb is not None and VERBS[verb].lists:
            _module(verb).listing()
        elif "--list" in flags:
            print(_module("help").list_of(verb))
        elif verb is None or {"--help", "-h"} & {*flags}:
            print(_module("help").help_of(verb))
        else:
            _log_to_standard_error()
            return _run(*words)
    return 0


def _module(name: str) -> ModuleType:
    """A module of the command line, imported when it is needed: most modules of verbs import torch."""
    return import_module(f"lightning_seq.cli.{name}")


def _log_to_standard_error() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)  # for the loggers of other packages
    logging.getLogger("lightning_seq").setLevel(logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(PrintableFormatter("%(message)s"))
        handler.addFilter(lambda line: not getattr(line, "told", False))  # the command prints that error at its end
    logging.getLogger("gensim").setLevel(logging.ERROR)


def _run(verb: str, *words: str) -> int:
    try:
        with listening():
            kind = VERBS[verb].arguments
            return _module(verb).run([*words] if kind is None else parse(verb, kind, words))
    except Interrupted as interrupted:
        print(f"lightning-seq: {interrupted}; run the same command again to finish the missing runs", file=sys.stderr)
        return interrupted.exit_code
    except BrokenPipeError:
        _close_output()
        return 0


def _print_traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Print an error that is not the user's, without passwords and controls of the terminal."""
    print(printable(without_credentials("".join(format_exception(kind, error, where)))), end="", file=sys.stderr)


def _close_output() -> None:
    """So that Python's last flush does not meet the broken pipe again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def entry() -> None:
    """The `lightning-seq` command."""
    end_at_once()
    sys.excepthook = _print_traceback
    os.environ["PYTHONSAFEPATH"] = "1"  # Python processes that libraries start import nothing from the directory either
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        _close_output()
