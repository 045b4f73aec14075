"""Sets of the Hugging Face Hub, or of a directory that holds copies of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from lightning_seq.data.sources.table import SPLITS, Loaded, Table
from lightning_seq.errors import UserError, near
from lightning_seq.files import sha256

SECONDS = 3.0
"""How long the Hub has to answer before a download is begun at all."""


@dataclass(frozen=True)
class HubSource:
    """A set of texts and labels on the Hub, or in a mirror.

    hub:          `id`, `config`, `revision` of the set on the Hub; parquet only, no code of the set's is run.
    mirror_path:  the set's path inside a mirror.
    mirror:       a directory in Hub layout, or None to use the Hub.
    text_column, label_column: columns.
    splits:       for each of train, validation, test the set's own split, or None where it has none.
    cache:        where downloads go.
    """

    hub: Mapping[str, str | None]
    mirror_path: str
    mirror: Path | None
    text_column: str
    label_column: str
    splits: Mapping[str, str | None]
    cache: Path
    names: tuple[str, ...] | None = field(default=None)

    def identity(self) -> dict[str, Any]:
        columns = {"text": self.text_column, "label": self.label_column, "splits": dict(self.splits)}
        if self.mirror is None:
            return {"source": "hub", **self.hub, **columns}
        folder = self._folder()
        files = sorted(folder.rglob("*.parquet"))
        return {"source": "mirror", "files": {f.relative_to(folder).as_posix(): sha256(f) for f in files}, **columns}

    def _folder(self) -> Path:
        """The set's directory in the mirror. Raises UserError where it is not there, naming what is near."""
        assert self.mirror is not None  # noqa: S101 - callers asked
        if not self.mirror.is_dir():
            raise UserError(f"the mirror {self.mirror} is not a directory: check data.mirror or LIGHTNING_SEQ_MIRROR")
        folder = self.mirror / self.mirror_path
        if not any(folder.rglob("*.parquet")):
            there = [f"{p.parent.name}/{p.name}" for p in self.mirror.glob("*/*") if p.is_dir()]
            raise UserError(f"the mirror {self.mirror} has no {self.mirror_path}: {near(self.mirror_path, there)}")
        return folder

    def load(self) -> Loaded:
        import datasets

        datasets.disable_progress_bars()
        origin: dict[str, Any]
        if self.mirror is not None:
            found = self._open(str(self._folder()), None)
            origin = {"mirror": self.mirror_path}
        else:
            found = self._download()
            origin = {"hub": self.hub["id"], "revision": _revision(found)}
        splits, names = {}, self.names
        for split in SPLITS:
            own = self.splits.get(split)
            if own is None:
                continue
            if own not in found:
                raise UserError(f"{self._title()} has no split {own!r}: {near(own, list(found))}")
            splits[split], names = self._table(found[own], own, names)
        return Loaded(splits, names, origin)

    def _title(self) -> str:
        return self.mirror_path if self.mirror is not None else str(self.hub["id"])

    def _open(self, path: str, revision: str | None) -> Any:
        import datasets

        config = self.hub.get("config") if self.mirror is None else None
        return datasets.load_dataset(path, config, revision=revision, cache_dir=str(self.cache / "datasets"))

    def _download(self) -> Any:
        """Raises UserError at once where the Hub does not answer and the set was not downloaded before."""
        import datasets

        reason = None if os.environ.get("HF_HUB_OFFLINE") == "1" else unreachable()
        offline = datasets.config.HF_HUB_OFFLINE
        if reason:
            datasets.config.HF_HUB_OFFLINE = True
        try:
            return self._open(str(self.hub["id"]), self.hub.get("revision"))
        except Exception as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"{self.hub['id']} could not be had from the Hub ({reason or first}): use a local copy with "
                "data.mirror=DIR or LIGHTNING_SEQ_MIRROR, or an embedded set such as data=verses_genre"
            ) from error
        finally:
            datasets.config.HF_HUB_OFFLINE = offline

    def _table(self, rows: Any, split: str, names: tuple[str, ...] | None) -> tuple[Table, tuple[str, ...] | None]:
        for column in (self.text_column, self.label_column):
            if column not in rows.column_names:
                raise UserError(
                    f"{self._title()} has no column {column!r}: {near(column, rows.column_names)}; "
                    "set data.text_column or data.label_column"
                )
        texts = [text or "" for text in rows.data.column(self.text_column).to_pylist()]
        labels = rows.data.column(self.label_column).to_pylist()
        known = tuple(getattr(rows.features[self.label_column], "names", None) or ()) or names
        for row, label in enumerate(labels):
            if label is None or (isinstance(label, int) and known and not 0 <= label < len(known)):
                raise UserError(
                    f"{self._title()}, split {split}, row {row}: label missing or out of range ({label}): "
                    "choose a split with labels in data.splits"
                )
        words = [known[label] if known and isinstance(label, int) else str(label) for label in labels]
        return Table(texts, words), known


def _revision(found: Any) -> str | None:
    """The commit that was loaded, as datasets remembers it."""
    for rows in found.values():
        for url in rows.info.download_checksums or {}:
            with suppress(IndexError):
                return str(url).split("@")[1].split("/")[0]
    return None


def unreachable() -> str | None:
    """Why the Hub (or the proxy to it) cannot be reached, or None; within about three seconds."""
    url = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    proxy = getproxies().get(url.scheme)
    if proxy and url.hostname not in ("127.0.0.1", "localhost"):
        url = urlsplit(proxy)
    address = (url.hostname or "", url.port or (443 if url.scheme == "https" else 80))

    def connect() -> None:
        socket.create_connection(address, timeout=SECONDS).close()

    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(connect).result(SECONDS)
    except (OSError, TooLate) as error:
        return f"no network: {address[0]} does not answer{f', {error}' if str(error) else ''}"
    finally:
        pool.shutdown(wait=False)
    return None
