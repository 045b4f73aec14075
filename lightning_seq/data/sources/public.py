"""Public sets: read from a mirror where one is given, else from the Hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from lightning_seq.data.sources.columns import Columns, Reading
from lightning_seq.data.sources.corpus import Corpus, Tail
from lightning_seq.data.sources.hub import Hub
from lightning_seq.data.sources.hub_stream import HubStream
from lightning_seq.data.sources.keys import Located
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.data.sources.pairs import PairColumns, PairTable
from lightning_seq.data.sources.table import SPLITS, Cut, L_co, Loaded, Source, Table
from lightning_seq.data.sources.tagged import TaggedColumns, TaggedTable
from lightning_seq.data.sources.text_column import TextColumn
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.value_types import Fraction, Seed, Size

HUB_KEYS = ("id", "config", "revision")
L = TypeVar("L")


class PublicSource(Source[L_co], Located, Protocol[L_co]):
    """A source whose examples can be looked up in a public set."""


class PublicSet(Generic[L]):
    """A set of the Hub, which is read from a mirror where one is given.

    hub:           `{id, config, revision}`, and `stream: true` where the kind of data can be streamed; any other key is
                   one of `columns`, with the value that it has on the Hub alone.
    mirror:        a directory in Hub layout; None or empty: the Hub is asked.
    mirror_path:   the set in the mirror; None: the id of the hub.
    mirror_config: its configuration; None: its only or default one.
    columns:       the arguments of `reading`, by the names that they have in the configuration.
    stream:        reads only as many rows as are asked for; None: this kind of data is always fetched whole.

    Raises UserError for a key of `hub` that does not exist, for a set without an id, and as `reading` does.
    """

    def __init__(
        self,
        reading: Callable[..., Reading[L]],
        columns: Mapping[str, Any],
        hub: Mapping[str, Any] | None,
        mirror: str | None,
        mirror_path: str | None,
        mirror_config: str | None,
        stream: Callable[[str, str | None, str | None, Any], PublicSource[L]] | None = None,
    ) -> None:
        given = hub_settings(hub, *(["stream"] if stream else []), *columns)
        if not given.get("id"):
            raise UserError("data.hub.id is not given: expected a set of the Hub such as stanfordnlp/imdb")
        settings = dict(columns) if mirror else {**columns, **{key: given[key] for key in columns if key in given}}
        read = reading(**{**settings, "splits": dict(settings["splits"] or {split: split for split in SPLITS})})
        self.set: PublicSource[L]
        if mirror:
            self.set = Mirror(mirror, mirror_path or given["id"], mirror_config, read)
        else:
            kind = stream if stream and given.get("stream") else Hub
            self.set = kind(given["id"], given.get("config"), given.get("revision"), read)

    def describe(self) -> str:
        return self.set.describe()

    def identity(self) -> Plain:
        return self.set.identity()

    def origins(self) -> dict[str, str]:
        return self.set.origins()

    def load(self) -> L:
        """Raises UserError as the mirror or the Hub does."""
        return self.set.load()


def hub_settings(hub: Mapping[str, Any] | None, *more: str) -> dict[str, Any]:
    """Raises UserError for a key of `data.hub` that does not exist. more: further keys than `HUB_KEYS`."""
    for key in hub or {}:
        if key not in (*HUB_KEYS, *more):
            raise UserError(f"data.hub has no key {key!r}; {near(str(key), (*HUB_KEYS, *more))}")
    return dict(hub or {})


class LabelledTexts(PublicSet[Loaded[Table]]):
    """Texts of one class each: a `PublicSet` read by `Columns`; `Cut` cuts the splits that it does not have."""

    def __init__(
        self,
        hub: dict[str, Any] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        text_column: str = "text",
        label_column: str = "label",
        id_column: str | None = None,
        classes: list[str] | None = None,
        splits: dict[str, str | None] | None = None,
        validation_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        split_seed: Seed = 1,
    ) -> None:
        columns = {
            "text_column": text_column,
            "label_column": label_column,
            "id_column": id_column,
            "classes": classes,
            "splits": splits,
        }
        reading = partial(Columns, cut=Cut(validation_fraction, test_fraction, split_seed))
        super().__init__(reading, columns, hub, mirror, mirror_path, mirror_config)


class TaggedSentences(PublicSet[Loaded[TaggedTable]]):
    """Sentences with a tag for each token: a `PublicSet` read by `TaggedColumns`; see `Cut` for missing splits."""

    def __init__(
        self,
        hub: dict[str, Any] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        tokens_column: str = "tokens",
        tag_column: str = "tags",
        intent_column: str | None = None,
        id_column: str | None = None,
        splits: dict[str, str | None] | None = None,
        validation_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        split_seed: Seed = 1,
    ) -> None:
        columns = {
            "tokens_column": tokens_column or "tokens",
            "tag_column": tag_column or "tags",
            "intent_column": intent_column,
            "id_column": id_column,
            "splits": splits,
        }
        reading = partial(TaggedColumns, cut=Cut(validation_fraction, test_fraction, split_seed))
        super().__init__(reading, columns, hub, mirror, mirror_path, mirror_config)


class ParallelTexts(PublicSet[Loaded[PairTable]]):
    """Pairs of texts: a `PublicSet` read by `PairColumns`; `Cut` cuts the splits that it does not have.

    source_language, target_language, rows: see `PairColumns`.
    """

    def __init__(
        self,
        hub: dict[str, Any] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        source_language: str | None = None,
        target_language: str | None = None,
        source_column: str | None = None,
        target_column: str | None = None,
        id_column: str | None = None,
        rows: Size | None = None,
        splits: dict[str, str | None] | None = None,
        validation_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        split_seed: Seed = 1,
    ) -> None:
        self.language_pair = (source_language, target_language)
        columns = {
            "source_column": source_column,
            "target_column": target_column,
            "id_column": id_column,
            "splits": splits,
        }
        cut = Cut(validation_fraction, test_fraction, split_seed)
        reading = partial(PairColumns, source_language, target_language, rows=rows, cut=cut)
        super().__init__(reading, columns, hub, mirror, mirror_path, mirror_config, HubStream)


class RunningText(PublicSet[Corpus]):
    """Running text: a `PublicSet` read by `TextColumn`; `Tail` cuts the splits that it does not have."""

    def __init__(
        self,
        hub: dict[str, Any] | None = None,
        mirror: str | None = None,
        mirror_path: str | None = None,
        mirror_config: str | None = None,
        text_column: str = "text",
        splits: dict[str, str | None] | None = None,
        validation_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
    ) -> None:
        columns = {"text_column": text_column, "splits": splits}
        reading = partial(TextColumn, tail=Tail(validation_fraction, test_fraction))
        super().__init__(reading, columns, hub, mirror, mirror_path, mirror_config)
