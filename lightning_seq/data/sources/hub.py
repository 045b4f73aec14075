"""Sets from the Hugging Face Hub, as parquet."""

from __future__ import annotations

import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from importlib import import_module
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from lightning_seq.data.sources.columns import Reading
from lightning_seq.data.sources.keys import origins
from lightning_seq.errors import UserError, root_cause
from lightning_seq.files import Plain
from lightning_seq.printable import without_credentials

if TYPE_CHECKING:
    from datasets import DatasetBuilder

ENDPOINT = "https://huggingface.co"
PATIENCE = 3.0
"""Seconds that the Hub has to answer."""

_REMEDY = (
    "for a machine without internet use data.mirror=DIR (or LIGHTNING_SEQ_MIRROR), a directory in Hub layout, "
    "or an embedded set such as data=verses_genre"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class WithNotes(Protocol):
    """Examples, with notes on what the user may not expect."""

    @property
    def notes(self) -> list[str]: ...


L = TypeVar("L", bound=WithNotes)


@dataclass(frozen=True)
class Hub(Generic[L]):
    """A set of the Hub in parquet files; a set that is a script is refused.

    id:       such as `stanfordnlp/imdb`.
    config:   the set's own configuration; None: its only or default one.
    revision: a commit or branch; None: the newest commit. The commit that was loaded is recorded.
    """

    id: str
    config: str | None = None
    revision: str | None = None
    columns: Reading[L] = field(kw_only=True)

    def describe(self) -> str:
        return f"{self.id} (Hub)"

    def identity(self) -> Plain:
        return {
            "hub": self.id,
            "config": self.config,
            "revision": self.revision,
            "columns": self.columns.to_plain(),
        }

    def origins(self) -> dict[str, str]:
        return origins(self.columns.splits)

    def load(self) -> L:
        """Raises UserError at once without a network, unless `datasets` has the set in its own cache."""
        if not offline_by_choice() and reachable(endpoint()):
            return self._load(offline=False)
        with _offline():
            return self._load(offline=True)

    def _load(self, offline: bool) -> L:
        import datasets

        try:
            builder = datasets.load_dataset_builder(self.id, self.config, revision=self.revision)
            kinds = {kind.__name__ for kind in type(builder).__mro__}
            if not kinds & {"Parquet", "Cache"}:
                raise UserError(
                    f"{self.id} on the Hub is not parquet ({builder.name}): expected parquet files; "
                    "try data.hub.revision=refs/convert/parquet"
                )
            revision = commit_of(builder)
            if self.revision and _COMMIT.fullmatch(self.revision) and revision != self.revision:
                raise UserError(
                    f"{self.id} is not in the cache at revision {self.revision}, but at {revision}: "
                    "connect to the Hub, or set data.hub.revision to that one"
                )
            builder.download_and_prepare()
            loaded = self.columns.read(builder.as_dataset(), self.id, revision)
        except UserError:
            raise
        except Exception as error:  # readers of YAML and of Parquet may raise any error on damaged files
            if offline:
                raise UserError(f"no network for the Hub set {self.id} ({why_offline()}): {_REMEDY}") from error
            reason = root_cause(error)
            raise UserError(f"{self.id} cannot be loaded from the Hub ({reason}): {_advice(reason)}") from error
        if "Cache" in kinds:
            loaded.notes.append(
                f"{self.id}: no answer from the Hub, taken from the datasets cache (revision {revision})"
            )
        return loaded


def _advice(reason: str) -> str:
    if "scripts are no longer supported" in reason:
        return "it holds a script, not data; try data.hub.revision=refs/convert/parquet"
    return f"check data.hub.id, data.hub.config and data.hub.revision; {_REMEDY}"


def commit_of(builder: DatasetBuilder) -> str | None:
    """The commit in the addresses of a builder's files or, for a builder from the cache, in its directory's name."""
    for files in (getattr(builder.config, "data_files", None) or {}).values():
        for file in files:
            if commit := re.search(rf"@({_COMMIT.pattern})/", str(file)):
                return commit[1]
    return builder.hash


def endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")


def offline_by_choice() -> bool:
    return any(
        os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    )


def why_offline() -> str:
    return "HF_HUB_OFFLINE is set" if offline_by_choice() else f"{endpoint()} does not answer"


def reachable(address: str, patience: float = PATIENCE) -> bool:
    """Whether a server answers at an address in time. A thread asks: the look-up of a name has no time limit."""
    address = without_credentials(address, "")  # which urllib takes for a part of the host
    answers: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=patience):
                answers.append(True)
        except urllib.error.HTTPError as error:
            answers.append(error.code < 500)
        except (OSError, ValueError, HTTPException):
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience)
    return bool(answers and answers[0])


@contextmanager
def _offline() -> Iterator[None]:
    """Keeps both libraries from the network: otherwise they try again for half a minute."""
    modules = [import_module(name) for name in ("datasets.config", "huggingface_hub.constants")]
    with ExitStack() as stack:
        for module in modules:
            stack.callback(setattr, module, "HF_HUB_OFFLINE", vars(module)["HF_HUB_OFFLINE"])
            vars(module)["HF_HUB_OFFLINE"] = True
        yield
