"""Public sets: read from a mirror where one is given, else from the Hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Generic, Protocol, TypeVar

from lightning_seq.data.sources.captions import CaptionColumns, CaptionTable
from lightning_seq.data.sources.columns import Columns, Reading
from lightning_seq.data.sources.corpus import Corpus, TextColumn
from lightning_seq.data.sources.dialogs import DialogColumns, DialogTable
from lightning_seq.data.sources.hub import Hub, WithNotes
from lightning_seq.data.sources.hub_stream import HubStream
from lightning_seq.data.sources.keys import Located
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.data.sources.pairs import PairColumns, PairTable
from lightning_seq.data.sources.table import L_co, Loaded, Source, Table
from lightning_seq.data.sources.tagged import TaggedColumns, TaggedTable
from lightning_seq.data.sources.visual_questions import QuestionColumns, QuestionTable
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.value_types import ArgumentsOf

HUB_KEYS = ("id", "config", "revision")
L = TypeVar("L", bound=WithNotes)


class PublicSource(Source[L_co], Located, Protocol[L_co]):
    """A source whose examples can be looked up in a public set."""


class PublicSet(Generic[L]):
    """A set of the Hub, read from a mirror where one is given.

    hub:           `{id, config, revision}`, and `stream: true` for a class with a `stream`; any other key is one of
                   `columns`, with its value on the Hub alone.
    mirror:        a directory in Hub layout; None or empty: the set is read from the Hub.
    mirror_path:   the set in the mirror; None: the id of the hub.
    mirror_config: its configuration; None: its only or default one.
    columns:       the arguments of `reading`.

    Raises UserError for an unknown key of `hub`, for a set without an id, and as `reading` does.
    """

    reading: type[Reading[L]]
    """Reads the columns of the set."""
    stream: Callable[..., PublicSource[L]] | None = None
    """Reads only as many rows of the Hub as are wanted; None: the set is always fetched whole."""

    def __init__(
        self,
        hub: Mapping[str, object] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        **columns: Annotated[object, ArgumentsOf("reading")],
    ) -> None:
        settings, names = self.hub_settings(hub), {field.name for field in fields(self.reading)}
        if not settings.get("id"):
            raise UserError("data.hub.id is not given: expected a set of the Hub such as stanfordnlp/imdb")
        make: Callable[..., Reading[L]] = self.reading
        id_, config, revision = (str(value) if (value := settings.get(key)) else None for key in HUB_KEYS)
        own = {} if mirror else {key: value for key, value in settings.items() if key in names}
        self.columns = make(**{**columns, **own})
        self.set: PublicSource[L]
        if mirror:
            self.set = Mirror(mirror, mirror_path or str(id_), mirror_config, columns=self.columns)
        else:
            kind: Callable[..., PublicSource[L]] = self.stream if self.stream and settings.get("stream") else Hub
            self.set = kind(id_, config, revision, columns=self.columns)

    def hub_settings(self, hub: Mapping[str, object] | None) -> dict[str, object]:
        """The keys of `hub`. Raises UserError for an unknown key."""
        known = {*HUB_KEYS, *(field.name for field in fields(self.reading)), *(["stream"] if self.stream else [])}
        for key in hub or {}:
            if key not in known:
                raise UserError(f"data.hub has no key {key!r}; {near(str(key), known)}")
        return dict(hub or {})

    def describe(self) -> str:
        return self.set.describe()

    def identity(self) -> Plain:
        return self.set.identity()

    def origins(self) -> dict[str, str]:
        return self.set.origins()

    def load(self) -> L:
        """Raises UserError as the mirror or the Hub does."""
        return self.set.load()


class LabelledTexts(PublicSet[Loaded[Table]]):
    """Texts of one class each."""

    reading = Columns


class TaggedSentences(PublicSet[Loaded[TaggedTable]]):
    """Sentences with a tag for each token."""

    reading = TaggedColumns


class ParallelTexts(PublicSet[Loaded[PairTable]]):
    """Pairs of texts."""

    reading = PairColumns
    stream = HubStream

    @property
    def language_pair(self) -> tuple[str | None, str | None]:
        read = self.columns
        return (read.source_language, read.target_language) if isinstance(read, PairColumns) else (None, None)


class CaptionedPictures(PublicSet[Loaded[CaptionTable]]):
    """Pictures with captions."""

    reading = CaptionColumns


class VisualQuestionSet(PublicSet[Loaded[QuestionTable]]):
    """Questions about pictures."""

    reading = QuestionColumns


class DialogSet(PublicSet[Loaded[DialogTable]]):
    """Dialogs about pictures."""

    reading = DialogColumns


class RunningText(PublicSet[Corpus]):
    """Running text."""

    reading = TextColumn
